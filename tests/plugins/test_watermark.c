// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

/* ------------------------------------------------------------------ overlays, kept until the program ends */

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
    keep_png("red.png", image_flat(10, 6, 3, 255, 0, 0, 255));
    keep_png("white.png", image_flat(20, 20, 1, 255, 0, 0, 255));
    keep_png("half.png", image_alpha(40, 20)); /* opaque red left, clear right */
    keep_png("tall.png", image_flat(10, 400, 3, 255, 0, 0, 255));
    static const char svg[] = "<svg xmlns='http://www.w3.org/2000/svg'/>";
    harness_set_asset("page.svg", svg, sizeof(svg) - 1);
    harness_set_asset("empty.png", "", 0);
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

static VipsImage *black(int width, int height)
{
    return image_flat(width, height, 3, 0, 0, 0, 255);
}

/* The box of everything that is not black in band 0; 8-bit images in memory. */
static void assert_box(VipsImage *image, const char *yaml, int left, int top, int width, int height)
{
    int x0 = image->Xsize, y0 = image->Ysize, x1 = 0, y1 = 0;
    for (int y = 0; y < image->Ysize; y++) {
        for (int x = 0; x < image->Xsize; x++) {
            if (image->data[(y * image->Xsize + x) * image->Bands] < 10) continue;
            x0 = VIPS_MIN(x0, x);
            y0 = VIPS_MIN(y0, y);
            x1 = VIPS_MAX(x1, x + 1);
            y1 = VIPS_MAX(y1, y + 1);
        }
    }
    if (x0 != left || y0 != top || x1 - x0 != width || y1 - y0 != height)
        fail_msg("%s: at %d,%d of %dx%d, expected %d,%d of %dx%d", yaml, x0, y0, x1 - x0, y1 - y0, left, top, width,
                 height);
}

static void bad_settings_are_refused_with_the_reason(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *says;
    } cases[] = {
        {"{}", "nothing to put on: give image or text"},
        {"{image: red.png, text: hello}", "text: image and text exclude each other"},
        {"{image: red.png, gravity: sout}", "gravity: \"sout\" is none of north-west"},
        {"{image: red.png, gravity: \"0.5,1.5\"}", "gravity: \"0.5,1.5\" is none of"},
        {"{image: red.png, gravity: \"0.5,nan\"}", "gravity: \"0.5,nan\" is none of"},
        {"{image: page.svg}", "image: page.svg can't be used as a watermark"},
        {"{image: empty.png}", "image: empty.png can't be used as a watermark"},
        {"{image: missing.png}", "no asset missing.png"},
        {"{image: red.png, scale: 1.5}", "scale"},
        {"{image: red.png, opacity: 2}", "opacity"},
        {"{image: red.png, margin: -3}", "margin"},
        {"{image: red.png, blend: burn}", "blend"},
        {"{text: \"  \"}", "text: there is nothing to see in it"},
        {"{text: hello, font: Sans Bold 24}", "font: \"Sans Bold 24\" ends in a number: the size belongs in size"},
        {"{text: hello, size: 0}", "size"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        Step *step = step_try("watermark", cases[i].yaml);
        if (step) fail_msg("%s was taken", cases[i].yaml);
        if (!strstr(step_message(), cases[i].says))
            fail_msg("%s: \"%s\" lacks \"%s\"", cases[i].yaml, step_message(), cases[i].says);
    }
}

static void damaged_asset_is_refused(void **state)
{
    (void)state;
    VipsImage *image = image_photo(100, 100);
    void *bytes = NULL;
    size_t size = 0;
    assert_int_equal(vips_pngsave_buffer(image, &bytes, &size, NULL), 0);
    harness_set_asset("cut.png", bytes, size / 2);
    assert_null(step_try("watermark", "{image: cut.png}"));
    assert_says("image: cut.png can't be used");
    g_free(bytes);
    g_object_unref(image);
}

