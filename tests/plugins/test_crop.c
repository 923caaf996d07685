// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

#include <math.h>

typedef struct Box {
    int left, top, width, height;
} Box;

/* Every pixel of `out` is that of image_places() at its place in the box. */
static void assert_is_box(VipsImage *out, Box box, const char *yaml)
{
    if (out->Xsize != box.width || out->Ysize != box.height)
        fail_msg("%s: %dx%d, expected %dx%d", yaml, out->Xsize, out->Ysize, box.width, box.height);
    const uint8_t *pixels = vips_image_get_data(out);
    for (int y = 0; y < box.height; y++)
        for (int x = 0; x < box.width; x++) {
            const uint8_t *p = pixels + 3 * (y * box.width + x);
            if (p[0] != box.left + x || p[1] != box.top + y || p[2] != 77)
                fail_msg("%s: %d,%d shows %d,%d of the picture, expected %d,%d", yaml, x, y, p[0], p[1], box.left + x,
                         box.top + y);
        }
}

/* Written by hand, apart from the plugin's arithmetic: where the box of each gravity begins, in whole numbers. */
static int reference_start(const char *gravity, bool across, int whole, int size)
{
    int room = whole - size, middle = (room + 1) / 2; /* half a pixel goes to the right and down */
    if (gravity[0] >= '0' && gravity[0] <= '9') {
        int tenths = across ? gravity[2] - '0' : gravity[6] - '0';
        int twice =
            (tenths * whole * 2 - 10 * size + 10); /* floor(twice / 20): tenths / 10 * whole - size / 2 + 1 / 2 */
        int start = twice < 0 ? 0 : twice / 20;
        return start > room ? room : start;
    }
    bool first = strstr(gravity, across ? "west" : "north"), last = strstr(gravity, across ? "east" : "south");
    return first ? 0 : last ? room : middle;
}

static void every_gravity_at_every_size(void **state)
{
    (void)state;
    static const char *const gravities[] = {"center",     "north", "north-east", "east",    "south-east", "south",
                                            "south-west", "west",  "north-west", "0.3,0.7", "0.0,0.9",    "0.5,0.1"};
    enum { SIDE = 9 };
    for (size_t g = 0; g < sizeof gravities / sizeof gravities[0]; g++)
        for (int box = 1; box <= SIDE; box++) {
            char yaml[96];
            int box_height = SIDE + 1 - box;
            snprintf(yaml, sizeof yaml, "{width: %d, height: %d, gravity: \"%s\"}", box, box_height, gravities[g]);
            Step *step = step_new("crop", yaml);
            for (int width = 1; width <= SIDE; width++)
                for (int height = 1; height <= SIDE; height += 2) {
                    VipsImage *in = image_places(width, height);
                    VipsImage *out = step_apply(step, in);
                    Box expected = {0, 0, box < width ? box : width, box_height < height ? box_height : height};
                    expected.left = reference_start(gravities[g], true, width, expected.width);
                    expected.top = reference_start(gravities[g], false, height, expected.height);
                    assert_is_box(out, expected, yaml);
                    g_object_unref(out);
                    g_object_unref(in);
                }
            step_free(step);
        }
}

