// SPDX-License-Identifier: Apache-2.0
/* The watermark on every kind of picture: alpha, grey, 16 bit, profiles, animations, read once from top to bottom. */
#include "harness.h"

static void keep_png(const char *name, VipsImage *image)
{
    void *bytes = NULL;
    size_t size = 0;
    assert_int_equal(vips_pngsave_buffer(image, &bytes, &size, NULL), 0);
    harness_set_asset(name, bytes, size);
    g_object_unref(image);
}

static int make_assets(void **state)
{
    (void)state;
    keep_png("red.png", image_flat(10, 10, 3, 255, 0, 0, 255));
    keep_png("white.png", image_flat(10, 10, 1, 255, 0, 0, 255));
    keep_png("half.png", image_alpha(40, 20)); /* opaque red left, clear green right */
    return 0;
}

static VipsImage *marked(const char *yaml, VipsImage *in)
{
    Step *step = step_new("watermark", yaml);
    VipsImage *out = step_apply(step, in);
    step_free(step);
    g_object_unref(in);
    return out;
}

/* Every band of a copy of `in` times 257, as 16 bit. */
static VipsImage *deep(VipsImage *in, VipsInterpretation interpretation, double add)
{
    VipsImage *scaled = NULL, *whole = NULL, *out = NULL;
    assert_int_equal(vips_linear1(in, &scaled, 257, add, NULL), 0);
    assert_int_equal(vips_cast_ushort(scaled, &whole, NULL), 0);
    assert_int_equal(vips_copy(whole, &out, "interpretation", interpretation, NULL), 0);
    g_object_unref(scaled);
    g_object_unref(whole);
    g_object_unref(in);
    return out;
}

static void alpha_is_kept(void **state)
{
    (void)state;
    /* Over a clear half: the watermark's own alpha; elsewhere nothing changes. */
    VipsImage *out = marked("{image: white.png, gravity: east}", image_alpha(40, 40));
    assert_int_equal(out->Bands, 4);
    assert_pixel(out, 35, 20, 255, 255, 255, 0);
    assert_true(image_at(out, 35, 20, 3) == 255);
    assert_true(image_at(out, 35, 2, 3) == 0);
    assert_pixel(out, 5, 20, 255, 0, 0, 0);
    g_object_unref(out);

    out = marked("{image: white.png, gravity: east, blend: atop}", image_alpha(40, 40));
    assert_true(image_at(out, 35, 20, 3) == 0);
    g_object_unref(out);
    out = marked("{image: white.png, gravity: west, blend: atop}", image_alpha(40, 40));
    assert_pixel(out, 5, 20, 255, 255, 255, 0);
    g_object_unref(out);
}

/* The clear half of the overlay is green underneath: none of that may bleed into its edge when it is resampled. */
static void clear_pixels_do_not_bleed(void **state)
{
    (void)state;
    static const char *const yaml[] = {"{image: half.png, scale: 0.3, gravity: north-west}",
                                       "{image: half.png, scale: 1, gravity: north-west}",
                                       "{image: half.png, rotate: 10, gravity: north-west}"};
    for (size_t i = 0; i < 3; i++) {
        VipsImage *out = marked(yaml[i], image_flat(60, 60, 3, 0, 0, 0, 255));
        for (int y = 0; y < 60; y++)
            for (int x = 0; x < 60; x++)
                if (image_at(out, x, y, 1) > 2) fail_msg("%s: green at %d,%d", yaml[i], x, y);
        g_object_unref(out);
    }
}

