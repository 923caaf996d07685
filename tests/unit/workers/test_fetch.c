/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines.h"

#include "net/stub.h"
#include "workers/fetch.h"

#define ANSWER(status, body) "HTTP/1.1 " status "\r\nConnection: close\r\nContent-Type: text/x\r\n\r\n" body

/* A signer that answers as it is told, from the loop. */
typedef struct StandIn {
    PmSigner base;
    PmLoop *loop;
    PmSignedAnswer answer;
    PmError unknown, cannot; /* of judge and send; of `find`: no_session */
    PmError no_session;
    PmSignedRequest request;
    char body[50];
    int sent, cancelled;
} StandIn;

struct PmSignedCall {
    StandIn *signer;
    PmTimer *timer;
    PmSignedDone *done;
    void *data;
};

static PmStatus stand_in_judge(PmSigner *signer, const char *url, PmError *err)
{
    (void)url;
    *err = ((StandIn *)signer)->unknown;
    return err->status;
}

static void stand_in_answer(void *data)
{
    PmSignedCall call = *(PmSignedCall *)data;
    free(data);
    call.done(call.data, &call.signer->answer);
}

static PmSignedCall *stand_in_send(PmSigner *base, const PmSignedRequest *request, PmSignedDone *done, void *data,
                                   PmError *err)
{
    StandIn *signer = (StandIn *)base;
    *err = signer->cannot;
    if (err->status != PM_OK) return NULL;
    signer->sent++;
    signer->request = *request;
    if (request->body_size > 0) memcpy(signer->body, request->body, request->body_size);
    PmSignedCall *call = calloc(1, sizeof *call);
    *call = (PmSignedCall){.signer = signer, .done = done, .data = data};
    call->timer = pm_loop_after(signer->loop, 0, stand_in_answer, call);
    return call;
}

static void stand_in_cancel(PmSignedCall *call)
{
    call->signer->cancelled++;
    pm_loop_cancel(call->timer);
    free(call);
}

static const PmSignerOps stand_in = {.judge = stand_in_judge, .send = stand_in_send, .cancel = stand_in_cancel};

static PmSigner *find(void *data, const char *url, PmError *err)
{
    StandIn *signer = data;
    (void)url;
    *err = signer->no_session;
    return err->status == PM_OK ? &signer->base : NULL;
}