static void boxes_by_lengths_and_shapes(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        Box box;
    } cases[] = {
        /* of 160 x 90 */
        {"{x: 12, y: 7, width: 50, height: 20}", {12, 7, 50, 20}},
        {"{x: 0, y: 0, width: 50, height: 20}", {0, 0, 50, 20}},
        {"{x: 150, y: 80, width: 50, height: 20}", {150, 80, 10, 10}},
        {"{x: 159}", {159, 0, 1, 90}},
        {"{x: 10%, y: 10%}", {16, 9, 144, 81}},
        {"{width: 50%, height: 50%}", {40, 23, 80, 45}},
        {"{width: 50%, x: 0}", {0, 0, 80, 90}},
        {"{width: 33.3%}", {54, 0, 53, 90}},
        {"{width: 0.1%}", {80, 0, 1, 90}},
        {"{width: 100%, height: 1}", {0, 45, 160, 1}},
        {"{width: 1000, height: 10px}", {0, 40, 160, 10}},
        {"{x: 20, width: 30}", {20, 0, 30, 90}},
        {"{y: 20, height: 30, width: 10}", {75, 20, 10, 30}},
        {"{aspect: \"1:1\"}", {35, 0, 90, 90}},
        {"{aspect: \"1:1\", gravity: west}", {0, 0, 90, 90}},
        {"{aspect: 2}", {0, 5, 160, 80}},
        {"{aspect: \"2.35:1\", gravity: south}", {0, 22, 160, 68}},
        {"{aspect: \"9:16\"}", {55, 0, 51, 90}},
        {"{aspect: \"1:1\", width: 40}", {60, 25, 40, 40}},
        {"{aspect: \"1:1\", width: 120}", {35, 0, 90, 90}},
        {"{aspect: \"3:1\", height: 20, gravity: north-east}", {100, 0, 60, 20}},
        {"{aspect: \"1:1\", width: 50, height: 20}", {70, 35, 20, 20}},
        {"{aspect: \"1:1\", x: 100, y: 10}", {100, 10, 60, 60}},
        {"{aspect: \"1000:1\"}", {0, 45, 160, 1}},
        {"{aspect: \"1:1000\"}", {80, 0, 1, 90}},
        {"{aspect: \"16:9\"}", {0, 0, 160, 90}}, /* nothing to do */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        VipsImage *out = apply_to_new("crop", cases[i].yaml, image_places(160, 90));
        assert_is_box(out, cases[i].box, cases[i].yaml);
        g_object_unref(out);
    }
}

static void a_crop_is_a_resample_that_needs_what_follows(void **state)
{
    (void)state;
    PmPlan plan = plan_of_new("crop", "{width: 400, height: 300, gravity: south-east}", &shape_photo);
    assert_int_equal(plan.flags, 0);
    assert_int_equal(plan.need_width, 0);
    assert_int_equal(plan.need_height, 0);
    assert_true(plan.resample.left == 1200 && plan.resample.top == 900);
    assert_true(plan.resample.width == 400 && plan.resample.height == 300);
    assert_int_equal(plan.resample.kernel, PM_KERNEL_NEAREST);
    plan = plan_of_new("crop", "{aspect: \"4:3\"}", &shape_photo);
    assert_int_equal(plan.flags, PM_SKIP);
    plan = plan_of_new("crop", "{width: 400, gravity: attention}", &shape_photo);
    assert_int_equal(plan.flags, PM_RANDOM | PM_EAGER);
    assert_true(plan.resample.width == 0);
    PmShape animation = shape_photo;
    animation.pages = 3;
    assert_int_equal(plan_of_new("crop", "{width: 400, gravity: entropy}", &animation).flags,
                     PM_RANDOM | PM_EAGER | PM_ALL_PAGES);
    assert_int_equal(plan_of_new("crop", "{width: 400}", &animation).flags, 0);
}

/* The same part, whatever the decoder gave: both ends of the box are off by less than a pixel of the picture at hand.
 */
static void the_part_is_the_same_of_a_shrunk_picture(void **state)
{
    (void)state;
    static const char *const yaml[] = {"{x: 401, y: 301, width: 333, height: 111}", "{width: 25%, height: 10%}",
                                       "{aspect: \"1:1\", gravity: east}", "{x: 1599, y: 1199}"};
    for (size_t i = 0; i < sizeof(yaml) / sizeof(yaml[0]); i++)
        for (int shrink = 1; shrink <= 8; shrink *= 2) {
            PmResample full = plan_of_new("crop", yaml[i], &shape_photo).resample;
            PmShape shrunk = shape_photo;
            shrunk.width = (1600 + shrink - 1) / shrink;
            shrunk.height = (1200 + shrink - 1) / shrink;
            PmPlan plan = plan_of_new("crop", yaml[i], &shrunk);
            double across = (double)shrunk.width / 1600, down = (double)shrunk.height / 1200;
            PmResample box = plan.resample;
            assert_true(fabs(box.left - full.left * across) < 1 && fabs(box.top - full.top * down) < 1);
            assert_true(fabs(box.left + box.width - (full.left + full.width) * across) <= 1);
            assert_true(fabs(box.top + box.height - (full.top + full.height) * down) <= 1);
            assert_true(box.left + box.width <= shrunk.width && box.top + box.height <= shrunk.height);
            assert_int_equal(plan.out.source_width, full.width);
            assert_int_equal(plan.out.source_height, full.height);
        }
    /* A drawing that is rendered larger, and a step that does nothing to the full size. */
    PmShape large = shape_photo;
    large.width = 3200, large.height = 2400;
    PmPlan plan = plan_of_new("crop", "{width: 400, height: 300}", &large);
    assert_true(plan.resample.left == 1200 && plan.out.width == 800 && plan.out.height == 600);
    large.width = 801;
    assert_int_equal(plan_of_new("crop", "{aspect: \"4:3\"}", &large).flags, PM_SKIP);
    Step *step = step_new("crop", "{x: 100, y: 60, width: 10, height: 20}");
    VipsImage *in = image_places(100, 60), *out = step_apply_shrunk(step, in, 200, 120);
    assert_is_box(out, (Box){50, 30, 5, 10}, "shrunk by two");
    g_object_unref(out);
    g_object_unref(in);
    step_free(step);
}

