// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

#include <math.h>

/* `out` is width x height px, image_places() of in_width x in_height lies at left, top, and what is around it is
 * 9, 8, 7 or, by `fill`, the pixel of the picture that belongs there. */
static int belongs(const char *fill, int at, int side)
{
    if (!strcmp(fill, "edge")) return at < 0 ? 0 : at >= side ? side - 1 : at;
    int round = ((at % (2 * side)) + 2 * side) % (2 * side);
    return round < side ? round : 2 * side - 1 - round;
}

static void assert_padded(VipsImage *out, const char *yaml, const char *fill, int left, int top, int in_width,
                          int in_height, int width, int height)
{
    if (out->Xsize != width || out->Ysize != height)
        fail_msg("%s: %dx%d, expected %dx%d", yaml, out->Xsize, out->Ysize, width, height);
    const uint8_t *pixels = vips_image_get_data(out);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            const uint8_t *p = pixels + 3 * (y * width + x);
            bool inside = x >= left && y >= top && x < left + in_width && y < top + in_height;
            int r = x - left, g = y - top, b = 77;
            if (!inside && !strcmp(fill, "color")) {
                r = 9, g = 8, b = 7;
            } else if (!inside) {
                r = belongs(fill, r, in_width);
                g = belongs(fill, g, in_height);
            }
            if (p[0] != r || p[1] != g || p[2] != b)
                fail_msg("%s of %dx%d: %d,%d,%d at %d,%d, expected %d,%d,%d", yaml, in_width, in_height, p[0], p[1],
                         p[2], x, y, r, g, b);
        }
}

/* Apart from the plugin's arithmetic, in whole numbers: half a pixel goes to the right and to the bottom. */
static int reference_start(const char *gravity, bool across, int room)
{
    if (gravity[0] == '0') {
        int tenths = gravity[across ? 2 : 6] - '0';
        return (tenths * room + 4) / 10;
    }
    bool first = strstr(gravity, across ? "west" : "north"), last = strstr(gravity, across ? "east" : "south");
    return first ? 0 : last ? room : room / 2;
}

static void every_gravity_at_every_size(void **state)
{
    (void)state;
    static const char *const gravities[] = {"center",     "north", "north-east", "east",    "south-east", "south",
                                            "south-west", "west",  "north-west", "0.3,0.7", "0.0,0.9"};
    static const char *const fills[] = {"color", "edge", "mirror"};
    enum { SIDE = 8 };
    for (size_t g = 0; g < sizeof gravities / sizeof gravities[0]; g++)
        for (int box = 1; box <= SIDE; box++) {
            char yaml[128];
            const char *fill = fills[(size_t)box % 3];
            int box_height = SIDE + 2 - box;
            snprintf(yaml, sizeof yaml, "{width: %d, height: %d, gravity: \"%s\", fill: %s%s}", box, box_height,
                     gravities[g], fill, !strcmp(fill, "color") ? ", background: \"#090807\"" : "");
            Step *step = step_new("pad", yaml);
            for (int width = 1; width <= SIDE; width++)
                for (int height = 1; height <= SIDE; height += 3) {
                    VipsImage *in = image_places(width, height), *out = step_apply(step, in);
                    int whole_width = box > width ? box : width,
                        whole_height = box_height > height ? box_height : height;
                    assert_padded(out, yaml, fill, reference_start(gravities[g], true, whole_width - width),
                                  reference_start(gravities[g], false, whole_height - height), width, height,
                                  whole_width, whole_height);
                    g_object_unref(out);
                    g_object_unref(in);
                }
            step_free(step);
        }
}

static void margins_sizes_and_shapes(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        int left, top, width, height;
    } cases[] = {
        /* around 40 x 20 */
        {"top: 1, right: 2, bottom: 3, left: 4", 4, 1, 46, 24},
        {"top: 10%, left: 10%", 4, 2, 44, 22},
        {"bottom: 200%", 0, 0, 40, 60},
        {"width: 60", 10, 0, 60, 20},
        {"width: 150%, height: 100%", 10, 0, 60, 20},
        {"height: 31", 0, 5, 40, 31},
        {"width: 30, height: 30", 0, 5, 40, 30},
        {"width: 60, left: 10, gravity: east", 20, 0, 60, 20},
        {"width: 60, left: 10, gravity: west", 10, 0, 60, 20},
        {"aspect: \"1:1\"", 0, 10, 40, 40},
        {"aspect: \"1:1\", gravity: north", 0, 0, 40, 40},
        {"aspect: 4", 20, 0, 80, 20},
        {"aspect: \"1:1\", top: 5, bottom: 55", 20, 5, 80, 80},
        {"aspect: \"16:9\", height: 90", 60, 35, 160, 90},
        {"aspect: \"2:1\", left: 1", 1, 0, 41, 21},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char yaml[160];
        snprintf(yaml, sizeof yaml, "{%s, background: \"#090807\"}", cases[i].yaml);
        VipsImage *out = apply_to_new("pad", yaml, image_places(40, 20));
        assert_padded(out, yaml, "color", cases[i].left, cases[i].top, 40, 20, cases[i].width, cases[i].height);
        g_object_unref(out);
    }
}

