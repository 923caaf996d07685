// SPDX-License-Identifier: Apache-2.0
/* nsfw-hook against a host with fetch: what is sent, how answers are read, and what follows when there is none. */
#include "harness.h"

/* What the classifier answers next, and what it was sent. */
static struct {
    PmStatus status;
    int http;
    const char *bodies[8];
    int requests;
    VipsImage *sent[8];
    char type[32];
    int64_t timeout_ms;
} service;

static PmStatus answer(const PmRequest *request, PmResponse *response)
{
    assert_string_equal(request->endpoint, "endpoint");
    assert_null(request->method);
    assert_in_range(service.requests, 0, 7);
    snprintf(service.type, sizeof(service.type), "%s", request->content_type);
    service.timeout_ms = request->timeout_ms;
    assert_memory_equal(request->body, "\xff\xd8\xff", 3);
    service.sent[service.requests] = image_load(request->body, request->body_size);
    const char *body = service.bodies[service.requests] ? service.bodies[service.requests] : service.bodies[0];
    service.requests++;
    *response = (PmResponse){
        .status = service.http, .content_type = "application/json", .body = body, .body_size = strlen(body)};
    return service.status;
}

static int reset(void **state)
{
    (void)state;
    for (int i = 0; i < service.requests; i++) g_object_unref(service.sent[i]);
    memset(&service, 0, sizeof(service));
    service.http = 200;
    service.bodies[0] = "{\"score\": 0.9, \"label\": \"explicit\"}";
    harness_set_fetch(answer);
    return 0;
}

static PmStatus inspected(const char *more, VipsImage *in, PmVerdict *verdict, char *checked, size_t size)
{
    char yaml[512];
    snprintf(yaml, sizeof(yaml), "{mode: http, endpoint: \"http://127.0.0.1:9/\"%s%s}", *more ? ", " : "", more);
    Step *step = step_new("nsfw-hook", yaml);
    PmStatus status = step_inspect(step, in, verdict);
    const char *fact = step_fact(step, "checked");
    if (checked) snprintf(checked, size, "%s", fact ? fact : "");
    step_free(step);
    g_object_unref(in);
    return status;
}

static void sends_a_small_plain_jpeg(void **state)
{
    (void)state;
    VipsImage *in = image_photo(1000, 500);
    vips_image_set_blob_copy(in, VIPS_META_XMP_NAME, "<x:xmpmeta/>", 12);
    PmVerdict verdict;
    char checked[16];
    assert_int_equal(inspected("size: 200, timeout: 700ms", in, &verdict, checked, sizeof(checked)), PM_OK);
    assert_int_equal(verdict.decision, PM_REJECT);
    assert_true(verdict.score == 0.9);
    assert_string_equal(verdict.label, "explicit");
    assert_string_equal(checked, "http");

    assert_int_equal(service.requests, 1);
    assert_string_equal(service.type, "image/jpeg");
    assert_int_equal(service.timeout_ms, 700);
    assert_size(service.sent[0], 200, 100);
    assert_int_equal(service.sent[0]->Bands, 3);
    assert_int_equal(vips_image_get_typeof(service.sent[0], VIPS_META_XMP_NAME), 0);
    assert_int_equal(vips_image_get_typeof(service.sent[0], VIPS_META_ICC_NAME), 0);
}

static void any_picture_becomes_srgb(void **state)
{
    (void)state;
    PmVerdict verdict;
    VipsImage *clear = image_flat(64, 64, 4, 0, 0, 0, 0);
    assert_int_equal(inspected("", clear, &verdict, NULL, 0), PM_OK);
    assert_size(service.sent[0], 64, 64); /* not enlarged */
    assert_pixel(service.sent[0], 32, 32, 255, 255, 255, 2);

    VipsImage *grey = image_flat(64, 64, 1, 90, 0, 0, 0);
    assert_int_equal(inspected("", grey, &verdict, NULL, 0), PM_OK);
    assert_int_equal(service.sent[1]->Bands, 3);
    assert_pixel(service.sent[1], 32, 32, 90, 90, 90, 2);

    VipsImage *flat = image_flat(64, 64, 3, 255, 0, 0, 255), *p3 = NULL;
    assert_int_equal(vips_icc_transform(flat, &p3, "p3", "input_profile", "srgb", "depth", 16, NULL), 0);
    g_object_unref(flat);
    assert_int_equal(inspected("", p3, &verdict, NULL, 0), PM_OK);
    assert_pixel(service.sent[2], 32, 32, 255, 0, 0, 6);
}

/* First and last page are among those sent, and the worst one counts. */
static void animations_are_sampled(void **state)
{
    (void)state;
    PmVerdict verdict;
    service.bodies[1] = "{\"score\": 0.2}";
    service.bodies[0] = "{\"score\": 0.1}";
    service.bodies[2] = "{\"score\": 0.4, \"label\": \"third\"}";
    assert_int_equal(inspected("frames: 3", image_animation(40, 30, 5), &verdict, NULL, 0), PM_OK);
    assert_int_equal(service.requests, 3);
    assert_size(service.sent[0], 40, 30);
    assert_pixel(service.sent[0], 20, 15, 0, 0, 0, 2);
    assert_pixel(service.sent[1], 20, 15, 80, 80, 80, 2);
    assert_pixel(service.sent[2], 20, 15, 160, 160, 160, 2);
    assert_true(verdict.score == 0.4);
    assert_string_equal(verdict.label, "third");
    assert_int_equal(verdict.decision, PM_PASS);
}

