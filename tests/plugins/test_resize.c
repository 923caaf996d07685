// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

#include <math.h>

static const PmShape photo = {
    .width = 2725,
    .height = 2225,
    .pages = 1,
    .bands = 3,
    .source_width = 2725,
    .source_height = 2225,
    .interpretation = VIPS_INTERPRETATION_sRGB,
    .orientation = 1,
};

static void sizes_follow_the_fit(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        int width, height;
    } cases[] = {
        {"{width: 720}", 720, 588},
        {"{height: 720}", 882, 720},
        {"{scale: 0.5}", 1363, 1113},
        {"{width: 300, height: 300}", 300, 300}, /* cover */
        {"{width: 300, height: 300, fit: contain}", 300, 300},
        {"{width: 300, height: 200, fit: fill}", 300, 200},
        {"{width: 300, height: 300, fit: inside}", 300, 245},
        {"{width: 300, height: 300, fit: outside}", 367, 300},
        {"{width: 4000}", 2725, 2225},
        {"{width: 4000, enlarge: true}", 4000, 3266},
        {"{width: 4000, height: 3000, fit: inside}", 2725, 2225},
        {"{width: 4000, height: 3000, fit: outside}", 2725, 2225},
        {"{width: 4000, height: 2000}", 2725, 1363}, /* 2:1 as large as the picture allows */
        {"{width: 4000, height: 2000, enlarge: true}", 4000, 2000},
        {"{width: 4000, height: 3000, fit: contain}", 4000, 3000},
        {"{width: 5450, height: 2225, fit: fill}", 2725, 1113},
        {"{scale: 2, enlarge: true}", 5450, 4450},
        {"{width: 1}", 1, 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        PmPlan plan = plan_of_new("resize", cases[i].yaml, &photo);
        if (plan.out.width != cases[i].width || plan.out.height != cases[i].height)
            fail_msg("%s: %dx%d, expected %dx%d", cases[i].yaml, plan.out.width, plan.out.height, cases[i].width,
                     cases[i].height);
    }
}

/* step_apply() holds every result against its plan. */
static void result_is_the_plan_at_any_ratio(void **state)
{
    (void)state;
    static const char *const yaml[] = {
        "{width: 7}",
        "{height: 11}",
        "{width: 13, height: 13, fit: inside}",
        "{width: 13, height: 3, fit: outside}",
        "{width: 5, height: 9, fit: fill}",
        "{width: 9, height: 5, fit: cover, enlarge: true}",
        "{width: 9, height: 5, fit: contain, background: white}",
        "{width: 3, height: 17, kernel: nearest, fit: fill, enlarge: true}",
        "{width: 3, kernel: nearest}",
        "{scale: 0.37}",
        "{scale: 1.9, enlarge: true}",
        "{width: 97, height: 89, fit: fill, enlarge: true, quality: best}",
        "{width: 9, height: 5, gravity: attention}",
    };
    static const int sizes[] = {1, 2, 3, 7, 11, 16, 33, 99, 100, 101, 257};
    enum { COUNT = sizeof(sizes) / sizeof(sizes[0]) };
    for (size_t i = 0; i < sizeof(yaml) / sizeof(yaml[0]); i++) {
        Step *step = step_new("resize", yaml[i]);
        for (size_t x = 0; x < COUNT; x++) {
            for (size_t y = 0; y < COUNT; y++) {
                VipsImage *in = image_photo(sizes[x], sizes[y]);
                VipsImage *out = step_apply(step, in);
                g_object_unref(out);
                g_object_unref(in);
            }
        }
        step_free(step);
    }
}

static void every_step_of_width_is_exact(void **state)
{
    (void)state;
    static const char *const kernels[] = {"nearest", "linear", "cubic", "mitchell", "lanczos2", "lanczos3"};
    VipsImage *in = image_photo(1999, 3);
    for (int width = 1; width < 2100; width += 7) {
        char yaml[96];
        snprintf(yaml, sizeof(yaml), "{width: %d, height: 2, fit: fill, enlarge: true, kernel: %s}", width,
                 kernels[width % 6]);
        Step *step = step_new("resize", yaml);
        VipsImage *out = step_apply(step, in);
        assert_size(out, width, 2);
        g_object_unref(out);
        step_free(step);
    }
    g_object_unref(in);
}

