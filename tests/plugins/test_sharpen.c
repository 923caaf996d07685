// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

static VipsImage *sharpened(const char *yaml, VipsImage *in)
{
    Step *step = step_new("sharpen", yaml);
    VipsImage *out = step_apply(step, in);
    step_free(step);
    g_object_unref(in);
    return out;
}

/* Two greys of `bands` bands side by side, blurred a little so that there is something to sharpen. */
static VipsImage *soft_edge(int bands)
{
    VipsImage *dark = image_flat(40, 20, bands, 90, 80, 70, 255),
              *light = image_flat(40, 20, bands, 150, 160, 170, 255), *joined = NULL, *soft = NULL;
    assert_int_equal(vips_join(dark, light, &joined, VIPS_DIRECTION_HORIZONTAL, NULL), 0);
    assert_int_equal(vips_gaussblur(joined, &soft, 1.0, NULL), 0);
    VipsImage *out = vips_image_copy_memory(soft);
    g_object_unref(dark);
    g_object_unref(light);
    g_object_unref(joined);
    g_object_unref(soft);
    return out;
}

static double slope(VipsImage *image)
{
    return image_at(image, 40, 10, 1) - image_at(image, 39, 10, 1);
}

static void edges_get_steeper_by_the_amount(void **state)
{
    (void)state;
    for (int bands = 1; bands <= 4; bands += 2) {
        VipsImage *in = soft_edge(bands);
        double before = bands == 1 ? image_at(in, 40, 10, 0) - image_at(in, 39, 10, 0) : slope(in);
        g_object_ref(in);
        VipsImage *one = sharpened("{amount: 1, sigma: 1}", in),
                  *three = sharpened("{amount: 3, sigma: 1}", soft_edge(bands));
        double after = bands == 1 ? image_at(one, 40, 10, 0) - image_at(one, 39, 10, 0) : slope(one),
               more = bands == 1 ? image_at(three, 40, 10, 0) - image_at(three, 39, 10, 0) : slope(three);
        if (!(before < after && after < more)) fail_msg("%d bands: %g, %g, %g", bands, before, after, more);
        g_object_unref(in);
        g_object_unref(one);
        g_object_unref(three);
    }
}

static void far_from_edges_nothing_changes(void **state)
{
    (void)state;
    VipsImage *out = sharpened("{amount: 5}", soft_edge(3));
    assert_pixel(out, 5, 10, 90, 80, 70, 1.5);
    assert_pixel(out, 75, 10, 150, 160, 170, 1.5);
    g_object_unref(out);
}

static void the_threshold_leaves_noise_alone(void **state)
{
    (void)state;
    VipsImage *in = soft_edge(3);
    double before = slope(in);
    VipsImage *out = sharpened("{amount: 5, threshold: 60}", in);
    assert_float_equal(slope(out), before, 2);
    g_object_unref(out);
}

static void alpha_and_depth_stay(void **state)
{
    (void)state;
    VipsImage *out = sharpened("{}", image_alpha(40, 20));
    assert_int_equal(out->Bands, 4);
    assert_float_equal(image_at(out, 2, 2, 3), 255, 0);
    assert_float_equal(image_at(out, 38, 2, 3), 0, 0);
    g_object_unref(out);
    VipsImage *photo = image_photo(60, 40), *deep = NULL;
    assert_int_equal(vips_colourspace(photo, &deep, VIPS_INTERPRETATION_RGB16, NULL), 0);
    g_object_unref(photo);
    out = sharpened("{}", deep);
    assert_int_equal(out->BandFmt, VIPS_FORMAT_USHORT);
    assert_true(image_at(out, 30, 20, 0) > 20000);
    g_object_unref(out);
}

/* The colour behind transparency casts no halo on what shows. */
static void what_is_clear_casts_no_edge(void **state)
{
    (void)state;
    VipsImage *out = sharpened("{amount: 5, sigma: 2}", image_alpha(40, 20));
    for (int x = 0; x < 20; x++) assert_pixel(out, x, 10, 255, 0, 0, 2);
    g_object_unref(out);
}

static void nothing_to_add_is_left_out(void **state)
{
    (void)state;
    Step *step = step_new("sharpen", "{amount: 0}");
    PmShape shape = {.width = 8,
                     .height = 8,
                     .pages = 1,
                     .bands = 3,
                     .source_width = 8,
                     .source_height = 8,
                     .interpretation = VIPS_INTERPRETATION_sRGB};
    assert_int_equal(step_plan(step, &shape).flags, PM_SKIP);
    step_free(step);
}

int main(int argc, char **argv)
{
    (void)argc;
    harness_setup(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edges_get_steeper_by_the_amount),  cmocka_unit_test(far_from_edges_nothing_changes),
        cmocka_unit_test(the_threshold_leaves_noise_alone), cmocka_unit_test(alpha_and_depth_stay),
        cmocka_unit_test(nothing_to_add_is_left_out),       cmocka_unit_test(what_is_clear_casts_no_edge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