static void grey_stays_grey_under_grey(void **state)
{
    (void)state;
    VipsImage *out = marked("{image: white.png, gravity: center}", image_flat(40, 40, 1, 60, 0, 0, 255));
    assert_int_equal(out->Bands, 1);
    assert_true(image_at(out, 20, 20, 0) == 255);
    assert_true(image_at(out, 2, 2, 0) == 60);
    g_object_unref(out);

    out = marked("{image: red.png, gravity: center}", image_flat(40, 40, 1, 60, 0, 0, 255));
    assert_int_equal(out->Bands, 3);
    assert_int_equal(out->Type, VIPS_INTERPRETATION_sRGB);
    assert_pixel(out, 20, 20, 255, 0, 0, 0);
    assert_pixel(out, 2, 2, 60, 60, 60, 1);
    g_object_unref(out);

    out = marked("{image: white.png, gravity: center}", image_flat(40, 40, 2, 60, 0, 0, 128));
    assert_int_equal(out->Bands, 2);
    assert_true(image_at(out, 20, 20, 1) == 255);
    assert_true(image_at(out, 2, 2, 0) == 60 && image_at(out, 2, 2, 1) == 128);
    g_object_unref(out);

    out = marked("{image: red.png, gravity: center}", image_flat(40, 40, 2, 60, 0, 0, 128));
    assert_int_equal(out->Bands, 4);
    assert_true(image_at(out, 2, 2, 3) == 128);
    g_object_unref(out);

    out = marked("{text: grey, color: \"#808080\"}", image_flat(40, 40, 1, 60, 0, 0, 255));
    assert_int_equal(out->Bands, 1);
    g_object_unref(out);
    out = marked("{text: tinted, color: \"#808090\"}", image_flat(40, 40, 1, 60, 0, 0, 255));
    assert_int_equal(out->Bands, 3);
    g_object_unref(out);
}

static void sixteen_bits_stay(void **state)
{
    (void)state;
    VipsImage *out = marked("{image: red.png, gravity: center}",
                            deep(image_flat(40, 40, 3, 10, 20, 30, 255), VIPS_INTERPRETATION_RGB16, 7));
    assert_int_equal(out->BandFmt, VIPS_FORMAT_USHORT);
    assert_pixel(out, 20, 20, 65535, 0, 0, 0);
    assert_pixel(out, 2, 2, 2577, 5147, 7717, 0); /* the low byte too */
    g_object_unref(out);

    out = marked("{image: white.png, gravity: center, opacity: 0.5}",
                 deep(image_flat(40, 40, 1, 10, 0, 0, 255), VIPS_INTERPRETATION_GREY16, 7));
    assert_int_equal(out->Bands, 1);
    assert_true(fabs(image_at(out, 20, 20, 0) - (65535 * 128 + 2577 * 127) / 255.0) < 2);
    assert_true(image_at(out, 2, 2, 0) == 2577);
    g_object_unref(out);

    out = marked("{image: red.png, gravity: center}",
                 deep(image_flat(40, 40, 4, 10, 20, 30, 0), VIPS_INTERPRETATION_RGB16, 0));
    assert_true(image_at(out, 20, 20, 3) == 65535 && image_at(out, 2, 2, 3) == 0);
    g_object_unref(out);

    out = marked("{image: red.png, gravity: center}",
                 deep(image_flat(40, 40, 1, 100, 0, 0, 255), VIPS_INTERPRETATION_GREY16, 0));
    assert_int_equal(out->Bands, 3);
    assert_int_equal(out->Type, VIPS_INTERPRETATION_RGB16);
    assert_true(image_at(out, 20, 20, 0) == 65535);
    g_object_unref(out);
}

/* Red of sRGB is 234,51,35 in Display P3; the profile stays with the picture. */
static void colours_are_those_of_the_profile(void **state)
{
    (void)state;
    VipsImage *flat = image_flat(40, 40, 3, 128, 128, 128, 255), *p3 = NULL, *memory;
    assert_int_equal(vips_icc_transform(flat, &p3, "p3", "input_profile", "srgb", NULL), 0);
    memory = vips_image_copy_memory(p3);
    g_object_unref(p3);
    g_object_unref(flat);
    VipsImage *out = marked("{image: red.png, gravity: center}", memory);
    assert_true(vips_image_get_typeof(out, VIPS_META_ICC_NAME) != 0);
    assert_pixel(out, 20, 20, 234, 51, 35, 3);
    assert_pixel(out, 2, 2, 128, 128, 128, 1);
    g_object_unref(out);
}

