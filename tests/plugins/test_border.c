// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

#include <math.h>

static void the_picture_lies_in_the_middle(void **state)
{
    (void)state;
    for (int border = 1; border < 6; border++)
        for (int width = 1; width < 12; width += 2)
            for (int height = 1; height < 12; height += 3) {
                char yaml[64];
                snprintf(yaml, sizeof yaml, "{width: %d, color: \"#090807\"}", border);
                VipsImage *out = apply_to_new("border", yaml, image_places(width, height));
                assert_size(out, width + 2 * border, height + 2 * border);
                assert_int_equal(out->Bands, 3);
                const uint8_t *p = vips_image_get_data(out);
                for (int y = -border; y < height + border; y++)
                    for (int x = -border; x < width + border; x++, p += 3) {
                        bool inside = x >= 0 && y >= 0 && x < width && y < height;
                        if (p[0] != (inside ? x : 9) || p[1] != (inside ? y : 8) || p[2] != (inside ? 77 : 7))
                            fail_msg("%s of %dx%d: %d,%d,%d at %d,%d", yaml, width, height, p[0], p[1], p[2], x, y);
                    }
                g_object_unref(out);
            }
}

static void plans_say_what_is_done(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        int width, height, bands;
    } cases[] = {
        {"{width: 10}", 1620, 1220, 3},
        {"{width: 1%}", 1624, 1224, 3}, /* of the shorter side */
        {"{width: 10, color: \"#ff000080\"}", 1620, 1220, 4},
        {"{width: 10, radius: 20}", 1620, 1220, 4},
        {"{radius: 50%}", 1600, 1200, 4},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        PmPlan plan = plan_of_new("border", cases[i].yaml, &shape_photo);
        if (plan.out.width != cases[i].width || plan.out.height != cases[i].height || plan.out.bands != cases[i].bands)
            fail_msg("%s: %dx%d, %d bands", cases[i].yaml, plan.out.width, plan.out.height, plan.out.bands);
        assert_int_equal(plan.flags, 0);
        assert_int_equal(plan.need_width, 0);
        assert_int_equal(plan.need_height, 0);
        assert_int_equal(plan.out.source_width, cases[i].width);
    }
    PmShape shrunk = shape_photo;
    shrunk.width = 400, shrunk.height = 300;
    PmPlan plan = plan_of_new("border", "{width: 20}", &shrunk);
    assert_true(plan.out.width == 410 && plan.out.height == 310 && plan.out.source_width == 1640);
    /* A percentage of a few pixels may be none. */
    shrunk = shape_photo;
    shrunk.width = shrunk.source_width = 10;
    assert_int_equal(plan_of_new("border", "{width: 1%}", &shrunk).flags, PM_SKIP);
}

static double alpha_area(VipsImage *image)
{
    VipsImage *alpha = NULL;
    double mean = 0;
    assert_int_equal(vips_extract_band(image, &alpha, image->Bands - 1, NULL), 0);
    assert_int_equal(vips_avg(alpha, &mean, NULL), 0);
    g_object_unref(alpha);
    return mean / 255 * image->Xsize * image->Ysize;
}

/* What a circle leaves out of its square, four quarters of it. */
static void corners_are_quarters_of_a_circle(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        int width, height;
        double radius;
    } cases[] = {
        {"{radius: 20}", 120, 80, 20},           {"{radius: 20.5}", 121, 83, 20.5},
        {"{radius: 25%}", 120, 80, 20},          {"{radius: 50%}", 90, 90, 45},
        {"{radius: 1000}", 90, 60, 30},          {"{radius: 1}", 90, 60, 1},
        {"{width: 5, radius: 30}", 80, 100, 30}, {"{width: 30, radius: 10}", 80, 100, 10},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        VipsImage *out =
            apply_to_new("border", cases[i].yaml, image_flat(cases[i].width, cases[i].height, 3, 200, 100, 50, 255));
        int width = out->Xsize, height = out->Ysize;
        double expected = width * height - (4 - G_PI) * cases[i].radius * cases[i].radius, area = alpha_area(out);
        if (fabs(area - expected) > 3) fail_msg("%s: %g px, expected %g", cases[i].yaml, area, expected);
        const uint8_t *p = vips_image_get_data(out);
        for (int y = 0; y < height; y++) /* the same at all four corners */
            for (int x = 0; x < width; x++) {
                uint8_t a = p[4 * (y * width + x) + 3];
                assert_true(a == p[4 * (y * width + width - 1 - x) + 3]);
                assert_true(a == p[4 * ((height - 1 - y) * width + x) + 3]);
            }
        assert_true(image_at(out, width / 2, 0, 3) > 250 && image_at(out, 0, height / 2, 3) > 250);
        g_object_unref(out);
    }
}