static void smart_gravity_finds_the_spot(void **state)
{
    (void)state;
    static const char *const names[] = {"attention", "entropy"};
    for (size_t i = 0; i < 2; i++) {
        char yaml[96];
        snprintf(yaml, sizeof(yaml), "{width: 100, height: 100, gravity: %s}", names[i]);
        VipsImage *in = image_flat(600, 100, 3, 120, 120, 120, 255);
        double red[] = {230, 120, 90};
        for (int k = 0; k < 6; k++)
            assert_int_equal(vips_draw_circle(in, red, 3, 500, 50, 4 + k * 2, "fill", k == 0, NULL), 0);
        VipsImage *out = apply_to_new("crop", yaml, in);
        double most = 0;
        for (int x = 0; x < 100; x++) most = fmax(most, image_at(out, x, 50, 0) - image_at(out, x, 50, 2));
        assert_true(most > 60);
        g_object_unref(out);
    }
    /* At any size, down to a pixel. */
    for (int width = 1; width < 40; width += 7)
        for (int height = 1; height < 40; height += 7) {
            VipsImage *out =
                apply_to_new("crop", "{width: 5, height: 9, gravity: attention}", image_photo(width, height));
            assert_size(out, width < 5 ? width : 5, height < 9 ? height : 9);
            g_object_unref(out);
        }
}

static void an_animation_is_cut_alike(void **state)
{
    (void)state;
    static const char *const yaml[] = {"{width: 16, height: 12, gravity: south-east}",
                                       "{width: 16, height: 12, gravity: attention}"};
    for (size_t i = 0; i < 2; i++) {
        VipsImage *out = apply_to_new("crop", yaml[i], image_animation(64, 48, 5));
        assert_size(out, 16, 12);
        assert_int_equal(out->Ysize, 60);
        for (int page = 0; page < 5; page++) {
            assert_pixel(out, 0, page * 12, page * 40, page * 40, page * 40, 0);
            assert_pixel(out, 15, page * 12 + 11, page * 40, page * 40, page * 40, 0);
        }
        g_object_unref(out);
    }
}

/* Grey, alpha, 16 bits, a profile: step_apply() holds each against the plan. */
static void any_kind_of_picture_stays_as_it_is(void **state)
{
    (void)state;
    static const char *const yaml[] = {"{x: 3, y: 2, width: 4, height: 5}",
                                       "{width: 4, height: 5, gravity: attention}"};
    for (size_t i = 0; i < 2; i++)
        for (int bands = 1; bands <= 4; bands++)
            for (int deep = 0; deep < 2; deep++) {
                VipsImage *flat = image_flat(20, 10, bands, 90, 100, 110, 120), *wide = NULL, *in = NULL;
                assert_int_equal(vips_cast(flat, &wide, deep ? VIPS_FORMAT_USHORT : VIPS_FORMAT_UCHAR, NULL), 0);
                VipsInterpretation space = bands < 3 ? deep ? VIPS_INTERPRETATION_GREY16 : VIPS_INTERPRETATION_B_W
                                           : deep    ? VIPS_INTERPRETATION_RGB16
                                                     : VIPS_INTERPRETATION_sRGB;
                assert_int_equal(vips_copy(wide, &in, "interpretation", space, NULL), 0);
                VipsImage *out = apply_to_new("crop", yaml[i], in);
                assert_size(out, 4, 5);
                assert_int_equal(out->Bands, bands);
                assert_true(image_at(out, 3, 4, 0) == 90);
                g_object_unref(out);
                g_object_unref(wide);
                g_object_unref(flat);
            }
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
    VipsImage *out = apply_to_new("crop", "{width: 50%, height: 20%, gravity: south}", in);
    assert_size(out, 450, 260);
    g_object_unref(out);
    g_free(bytes);
    g_object_unref(photo_image);
}

