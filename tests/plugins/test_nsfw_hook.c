// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

static PmVerdict verdict_of(const char *yaml, const char *key)
{
    Step *step = step_new("nsfw-hook", yaml);
    if (key) step_set_fact(step, "key", key);
    VipsImage *in = image_flat(8, 8, 3, 0, 0, 0, 255);
    PmVerdict verdict;
    assert_int_equal(step_inspect(step, in, &verdict), PM_OK);
    assert_string_equal(step_fact(step, "checked"), "stub");
    g_object_unref(in);
    step_free(step);
    return verdict;
}

static void bad_settings_are_refused_with_the_reason(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *says;
    } cases[] = {
        {"{}", "mode is missing"},
        {"{mode: model}", "mode"},
        {"{mode: stub, threshold: 1.5}", "threshold"},
        {"{mode: stub, threshold: 0.5, flag_threshold: 0.5}",
         "flag_threshold: 0.5 is not below threshold 0.5, so nothing would ever be flagged"},
        {"{mode: stub, stub_scores: [\"*beach*\"]}", "stub_scores: \"*beach*\" is not a glob and a score from 0 to 1"},
        {"{mode: stub, stub_scores: [\"=0.5\"]}", "stub_scores: \"=0.5\" is not"},
        {"{mode: stub, stub_scores: [\"*=high\"]}", "stub_scores: \"*=high\" is not"},
        {"{mode: stub, stub_scores: [\"*=2\"]}", "stub_scores: \"*=2\" is not"},
        {"{mode: stub, stub_scores: [\"*=nan\"]}", "stub_scores: \"*=nan\" is not"},
        {"{mode: stub, stub_score: -1}", "stub_score"},
        {"{mode: stub, label: \"caf\\u00e9\"}", "label: only printable ASCII is allowed"},
        {"{mode: http}", "mode: http needs an endpoint to ask"},
        {"{mode: http, endpoint: \"http://127.0.0.1/\", score_field: a..b}",
         "score_field: \"a..b\" is not names joined by dots"},
        {"{mode: http, endpoint: \"http://127.0.0.1/\", label_field: .a}",
         "label_field: \".a\" is not names joined by dots"},
        {"{mode: http, endpoint: \"http://127.0.0.1/\", size: 1}", "size"},
        {"{mode: http, endpoint: \"http://127.0.0.1/\"}",
         "mode: http is not available: this pixmill gives its plugins no network"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        Step *step = step_try("nsfw-hook", cases[i].yaml);
        if (step) fail_msg("%s was taken", cases[i].yaml);
        if (!strstr(step_message(), cases[i].says))
            fail_msg("%s: \"%s\" lacks \"%s\"", cases[i].yaml, step_message(), cases[i].says);
    }
}

static void thresholds_decide(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        PmDecision decision;
    } cases[] = {
        {"{mode: stub}", PM_PASS},
        {"{mode: stub, stub_score: 0.79}", PM_PASS},
        {"{mode: stub, stub_score: 0.8}", PM_REJECT},
        {"{mode: stub, stub_score: 0.6, threshold: 0.7}", PM_PASS},
        {"{mode: stub, stub_score: 0.6, threshold: 0.7, flag_threshold: 0.5}", PM_FLAG},
        {"{mode: stub, stub_score: 0.5, threshold: 0.7, flag_threshold: 0.5}", PM_FLAG},
        {"{mode: stub, stub_score: 0.4, threshold: 0.7, flag_threshold: 0.5}", PM_PASS},
        {"{mode: stub, stub_score: 0.7, threshold: 0.7, flag_threshold: 0.5}", PM_REJECT},
        {"{mode: stub, threshold: 0}", PM_REJECT},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        PmVerdict verdict = verdict_of(cases[i].yaml, "a.jpg");
        if (verdict.decision != cases[i].decision)
            fail_msg("%s: decision %d, expected %d", cases[i].yaml, verdict.decision, cases[i].decision);
    }
    PmVerdict verdict = verdict_of("{mode: stub, stub_score: 0.4, label: beach}", "a.jpg");
    assert_true(verdict.score == 0.4);
    assert_string_equal(verdict.label, "beach");
}

static void first_matching_glob_gives_the_score(void **state)
{
    (void)state;
    static const char yaml[] = "{mode: stub, stub_score: 0.05, stub_scores: [\"*beach*=0.95\", \"a=b*=0.3\", "
                               "\"in/?.png=0.2\", \"*.png=0.1\", \"=x=0.4\", \"a*b*c=0.6\"]}";
    static const struct {
        const char *key;
        double score;
    } cases[] = {
        {"in/beach/1.png", 0.95}, {"beach", 0.95},     {"in/1.png", 0.2}, {"in/12.png", 0.1}, {"in/a/b.png", 0.1},
        {"in/1.PNG", 0.05},       {"a=bc.jpg", 0.3},   {"=x", 0.4},       {"xabc", 0.05},     {"abc", 0.6},
        {"aXbbcbYc", 0.6},        {"aXbbcbYcd", 0.05}, {NULL, 0.05},      {"", 0.05},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        PmVerdict verdict = verdict_of(yaml, cases[i].key);
        if (verdict.score != cases[i].score)
            fail_msg("%s: score %g, expected %g", cases[i].key, verdict.score, cases[i].score);
    }
}

/* A glob and a key that take ages when every star is tried again. */
static void no_key_makes_a_glob_slow(void **state)
{
    (void)state;
    char *key = g_strnfill(1000, 'a');
    gint64 start = g_get_monotonic_time();
    PmVerdict verdict = verdict_of("{mode: stub, stub_scores: [\"*a*a*a*a*a*a*a*a*a*a*a*a*b=0.9\"]}", key);
    assert_true(verdict.score == 0);
    assert_true(g_get_monotonic_time() - start < 2 * G_USEC_PER_SEC);
    g_free(key);
}

static int generate(VipsRegion *out, void *seq, void *a, void *b, gboolean *stop)
{
    (void)out, (void)seq, (void)b, (void)stop;
    ++*(int *)a;
    return -1;
}

static void stub_touches_no_pixel(void **state)
{
    (void)state;
    static int asked;
    Step *step = step_new("nsfw-hook", "{mode: stub, stub_score: 1}");
    VipsImage *in = vips_image_new();
    vips_image_init_fields(in, 100, 100, 3, VIPS_FORMAT_UCHAR, VIPS_CODING_NONE, VIPS_INTERPRETATION_sRGB, 1, 1);
    assert_int_equal(vips_image_pipelinev(in, VIPS_DEMAND_STYLE_ANY, NULL), 0);
    assert_int_equal(vips_image_generate(in, NULL, generate, NULL, &asked, NULL), 0);
    PmVerdict verdict;
    assert_int_equal(step_inspect(step, in, &verdict), PM_OK);
    assert_int_equal(verdict.decision, PM_REJECT);
    assert_int_equal(asked, 0);

    PmShape shape = image_shape(in);
    PmPlan plan = step_plan(step, &shape);
    assert_int_equal(plan.flags, PM_NO_PIXELS);
    assert_int_equal(plan.need_width, 0);
    assert_int_equal(plan.need_height, 0);
    g_object_unref(in);
    step_free(step);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(bad_settings_are_refused_with_the_reason),
    cmocka_unit_test(thresholds_decide),
    cmocka_unit_test(first_matching_glob_gives_the_score),
    cmocka_unit_test(no_key_makes_a_glob_slow),
    cmocka_unit_test(stub_touches_no_pixel),
};

int main(int argc, char **argv)
{
    (void)argc;
    harness_setup(argv[0]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
