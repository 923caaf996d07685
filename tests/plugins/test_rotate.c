// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

#include <math.h>

/* Where the pixel at x, y of a width x height picture goes by a quarter turn clockwise, then by mirrors. */
static void reference_place(int quarters, bool across, bool down, int width, int height, int *x, int *y)
{
    for (int i = 0; i < quarters; i++) {
        int right = height - 1 - *y, side = width;
        *y = *x;
        *x = right;
        width = height;
        height = side;
    }
    if (across) *x = width - 1 - *x;
    if (down) *y = height - 1 - *y;
}

static void quarters_and_mirrors_move_every_pixel(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool across, down;
    } flips[] = {{"none", 0, 0}, {"horizontal", 1, 0}, {"vertical", 0, 1}, {"both", 1, 1}};
    static const int angles[] = {90, 180, 270, 360, -90, -180, -270, -360}, sides[] = {1, 2, 3, 7, 8};
    for (size_t a = 0; a < sizeof angles / sizeof angles[0]; a++)
        for (size_t f = 0; f < 4; f++)
            for (int size = 0; size < 25; size++) {
                char yaml[96];
                int width = sides[size / 5], height = sides[size % 5], quarters = (angles[a] + 360) / 90 % 4;
                snprintf(yaml, sizeof yaml, "{angle: %d, flip: %s}", angles[a], flips[f].name);
                VipsImage *out = apply_to_new("rotate", yaml, image_places(width, height));
                assert_size(out, quarters % 2 ? height : width, quarters % 2 ? width : height);
                const uint8_t *pixels = vips_image_get_data(out);
                for (int i = 0; i < width * height; i++) {
                    int x = i % width, y = i / width;
                    reference_place(quarters, flips[f].across, flips[f].down, width, height, &x, &y);
                    const uint8_t *p = pixels + 3 * (y * out->Xsize + x);
                    if (p[0] != i % width || p[1] != i / width || p[2] != 77)
                        fail_msg("%s: at %d,%d is %d,%d of %dx%d", yaml, x, y, p[0], p[1], width, height);
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
        uint32_t flags;
    } cases[] = {
        {"{angle: 90}", 1200, 1600, 3, PM_RANDOM},
        {"{angle: 180}", 1600, 1200, 3, PM_RANDOM},
        {"{flip: horizontal}", 1600, 1200, 3, 0}, /* row by row */
        {"{angle: 180, flip: vertical}", 1600, 1200, 3, 0},
        {"{flip: vertical}", 1600, 1200, 3, PM_RANDOM},
        {"{angle: 360}", 1600, 1200, 3, PM_SKIP},
        {"{angle: -180, flip: both}", 1600, 1200, 3, PM_SKIP},
        {"{angle: 45}", 1980, 1980, 4, PM_RANDOM},                    /* 2800 / sqrt(2) = 1979.9 */
        {"{angle: 30, background: white}", 1986, 1840, 3, PM_RANDOM}, /* 1985.6, 1839.2 */
        {"{angle: 210, background: white, flip: both}", 1986, 1840, 3, PM_RANDOM},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        PmPlan plan = plan_of_new("rotate", cases[i].yaml, &shape_photo);
        if (plan.out.width != cases[i].width || plan.out.height != cases[i].height ||
            plan.out.bands != cases[i].bands || plan.flags != cases[i].flags)
            fail_msg("%s: %dx%d, %d bands, flags %u", cases[i].yaml, plan.out.width, plan.out.height, plan.out.bands,
                     plan.flags);
        assert_int_equal(plan.need_width, 0);
        assert_int_equal(plan.need_height, 0);
        assert_int_equal(plan.out.source_width, cases[i].width);
    }
    PmShape shrunk = shape_photo;
    shrunk.width = 400, shrunk.height = 300;
    PmPlan plan = plan_of_new("rotate", "{angle: 270}", &shrunk);
    assert_true(plan.out.width == 300 && plan.out.height == 400 && plan.out.source_width == 1200);
    plan = plan_of_new("rotate", "{angle: 45}", &shrunk);
    assert_true(plan.out.width == 495 && plan.out.source_width == 1980);
}

/* Red rises by 2 a pixel to the right, green by 2 down. */
static VipsImage *slope(int width, int height)
{
    uint8_t *pixels = g_malloc((size_t)(width * height * 3));
    for (int i = 0; i < width * height; i++) {
        pixels[3 * i] = (uint8_t)(2 * (i % width));
        pixels[3 * i + 1] = (uint8_t)(2 * (i / width));
        pixels[3 * i + 2] = 200;
    }
    VipsImage *image =
        vips_image_new_from_memory_copy(pixels, (size_t)(width * height * 3), width, height, 3, VIPS_FORMAT_UCHAR);
    assert_non_null(image);
    image->Type = VIPS_INTERPRETATION_sRGB;
    g_free(pixels);
    return image;
}