/* Regions follow: also where the place was looked for. */
static void it_says_what_the_result_shows(void **state)
{
    (void)state;
    Step *step = step_new("crop", "{x: 20, y: 10, width: 30, height: 40}");
    VipsImage *in = image_places(100, 60), *out = step_apply_shrunk(step, in, 200, 120);
    PmFrame frame = step_frame(step);
    assert_true(frame.left == 10 && frame.top == 5 && frame.width == 15 && frame.height == 20);
    g_object_unref(out);
    step_free(step);
    step = step_new("crop", "{width: 30, height: 40, gravity: entropy}");
    out = step_apply(step, in);
    frame = step_frame(step);
    assert_is_box(out, (Box){(int)frame.left, (int)frame.top, 30, 40}, "entropy");
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
        {"{}", "needs width, height, aspect, x or y"},
        {"{gravity: north}", "needs width, height, aspect, x or y"},
        {"{width: 0}", "needs width, height, aspect, x or y"},
        {"{height: 0.5}", "height: 0.5 px is less than a pixel; a half of the picture is 50%"},
        {"{height: 0%}", "needs width, height, aspect, x or y"},
        {"{width: 120%}", "width: 120% is more than the picture"},
        {"{x: 100%}", "x: 100% leaves nothing"},
        {"{y: 130%}", "y: 130% leaves nothing"},
        {"{x: -3}", "x: \"-3\" is not a length such as 12, 12px or 5%"},
        {"{y: 3em}", "y: \"3em\" is not a length such as 12, 12px or 5%"},
        {"{y: 1e9}", "y: \"1e9\" is not a length"},
        {"{y: \"\"}", "y: \"\" is not a length"},
        {"{y: nan}", "y: \"nan\" is not a length"},
        {"{width: wide}", "width must be"},
        {"{aspect: wide}", "aspect: \"wide\" is not a shape such as \"16:9\" or 1.5, up to 1000:1 or 1:1000"},
        {"{aspect: \"16:\"}", "is not a shape"},
        {"{aspect: \"0:9\"}", "is not a shape"},
        {"{aspect: \"-1:-1\"}", "is not a shape"},
        {"{aspect: \"16:9:4\"}", "is not a shape"},
        {"{aspect: \"nan\"}", "is not a shape"},
        {"{aspect: \"2000:1\"}", "is not a shape"},
        {"{width: 3, gravity: nort}", "gravity: \"nort\" is neither"},
        {"{width: 3, x: 0, gravity: north}", "gravity: gravity and x or y exclude each other"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (step_try("crop", cases[i].yaml)) fail_msg("%s was taken", cases[i].yaml);
        assert_says(cases[i].says);
    }
}

static void a_place_outside_is_told(void **state)
{
    (void)state;
    Step *step = step_new("crop", "{x: 1600, width: 10}");
    PmPlan plan;
    assert_int_equal(step_try_plan(step, &shape_photo, &plan), PM_BAD_INPUT);
    assert_says("x and y lie outside the picture of 1600 x 1200 px");
    step_free(step);
}

int main(int argc, char **argv)
{
    (void)argc;
    harness_setup(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_gravity_at_every_size),
        cmocka_unit_test(boxes_by_lengths_and_shapes),
        cmocka_unit_test(a_crop_is_a_resample_that_needs_what_follows),
        cmocka_unit_test(the_part_is_the_same_of_a_shrunk_picture),
        cmocka_unit_test(smart_gravity_finds_the_spot),
        cmocka_unit_test(an_animation_is_cut_alike),
        cmocka_unit_test(any_kind_of_picture_stays_as_it_is),
        cmocka_unit_test(reads_top_to_bottom_once),
        cmocka_unit_test(it_says_what_the_result_shows),
        cmocka_unit_test(wrong_settings_are_refused),
        cmocka_unit_test(a_place_outside_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
