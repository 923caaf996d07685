// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

static VipsImage *paged(const char *yaml, int pages)
{
    Step *step = step_new("page", yaml);
    VipsImage *in = image_animation(20, 10, pages), *out = step_apply(step, in);
    step_free(step);
    g_object_unref(in);
    return out;
}

/* Page n is grey n * 40. */
static void each_page_is_found(void **state)
{
    (void)state;
    const struct {
        const char *yaml;
        int pages, expected;
    } rows[] = {
        {"{page: middle}", 5, 2}, {"{page: middle}", 4, 2}, {"{page: middle}", 2, 1}, {"{page: last}", 5, 4},
        {"{page: 1}", 5, 1},      {"{page: 4}", 5, 4},      {"{page: 99}", 5, 4},     {"{page: '3'}", 5, 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        VipsImage *out = paged(rows[i].yaml, rows[i].pages);
        assert_int_equal(out->Ysize, 10);
        assert_float_equal(image_at(out, 3, 0, 0), rows[i].expected * 40, 0);
        assert_float_equal(image_at(out, 3, 9, 0), rows[i].expected * 40, 0);
        static const char *const of_animations[] = {"delay", "loop", VIPS_META_N_PAGES, VIPS_META_PAGE_HEIGHT};
        for (size_t k = 0; k < 4; k++) assert_int_equal(vips_image_get_typeof(out, of_animations[k]), 0);
        g_object_unref(out);
    }
}

static PmPlan plan_of(const char *yaml, const char *format, PmShape shape)
{
    Step *step = step_new("page", yaml);
    step_set_fact(step, "format", format);
    PmPlan plan = step_plan(step, &shape);
    step_free(step);
    return plan;
}

static const PmShape still = {.width = 100,
                              .height = 60,
                              .pages = 1,
                              .bands = 4,
                              .source_width = 100,
                              .source_height = 60,
                              .interpretation = VIPS_INTERPRETATION_sRGB,
                              .has_alpha = true};

static void the_first_needs_no_other(void **state)
{
    (void)state;
    PmShape animation = still;
    animation.pages = 5;
    PmPlan plan = plan_of("{page: 0}", "gif", animation);
    assert_int_equal(plan.need_pages, 1);
    assert_int_equal(plan.flags, 0);
    plan = plan_of("{}", "gif", still); /* as after the cut: no PM_SKIP */
    assert_int_equal(plan.need_pages, 1);
    assert_int_equal(plan.flags, 0);
    plan = plan_of("{page: last}", "gif", animation);
    assert_int_equal(plan.need_pages, 0);
    assert_int_equal(plan.flags, PM_ALL_PAGES);
    assert_int_equal(plan.out.pages, 1);
    assert_int_equal(plan_of("{page: last}", "gif", still).flags, PM_SKIP);
}

static void drawings_are_asked_for_at_their_size(void **state)
{
    (void)state;
    PmPlan plan = plan_of("{scale: 2.5}", "svg", still);
    assert_int_equal(plan.out.width, 250);
    assert_int_equal(plan.out.height, 150);
    assert_int_equal(plan.need_width, 250);
    assert_int_equal(plan_of("{dpi: 192}", "svg", still).out.width, 200);
    assert_int_equal(plan_of("{dpi: 36}", "pdf", still).out.width, 50);
    assert_int_equal(plan_of("{scale: 2.5}", "png", still).out.width, 100);
    assert_int_equal(plan_of("{scale: 0.01}", "svg", still).out.height, 1);
    PmShape rendered = still; /* as large as it was asked for */
    rendered.width = 250, rendered.height = 150;
    assert_int_equal(plan_of("{page: last, scale: 2.5}", "svg", rendered).flags, PM_SKIP);
}

/* Rendered for an output that wants more, or held down by a limit. */
static void drawings_of_another_size_are_scaled(void **state)
{
    (void)state;
    Step *step = step_new("page", "{scale: 2}");
    step_set_fact(step, "format", "svg");
    VipsImage *in = image_alpha(60, 40), *out = step_apply_shrunk(step, in, 15, 10);
    assert_size(out, 30, 20);
    assert_pixel(out, 2, 10, 255, 0, 0, 1);
    assert_float_equal(image_at(out, 27, 10, 3), 0, 1);
    for (int x = 0; x < 30; x++) /* no green comes out of what is clear */
        if (image_at(out, x, 10, 3) > 20) assert_pixel(out, x, 10, 255, 0, 0, 8);
    assert_float_equal(step_frame(step).width, 60, 0);
    g_object_unref(in);
    g_object_unref(out);
    step_free(step);
}

static void refused(void **state)
{
    (void)state;
    static const char *const pages[] = {"{page: second}", "{page: '-1'}", "{page: '1.5'}", "{page: 1000001}"};
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        assert_null(step_try("page", pages[i]));
        assert_says("is neither first, middle, last nor a number from 0 to 1000000");
    }
    assert_null(step_try("page", "{dpi: 100, scale: 2}"));
    assert_says("dpi and scale exclude each other");
    Step *step = step_new("page", "{scale: 100}");
    step_set_fact(step, "format", "svg");
    PmShape large = still;
    large.width = large.source_width = 164;
    PmPlan plan;
    assert_int_equal(step_try_plan(step, &large, &plan), PM_LIMIT);
    assert_says("16400 x 6000 px is more than 16384 px a side; the drawing is 164 x 60 px");
    step_free(step);
}

int main(int argc, char **argv)
{
    (void)argc;
    harness_setup(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_page_is_found),
        cmocka_unit_test(the_first_needs_no_other),
        cmocka_unit_test(drawings_are_asked_for_at_their_size),
        cmocka_unit_test(drawings_of_another_size_are_scaled),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