static void plans_say_what_is_done(void **state)
{
    (void)state;
    PmPlan plan = plan_of_new("pad", "{width: 2000, height: 1300}", &shape_photo);
    assert_int_equal(plan.flags, 0);
    assert_true(plan.need_width == 0 && plan.need_height == 0);
    assert_true(plan.out.bands == 4 && plan.out.has_alpha);
    assert_int_equal(plan_of_new("pad", "{width: 2000, background: white}", &shape_photo).out.bands, 3);
    assert_int_equal(plan_of_new("pad", "{width: 2000, fill: edge}", &shape_photo).flags, PM_RANDOM);
    assert_int_equal(plan_of_new("pad", "{width: 2000, fill: mirror}", &shape_photo).out.bands, 3);
    assert_int_equal(plan_of_new("pad", "{width: 2000, fill: blur}", &shape_photo).flags, PM_RANDOM | PM_EAGER);
    assert_int_equal(plan_of_new("pad", "{width: 1000}", &shape_photo).flags, PM_SKIP);
    assert_int_equal(plan_of_new("pad", "{aspect: \"4:3\"}", &shape_photo).flags, PM_SKIP);
    /* What is added shrinks with what the decoder gives. */
    PmShape shrunk = shape_photo;
    shrunk.width = 400, shrunk.height = 300;
    plan = plan_of_new("pad", "{left: 80, bottom: 41}", &shrunk);
    assert_true(plan.out.width == 420 && plan.out.height == 310);
    assert_true(plan.out.source_width == 1680 && plan.out.source_height == 1241);
    Step *step = step_new("pad", "{left: 10, top: 20, background: \"#090807\"}");
    VipsImage *in = image_places(50, 40), *out = step_apply_shrunk(step, in, 100, 80);
    assert_padded(out, "shrunk by two", "color", 5, 10, 50, 40, 55, 50);
    g_object_unref(out);
    g_object_unref(in);
    step_free(step);
}