static void demand_follows_quality(void **state)
{
    (void)state;
    PmPlan plan = plan_of_new("resize", "{width: 300, quality: fast}", &photo);
    assert_int_equal(plan.need_width, 300);
    assert_int_equal(plan.need_height, 245);
    plan = plan_of_new("resize", "{width: 300}", &photo);
    assert_int_equal(plan.need_width, 600);
    assert_int_equal(plan.need_height, 490);
    plan = plan_of_new("resize", "{width: 300, quality: best}", &photo);
    assert_int_equal(plan.need_width, 2725);
    plan = plan_of_new("resize", "{width: 300, kernel: nearest}", &photo);
    assert_int_equal(plan.need_width, 2725);
    /* of the picture before it is cut */
    plan = plan_of_new("resize", "{width: 300, height: 300, quality: fast}", &photo);
    assert_int_equal(plan.need_width, 367);
    assert_int_equal(plan.need_height, 300);
    plan = plan_of_new("resize", "{width: 2000}", &photo);
    assert_int_equal(plan.need_width, 2725);
}

/* The box of the photo's 2725x2225 px, rounded, that the result is said to be; all 0: it is more than a resample. */
static void assert_resamples(const char *yaml, int left, int top, int width, int height)
{
    PmResample box = plan_of_new("resize", yaml, &photo).resample;
    if ((int)lround(box.left) != left || (int)lround(box.top) != top || (int)lround(box.width) != width ||
        (int)lround(box.height) != height)
        fail_msg("%s: %g,%g %gx%g", yaml, box.left, box.top, box.width, box.height);
}

static void a_resample_is_said_to_be_one(void **state)
{
    (void)state;
    assert_resamples("{width: 300}", 0, 0, 2725, 2225);
    assert_resamples("{scale: 0.1}", 0, 0, 2725, 2225);
    assert_resamples("{width: 300, height: 300, fit: fill}", 0, 0, 2725, 2225);
    assert_resamples("{width: 300, height: 300}", 252, 0, 2228, 2225);
    assert_resamples("{width: 300, height: 300, gravity: east}", 497, 0, 2228, 2225);
    assert_resamples("{width: 300, height: 100, gravity: north}", 0, 0, 2725, 908);
    assert_resamples("{width: 300, height: 300, fit: contain}", 0, 0, 0, 0);
    assert_resamples("{width: 300, height: 300, gravity: entropy}", 0, 0, 0, 0);
    assert_resamples("{width: 3000, enlarge: true}", 0, 0, 0, 0);
    assert_resamples("{width: 4000}", 0, 0, 0, 0);
    assert_int_equal(plan_of_new("resize", "{width: 300}", &photo).resample.kernel, PM_KERNEL_LANCZOS3);
    assert_int_equal(plan_of_new("resize", "{width: 300, kernel: nearest}", &photo).resample.kernel, PM_KERNEL_NEAREST);
    assert_int_equal(plan_of_new("resize", "{width: 300, kernel: mitchell}", &photo).resample.kernel,
                     PM_KERNEL_MITCHELL);
    /* In pixels of what it is given, where the decoder shrank. */
    PmShape shrunk = photo;
    shrunk.width = 1363, shrunk.height = 1113;
    PmResample box = plan_of_new("resize", "{width: 300}", &shrunk).resample;
    assert_true(box.width == 1363 && box.height == 1113);
}

static void flags_say_what_is_done(void **state)
{
    (void)state;
    assert_int_equal(plan_of_new("resize", "{width: 300}", &photo).flags, 0);
    PmPlan plan = plan_of_new("resize", "{width: 4000}", &photo);
    assert_int_equal(plan.flags, PM_SKIP);
    assert_int_equal(plan.need_width, 0);
    assert_int_equal(plan_of_new("resize", "{width: 300, height: 300, gravity: entropy}", &photo).flags, PM_EAGER);
    PmShape animation = photo;
    animation.pages = 3;
    assert_int_equal(plan_of_new("resize", "{width: 300, height: 300, gravity: entropy}", &animation).flags,
                     PM_EAGER | PM_ALL_PAGES);
    assert_int_equal(plan_of_new("resize", "{width: 300, height: 300}", &animation).flags, 0);
}

