/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines.h"

#include "net/stub.h"
#include "workers/fetch.h"

#define ANSWER(status, body) "HTTP/1.1 " status "\r\nConnection: close\r\nContent-Type: text/x\r\n\r\n" body

typedef struct World {
    PmLoop *loop;
    PmPipeline *pipeline;
    PmFetcher *fetcher;
    Stub stub;
    char url[200];
    /* what came */
    json_t *fetched;
    char body[200];
} World;

static World *make(const char *settings)
{
    World *w = calloc(1, sizeof *w);
    PmError err = {0};
    char text[1000];
    w->loop = pm_loop_new(&err);
    stub_start(&w->stub, w->loop);
    snprintf(w->url, sizeof w->url, "%s/score", w->stub.origin);
    snprintf(text, sizeof text,
             "version: 1\n%s\n"
             "outputs:\n  a:\n"
             "    steps: [ { nsfw-hook: { mode: http, endpoint: \"%s\", list: [ { x: \"http://169.254.169.254/x\" } ] "
             "} } ]\n"
             "    to: { file: { path: \"out/{stem}.{ext}\" } }\n",
             settings, w->url);
    w->pipeline = read_pipeline("/", text);
    w->fetcher = pm_fetcher_new(w->loop, w->pipeline, &err);
    assert_non_null(w->fetcher);
    return w;
}

static void unmake(World *w)
{
    pm_fetcher_free(w->fetcher);
    pm_pipeline_free(w->pipeline);
    stub_stop(&w->stub);
    pm_loop_free(w->loop);
    json_decref(w->fetched);
    free(w);
}

static void on_fetched(void *data, const json_t *fetched, int body_fd)
{
    World *w = data;
    PmMapping map = {0};
    PmError err = {0};
    w->fetched = json_incref((json_t *)fetched);
    if (body_fd >= 0 && pm_memfd_map(body_fd, sizeof w->body - 1, &map, &err) == PM_OK && map.size > 0)
        memcpy(w->body, map.bytes, map.size);
    pm_memfd_unmap(&map);
    pm_loop_stop(w->loop);
}

static const PmJobNames no_job;

static void fetch(World *w, const char *method, const char *url)
{
    json_t *request = json_pack("{ss ss ss sI}", "url", url, "method", method, "content_type", "image/jpeg",
                                "timeout_ms", (json_int_t)2000);
    assert_non_null(pm_fetch_start(w->fetcher, request, (PmMapping){0}, &no_job, on_fetched, w));
    json_decref(request);
    pm_loop_run(w->loop);
    assert_non_null(w->fetched);
}

static const char *error_of(const World *w)
{
    const char *message = json_string_value(json_object_get(json_object_get(w->fetched, "error"), "message"));
    return message != NULL ? message : "";
}

static void an_answer_comes_with_type_and_body(void **state)
{
    (void)state;
    World *w = make("");
    stub_answer(&w->stub, ANSWER("404 Not Found", "no"));
    fetch(w, "POST", w->url);
    assert_int_equal(json_integer_value(json_object_get(w->fetched, "status")), 404);
    assert_string_equal(json_string_value(json_object_get(w->fetched, "content_type")), "text/x");
    assert_string_equal(w->body, "no");
    assert_non_null(strstr(w->stub.requests[0], "POST /score HTTP/1.1"));
    assert_non_null(strstr(w->stub.requests[0], "Content-Type: image/jpeg"));
    unmake(w);
}

static void a_server_error_is_tried_again(void **state)
{
    (void)state;
    World *w = make("fetch: { retries: 1 }");
    stub_answer(&w->stub, ANSWER("503 Busy", ""));
    stub_answer(&w->stub, ANSWER("200 OK", "yes"));
    fetch(w, "POST", w->url);
    assert_string_equal(w->body, "yes");
    assert_int_equal(w->stub.request_count, 2);
    unmake(w);
}

static void no_redirect_is_followed(void **state)
{
    (void)state;
    World *w = make("");
    stub_answer(&w->stub, "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nConnection: close\r\n\r\n");
    fetch(w, "GET", w->url);
    assert_int_equal(json_integer_value(json_object_get(w->fetched, "status")), 302);
    assert_int_equal(w->stub.request_count, 1);
    unmake(w);
}

static void only_what_the_file_says_is_asked(void **state)
{
    (void)state;
    static const struct {
        const char *method, *url, *message;
    } cases[] = {
        {"POST", "http://me:secret@elsewhere.example/x?key=secret",
         "the URL at http://elsewhere.example is in no step of the pipeline file"},
        {"POST", "file:///etc/passwd", "the address is not an http(s) URL"},
        {"DELETE", "http://169.254.169.254/x", "method \"DELETE\" is none of GET, POST, PUT"},
        {"GET", "http://169.254.169.254/x", "its address is link-local, which is refused"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        World *w = make("");
        fetch(w, cases[i].method, cases[i].url);
        assert_string_equal(error_of(w), cases[i].message);
        assert_string_equal(json_string_value(json_object_get(json_object_get(w->fetched, "error"), "status")),
                            "bad_config");
        unmake(w);
    }
}

static void a_long_answer_is_refused(void **state)
{
    (void)state;
    World *w = make("fetch: { response_max: 10 B }");
    stub_answer(&w->stub, ANSWER("200 OK", "12345678901234567890"));
    fetch(w, "GET", w->url);
    assert_string_equal(error_of(w), "the answer is longer than fetch.response_max, 10 B");
    unmake(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_comes_with_type_and_body),
        cmocka_unit_test(a_server_error_is_tried_again),
        cmocka_unit_test(no_redirect_is_followed),
        cmocka_unit_test(only_what_the_file_says_is_asked),
        cmocka_unit_test(a_long_answer_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
