// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

static VipsImage *greyed(VipsImage *in)
{
    Step *step = step_new("grayscale", "{}");
    VipsImage *out = step_apply(step, in);
    step_free(step);
    g_object_unref(in);
    return out;
}

/* 0.2126, 0.7152 and 0.0722 of white's light, in sRGB's curve. */
static void colours_keep_their_lightness(void **state)
{
    (void)state;
    VipsImage *out = greyed(image_quarters(64, 64));
    assert_int_equal(out->Bands, 1);
    assert_int_equal(out->Type, VIPS_INTERPRETATION_B_W);
    assert_float_equal(image_at(out, 5, 5, 0), 127, 0.5);   /* red */
    assert_float_equal(image_at(out, 60, 5, 0), 220, 0.5);  /* green */
    assert_float_equal(image_at(out, 5, 60, 0), 76, 0.5);   /* blue */
    assert_float_equal(image_at(out, 60, 60, 0), 255, 0.5); /* white */
    g_object_unref(out);
}

static void alpha_stays(void **state)
{
    (void)state;
    VipsImage *out = greyed(image_alpha(40, 20));
    assert_int_equal(out->Bands, 2);
    assert_float_equal(image_at(out, 2, 2, 1), 255, 0);
    assert_float_equal(image_at(out, 38, 2, 1), 0, 0);
    g_object_unref(out);
}

static void depth_stays(void **state)
{
    (void)state;
    VipsImage *photo = image_photo(60, 40), *deep = NULL;
    assert_int_equal(vips_colourspace(photo, &deep, VIPS_INTERPRETATION_RGB16, NULL), 0);
    g_object_unref(photo);
    VipsImage *out = greyed(deep);
    assert_int_equal(out->BandFmt, VIPS_FORMAT_USHORT);
    assert_int_equal(out->Type, VIPS_INTERPRETATION_GREY16);
    g_object_unref(out);
}

/* A profile of RGB cannot describe grey; its colours are made sRGB's first. */
static void profile_is_applied_and_gone(void **state)
{
    (void)state;
    VipsImage *flat = image_flat(32, 32, 3, 0, 200, 0, 255), *plain = NULL, *wide = NULL;
    assert_int_equal(vips_copy(flat, &plain, NULL), 0);
    assert_int_equal(vips_copy(flat, &wide, NULL), 0);
    VipsBlob *profile = NULL;
    assert_int_equal(vips_profile_load("p3", &profile, NULL), 0);
    size_t size;
    const void *data = vips_blob_get(profile, &size);
    vips_image_set_blob_copy(wide, VIPS_META_ICC_NAME, data, size);
    vips_area_unref(VIPS_AREA(profile));
    g_object_unref(flat);
    VipsImage *of_plain = greyed(plain), *of_wide = greyed(wide);
    assert_int_equal(vips_image_get_typeof(of_wide, VIPS_META_ICC_NAME), 0);
    assert_true(image_at(of_wide, 3, 3, 0) != image_at(of_plain, 3, 3, 0));
    g_object_unref(of_plain);
    g_object_unref(of_wide);
}

static void grey_is_left_alone(void **state)
{
    (void)state;
    Step *step = step_new("grayscale", "{}");
    PmShape shape = {.width = 8,
                     .height = 8,
                     .pages = 1,
                     .bands = 2,
                     .source_width = 8,
                     .source_height = 8,
                     .interpretation = VIPS_INTERPRETATION_B_W,
                     .has_alpha = true};
    assert_int_equal(step_plan(step, &shape).flags, PM_SKIP);
    shape.bands = 4;
    PmPlan plan = step_plan(step, &shape);
    assert_int_equal(plan.flags, 0);
    assert_int_equal(plan.need_width, 0); /* it asks nothing of the decoder */
    step_free(step);
}

int main(int argc, char **argv)
{
    (void)argc;
    harness_setup(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(colours_keep_their_lightness),
        cmocka_unit_test(alpha_stays),
        cmocka_unit_test(depth_stays),
        cmocka_unit_test(profile_is_applied_and_gone),
        cmocka_unit_test(grey_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
