// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

#include <math.h>

/* ------------------------------------------------------------------ a reference in double precision */

typedef struct Wanted {
    double low, high, temperature, brightness, saturation, hue, contrast, gamma;
} Wanted;

static double decode(double coded)
{
    return coded <= 0.04045 ? coded / 12.92 : pow((coded + 0.055) / 1.055, 2.4);
}

static double encode(double light)
{
    return light <= 0.0031308 ? light * 12.92 : 1.055 * pow(light, 1 / 2.4) - 0.055;
}

static double clamp(double value)
{
    return fmin(fmax(value, 0), 1);
}

static double luminance(const double *light)
{
    return 0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2];
}

/* As docs/colour.md says it, one thing after the other. `pixel` 0..1. */
static void reference(const Wanted *wanted, double *pixel)
{
    double light[3];
    for (int i = 0; i < 3; i++) light[i] = decode(clamp((pixel[i] - wanted->low) / (wanted->high - wanted->low)));

    double warm[3] = {pow(2, wanted->temperature / 200), 1, pow(2, -wanted->temperature / 200)};
    double kept = luminance(warm);
    for (int i = 0; i < 3; i++) light[i] *= warm[i] / kept * wanted->brightness;

    double grey = luminance(light);
    for (int i = 0; i < 3; i++) light[i] = grey + wanted->saturation * (light[i] - grey);

    double cosine = cos(wanted->hue * G_PI / 180), sine = sin(wanted->hue * G_PI / 180);
    double r = 0.2126, g = 0.7152, b = 0.0722, turned[3];
    const double across[3] = {-r * light[0] - g * light[1] + (1 - b) * light[2],
                              (r * r + b * (1 - r)) / g * light[0] + (r - b) * light[1] -
                                  (r * (1 - b) + b * b) / g * light[2],
                              -(1 - r) * light[0] + g * light[1] + b * light[2]};
    grey = luminance(light);
    for (int i = 0; i < 3; i++) turned[i] = grey + cosine * (light[i] - grey) + sine * across[i];

    for (int i = 0; i < 3; i++) {
        double coded = encode(clamp(turned[i]));
        pixel[i] = pow(clamp((coded - 0.5) * wanted->contrast + 0.5), 1 / wanted->gamma);
    }
}

/* ------------------------------------------------------------------ against it */

static VipsImage *adjusted(const char *yaml, VipsImage *in)
{
    Step *step = step_new("adjust", yaml);
    VipsImage *out = step_apply(step, in);
    step_free(step);
    return out;
}

/* Colours all over the cube, the same every time. */
static VipsImage *cube(bool deep)
{
    enum { SIDE = 64 };
    VipsImage *image = vips_image_new_memory();
    vips_image_init_fields(image, SIDE, SIDE, 3, deep ? VIPS_FORMAT_USHORT : VIPS_FORMAT_UCHAR, VIPS_CODING_NONE,
                           deep ? VIPS_INTERPRETATION_RGB16 : VIPS_INTERPRETATION_sRGB, 1, 1);
    uint32_t state = 1;
    for (int y = 0; y < SIDE; y++) {
        uint16_t wide[SIDE * 3];
        uint8_t narrow[SIDE * 3];
        for (int i = 0; i < SIDE * 3; i++) {
            state = state * 1664525 + 1013904223;
            wide[i] = (uint16_t)(state >> 16);
            if (y < 8) wide[i] = (uint16_t)(wide[i] >> (8 + y % 8)); /* the dark ones too */
            narrow[i] = (uint8_t)(y < 8 ? wide[i] : wide[i] >> 8);
        }
        assert_int_equal(vips_image_write_line(image, y, deep ? (VipsPel *)(void *)wide : narrow), 0);
    }
    return image;
}

/* image_at() is for a few pixels; these are many. */
static double value_at(const VipsImage *image, int x, int y, int band)
{
    size_t at = (size_t)((y * image->Xsize + x) * image->Bands + band);
    return image->BandFmt == VIPS_FORMAT_USHORT ? ((const uint16_t *)(const void *)image->data)[at] : image->data[at];
}