static void score_is_found_by_its_path(void **state)
{
    (void)state;
    static const struct {
        const char *more, *body, *label;
        double score;
    } cases[] = {
        {"score_field: nsfw.score", "{\"nsfw\": {\"score\": 0.25}}", "nsfw", 0.25},
        {"score_field: p.1.s, label_field: p.1.l", "{\"p\": [{}, {\"s\": 1, \"l\": \"x\"}]}", "x", 1},
        {"score_field: 0.score, label: porn", "[{\"score\": 0}]", "porn", 0},
        {"", "{\"score\": 0.5, \"label\": 7}", "nsfw", 0.5},
        {"", "{\"score\": 0.5, \"label\": \"caf\\u00e9\\n\"}", "caf???", 0.5},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        reset(NULL);
        service.bodies[0] = cases[i].body;
        PmVerdict verdict;
        assert_int_equal(inspected(cases[i].more, image_flat(8, 8, 3, 0, 0, 0, 0), &verdict, NULL, 0), PM_OK);
        assert_true(verdict.score == cases[i].score);
        assert_string_equal(verdict.label, cases[i].label);
    }
}

static void without_an_answer_the_operator_decides(void **state)
{
    (void)state;
    static const struct {
        PmStatus status;
        int http;
        const char *body, *says;
    } cases[] = {
        {PM_TRANSIENT, 0, "", "fetch of endpoint failed"},
        {PM_OK, 503, "{\"score\": 0.1}", "it answered with HTTP status 503"},
        {PM_OK, 404, "", "it answered with HTTP status 404"},
        {PM_OK, 200, "<html>", "its answer is not JSON"},
        {PM_OK, 200, "", "its answer is not JSON"},
        {PM_OK, 200, "{}", "its answer has no number at score (see score_field)"},
        {PM_OK, 200, "{\"score\": \"0.1\"}", "its answer has no number at score"},
        {PM_OK, 200, "{\"score\": 93}", "its score 93 is not between 0 and 1"},
        {PM_OK, 200, "{\"score\": -0.1}", "its score -0.1 is not between 0 and 1"},
        {PM_OK, 200, "{\"score\": 0.1, \"score\": 0.9}", "its answer is not JSON: duplicate object key"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        static const char *const more[] = {"", "on_error: reject", "on_error: pass"};
        for (int how = 0; how < 3; how++) {
            reset(NULL);
            service.status = cases[i].status;
            service.http = cases[i].http;
            service.bodies[0] = cases[i].body;
            PmVerdict verdict;
            char checked[16];
            PmStatus status = inspected(more[how], image_flat(8, 8, 3, 0, 0, 0, 0), &verdict, checked, sizeof(checked));
            assert_int_equal(status, how == 0 ? PM_TRANSIENT : PM_OK);
            if (how == 0) {
                assert_says(cases[i].says);
                continue;
            }
            assert_int_equal(verdict.decision, how == 1 ? PM_REJECT : PM_PASS);
            assert_string_equal(verdict.label, "unavailable");
            assert_string_equal(checked, "no");
        }
    }
}

static void deep_answers_are_refused(void **state)
{
    (void)state;
    char *deep = g_strnfill(200000, '[');
    service.bodies[0] = deep;
    PmVerdict verdict;
    assert_int_equal(inspected("", image_flat(8, 8, 3, 0, 0, 0, 0), &verdict, NULL, 0), PM_TRANSIENT);
    assert_says("its answer is not JSON");
    g_free(deep);
}

static void plan_asks_for_no_more_than_it_sends(void **state)
{
    (void)state;
    PmShape shape = {.width = 4000,
                     .height = 2000,
                     .pages = 1,
                     .bands = 3,
                     .source_width = 4000,
                     .source_height = 2000,
                     .interpretation = VIPS_INTERPRETATION_sRGB,
                     .orientation = 1};
    Step *step = step_new("nsfw-hook", "{mode: http, endpoint: \"http://127.0.0.1:9/\", size: 512}");
    PmPlan plan = step_plan(step, &shape);
    assert_int_equal(plan.need_width, 512);
    assert_int_equal(plan.need_height, 256);
    assert_int_equal(plan.flags, PM_ALL_PAGES);
    shape.width = 100;
    shape.height = 80;
    plan = step_plan(step, &shape);
    assert_int_equal(plan.need_width, 100);
    assert_int_equal(plan.need_height, 80);
    step_free(step);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(sends_a_small_plain_jpeg, reset),
    cmocka_unit_test_setup(any_picture_becomes_srgb, reset),
    cmocka_unit_test_setup(animations_are_sampled, reset),
    cmocka_unit_test_setup(score_is_found_by_its_path, reset),
    cmocka_unit_test_setup(without_an_answer_the_operator_decides, reset),
    cmocka_unit_test_setup(deep_answers_are_refused, reset),
    cmocka_unit_test_setup(plan_asks_for_no_more_than_it_sends, reset),
};

int main(int argc, char **argv)
{
    (void)argc;
    harness_setup(argv[0]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