/* What the decoder shrank must end at the size that the header promised. */
static void shrunk_input_ends_at_the_promised_size(void **state)
{
    (void)state;
    static const char *const yaml[] = {"{scale: 0.3}", "{width: 301}", "{width: 300, height: 100}",
                                       "{width: 200, height: 200, fit: contain}"};
    for (size_t i = 0; i < sizeof(yaml) / sizeof(yaml[0]); i++) {
        PmShape header = photo;
        header.source_width = header.width = 1001;
        header.source_height = header.height = 601;
        Step *step = step_new("resize", yaml[i]);
        PmPlan promised = step_plan(step, &header);
        VipsImage *in = image_photo(501, 301);
        VipsImage *out = step_apply_shrunk(step, in, 1001, 601);
        assert_size(out, promised.out.width, promised.out.height);
        g_object_unref(out);
        g_object_unref(in);
        step_free(step);
    }
    /* a step that does nothing to the source does nothing to the shrunk one either */
    PmShape shrunk = photo;
    shrunk.width = 681;
    shrunk.height = 556;
    assert_int_equal(plan_of_new("resize", "{width: 3000}", &shrunk).flags, PM_SKIP);
}

/* Two jobs, or two outputs, whose decoders gave the same size of pictures of different sizes: each call goes by its
 * own. */
static void each_picture_goes_by_its_own_shape(void **state)
{
    (void)state;
    Step *step = step_new("resize", "{scale: 0.1}");
    VipsImage *in = image_photo(500, 300);
    PmShape large = image_shape(in), small = image_shape(in);
    large.source_width = 2000, large.source_height = 1200;
    small.source_width = 1000, small.source_height = 600;
    PmPlan of_large = step_plan(step, &large), of_small = step_plan(step, &small);
    VipsImage *out = NULL;
    assert_int_equal(step_try_apply_as(step, &large, in, &out), PM_OK);
    assert_size(out, of_large.out.width, of_large.out.height);
    g_clear_object(&out);
    assert_int_equal(step_try_apply_as(step, &small, in, &out), PM_OK);
    assert_size(out, of_small.out.width, of_small.out.height);
    assert_int_not_equal(of_small.out.width, of_large.out.width);
    g_object_unref(out);
    g_object_unref(in);
    step_free(step);
}

/* What of its input the result shows, px, rounded: also where there are bars, and where the place was looked for. */
static void the_frame_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        int left, top, width, height;
    } cases[] = {
        {"{width: 80}", 0, 0, 160, 80},
        {"{width: 40, height: 40, gravity: east}", 80, 0, 80, 80},
        {"{width: 80, height: 80, fit: contain}", 0, -40, 160, 160},
        {"{width: 320, height: 320, fit: contain, enlarge: true}", 0, -40, 160, 160},
    };
    VipsImage *in = image_photo(160, 80);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        Step *step = step_new("resize", cases[i].yaml);
        g_object_unref(step_apply(step, in));
        PmFrame frame = step_frame(step);
        if (lround(frame.left) != cases[i].left || lround(frame.top) != cases[i].top ||
            lround(frame.width) != cases[i].width || lround(frame.height) != cases[i].height)
            fail_msg("%s: %g,%g %gx%g", cases[i].yaml, frame.left, frame.top, frame.width, frame.height);
        step_free(step);
    }
    Step *step = step_new("resize", "{width: 40, height: 40, gravity: attention}");
    VipsImage *out = step_apply(step, in);
    PmFrame frame = step_frame(step);
    assert_true(lround(frame.width) == 80 && lround(frame.height) == 80 && lround(frame.top) == 0);
    /* Red rises with x: the middle of the result has that of the middle of the frame. */
    double x = frame.left + frame.width / 2;
    assert_true(fabs(image_at(out, 20, 20, 0) - image_at(in, (int)x, 40, 0)) <= 4);
    g_object_unref(out);
    g_object_unref(in);
    step_free(step);
}