static void lies_where_gravity_says(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        int left, top;
    } cases[] = {
        {"{image: red.png}", 90, 74},
        {"{image: red.png, gravity: north-west}", 0, 0},
        {"{image: red.png, gravity: north}", 45, 0},
        {"{image: red.png, gravity: north-east}", 90, 0},
        {"{image: red.png, gravity: west}", 0, 37},
        {"{image: red.png, gravity: center}", 45, 37},
        {"{image: red.png, gravity: east}", 90, 37},
        {"{image: red.png, gravity: south-west}", 0, 74},
        {"{image: red.png, gravity: south}", 45, 74},
        {"{image: red.png, margin: 8}", 82, 66},
        {"{image: red.png, margin: 10%}", 82, 66},
        {"{image: red.png, margin: 8, gravity: north-west}", 8, 8},
        {"{image: red.png, margin: 8, gravity: center}", 45, 37},
        {"{image: red.png, margin: 8, gravity: \"0,1\"}", 8, 66}, /* its centre would lie on the corner */
        {"{image: red.png, gravity: \"0.3,0.7\"}", 25, 53},
        {"{image: red.png, gravity: north-west, offset_x: 3, offset_y: 5}", 3, 5},
        {"{image: red.png, gravity: north-west, offset_x: 10%, offset_y: 10%}", 10, 8},
        {"{image: red.png, offset_x: -3, offset_y: -5}", 87, 69},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        VipsImage *out = marked(cases[i].yaml, black(100, 80));
        assert_box(out, cases[i].yaml, cases[i].left, cases[i].top, 10, 6);
        g_object_unref(out);
    }
    VipsImage *cut = marked("{image: red.png, gravity: north-west, offset_x: -4}", black(100, 80));
    assert_box(cut, "past the left edge", 0, 0, 6, 6);
    g_object_unref(cut);
}

static void is_sized_by_the_picture(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        int width, height, left, top, box_width, box_height;
    } cases[] = {
        {"{image: red.png, scale: 0.5, gravity: north-west}", 100, 80, 0, 0, 50, 30},
        {"{image: red.png, scale: 1, gravity: center}", 100, 30, 25, 0, 50, 30}, /* bound by the height */
        {"{image: red.png, scale: 1, margin: 5, gravity: north-west}", 100, 80, 5, 5, 90, 54},
        {"{image: tall.png, gravity: north-west}", 100, 80, 0, 0, 2, 80}, /* larger than the picture */
        {"{image: red.png, rotate: 90, gravity: north-west}", 100, 80, 0, 0, 6, 10},
        {"{image: tall.png, rotate: -90, gravity: north-west}", 100, 80, 0, 0, 100, 3},
        {"{image: red.png}", 3, 2, 0, 0, 3, 2},
        {"{image: red.png, margin: 50}", 40, 40, 20, 24, 10, 6}, /* a margin leaves half of the side free */
        {"{image: red.png}", 1, 1, 0, 0, 1, 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        VipsImage *out = marked(cases[i].yaml, black(cases[i].width, cases[i].height));
        assert_box(out, cases[i].yaml, cases[i].left, cases[i].top, cases[i].box_width, cases[i].box_height);
        g_object_unref(out);
    }
}

/* A picture that the decoder shrank gets the same watermark as one decoded in full and shrunk after. */
static void pixels_are_those_of_the_full_decode(void **state)
{
    (void)state;
    Step *step = step_new("watermark", "{image: white.png, margin: 20, gravity: north-west}");
    VipsImage *full = black(400, 400), *half = black(200, 200);
    VipsImage *out = step_apply(step, full);
    assert_box(out, "full", 20, 20, 20, 20);
    g_object_unref(out);
    out = step_apply_shrunk(step, half, 400, 400);
    assert_box(out, "shrunk while loading", 10, 10, 10, 10);
    g_object_unref(out);
    g_object_unref(half);
    g_object_unref(full);
    step_free(step);
}

/* Another output may have been planned in between. */
static void each_picture_goes_by_its_own_shape(void **state)
{
    (void)state;
    Step *step = step_new("watermark", "{image: white.png, margin: 20, gravity: north-west}");
    VipsImage *half = black(200, 200), *out = NULL;
    PmShape shrunk = image_shape(half), whole = image_shape(half);
    shrunk.source_width = shrunk.source_height = 400;
    step_plan(step, &shrunk);
    step_plan(step, &whole);
    assert_int_equal(step_try_apply_as(step, &shrunk, half, &out), PM_OK);
    VipsImage *memory = vips_image_copy_memory(out);
    assert_box(memory, "shrunk while loading", 10, 10, 10, 10);
    g_object_unref(memory);
    g_object_unref(out);
    g_object_unref(half);
    step_free(step);
}