static void damaged_profile_costs_nothing(void **state)
{
    (void)state;
    VipsImage *image = image_flat(40, 40, 3, 9, 9, 9, 255);
    vips_image_set_blob_copy(image, VIPS_META_ICC_NAME, "not a profile", 13);
    VipsImage *out = marked("{image: red.png, gravity: center}", image);
    assert_pixel(out, 20, 20, 255, 0, 0, 0);
    g_object_unref(out);
}

static void every_page_is_marked(void **state)
{
    (void)state;
    VipsImage *out = marked("{image: red.png, gravity: south-east}", image_animation(40, 30, 5));
    assert_size(out, 40, 30);
    assert_int_equal(out->Ysize, 150);
    for (int page = 0; page < 5; page++) {
        assert_pixel(out, 35, page * 30 + 25, 255, 0, 0, 0);
        assert_pixel(out, 5, page * 30 + 5, page * 40, page * 40, page * 40, 0);
    }
    int n = 0, *delays = NULL;
    assert_int_equal(vips_image_get_array_int(out, "delay", &delays, &n), 0);
    assert_int_equal(n, 5);
    assert_int_equal(delays[4], 140);
    g_object_unref(out);
}

/* One step serves jobs of different sizes, depths and kinds in any order. */
static void later_jobs_get_their_own_watermark(void **state)
{
    (void)state;
    Step *step = step_new("watermark", "{image: white.png, scale: 0.5, gravity: north-west}");
    static const int widths[] = {40, 80, 40, 20};
    for (size_t i = 0; i < 4; i++) {
        VipsImage *in = image_flat(widths[i], widths[i], i == 3 ? 1 : 3, 0, 0, 0, 255);
        if (i == 2) in = deep(in, VIPS_INTERPRETATION_RGB16, 0);
        VipsImage *out = step_apply(step, in);
        double full = i == 2 ? 65535 : 255;
        assert_true(image_at(out, widths[i] / 2 - 1, widths[i] / 2 - 1, 0) == full);
        assert_true(image_at(out, widths[i] / 2, widths[i] / 2, 0) == 0);
        g_object_unref(out);
        g_object_unref(in);
    }
    step_free(step);
}

/* A source that can be read only once, from top to bottom. */
static void works_on_a_sequential_source(void **state)
{
    (void)state;
    static const char *const yaml[] = {
        "{image: red.png, gravity: north-west}",
        "{image: red.png, gravity: south, rotate: 30, scale: 0.5}",
        "{image: half.png, tile: true, rotate: -30}",
        "{text: SAMPLE, tile: true, rotate: -30, shadow: 5%}",
    };
    VipsImage *photo = image_photo(700, 1500);
    void *bytes = NULL;
    size_t size = 0;
    assert_int_equal(vips_pngsave_buffer(photo, &bytes, &size, NULL), 0);
    g_object_unref(photo);
    for (size_t i = 0; i < 4; i++) {
        VipsImage *in = NULL;
        assert_int_equal(vips_pngload_buffer(bytes, size, &in, "access", VIPS_ACCESS_SEQUENTIAL, NULL), 0);
        VipsImage *out = marked(yaml[i], in);
        assert_size(out, 700, 1500);
        g_object_unref(out);
    }
    g_free(bytes);
}

static void metadata_of_the_overlay_stays_out(void **state)
{
    (void)state;
    VipsImage *logo = image_flat(10, 10, 3, 255, 0, 0, 255);
    vips_image_set_blob_copy(logo, VIPS_META_XMP_NAME, "<x:xmpmeta/>", 12);
    vips_image_set_string(logo, "png-comment-0-Author", "someone");
    keep_png("tagged.png", logo);
    VipsImage *base = image_photo(40, 40);
    vips_image_set_blob_copy(base, VIPS_META_IPTC_NAME, "base", 4);
    VipsImage *out = marked("{image: tagged.png}", base);
    assert_int_equal(vips_image_get_typeof(out, VIPS_META_XMP_NAME), 0);
    assert_int_equal(vips_image_get_typeof(out, "png-comment-0-Author"), 0);
    assert_true(vips_image_get_typeof(out, VIPS_META_IPTC_NAME) != 0);
    g_object_unref(out);
}