static void gravity_keeps_its_part(void **state)
{
    (void)state;
    static const struct {
        const char *gravity;
        int r, g, b;
    } cases[] = {
        {"north-west", 255, 0, 0},     {"north-east", 0, 255, 0},  {"south-west", 0, 0, 255},
        {"south-east", 255, 255, 255}, {"\"0.1,0.1\"", 255, 0, 0}, {"\"0.9,0.1\"", 0, 255, 0},
        {"\"0.1,0.9\"", 0, 0, 255},    {"\"1,1\"", 255, 255, 255},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char yaml[128];
        snprintf(yaml, sizeof(yaml), "{width: 20, height: 80, gravity: %s}", cases[i].gravity);
        VipsImage *wide = apply_to_new("resize", yaml, image_quarters(160, 80));
        assert_size(wide, 20, 80);
        bool lower = cases[i].b > 0;
        assert_pixel(wide, 10, lower ? 60 : 20, cases[i].r, cases[i].g, cases[i].b, 2);
        g_object_unref(wide);
        snprintf(yaml, sizeof(yaml), "{width: 80, height: 20, gravity: %s}", cases[i].gravity);
        VipsImage *tall = apply_to_new("resize", yaml, image_quarters(80, 160));
        bool right = cases[i].g > 0;
        assert_pixel(tall, right ? 60 : 20, 10, cases[i].r, cases[i].g, cases[i].b, 2);
        g_object_unref(tall);
    }
}

/* A focal point is kept in the middle, unlike a direction, which is a share of what is left over. */
static void focal_point_is_centred(void **state)
{
    (void)state;
    VipsImage *in = image_photo(1000, 100); /* red = 255 * x / 999 */
    VipsImage *out = apply_to_new("resize", "{width: 100, height: 100, gravity: \"0.3,0.5\"}", in);
    assert_true(fabs(image_at(out, 50, 50, 0) - 0.3 * 255) < 2);
    g_object_unref(out);
}

static VipsImage *with_spot(int width, int height, int x, int y)
{
    VipsImage *flat = image_flat(width, height, 3, 120, 120, 120, 255);
    double red[] = {230, 120, 90};
    for (int i = 0; i < 6; i++)
        assert_int_equal(vips_draw_circle(flat, red, 3, x, y, 4 + i * 2, "fill", i == 0, NULL), 0);
    return flat;
}

static void smart_gravity_finds_the_spot(void **state)
{
    (void)state;
    static const char *const names[] = {"attention", "entropy"};
    for (size_t i = 0; i < 2; i++) {
        char yaml[96];
        snprintf(yaml, sizeof(yaml), "{width: 100, height: 100, gravity: %s}", names[i]);
        VipsImage *out = apply_to_new("resize", yaml, with_spot(600, 100, 500, 50));
        double most = 0;
        for (int x = 0; x < 100; x++) most = fmax(most, image_at(out, x, 50, 0) - image_at(out, x, 50, 2));
        assert_true(most > 60);
        g_object_unref(out);
    }
}

static void animation_is_cut_alike_on_all_pages(void **state)
{
    (void)state;
    VipsImage *pages[2] = {with_spot(600, 100, 500, 50), with_spot(600, 100, 80, 50)};
    VipsImage *strip = NULL, *in = NULL;
    assert_int_equal(vips_arrayjoin(pages, &strip, 2, "across", 1, NULL), 0);
    assert_int_equal(vips_copy(strip, &in, NULL), 0);
    vips_image_set_int(in, VIPS_META_PAGE_HEIGHT, 100);
    VipsImage *out = apply_to_new("resize", "{width: 50, height: 50, gravity: attention}", in);
    assert_size(out, 50, 50);
    assert_int_equal(out->Ysize, 100);
    double first = 0, second = 0;
    for (int x = 0; x < 50; x++) {
        first = fmax(first, image_at(out, x, 25, 0) - image_at(out, x, 25, 2));
        second = fmax(second, image_at(out, x, 75, 0) - image_at(out, x, 75, 2));
    }
    assert_true(first > 60);  /* the place was chosen on the first page .. */
    assert_true(second < 20); /* .. and holds for the second, whose spot lies elsewhere */
    g_object_unref(out);
    g_object_unref(strip);
    g_object_unref(pages[0]);
    g_object_unref(pages[1]);
}

static void pages_do_not_bleed(void **state)
{
    (void)state;
    VipsImage *out = apply_to_new("resize", "{width: 16}", image_animation(64, 48, 5));
    assert_size(out, 16, 12);
    assert_int_equal(out->Ysize, 60);
    for (int page = 0; page < 5; page++) {
        assert_pixel(out, 8, page * 12, page * 40, page * 40, page * 40, 0);
        assert_pixel(out, 8, page * 12 + 11, page * 40, page * 40, page * 40, 0);
    }
    g_object_unref(out);
}