static void plan_lets_the_decoder_shrink(void **state)
{
    (void)state;
    const PmShape shape = {.width = 4000,
                           .height = 3000,
                           .pages = 1,
                           .bands = 3,
                           .source_width = 4000,
                           .source_height = 3000,
                           .interpretation = VIPS_INTERPRETATION_sRGB,
                           .orientation = 1};
    Step *step = step_new("watermark", "{image: red.png}");
    PmPlan plan = step_plan(step, &shape);
    assert_int_equal(plan.need_width, 0);
    assert_int_equal(plan.need_height, 0);
    assert_int_equal(plan.flags, 0);
    step_free(step);
    step = step_new("watermark", "{image: red.png, opacity: 0}");
    assert_int_equal(step_plan(step, &shape).flags, PM_SKIP);
    step_free(step);
}

static void blends_with_the_picture(void **state)
{
    (void)state;
    VipsImage *out = marked("{image: white.png, opacity: 0.5, gravity: north-west}", black(40, 40));
    assert_pixel(out, 10, 10, 128, 128, 128, 1);
    assert_pixel(out, 30, 30, 0, 0, 0, 0);
    g_object_unref(out);

    out = marked("{image: white.png, blend: multiply, gravity: north-west}", image_flat(40, 40, 3, 90, 80, 70, 255));
    assert_pixel(out, 10, 10, 90, 80, 70, 0);
    g_object_unref(out);
    out = marked("{image: red.png, blend: multiply, gravity: north-west}", image_flat(40, 40, 3, 90, 80, 70, 255));
    assert_pixel(out, 5, 3, 90, 0, 0, 0);
    g_object_unref(out);
    out = marked("{image: red.png, blend: screen, gravity: north-west}", image_flat(40, 40, 3, 90, 80, 70, 255));
    assert_pixel(out, 5, 3, 255, 80, 70, 0);
    g_object_unref(out);
    out = marked("{image: white.png, blend: difference, gravity: north-west}", image_flat(40, 40, 3, 90, 80, 70, 255));
    assert_pixel(out, 10, 10, 165, 175, 185, 1);
    g_object_unref(out);
}

/* Every copy is whole, and the pattern reaches all four edges. */
static void tiles_cover_the_picture(void **state)
{
    (void)state;
    VipsImage *out = marked("{image: red.png, tile: true, spacing: 4, gravity: north-west, offset_x: 2, offset_y: 3}",
                            black(100, 80));
    for (int y = 0; y < 80; y++) {
        for (int x = 0; x < 100; x++) {
            bool red = (x + 14 - 2) % 14 < 10 && (y + 10 - 3) % 10 < 6;
            if ((image_at(out, x, y, 0) == 255) != red) fail_msg("pixel %d,%d is wrong", x, y);
        }
    }
    g_object_unref(out);
    out = marked("{image: red.png, tile: true, spacing: 0}", black(33, 17));
    assert_box(out, "no spacing", 0, 0, 33, 17);
    g_object_unref(out);
}

static void turned_corners_are_clear(void **state)
{
    (void)state;
    VipsImage *out =
        marked("{image: white.png, rotate: 45, gravity: north-west}", image_flat(60, 60, 3, 0, 0, 90, 255));
    assert_pixel(out, 14, 14, 255, 255, 255, 0);
    assert_pixel(out, 1, 1, 0, 0, 90, 0);
    assert_pixel(out, 26, 26, 0, 0, 90, 0);
    g_object_unref(out);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(bad_settings_are_refused_with_the_reason),
    cmocka_unit_test(damaged_asset_is_refused),
    cmocka_unit_test(lies_where_gravity_says),
    cmocka_unit_test(is_sized_by_the_picture),
    cmocka_unit_test(pixels_are_those_of_the_full_decode),
    cmocka_unit_test(each_picture_goes_by_its_own_shape),
    cmocka_unit_test(plan_lets_the_decoder_shrink),
    cmocka_unit_test(blends_with_the_picture),
    cmocka_unit_test(tiles_cover_the_picture),
    cmocka_unit_test(turned_corners_are_clear),
};

int main(int argc, char **argv)
{
    (void)argc;
    harness_setup(argv[0]);
    return cmocka_run_group_tests(tests, make_assets, NULL);
}