/* Half a pixel off would show as a level. */
static void any_angle_turns_about_the_middle(void **state)
{
    (void)state;
    static const double angles[] = {1, 30, 45, 89.5, 100, 135, 200.25, 300, -12};
    static const int sizes[][2] = {{100, 80}, {101, 80}, {100, 81}, {31, 120}};
    for (size_t a = 0; a < sizeof angles / sizeof angles[0]; a++)
        for (size_t k = 0; k < 4; k++) {
            char yaml[96];
            int width = sizes[k][0], height = sizes[k][1], seen = 0;
            snprintf(yaml, sizeof yaml, "{angle: %g, background: \"#0a141e\"}", angles[a]);
            VipsImage *out = apply_to_new("rotate", yaml, slope(width, height));
            double c = cos(angles[a] * G_PI / 180), s = sin(angles[a] * G_PI / 180);
            const uint8_t *pixels = vips_image_get_data(out);
            for (int y = 0; y < out->Ysize; y++)
                for (int x = 0; x < out->Xsize; x++) {
                    double dx = x + 0.5 - out->Xsize / 2.0, dy = y + 0.5 - out->Ysize / 2.0;
                    double from_x = c * dx + s * dy + width / 2.0 - 0.5, from_y = -s * dx + c * dy + height / 2.0 - 0.5;
                    const uint8_t *p = pixels + 3 * (y * out->Xsize + x);
                    bool inside = from_x > 2 && from_y > 2 && from_x < width - 3 && from_y < height - 3;
                    bool outside = from_x < -2 || from_y < -2 || from_x > width + 1 || from_y > height + 1;
                    if (inside && (fabs(p[0] - 2 * from_x) > 1 || fabs(p[1] - 2 * from_y) > 1 || p[2] != 200))
                        fail_msg("%s of %dx%d: %d,%d at %d,%d, expected %g,%g", yaml, width, height, p[0], p[1], x, y,
                                 2 * from_x, 2 * from_y);
                    if (outside) assert_true(p[0] == 10 && p[1] == 20 && p[2] == 30);
                    seen += inside;
                }
            assert_true(seen > width * height / 2);
            g_object_unref(out);
        }
}

/* As much of it is there as before: nothing is cut off, and the edges are soft, not stretched. */
static void the_area_stays(void **state)
{
    (void)state;
    for (int angle = 5; angle < 90; angle += 16) {
        char yaml[64];
        snprintf(yaml, sizeof yaml, "{angle: %d}", angle);
        VipsImage *out = apply_to_new("rotate", yaml, image_flat(120, 70, 3, 200, 100, 50, 255));
        double mean = 0;
        VipsImage *alpha = NULL;
        assert_int_equal(vips_extract_band(out, &alpha, 3, NULL), 0);
        assert_int_equal(vips_avg(alpha, &mean, NULL), 0);
        double area = mean / 255 * out->Xsize * out->Ysize;
        if (fabs(area - 120 * 70) > 200) fail_msg("%d degrees: %g of %d px are there", angle, area, 120 * 70);
        /* Colours of the clear corners do not bleed into the edge. */
        const uint8_t *p = vips_image_get_data(out);
        for (int i = 0; i < out->Xsize * out->Ysize; i++, p += 4)
            if (p[3] > 30) assert_true(abs(p[0] - 200) <= 6 && abs(p[1] - 100) <= 6 && abs(p[2] - 50) <= 6);
        assert_true(image_at(out, 0, 0, 3) == 0);
        g_object_unref(alpha);
        g_object_unref(out);
    }
}