/* Half of the picture is clear green: none of it may show at the edge of the red. */
static void clear_colours_do_not_bleed(void **state)
{
    (void)state;
    static const char *const yaml[] = {"{width: 31}", "{width: 31, kernel: nearest}", "{width: 230, enlarge: true}"};
    for (size_t i = 0; i < 3; i++) {
        VipsImage *out = apply_to_new("resize", yaml[i], image_alpha(100, 40));
        int y = out->Ysize / 2;
        for (int x = 0; x < out->Xsize; x++)
            if (image_at(out, x, y, 3) > 8) assert_pixel(out, x, y, 255, 0, 0, 3);
        assert_true(image_at(out, 1, y, 3) == 255);
        assert_true(image_at(out, out->Xsize - 2, y, 3) == 0);
        g_object_unref(out);
    }
}

static void half_clear_pixels_keep_their_colour(void **state)
{
    (void)state;
    VipsImage *out = apply_to_new("resize", "{width: 10}", image_flat(40, 40, 4, 200, 100, 50, 60));
    assert_pixel(out, 5, 5, 200, 100, 50, 4);
    g_object_unref(out);
    out = apply_to_new("resize", "{width: 10, quality: best}", image_flat(40, 40, 4, 200, 100, 50, 60));
    assert_pixel(out, 5, 5, 200, 100, 50, 2);
    assert_true(image_at(out, 5, 5, 3) == 60);
    g_object_unref(out);
}

static void bars_are_painted(void **state)
{
    (void)state;
    VipsImage *out = apply_to_new("resize", "{width: 100, height: 100, fit: contain, background: \"#2040a0\"}",
                                  image_flat(200, 100, 3, 255, 255, 255, 255));
    assert_int_equal(out->Bands, 3);
    assert_pixel(out, 50, 10, 0x20, 0x40, 0xa0, 0);
    assert_pixel(out, 50, 50, 255, 255, 255, 0);
    assert_pixel(out, 50, 24, 0x20, 0x40, 0xa0, 0);
    assert_pixel(out, 50, 25, 255, 255, 255, 0);
    assert_pixel(out, 50, 90, 0x20, 0x40, 0xa0, 0);
    g_object_unref(out);

    out = apply_to_new("resize", "{width: 100, height: 100, fit: contain, gravity: south}",
                       image_flat(200, 100, 3, 255, 255, 255, 255));
    assert_int_equal(out->Bands, 4);
    assert_true(image_at(out, 50, 49, 3) == 0);
    assert_true(image_at(out, 50, 50, 3) == 255);
    g_object_unref(out);

    /* grey stays grey under a grey background, and turns to colour under a coloured one */
    out = apply_to_new("resize", "{width: 50, height: 100, fit: contain, background: white}",
                       image_flat(100, 100, 1, 9, 9, 9, 0));
    assert_int_equal(out->Bands, 1);
    assert_pixel(out, 25, 5, 255, 255, 255, 0);
    g_object_unref(out);
    out = apply_to_new("resize", "{width: 50, height: 100, fit: contain, background: red}",
                       image_flat(100, 100, 2, 9, 9, 9, 255));
    assert_int_equal(out->Bands, 4);
    assert_pixel(out, 25, 5, 255, 0, 0, 0);
    assert_pixel(out, 25, 50, 9, 9, 9, 1);
    g_object_unref(out);

    /* not enlarged, but the box is whole */
    out = apply_to_new("resize", "{width: 90, height: 90, fit: contain, background: black}",
                       image_flat(30, 30, 3, 255, 255, 255, 255));
    assert_size(out, 90, 90);
    assert_pixel(out, 29, 45, 0, 0, 0, 0);
    assert_pixel(out, 30, 45, 255, 255, 255, 0);
    g_object_unref(out);
}

/* As a reader sees it that follows the profile. */
static void assert_seen(VipsImage *image, double r, double g, double b)
{
    VipsImage *seen = NULL;
    assert_true(vips_image_get_typeof(image, VIPS_META_ICC_NAME) != 0);
    assert_int_equal(vips_icc_transform(image, &seen, "srgb", "embedded", TRUE, "depth", 8, NULL), 0);
    assert_pixel(seen, 20, 2, r, g, b, 2);
    g_object_unref(seen);
}