/* The border is as wide around a corner as along an edge. */
static void the_border_follows_the_corner(void **state)
{
    (void)state;
    VipsImage *out =
        apply_to_new("border", "{width: 10, color: \"#0000ff\", radius: 40}", image_flat(180, 180, 3, 255, 0, 0, 255));
    assert_size(out, 200, 200);
    for (int degrees = 180; degrees <= 270; degrees += 5) { /* around the upper left one, whose middle is 40, 40 */
        double c = cos(degrees * G_PI / 180), s = sin(degrees * G_PI / 180);
        for (double r = 5; r < 48; r += 1) {
            int x = (int)floor(40 + r * c), y = (int)floor(40 + r * s);
            if (x < 0 || y < 0) continue;
            double at = hypot(x + 0.5 - 40, y + 0.5 - 40);
            double a = image_at(out, x, y, 3);
            if (at < 29) assert_pixel(out, x, y, 255, 0, 0, 0);
            if (at > 31 && at < 41) assert_pixel(out, x, y, 0, 0, 255, 0);
            assert_true(at > 39 || a == 255);
            assert_true(at < 41 || a == 0);
        }
    }
    assert_pixel(out, 100, 9, 0, 0, 255, 0);
    assert_pixel(out, 100, 10, 255, 0, 0, 0);
    assert_pixel(out, 189, 100, 255, 0, 0, 0);
    assert_pixel(out, 190, 100, 0, 0, 255, 0);
    g_object_unref(out);
}

/* step_apply() holds each against the plan. */
static void any_kind_of_picture(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        int bands[4]; /* of the result, for 1 to 4 of the input */
    } cases[] = {
        {"{width: 6}", {1, 2, 3, 4}},
        {"{width: 6, color: red}", {3, 4, 3, 4}},
        {"{width: 6, color: \"#ff000080\"}", {4, 4, 4, 4}},
        {"{radius: 5}", {2, 2, 4, 4}},
        {"{width: 6, color: white, radius: 20}", {2, 2, 4, 4}},
        {"{width: 6, color: red, radius: 20}", {4, 4, 4, 4}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (int bands = 1; bands <= 4; bands++)
            for (int deep = 0; deep < 2; deep++) {
                double unit = deep ? 257 : 1;
                VipsImage *in = image_kind(bands, deep);
                VipsImage *out = apply_to_new("border", cases[i].yaml, in);
                assert_int_equal(out->Bands, cases[i].bands[bands - 1]);
                double middle = image_at(out, out->Xsize / 2, out->Ysize / 2, 0), top = image_at(out, 26, 2, 0);
                if (fabs(middle - 90 * unit) > unit) fail_msg("%s: %g in the middle", cases[i].yaml, middle);
                if (i == 1 || i == 2 || i >= 4) assert_true(top == 255 * unit);
                bool alpha = out->Bands % 2 == 0;
                double opaque = alpha ? image_at(out, out->Xsize / 2, out->Ysize / 2, out->Bands - 1) : 255 * unit;
                assert_true(opaque == 255 * unit);
                if (i >= 3) assert_true(image_at(out, 0, 0, out->Bands - 1) < 140 * unit);
                g_object_unref(out);
            }
}

static void an_animation_has_one_on_every_page(void **state)
{
    (void)state;
    VipsImage *out = apply_to_new("border", "{width: 3, color: white, radius: 8}", image_animation(64, 48, 5));
    assert_size(out, 70, 54);
    for (int page = 0; page < 5; page++) {
        assert_pixel(out, 35, page * 54 + 1, 255, 255, 255, 0);
        assert_pixel(out, 35, page * 54 + 27, page * 40, page * 40, page * 40, 0);
        assert_true(image_at(out, 0, page * 54, 3) == 0);
        assert_true(image_at(out, 69, page * 54 + 53, 3) == 0);
    }
    g_object_unref(out);
}

static void reads_top_to_bottom_once(void **state)
{
    (void)state;
    VipsImage *photo_image = image_photo(900, 1300);
    void *bytes = NULL;
    size_t size = 0;
    assert_int_equal(vips_pngsave_buffer(photo_image, &bytes, &size, "compression", 1, NULL), 0);
    VipsImage *in = vips_image_new_from_buffer(bytes, size, "", "access", VIPS_ACCESS_SEQUENTIAL, NULL);
    assert_non_null(in);
    g_object_unref(apply_to_new("border", "{width: 20, radius: 10%}", in));
    g_free(bytes);
    g_object_unref(photo_image);
}

static void it_says_what_the_result_shows(void **state)
{
    (void)state;
    Step *step = step_new("border", "{width: 4}");
    VipsImage *in = image_places(30, 20), *out = step_apply(step, in);
    PmFrame frame = step_frame(step);
    assert_true(frame.left == -4 && frame.top == -4 && frame.width == 38 && frame.height == 28);
    g_object_unref(out);
    g_object_unref(in);
    step_free(step);
}

static void wrong_settings_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *says;
    } cases[] = {
        {"{}", "needs width or radius"},
        {"{width: 0, color: red}", "needs width or radius"},
        {"{width: -1}", "width -1 is below 0"},
        {"{width: 5000}", "width 5000 is above 4096"},
        {"{width: 101%}", "width: 101% is more than 100%"},
        {"{radius: 51%}", "radius: 51% is more than 50%, where opposite corners meet"},
        {"{width: 1, color: redd}", "color must be"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (step_try("border", cases[i].yaml)) fail_msg("%s was taken", cases[i].yaml);
        assert_says(cases[i].says);
    }
}

int main(int argc, char **argv)
{
    (void)argc;
    harness_setup(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_picture_lies_in_the_middle),
        cmocka_unit_test(plans_say_what_is_done),
        cmocka_unit_test(corners_are_quarters_of_a_circle),
        cmocka_unit_test(the_border_follows_the_corner),
        cmocka_unit_test(any_kind_of_picture),
        cmocka_unit_test(an_animation_has_one_on_every_page),
        cmocka_unit_test(reads_top_to_bottom_once),
        cmocka_unit_test(it_says_what_the_result_shows),
        cmocka_unit_test(wrong_settings_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