/* step_apply() holds each against the plan. */
static void any_kind_of_picture(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        int bands[4]; /* of the result, for 1 to 4 of the input */
    } cases[] = {
        {"{width: 60}", {2, 2, 4, 4}},
        {"{width: 60, background: white}", {1, 2, 3, 4}},
        {"{width: 60, background: red}", {3, 4, 3, 4}},
        {"{width: 60, background: \"#ff000080\"}", {4, 4, 4, 4}},
        {"{width: 60, fill: edge}", {1, 2, 3, 4}},
        {"{width: 60, fill: mirror}", {1, 2, 3, 4}},
        {"{width: 60, fill: blur}", {1, 2, 3, 4}},
        {"{aspect: \"1:20\", fill: blur}", {1, 2, 3, 4}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (int bands = 1; bands <= 4; bands++)
            for (int deep = 0; deep < 2; deep++) {
                double unit = deep ? 257 : 1;
                VipsImage *in = image_kind(bands, deep);
                VipsImage *out = apply_to_new("pad", cases[i].yaml, in);
                assert_int_equal(out->Bands, cases[i].bands[bands - 1]);
                double middle = image_at(out, out->Xsize / 2, out->Ysize / 2, 0), corner = image_at(out, 0, 0, 0);
                if (fabs(middle - 90 * unit) > unit) fail_msg("%s: %g in the middle", cases[i].yaml, middle);
                if (i == 2 || i == 3) assert_true(corner == 255 * unit);
                if (i == 3) assert_true(fabs(image_at(out, 0, 0, 3) - 128 * unit) <= unit);
                if (i >= 4 && fabs(corner - 90 * unit) > unit) fail_msg("%s: %g at the corner", cases[i].yaml, corner);
                g_object_unref(out);
            }
}

/* The backdrop shows the picture's colours where they are, and no detail; the picture itself is untouched. */
static void blur_is_the_picture_itself(void **state)
{
    (void)state;
    VipsImage *out = apply_to_new("pad", "{aspect: \"3:1\", fill: blur}", image_quarters(100, 100));
    assert_size(out, 300, 100);
    assert_pixel(out, 100, 49, 255, 0, 0, 0);
    assert_pixel(out, 199, 50, 255, 255, 255, 0);
    assert_true(image_at(out, 5, 5, 0) > 200 && image_at(out, 5, 5, 2) < 60);   /* red on the left, above */
    assert_true(image_at(out, 5, 95, 2) > 200 && image_at(out, 5, 95, 0) < 60); /* blue below */
    assert_true(image_at(out, 295, 5, 1) > 200 && image_at(out, 295, 5, 0) < 60);
    for (int y = 1; y < 100; y++) assert_true(fabs(image_at(out, 40, y, 0) - image_at(out, 40, y - 1, 0)) < 40);
    g_object_unref(out);
    /* At any size, and colours of clear pixels stay out. */
    for (int width = 1; width < 200; width += 66)
        for (int height = 1; height < 200; height += 66)
            g_object_unref(apply_to_new("pad", "{top: 7, left: 300%, fill: blur}", image_photo(width, height)));
    out = apply_to_new("pad", "{aspect: \"1:3\", fill: blur}", image_alpha(60, 40));
    for (int x = 0; x < 60; x++)
        if (image_at(out, x, 5, 3) > 8) assert_pixel(out, x, 5, 255, 0, 0, 8);
    g_object_unref(out);
}

static void an_animation_is_padded_page_by_page(void **state)
{
    (void)state;
    static const char *const fills[] = {"edge", "mirror", "blur"};
    for (size_t i = 0; i < 3; i++) {
        char yaml[64];
        snprintf(yaml, sizeof yaml, "{width: 80, height: 100, fill: %s}", fills[i]);
        VipsImage *out = apply_to_new("pad", yaml, image_animation(64, 48, 5));
        assert_size(out, 80, 100);
        for (int page = 0; page < 5; page++) {
            assert_pixel(out, 0, page * 100, page * 40, page * 40, page * 40, 1);
            assert_pixel(out, 79, page * 100 + 99, page * 40, page * 40, page * 40, 1);
        }
        g_object_unref(out);
    }
}

static void colour_reads_top_to_bottom_once(void **state)
{
    (void)state;
    VipsImage *photo_image = image_photo(900, 1300);
    void *bytes = NULL;
    size_t size = 0;
    assert_int_equal(vips_pngsave_buffer(photo_image, &bytes, &size, "compression", 1, NULL), 0);
    VipsImage *in = vips_image_new_from_buffer(bytes, size, "", "access", VIPS_ACCESS_SEQUENTIAL, NULL);
    assert_non_null(in);
    g_object_unref(apply_to_new("pad", "{aspect: \"1:1\", top: 30}", in));
    g_free(bytes);
    g_object_unref(photo_image);
}

static void it_says_what_the_result_shows(void **state)
{
    (void)state;
    Step *step = step_new("pad", "{left: 4, top: 6, right: 2}");
    VipsImage *in = image_places(30, 20), *out = step_apply_shrunk(step, in, 60, 40);
    PmFrame frame = step_frame(step);
    assert_true(frame.left == -2 && frame.top == -3 && frame.width == 33 && frame.height == 23);
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
        {"{}", "needs width, height, aspect, top, right, bottom or left"},
        {"{background: white}", "needs width, height, aspect, top, right, bottom or left"},
        {"{left: -3}", "left -3 is below 0"},
        {"{width: 20000}", "width 20000 is above 16384"},
        {"{aspect: wide}", "aspect: \"wide\" is not a shape such as \"16:9\" or 1.5, up to 1000:1 or 1:1000"},
        {"{width: 3, gravity: nort}", "gravity: \"nort\" is neither"},
        {"{width: 3, gravity: attention}", "gravity: \"attention\" is neither"},
        {"{left: 3, gravity: north}", "gravity: needs width, height or aspect"},
        {"{left: 3, fill: blur, background: white}", "background: needs fill: color"},
        {"{left: 3, fill: smear}", "fill \"smear\" is not one of color, edge, mirror, blur"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (step_try("pad", cases[i].yaml)) fail_msg("%s was taken", cases[i].yaml);
        assert_says(cases[i].says);
    }
}

static void absurd_sizes_are_a_limit(void **state)
{
    (void)state;
    static const char *const yaml[] = {"{aspect: \"1000:1\"}", "{aspect: \"1:1000\"}", "{left: 16384px, right: 1}",
                                       "{top: 16384%}"};
    for (size_t i = 0; i < 4; i++) {
        Step *step = step_new("pad", yaml[i]);
        PmPlan plan;
        assert_int_equal(step_try_plan(step, &shape_photo, &plan), PM_LIMIT);
        assert_says("a 1600 x 1200 picture would be padded to ");
        assert_says(" px; the limit is 16384 a side");
        step_free(step);
    }
    /* A picture that is beyond it already may stay as it is. */
    PmShape long_one = shape_photo;
    long_one.width = long_one.source_width = 20000;
    assert_int_equal(plan_of_new("pad", "{height: 1300}", &long_one).out.height, 1300);
}

int main(int argc, char **argv)
{
    (void)argc;
    harness_setup(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_gravity_at_every_size),     cmocka_unit_test(margins_sizes_and_shapes),
        cmocka_unit_test(plans_say_what_is_done),          cmocka_unit_test(any_kind_of_picture),
        cmocka_unit_test(blur_is_the_picture_itself),      cmocka_unit_test(an_animation_is_padded_page_by_page),
        cmocka_unit_test(colour_reads_top_to_bottom_once), cmocka_unit_test(it_says_what_the_result_shows),
        cmocka_unit_test(wrong_settings_are_refused),      cmocka_unit_test(absurd_sizes_are_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