/* The colour is told in sRGB; in the picture's own space it has other numbers. */
static void bars_follow_the_profile(void **state)
{
    (void)state;
    for (int depth = 8; depth <= 16; depth += 8) {
        for (int bands = 3; bands <= 4; bands++) {
            VipsImage *flat = image_flat(80, 40, bands, 200, 100, 50, 255), *wide = NULL;
            assert_int_equal(vips_icc_transform(flat, &wide, "p3", "input_profile", "srgb", "depth", depth, NULL), 0);
            VipsImage *out =
                apply_to_new("resize", "{width: 40, height: 40, fit: contain, background: \"#e02010\"}", wide);
            assert_int_equal(out->BandFmt, depth == 16 ? VIPS_FORMAT_USHORT : VIPS_FORMAT_UCHAR);
            assert_int_equal(out->Bands, bands);
            assert_true(image_at(out, 20, 2, 0) < (depth == 16 ? 215 * 257 : 215)); /* P3's red is stronger */
            if (bands == 4) assert_true(image_at(out, 20, 2, 3) == (depth == 16 ? 65535 : 255));
            assert_seen(out, 0xe0, 0x20, 0x10);
            g_object_unref(out);
            g_object_unref(flat);
        }
    }
}

/* A profile that is none, or that is one for RGB in a grey picture: the numbers as they are. */
static void bars_do_without_a_profile(void **state)
{
    (void)state;
    VipsImage *junk = image_flat(80, 40, 3, 9, 9, 9, 0), *grey = image_flat(80, 40, 1, 9, 9, 9, 0), *p3 = NULL;
    const void *profile = NULL;
    size_t size = 0;
    vips_image_set_blob_copy(junk, VIPS_META_ICC_NAME, "no profile", 10);
    VipsImage *out = apply_to_new("resize", "{width: 40, height: 40, fit: contain, background: \"#e02010\"}", junk);
    assert_pixel(out, 20, 2, 0xe0, 0x20, 0x10, 0);
    g_object_unref(out);

    VipsImage *flat = image_flat(8, 8, 3, 9, 9, 9, 0);
    assert_int_equal(vips_icc_transform(flat, &p3, "p3", "input_profile", "srgb", NULL), 0);
    assert_int_equal(vips_image_get_blob(p3, VIPS_META_ICC_NAME, &profile, &size), 0);
    vips_image_set_blob_copy(grey, VIPS_META_ICC_NAME, profile, size);
    out = apply_to_new("resize", "{width: 40, height: 40, fit: contain, background: \"#808080\"}", grey);
    assert_int_equal(out->Bands, 1);
    assert_true(image_at(out, 20, 2, 0) == 0x80);
    g_object_unref(out);
    g_object_unref(p3);
    g_object_unref(flat);
}

static void deep_pictures_stay_deep(void **state)
{
    (void)state;
    VipsImage *flat = image_flat(80, 40, 4, 200, 100, 50, 128), *deep = NULL, *scaled = NULL, *tagged = NULL;
    assert_int_equal(vips_linear1(flat, &scaled, 257, 3, NULL), 0);
    assert_int_equal(vips_cast(scaled, &deep, VIPS_FORMAT_USHORT, NULL), 0);
    assert_int_equal(vips_copy(deep, &tagged, "interpretation", VIPS_INTERPRETATION_RGB16, NULL), 0);
    VipsImage *out = apply_to_new("resize", "{width: 40, height: 40, fit: contain, background: \"#ff8000\"}", tagged);
    assert_int_equal(out->BandFmt, VIPS_FORMAT_USHORT);
    assert_int_equal(out->Bands, 4);
    assert_pixel(out, 20, 20, 200 * 257 + 3, 100 * 257 + 3, 50 * 257 + 3, 2);
    assert_pixel(out, 20, 2, 65535, 0x80 * 257, 0, 0);
    assert_true(image_at(out, 20, 2, 3) == 65535);
    assert_true(fabs(image_at(out, 20, 20, 3) - (128 * 257 + 3)) <= 1);
    g_object_unref(out);
    g_object_unref(deep);
    g_object_unref(scaled);
    g_object_unref(flat);
}