/* A JPEG that says it lies on its side, and one of every other kind that a logo comes in. */
static void any_kind_of_logo_is_read(void **state)
{
    (void)state;
    VipsImage *logo = image_quarters(20, 10), *cmyk = NULL;
    void *bytes = NULL;
    size_t size = 0;
    vips_image_set_int(logo, VIPS_META_ORIENTATION, 6);
    assert_int_equal(vips_jpegsave_buffer(logo, &bytes, &size, "Q", 100, NULL), 0);
    harness_set_asset("side.jpg", bytes, size);
    VipsImage *out = marked("{image: side.jpg, gravity: north-west}", image_flat(40, 40, 3, 0, 0, 0, 255));
    assert_pixel(out, 2, 2, 0, 0, 255, 8); /* turned right: what was at the lower left is at the upper left */
    assert_pixel(out, 7, 17, 0, 255, 0, 8);
    assert_pixel(out, 12, 2, 0, 0, 0, 0);
    g_object_unref(out);

    assert_int_equal(vips_webpsave_buffer(logo, &bytes, &size, "lossless", TRUE, NULL), 0);
    harness_set_asset("logo.webp", bytes, size);
    out = marked("{image: logo.webp, gravity: north-west}", image_flat(40, 40, 3, 0, 0, 0, 255));
    assert_true(image_at(out, 2, 2, 2) > 250 || image_at(out, 2, 2, 0) > 250);
    g_object_unref(out);

    assert_int_equal(vips_icc_transform(logo, &cmyk, "cmyk", "input_profile", "srgb", NULL), 0);
    assert_int_equal(vips_jpegsave_buffer(cmyk, &bytes, &size, "Q", 100, NULL), 0);
    harness_set_asset("print.jpg", bytes, size);
    g_object_unref(cmyk);
    g_object_unref(logo);
    out = marked("{image: print.jpg, gravity: north-west}", image_flat(40, 40, 3, 0, 0, 0, 255));
    assert_true(image_at(out, 7, 17, 1) > image_at(out, 7, 17, 2) + 100); /* green, as far as print can */
    g_object_unref(out);
}

static void several_in_a_chain(void **state)
{
    (void)state;
    VipsImage *one = marked("{image: red.png, gravity: north-west}", image_flat(40, 40, 3, 0, 0, 0, 255));
    VipsImage *two = marked("{image: white.png, gravity: south-east}", one);
    assert_pixel(two, 5, 5, 255, 0, 0, 0);
    assert_pixel(two, 35, 35, 255, 255, 255, 0);
    g_object_unref(two);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(alpha_is_kept),
    cmocka_unit_test(clear_pixels_do_not_bleed),
    cmocka_unit_test(grey_stays_grey_under_grey),
    cmocka_unit_test(sixteen_bits_stay),
    cmocka_unit_test(colours_are_those_of_the_profile),
    cmocka_unit_test(damaged_profile_costs_nothing),
    cmocka_unit_test(every_page_is_marked),
    cmocka_unit_test(later_jobs_get_their_own_watermark),
    cmocka_unit_test(works_on_a_sequential_source),
    cmocka_unit_test(metadata_of_the_overlay_stays_out),
    cmocka_unit_test(any_kind_of_logo_is_read),
    cmocka_unit_test(several_in_a_chain),
};

int main(int argc, char **argv)
{
    (void)argc;
    harness_setup(argv[0]);
    return cmocka_run_group_tests(tests, make_assets, NULL);
}