typedef struct World {
    PmLoop *loop;
    PmPipeline *pipeline;
    PmFetcher *fetcher;
    StandIn signer;
    json_t *declared;
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
    w->fetcher = pm_fetcher_new(w->loop, w->pipeline, find, &w->signer, &err);
    w->signer = (StandIn){.base.ops = &stand_in, .loop = w->loop};
    w->declared = json_pack("{sb}", "aws://rekognition/DetectFaces", 1);
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
    json_decref(w->declared);
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
    assert_non_null(pm_fetch_start(w->fetcher, request, (PmMapping){0}, w->declared, &no_job, on_fetched, w));
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

/* --- calls that a signer makes --- */

#define FACES "aws://rekognition/DetectFaces"

static PmMapping mapped(const char *text)
{
    PmError err = {0};
    PmMapping map = {0};
    int fd = pm_memfd_new("body", text, strlen(text), &err);
    assert_int_equal(pm_memfd_map(fd, 100, &map, &err), PM_OK);
    close(fd);
    return map;
}

static void a_call_goes_to_the_signer(void **state)
{
    (void)state;
    World *w = make("fetch: { retries: 4, timeout: 7s, response_max: 1 KiB }");
    w->signer.answer = (PmSignedAnswer){.http_status = 400, .content_type = "x/json", .body = "{}", .body_size = 2};
    json_t *request = json_pack("{ss ss ss}", "url", FACES, "method", "POST", "content_type", "image/jpeg");
    assert_non_null(pm_fetch_start(w->fetcher, request, mapped("{1}"), w->declared, &no_job, on_fetched, w));
    json_decref(request);
    pm_loop_run(w->loop);
    assert_int_equal(json_integer_value(json_object_get(w->fetched, "status")), 400);
    assert_string_equal(json_string_value(json_object_get(w->fetched, "content_type")), "x/json");
    assert_string_equal(w->body, "{}");
    assert_string_equal(w->signer.body, "{1}");
    assert_int_equal(w->signer.request.attempts_max, 5);
    assert_int_equal(w->signer.request.timeout_ms, 7000);
    assert_int_equal(w->signer.request.response_max, 1024);
    assert_int_equal(w->stub.request_count, 0);
    unmake(w);
}

static void only_declared_calls_are_signed(void **state)
{
    (void)state;
    static const struct {
        const char *method, *url, *message;
    } cases[] = {
        {"GET", FACES, "method \"GET\" is not POST, as aws://rekognition/DetectFaces takes"},
        {"POST", "aws://rekognition/DetectText",
         "aws://rekognition/DetectText is not an endpoint of any step of the pipeline file"},
        {"POST", "aws://user:secret@host/x?y", "(a URL) is not an endpoint of any step of the pipeline file"},
        {"POST", "AWS://rekognition/DetectFaces", "the address is not an http(s) URL"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        World *w = make("");
        fetch(w, cases[i].method, cases[i].url);
        assert_string_equal(error_of(w), cases[i].message);
        assert_int_equal(w->signer.sent, 0);
        unmake(w);
    }
}

static void what_a_signer_refuses_is_told(void **state)
{
    (void)state;
    static const char *const messages[] = {"no session", "no such call", "no memory", "denied"};
    for (int i = 0; i < 4; i++) {
        World *w = make("");
        StandIn *signer = &w->signer;
        PmError *errors[] = {&signer->no_session, &signer->unknown, &signer->cannot, &signer->answer.error};
        pm_error_set(errors[i], PM_TRANSIENT, "%s", messages[i]);
        pm_error_hint(errors[i], "mend it");
        fetch(w, "POST", FACES);
        assert_string_equal(error_of(w), messages[i]);
        json_t *error = json_object_get(w->fetched, "error");
        assert_string_equal(json_string_value(json_object_get(error, "status")), "transient");
        assert_string_equal(json_string_value(json_object_get(error, "hint")), "mend it");
        assert_int_equal(signer->sent, i == 3);
        unmake(w);
    }
}

static void without_signers_no_call_is_made(void **state)
{
    (void)state;
    World *w = make("");
    PmError err = {0};
    pm_fetcher_free(w->fetcher);
    w->fetcher = pm_fetcher_new(w->loop, w->pipeline, NULL, NULL, &err);
    fetch(w, "POST", FACES);
    assert_string_equal(error_of(w), "nobody signs calls here, which aws://rekognition/DetectFaces needs");
    unmake(w);
}

static void stop_loop(void *data)
{
    pm_loop_stop(data);
}

static void a_call_can_be_cancelled(void **state)
{
    (void)state;
    World *w = make("");
    json_t *request = json_pack("{ss ss}", "url", FACES, "method", "POST");
    PmFetch *fetch = pm_fetch_start(w->fetcher, request, (PmMapping){0}, w->declared, &no_job, on_fetched, w);
    json_decref(request);
    assert_non_null(fetch);
    pm_loop_after(w->loop, 0, stop_loop, w->loop); /* after it was sent, before the answer */
    pm_loop_run(w->loop);
    assert_int_equal(w->signer.sent, 1);
    pm_fetch_cancel(fetch);
    assert_int_equal(w->signer.cancelled, 1);
    assert_null(w->fetched);
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
        cmocka_unit_test(a_call_goes_to_the_signer),
        cmocka_unit_test(only_declared_calls_are_signed),
        cmocka_unit_test(what_a_signer_refuses_is_told),
        cmocka_unit_test(without_signers_no_call_is_made),
        cmocka_unit_test(a_call_can_be_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