static void reads_top_to_bottom_once(void **state)
{
    (void)state;
    static const char *const yaml[] = {"{width: 100}", "{width: 100, height: 100, gravity: attention}",
                                       "{width: 100, height: 30, gravity: south}",
                                       "{width: 100, height: 200, fit: contain}"};
    VipsImage *photo_image = image_photo(900, 1300);
    void *bytes = NULL;
    size_t size = 0;
    assert_int_equal(vips_pngsave_buffer(photo_image, &bytes, &size, "compression", 1, NULL), 0);
    for (size_t i = 0; i < sizeof(yaml) / sizeof(yaml[0]); i++) {
        VipsImage *in = vips_image_new_from_buffer(bytes, size, "", "access", VIPS_ACCESS_SEQUENTIAL, NULL);
        assert_non_null(in);
        g_object_unref(apply_to_new("resize", yaml[i], in));
    }
    g_free(bytes);
    g_object_unref(photo_image);
}

static void wrong_settings_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *says;
    } cases[] = {
        {"{}", "needs width, height or scale"},
        {"{width: 0}", "width 0 is below 1"},
        {"{width: 300, scale: 0.5}", "scale: scale and width or height exclude each other"},
        {"{scale: 1.5}", "scale: 1.5 makes the picture larger, which needs enlarge: true"},
        {"{width: 3, height: 3, gravity: nort}", "gravity: \"nort\" is neither"},
        {"{width: 3, height: 3, gravity: \"0.3,1.7\"}", "is neither"},
        {"{width: 3, height: 3, gravity: \"0.3,0.7x\"}", "is neither"},
        {"{width: 3, height: 3, gravity: \"nan,0\"}", "is neither"},
        {"{width: 3, gravity: north}", "gravity: needs fit: cover or contain"},
        {"{width: 3, height: 3, fit: inside, gravity: north}", "gravity: needs fit: cover or contain"},
        {"{width: 3, height: 3, fit: contain, gravity: entropy}", "gravity: entropy chooses what to cut off"},
        {"{width: 3, height: 3, background: white}", "background: needs fit: contain"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        Step *step = step_try("resize", cases[i].yaml);
        if (step) fail_msg("%s was taken", cases[i].yaml);
        assert_says(cases[i].says);
    }
}

static void absurd_sizes_are_a_limit(void **state)
{
    (void)state;
    PmShape needle = photo;
    needle.width = needle.source_width = 1;
    needle.height = needle.source_height = 16000;
    Step *step = step_new("resize", "{width: 16384, height: 16384, gravity: attention, enlarge: true}");
    PmPlan plan;
    assert_int_equal(step_try_plan(step, &needle, &plan), PM_LIMIT);
    step_free(step);
    step = step_new("resize", "{width: 2000, height: 2000, gravity: attention, enlarge: true}");
    needle.width = needle.source_width = 80;
    assert_int_equal(step_try_plan(step, &needle, &plan), PM_LIMIT);
    assert_says("gravity attention would look at 2000 x 400000 px");
    step_free(step);
}

int main(int argc, char **argv)
{
    (void)argc;
    harness_setup(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_follow_the_fit),
        cmocka_unit_test(result_is_the_plan_at_any_ratio),
        cmocka_unit_test(every_step_of_width_is_exact),
        cmocka_unit_test(demand_follows_quality),
        cmocka_unit_test(a_resample_is_said_to_be_one),
        cmocka_unit_test(flags_say_what_is_done),
        cmocka_unit_test(shrunk_input_ends_at_the_promised_size),
        cmocka_unit_test(each_picture_goes_by_its_own_shape),
        cmocka_unit_test(the_frame_is_told),
        cmocka_unit_test(gravity_keeps_its_part),
        cmocka_unit_test(focal_point_is_centred),
        cmocka_unit_test(smart_gravity_finds_the_spot),
        cmocka_unit_test(animation_is_cut_alike_on_all_pages),
        cmocka_unit_test(pages_do_not_bleed),
        cmocka_unit_test(clear_colours_do_not_bleed),
        cmocka_unit_test(half_clear_pixels_keep_their_colour),
        cmocka_unit_test(bars_are_painted),
        cmocka_unit_test(bars_follow_the_profile),
        cmocka_unit_test(bars_do_without_a_profile),
        cmocka_unit_test(deep_pictures_stay_deep),
        cmocka_unit_test(reads_top_to_bottom_once),
        cmocka_unit_test(wrong_settings_are_refused),
        cmocka_unit_test(absurd_sizes_are_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
