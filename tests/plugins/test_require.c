// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

static PmStatus asked(const char *yaml, int width, int height, PmVerdict *verdict)
{
    Step *step = step_new("require", yaml);
    step_set_fact(step, "format", "png");
    VipsImage *in = image_photo(width, height);
    *verdict = (PmVerdict){0};
    PmStatus status = step_inspect(step, in, verdict);
    g_object_unref(in);
    step_free(step);
    return status;
}

static void says_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        int width, height;
        const char *says; /* NULL: the picture passes */
    } cases[] = {
        {"{min_width: 20, min_height: 10, max_width: 20, max_height: 10}", 20, 10, NULL},
        {"{min_width: 21}", 20, 10, "too small (20x10 px, min_width is 21 px)"},
        {"{min_height: 11}", 20, 10, "too small (20x10 px, min_height is 11 px)"},
        {"{max_width: 19}", 20, 10, "too large (20x10 px, max_width is 19 px)"},
        {"{max_height: 9}", 20, 10, "too large (20x10 px, max_height is 9 px)"},
        {"{min_megapixels: 0.0002, max_megapixels: 0.0002}", 20, 10, NULL},
        {"{min_megapixels: 0.000201}", 20, 10, "20x10 px are 0.0002 megapixels, min_megapixels is 0.000201"},
        {"{max_megapixels: 0.000199}", 20, 10, "20x10 px are 0.0002 megapixels, max_megapixels is 0.000199"},
        {"{min_aspect: '2:1', max_aspect: 2}", 20, 10, NULL},
        {"{min_aspect: '16:9', max_aspect: '16:9'}", 1366, 768, NULL}, /* as near as whole pixels come */
        {"{min_aspect: '16:9'}", 1360, 768, "wrong aspect (1360x768 px, min_aspect is 16:9)"},
        {"{max_aspect: '16:9'}", 1372, 768, "wrong aspect (1372x768 px, max_aspect is 16:9)"},
        {"{min_aspect: 2.5}", 20, 10, "wrong aspect (20x10 px, min_aspect is 2.5)"},
        {"{shapes: [landscape]}", 20, 10, NULL},
        {"{shapes: [landscape]}", 10, 10, "wrong shape (10x10 px is square, shapes is landscape)"},
        {"{shapes: [square, landscape]}", 9, 10, "9x10 px is portrait, shapes is square, landscape"},
        {"{formats: [jpeg, png]}", 20, 10, NULL},
        {"{formats: [jpeg, webp]}", 20, 10, "wrong format (png, formats is jpeg, webp)"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        PmVerdict verdict;
        PmStatus status = asked(cases[i].yaml, cases[i].width, cases[i].height, &verdict);
        if (status != (cases[i].says ? PM_BAD_INPUT : PM_OK)) fail_msg("%s: status %d", cases[i].yaml, (int)status);
        assert_int_equal(verdict.decision, PM_PASS);
        if (cases[i].says) assert_says(cases[i].says);
    }
}

static void rejects_when_asked_to(void **state)
{
    (void)state;
    PmVerdict verdict;
    assert_int_equal(asked("{min_width: 200, status: reject}", 200, 10, &verdict), PM_OK);
    assert_int_equal(verdict.decision, PM_PASS);
    Step *step = step_new("require", "{min_width: 200, status: reject, message: 'Too small, please'}");
    VipsImage *in = image_photo(199, 10);
    assert_int_equal(step_inspect(step, in, &verdict), PM_OK);
    assert_int_equal(verdict.decision, PM_REJECT);
    assert_string_equal(verdict.label, "too small");
    assert_string_equal(step_fact(step, "message"), "Too small, please (199x10 px, min_width is 200 px)");
    g_object_unref(in);
    step_free(step);
}

static void counts_pages_once_and_reads_no_pixels(void **state)
{
    (void)state;
    PmVerdict verdict = {0};
    VipsImage *in = image_animation(10, 8, 3);
    PmShape shape = image_shape(in);
    Step *one = step_new("require", "{max_pages: 1}"), *three = step_new("require", "{max_pages: 3, max_height: 8}");
    PmPlan plan = step_plan(one, &shape);
    assert_true(plan.flags & PM_NO_PIXELS);
    assert_int_equal(plan.need_width, 0);
    assert_int_equal(step_inspect(one, in, &verdict), PM_BAD_INPUT);
    assert_says("too many pages (3 pages, max_pages is 1)");
    assert_int_equal(step_inspect(three, in, &verdict), PM_OK); /* the height of a page, not of the strip */
    step_free(three);
    step_free(one);
    g_object_unref(in);
}

static void refuses_what_makes_no_sense(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *says;
    } cases[] = {
        {"{}", "needs a condition, such as min_width"},
        {"{message: hello}", "needs a condition"},
        {"{min_width: 30, max_width: 20}", "max_width: is below min_width"},
        {"{min_height: 30, max_height: 20}", "max_height: is below min_height"},
        {"{min_megapixels: 3, max_megapixels: 2}", "max_megapixels: is below min_megapixels"},
        {"{min_aspect: 2, max_aspect: '1:1'}", "max_aspect: is below min_aspect"},
        {"{min_aspect: wide}", "min_aspect: \"wide\" is neither a ratio"},
        {"{min_aspect: '16:'}", "is neither a ratio"},
        {"{min_aspect: '16:0'}", "is neither a ratio"},
        {"{max_aspect: '16:9:1'}", "is neither a ratio"},
        {"{max_aspect: '1e308:1e-308'}", "is neither a ratio"},
        {"{max_aspect: '-1'}", "is neither a ratio"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (step_try("require", cases[i].yaml)) fail_msg("%s was taken", cases[i].yaml);
        assert_says(cases[i].says);
    }
}

int main(int argc, char **argv)
{
    (void)argc;
    harness_setup(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_is_wrong),
        cmocka_unit_test(rejects_when_asked_to),
        cmocka_unit_test(counts_pages_once_and_reads_no_pixels),
        cmocka_unit_test(refuses_what_makes_no_sense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
