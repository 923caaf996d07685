// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

#include <math.h>

static VipsImage *blurred(const char *yaml, VipsImage *in)
{
    Step *step = step_new("blur", yaml);
    VipsImage *out = step_apply(step, in);
    step_free(step);
    g_object_unref(in);
    return out;
}

/* Black to the left of `at`, white from there on. */
static VipsImage *edge(int width, int height, int at)
{
    VipsImage *black = image_flat(at, height, 1, 0, 0, 0, 255),
              *white = image_flat(width - at, height, 1, 255, 0, 0, 255), *joined = NULL;
    assert_int_equal(vips_join(black, white, &joined, VIPS_DIRECTION_HORIZONTAL, NULL), 0);
    g_object_unref(black);
    g_object_unref(white);
    VipsImage *out = vips_image_copy_memory(joined);
    g_object_unref(joined);
    return out;
}

/* An edge becomes the normal distribution's integral, in the middle of where it was. */
static void an_edge_is_spread_as_sigma_says(void **state)
{
    (void)state;
    static const double sigmas[] = {1, 2, 5, 10};
    for (size_t i = 0; i < sizeof sigmas / sizeof sigmas[0]; i++) {
        char yaml[40];
        snprintf(yaml, sizeof yaml, "{sigma: %g}", sigmas[i]);
        VipsImage *out = blurred(yaml, edge(200, 8, 100));
        for (int x = 60; x < 140; x++) {
            double expected = 127.5 * (1 + erf((x + 0.5 - 100) / (sigmas[i] * sqrt(2))));
            if (fabs(image_at(out, x, 4, 0) - expected) > 5 + 3 / sigmas[i])
                fail_msg("sigma %g at %d: %g, expected %g", sigmas[i], x, image_at(out, x, 4, 0), expected);
        }
        g_object_unref(out);
    }
}

static void flat_stays_flat_up_to_the_edges(void **state)
{
    (void)state;
    VipsImage *out = blurred("{sigma: 8}", image_flat(40, 30, 3, 10, 100, 200, 255));
    for (int x = 0; x < 40; x += 13)
        for (int y = 0; y < 30; y += 29) assert_pixel(out, x, y, 10, 100, 200, 1);
    g_object_unref(out);
}

/* The green behind transparency shows nowhere. */
static void transparent_colours_do_not_bleed(void **state)
{
    (void)state;
    VipsImage *out = blurred("{sigma: 3}", image_alpha(80, 20));
    for (int x = 20; x < 46; x++) {
        assert_float_equal(image_at(out, x, 10, 1), 0, 1);
        if (image_at(out, x, 10, 3) > 20) assert_float_equal(image_at(out, x, 10, 0), 255, 6);
    }
    assert_true(image_at(out, 40, 10, 3) > 100 && image_at(out, 40, 10, 3) < 155);
    g_object_unref(out);
}

static void pages_do_not_run_into_each_other(void **state)
{
    (void)state;
    VipsImage *out = blurred("{sigma: 4}", image_animation(20, 20, 3));
    for (int page = 0; page < 3; page++)
        for (int y = 0; y < 20; y += 19) assert_float_equal(image_at(out, 10, page * 20 + y, 0), page * 40, 1);
    g_object_unref(out);
}

static void deep_pictures_stay_deep(void **state)
{
    (void)state;
    VipsImage *photo = image_photo(60, 40), *deep = NULL;
    assert_int_equal(vips_colourspace(photo, &deep, VIPS_INTERPRETATION_RGB16, NULL), 0);
    g_object_unref(photo);
    VipsImage *out = blurred("{sigma: 2}", deep);
    assert_int_equal(out->BandFmt, VIPS_FORMAT_USHORT);
    assert_true(image_at(out, 30, 20, 0) > 20000);
    g_object_unref(out);
}

/* As wide a blur, when the decoder has left half of the pixels. */
static void a_shrunk_picture_is_blurred_as_much(void **state)
{
    (void)state;
    Step *step = step_new("blur", "{sigma: 8}");
    VipsImage *whole = edge(400, 8, 200), *half = edge(200, 4, 100), *a = step_apply(step, whole),
              *b = step_apply_shrunk(step, half, 400, 8);
    for (int x = 80; x < 120; x++)
        assert_float_equal(image_at(b, x, 2, 0), (image_at(a, 2 * x, 4, 0) + image_at(a, 2 * x + 1, 4, 0)) / 2, 4);
    PmShape shape = {.width = 400,
                     .height = 100,
                     .pages = 1,
                     .bands = 3,
                     .source_width = 400,
                     .source_height = 100,
                     .interpretation = VIPS_INTERPRETATION_sRGB};
    PmPlan plan = step_plan(step, &shape);
    assert_int_equal(plan.need_width, 0); /* whatever comes after it needs */
    assert_int_equal(plan.need_height, 0);
    step_free(step);
    g_object_unref(whole);
    g_object_unref(half);
    g_object_unref(a);
    g_object_unref(b);
}

int main(int argc, char **argv)
{
    (void)argc;
    harness_setup(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_edge_is_spread_as_sigma_says),  cmocka_unit_test(flat_stays_flat_up_to_the_edges),
        cmocka_unit_test(transparent_colours_do_not_bleed), cmocka_unit_test(pages_do_not_run_into_each_other),
        cmocka_unit_test(deep_pictures_stay_deep),          cmocka_unit_test(a_shrunk_picture_is_blurred_as_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