static void hold(const char *yaml, const Wanted *wanted, bool deep, double within)
{
    VipsImage *in = cube(deep), *out = adjusted(yaml, in);
    double white = deep ? 65535 : 255, worst = 0;
    assert_int_equal(out->BandFmt, in->BandFmt);
    assert_int_equal(out->Type, in->Type);
    for (int y = 0; y < in->Ysize; y++) {
        for (int x = 0; x < in->Xsize; x++) {
            double pixel[3];
            for (int i = 0; i < 3; i++) pixel[i] = value_at(in, x, y, i) / white;
            reference(wanted, pixel);
            for (int i = 0; i < 3; i++) worst = fmax(worst, fabs(value_at(out, x, y, i) - pixel[i] * white));
        }
    }
    g_object_unref(in);
    g_object_unref(out);
    if (worst > within)
        fail_msg("%s, %s: up to %g levels away, expected %g", yaml, deep ? "16 bits" : "8 bits", worst, within);
}

static void every_formula_is_as_documented(void **state)
{
    (void)state;
    const struct {
        const char *yaml;
        Wanted wanted;
        double deep; /* levels of 65535 */
    } rows[] = {
        {"{brightness: 2}", {0, 1, 0, 2, 1, 0, 1, 1}, 1},
        {"{brightness: 0.3}", {0, 1, 0, 0.3, 1, 0, 1, 1}, 1},
        {"{contrast: 1.8}", {0, 1, 0, 1, 1, 0, 1.8, 1}, 1.5},
        {"{contrast: 0}", {0, 1, 0, 1, 1, 0, 0, 1}, 1},
        {"{saturation: 0}", {0, 1, 0, 1, 0, 0, 1, 1}, 1},
        {"{saturation: 2.5}", {0, 1, 0, 1, 2.5, 0, 1, 1}, 1},
        {"{hue: 120}", {0, 1, 0, 1, 1, 120, 1, 1}, 1},
        {"{hue: -77}", {0, 1, 0, 1, 1, -77, 1, 1}, 1},
        {"{gamma: 2.2}", {0, 1, 0, 1, 1, 0, 1, 2.2}, 1},
        {"{gamma: 0.4}", {0, 1, 0, 1, 1, 0, 1, 0.4}, 1.5},
        {"{temperature: 60}", {0, 1, 60, 1, 1, 0, 1, 1}, 1},
        {"{temperature: -100}", {0, 1, -100, 1, 1, 0, 1, 1}, 1},
        {"{temperature: 20, brightness: 1.3, saturation: 1.4, hue: 15, contrast: 1.2, gamma: 1.1}",
         {0, 1, 20, 1.3, 1.4, 15, 1.2, 1.1},
         3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        hold(rows[i].yaml, &rows[i].wanted, false, 0.51);
        hold(rows[i].yaml, &rows[i].wanted, true, rows[i].deep);
    }
}

/* ------------------------------------------------------------------ auto */

static VipsImage *greys(const int *counts, int first)
{
    int width = 0, at = 0;
    for (int i = 0; counts[i] > 0; i++) width += counts[i];
    VipsImage *image = vips_image_new_memory();
    vips_image_init_fields(image, width, 1, 1, VIPS_FORMAT_UCHAR, VIPS_CODING_NONE, VIPS_INTERPRETATION_B_W, 1, 1);
    uint8_t *line = g_malloc((size_t)width);
    for (int i = 0; counts[i] > 0; i++)
        for (int n = 0; n < counts[i]; n++) line[at++] = (uint8_t)(first + i);
    assert_int_equal(vips_image_write_line(image, 0, line), 0);
    g_free(line);
    return image;
}

/* Of 1000 pixels, 5 at each end count for nothing: one more, and they do. */
static void auto_leaves_out_the_outermost_half_percent(void **state)
{
    (void)state;
    int counts[105] = {0};
    for (int i = 0; i <= 100; i++) counts[i] = i == 0 || i == 100 ? 5 : 10;
    VipsImage *in = greys(counts, 60), *out = adjusted("{auto: normalize}", in);
    assert_float_equal(image_at(out, 5, 0, 0), 0, 0);               /* 61 is black */
    assert_float_equal(image_at(out, 0, 0, 0), 0, 0);               /* and so is what lies below */
    assert_float_equal(image_at(out, in->Xsize - 6, 0, 0), 255, 0); /* 159 is white */
    assert_float_equal(image_at(out, 15, 0, 0), 255.0 / 98, 0.51);
    g_object_unref(in);
    g_object_unref(out);

    counts[0] = 6;
    in = greys(counts, 60);
    out = adjusted("{auto: normalize}", in);
    assert_float_equal(image_at(out, 0, 0, 0), 0, 0);
    assert_true(image_at(out, 6, 0, 0) >= 2); /* 60 is black now, 61 is not */
    g_object_unref(in);
    g_object_unref(out);
}

static void auto_is_the_formula_with_what_it_found(void **state)
{
    (void)state;
    VipsImage *photo = image_photo(200, 100), *dull = NULL, *in = NULL;
    assert_int_equal(vips_linear1(photo, &dull, 0.4, 70, "uchar", TRUE, NULL), 0);
    in = vips_image_copy_memory(dull);
    VipsImage *out = adjusted("{auto: normalize, contrast: 1.2}", in);
    double low = 255, high = 0;
    for (int x = 0; x < 200; x++) { /* red rises evenly and no other colour reaches further */
        low = fmin(low, image_at(in, x, 0, 0));
        high = fmax(high, image_at(in, x, 0, 0));
    }
    bool found = false;
    for (double a = low; a <= low + 2 && !found; a++) {
        for (double b = high; b >= high - 2 && !found; b--) {
            Wanted wanted = {a / 255, b / 255, 0, 1, 1, 0, 1.2, 1};
            found = true;
            for (int x = 0; x < 200 && found; x += 7) {
                double pixel[3];
                for (int i = 0; i < 3; i++) pixel[i] = image_at(in, x, 50, i) / 255;
                reference(&wanted, pixel);
                for (int i = 0; i < 3; i++) found = found && fabs(image_at(out, x, 50, i) - pixel[i] * 255) <= 0.51;
            }
        }
    }
    assert_true(found);
    g_object_unref(photo);
    g_object_unref(dull);
    g_object_unref(in);
    g_object_unref(out);
}

static void auto_leaves_alone_what_shows_nothing(void **state)
{
    (void)state;
    VipsImage *in = image_flat(30, 20, 3, 100, 104, 110, 255), *out = adjusted("{auto: normalize}", in);
    assert_pixel(out, 10, 10, 100, 104, 110, 0);
    g_object_unref(in);
    g_object_unref(out);
}

/* Neither the green behind transparency, nor black. */
static void auto_does_not_count_clear_pixels(void **state)
{
    (void)state;
    VipsImage *in = image_alpha(40, 20), *out = NULL;
    for (int y = 0; y < 20; y++)
        for (int x = 0; x < 40; x++) {
            VipsPel *p = in->data + (size_t)(y * 40 + x) * 4;
            p[0] = (VipsPel)(x < 20 ? 100 + x : 0), p[1] = p[2] = p[0];
        }
    out = adjusted("{auto: normalize}", in);
    assert_float_equal(image_at(out, 0, 5, 0), 0, 0);
    assert_float_equal(image_at(out, 19, 5, 0), 255, 0);
    assert_float_equal(image_at(out, 25, 5, 3), 0, 0);
    g_object_unref(in);
    g_object_unref(out);
}

/* Pages that are stretched each by itself would flicker. */
static void auto_takes_all_pages_together(void **state)
{
    (void)state;
    VipsImage *in = image_animation(20, 10, 4), *out = adjusted("{auto: normalize}", in); /* 0, 40, 80, 120 */
    for (int page = 0; page < 4; page++) assert_float_equal(image_at(out, 5, page * 10 + 5, 0), page * 85, 0.5);
    g_object_unref(in);
    g_object_unref(out);
}

/* As steps before it leave an animation: pages computed when they are asked for, joined. */
static void auto_reads_pages_that_were_joined(void **state)
{
    (void)state;
    VipsImage *pages[2], *joined = NULL;
    for (int i = 0; i < 2; i++) {
        VipsImage *flat = image_flat(20, 40, 3, i * 255, i * 255, i * 255, 255);
        assert_int_equal(vips_invert(flat, &pages[i], NULL), 0);
        g_object_unref(flat);
    }
    assert_int_equal(vips_arrayjoin(pages, &joined, 2, "across", 1, NULL), 0);
    vips_image_set_int(joined, VIPS_META_PAGE_HEIGHT, 40);
    VipsImage *out = adjusted("{auto: normalize}", joined);
    assert_float_equal(image_at(out, 5, 20, 0), 255, 0.5);
    assert_float_equal(image_at(out, 5, 60, 0), 0, 0.5);
    for (int i = 0; i < 2; i++) g_object_unref(pages[i]);
    g_object_unref(joined);
    g_object_unref(out);
}

/* ------------------------------------------------------------------ shapes */

static void alpha_stays(void **state)
{
    (void)state;
    VipsImage *in = image_alpha(40, 20), *out = adjusted("{saturation: 0}", in);
    assert_int_equal(out->Bands, 4);
    assert_float_equal(image_at(out, 2, 2, 3), 255, 0);
    assert_float_equal(image_at(out, 38, 2, 3), 0, 0);
    assert_pixel(out, 2, 2, 127, 127, 127, 0.5); /* 0.2126 of the light */
    g_object_unref(in);
    g_object_unref(out);
}

static void grey_stays_grey_unless_it_gets_warm(void **state)
{
    (void)state;
    for (int bands = 1; bands <= 2; bands++) {
        VipsImage *in = image_flat(16, 16, bands, 100, 0, 0, 90), *out = adjusted("{brightness: 2}", in);
        assert_int_equal(out->Bands, bands);
        assert_float_equal(image_at(out, 3, 3, 0), 137, 1);
        if (bands == 2) assert_float_equal(image_at(out, 3, 3, 1), 90, 0);
        g_object_unref(out);
        out = adjusted("{temperature: 50}", in);
        assert_int_equal(out->Bands, bands + 2);
        assert_true(image_at(out, 3, 3, 0) > image_at(out, 3, 3, 1) && image_at(out, 3, 3, 1) > image_at(out, 3, 3, 2));
        if (bands == 2) assert_float_equal(image_at(out, 3, 3, 3), 90, 0);
        g_object_unref(in);
        g_object_unref(out);
    }
}

static void a_profile_is_applied_and_gone(void **state)
{
    (void)state;
    VipsImage *flat = image_flat(32, 32, 3, 0, 200, 0, 255), *wide = NULL;
    assert_int_equal(vips_copy(flat, &wide, NULL), 0);
    VipsBlob *profile = NULL;
    assert_int_equal(vips_profile_load("p3", &profile, NULL), 0);
    size_t size;
    const void *data = vips_blob_get(profile, &size);
    vips_image_set_blob_copy(wide, VIPS_META_ICC_NAME, data, size);
    VipsImage *of_plain = adjusted("{contrast: 0.5}", flat), *of_wide = adjusted("{contrast: 0.5}", wide);
    assert_int_equal(vips_image_get_typeof(of_wide, VIPS_META_ICC_NAME), 0);
    assert_true(fabs(image_at(of_wide, 3, 3, 1) - image_at(of_plain, 3, 3, 1)) > 1);
    g_object_unref(of_wide);

    vips_image_set_blob_copy(wide, VIPS_META_ICC_NAME, data, 200); /* cut off: taken for sRGB's */
    of_wide = adjusted("{contrast: 0.5}", wide);
    assert_float_equal(image_at(of_wide, 3, 3, 1), image_at(of_plain, 3, 3, 1), 0);
    vips_area_unref(VIPS_AREA(profile));
    g_object_unref(of_plain);
    g_object_unref(of_wide);
    g_object_unref(flat);
    g_object_unref(wide);
}

static void plans(void **state)
{
    (void)state;
    PmShape grey = {.width = 8,
                    .height = 8,
                    .pages = 1,
                    .bands = 1,
                    .source_width = 8,
                    .source_height = 8,
                    .interpretation = VIPS_INTERPRETATION_B_W};
    Step *step = step_new("adjust", "{saturation: 2, hue: 90}");
    assert_int_equal(step_plan(step, &grey).flags, PM_SKIP); /* grey has no colours */
    grey.bands = 3;
    PmPlan plan = step_plan(step, &grey);
    assert_int_equal(plan.flags, 0);
    assert_int_equal(plan.need_width, 0); /* it asks nothing of the decoder */
    step_free(step);
    step = step_new("adjust", "{auto: normalize}");
    assert_int_equal(step_plan(step, &grey).flags, PM_RANDOM | PM_ALL_PAGES | PM_EAGER);
    step_free(step);
    assert_null(step_try("adjust", "{}"));
    assert_says("changes nothing: give auto, temperature, brightness, saturation, hue, contrast or gamma");
    assert_null(step_try("adjust", "{hue: 360, auto: none, gamma: 1}"));
}

int main(int argc, char **argv)
{
    (void)argc;
    harness_setup(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_formula_is_as_documented),
        cmocka_unit_test(auto_leaves_out_the_outermost_half_percent),
        cmocka_unit_test(auto_is_the_formula_with_what_it_found),
        cmocka_unit_test(auto_leaves_alone_what_shows_nothing),
        cmocka_unit_test(auto_does_not_count_clear_pixels),
        cmocka_unit_test(auto_takes_all_pages_together),
        cmocka_unit_test(auto_reads_pages_that_were_joined),
        cmocka_unit_test(alpha_stays),
        cmocka_unit_test(grey_stays_grey_unless_it_gets_warm),
        cmocka_unit_test(a_profile_is_applied_and_gone),
        cmocka_unit_test(plans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