/* step_apply() holds each against the plan. */
static void any_kind_of_picture(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        int bands[4]; /* of the result, for 1 to 4 of the input */
    } cases[] = {
        {"{angle: 90}", {1, 2, 3, 4}},
        {"{flip: both}", {1, 2, 3, 4}},
        {"{angle: 20}", {2, 2, 4, 4}},
        {"{angle: 20, background: white}", {1, 2, 3, 4}},
        {"{angle: 20, background: red}", {3, 4, 3, 4}},
        {"{angle: 20, background: \"#ff000080\"}", {4, 4, 4, 4}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (int bands = 1; bands <= 4; bands++)
            for (int deep = 0; deep < 2; deep++) {
                VipsImage *out = apply_to_new("rotate", cases[i].yaml, image_kind(bands, deep));
                assert_int_equal(out->Bands, cases[i].bands[bands - 1]);
                double unit = deep ? 257 : 1, middle = image_at(out, out->Xsize / 2, out->Ysize / 2, 0);
                if (fabs(middle - 90 * unit) > unit) fail_msg("%s: %g in the middle", cases[i].yaml, middle);
                if (i >= 4) assert_true(fabs(image_at(out, 0, 0, 0) - 255 * unit) <= unit);
                if (i == 5) assert_true(fabs(image_at(out, 0, 0, 3) - 128 * unit) <= unit);
                g_object_unref(out);
            }
}

static void an_animation_turns_page_by_page(void **state)
{
    (void)state;
    static const char *const yaml[] = {"{angle: 90}", "{flip: vertical}", "{angle: 30, background: white}"};
    for (size_t i = 0; i < 3; i++) {
        VipsImage *out = apply_to_new("rotate", yaml[i], image_animation(64, 48, 5));
        int height = vips_image_get_page_height(out);
        assert_int_equal(out->Ysize, 5 * height);
        for (int page = 0; page < 5; page++)
            assert_pixel(out, out->Xsize / 2, page * height + height / 2, page * 40, page * 40, page * 40, 0);
        g_object_unref(out);
    }
}

static void a_mirror_reads_top_to_bottom_once(void **state)
{
    (void)state;
    VipsImage *photo_image = image_photo(900, 1300);
    void *bytes = NULL;
    size_t size = 0;
    assert_int_equal(vips_pngsave_buffer(photo_image, &bytes, &size, "compression", 1, NULL), 0);
    VipsImage *in = vips_image_new_from_buffer(bytes, size, "", "access", VIPS_ACCESS_SEQUENTIAL, NULL);
    assert_non_null(in);
    g_object_unref(apply_to_new("rotate", "{flip: horizontal}", in));
    g_free(bytes);
    g_object_unref(photo_image);
}

/* Turned by quarters, then mirrored left to right: regions follow. */
static void it_says_what_the_result_shows(void **state)
{
    (void)state;
    static const char *const flips[] = {"none", "horizontal", "vertical", "both"};
    for (int i = 0; i < 16; i++) {
        char yaml[64];
        snprintf(yaml, sizeof yaml, "{angle: %d, flip: %s}", i / 4 * 90, flips[i % 4]);
        if (i == 0) continue; /* refused */
        Step *step = step_new("rotate", yaml);
        VipsImage *in = image_places(7, 5), *out = step_apply(step, in);
        PmFrame frame = step_frame(step);
        int x = 2, y = 1; /* goes where the frame says */
        reference_place(frame.turns, frame.mirrored, false, 7, 5, &x, &y);
        if (frame.width == 0) { /* PM_SKIP: apply() was not called */
            assert_true(i == 11);
            x = 2, y = 1;
        }
        if (image_at(out, x, y, 0) != 2 || image_at(out, x, y, 1) != 1) fail_msg("%s: not at %d,%d", yaml, x, y);
        g_object_unref(out);
        g_object_unref(in);
        step_free(step);
    }
}

static void wrong_settings_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *says;
    } cases[] = {
        {"{}", "needs an angle other than 0, or flip"},
        {"{flip: none}", "needs an angle other than 0, or flip"},
        {"{angle: 361}", "angle 361 is above 360"},
        {"{angle: left}", "angle must be a number"},
        {"{flip: left}", "flip \"left\" is not one of none, horizontal, vertical, both"},
        {"{angle: 90, background: white}", "background: shows only at an angle that is not a multiple of 90"},
        {"{flip: both, background: white}", "background: shows only at an angle that is not a multiple of 90"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (step_try("rotate", cases[i].yaml)) fail_msg("%s was taken", cases[i].yaml);
        assert_says(cases[i].says);
    }
}

int main(int argc, char **argv)
{
    (void)argc;
    harness_setup(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quarters_and_mirrors_move_every_pixel),
        cmocka_unit_test(plans_say_what_is_done),
        cmocka_unit_test(any_angle_turns_about_the_middle),
        cmocka_unit_test(the_area_stays),
        cmocka_unit_test(any_kind_of_picture),
        cmocka_unit_test(an_animation_turns_page_by_page),
        cmocka_unit_test(a_mirror_reads_top_to_bottom_once),
        cmocka_unit_test(it_says_what_the_result_shows),
        cmocka_unit_test(wrong_settings_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
