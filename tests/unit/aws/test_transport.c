/* SPDX-License-Identifier: Apache-2.0
 *
 * What the network and those who stand between do to calls: s3 and sqs as one, against servers that are slow, silent,
 * or not what they should be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aws/client.h"
#include "aws/s3.h"
#include "aws/sqs.h"
#include "base/clock.h"
#include "net/peer.h"
#include "net/stub.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"

typedef struct World {
    PmLoop *loop;
    PmHttp *http;
    PmCredentials *credentials;
    PmAwsClient *client;
    Stub stub;
    Peer peer;
    /* what came back */
    PmStatus status;
    char message[800];
    int attempts, calls;
    size_t body_size;
} World;

static int setup(void **state)
{
    World *w = calloc(1, sizeof *w);
    PmError err = {0};
    w->loop = pm_loop_new(&err);
    w->http = pm_http_new(w->loop, NULL, &err);
    w->credentials = pm_credentials_fixed("AKID", "SECRET", "TOKEN");
    w->client = pm_aws_client_new(w->loop, w->http, w->credentials);
    stub_start(&w->stub, w->loop);
    peer_start(&w->peer, w->loop);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    World *w = *state;
    pm_aws_client_free(w->client);
    pm_credentials_free(w->credentials);
    pm_http_free(w->http);
    stub_stop(&w->stub);
    peer_stop(&w->peer);
    pm_loop_free(w->loop);
    free(w);
    return 0;
}

static void on_done(void *data, const PmAwsResponse *response)
{
    World *w = data;
    PmError err = {0};
    w->calls++;
    w->status = response->status;
    w->attempts = response->attempts;
    w->body_size = response->http->body_size;
    pm_aws_error(response, "s3 GetObject", &err);
    snprintf(w->message, sizeof w->message, "%s", err.message);
    pm_loop_stop(w->loop);
}

/* What is not set is a GET of an object. */
static void send_call(World *w, PmAwsRequest request)
{
    PmError err = {0};
    request.service = "s3";
    request.region = "us-east-1";
    request.response_max = 1000;
    if (request.path == NULL) request.path = "/bucket/a%20b";
    if (request.method == NULL) request.method = "GET";
    if (request.origin == NULL) request.origin = w->stub.origin;
    w->calls = 0;
    assert_non_null(pm_aws_send(w->client, &request, on_done, w, &err));
    pm_loop_run(w->loop);
    assert_int_equal(w->calls, 1);
}

/* --- what is not an answer of the service --- */

/* A page of megabytes in place of 503: the status counts, and little of it is kept. */
static void an_error_s_body_does_not_hide_its_status(void **state)
{
    World *w = *state;
    FILE *file = tmpfile();
    send_call(w, (PmAwsRequest){.origin = w->peer.origin, .path = "/error/64", .body_fd = fileno(file)});
    assert_int_equal(w->status, PM_TRANSIENT);
    assert_int_equal(w->attempts, 3);
    assert_int_equal(w->body_size, 64 * 1024);
    assert_non_null(strstr(w->message, "s3 GetObject: 503"));
    assert_int_equal(lseek(fileno(file), 0, SEEK_END), 0);
    fclose(file);
}

#define BARE(status) "HTTP/1.1 " status "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
#define PAGE(status) "HTTP/1.1 " status "\r\nConnection: close\r\n\r\n<html>" status "</html>"

/* What names no reason is not a verdict on the image. */
static void a_refusal_that_names_no_reason_is_not_the_request_s(void **state)
{
    World *w = *state;
    static const struct {
        const char *method, *answer;
        PmAwsProtocol protocol;
        PmStatus status;
        int attempts;
    } cases[] = {{"HEAD", BARE("400 Bad"), PM_AWS_S3, PM_TRANSIENT, 3},
                 {"HEAD", BARE("403 No"), PM_AWS_S3, PM_BAD_CONFIG, 1},
                 {"HEAD", BARE("404 Gone"), PM_AWS_S3, PM_BAD_INPUT, 1},
                 {"HEAD", BARE("412 No"), PM_AWS_S3, PM_BAD_INPUT, 1},
                 {"GET", PAGE("400 Bad"), PM_AWS_S3, PM_TRANSIENT, 3},
                 {"PUT", PAGE("413 Large"), PM_AWS_S3, PM_TRANSIENT, 3},
                 {"GET", PAGE("407 Proxy"), PM_AWS_S3, PM_BAD_CONFIG, 1},
                 {"POST", PAGE("404 No"), PM_AWS_JSON, PM_TRANSIENT, 3},
                 {"POST", PAGE("302 There"), PM_AWS_JSON, PM_BAD_CONFIG, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int k = 0; k < cases[i].attempts; k++) stub_answer(&w->stub, cases[i].answer);
        send_call(w, (PmAwsRequest){.method = cases[i].method, .protocol = cases[i].protocol});
        assert_int_equal(w->status, cases[i].status);
        assert_int_equal(w->attempts, cases[i].attempts);
    }
}

typedef struct Tally {
    PmLoop *loop;
    int left, attempts;
} Tally;

static void on_tallied(void *data, const PmAwsResponse *response)
{
    Tally *tally = data;
    assert_int_equal(response->status, PM_TRANSIENT);
    tally->attempts += response->attempts;
    if (--tally->left == 0) pm_loop_stop(tally->loop);
}

/* An endpoint that fails all the time has no retries left; the others are none the worse. */
static void each_endpoint_has_retries_of_its_own(void **state)
{
    World *w = *state;
    char dead[64];
    Stub other;
    stub_start(&other, w->loop);
    snprintf(dead, sizeof dead, "%s", other.origin);
    stub_stop(&other); /* refuses connections */
    Tally tally = {.loop = w->loop, .left = 150};
    PmAwsRequest request = {.service = "s3",
                            .region = "us-east-1",
                            .method = "GET",
                            .origin = dead,
                            .path = "/b/k",
                            .response_max = 100,
                            .attempts_max = 2};
    PmError err = {0};
    for (int i = 0; i < 150; i++) assert_non_null(pm_aws_send(w->client, &request, on_tallied, &tally, &err));
    pm_loop_run(w->loop);
    assert_int_equal(tally.attempts, 150 + 100); /* 500 tokens, 5 for each retry */
    stub_answer(&w->stub, "");
    stub_answer(&w->stub, OK);
    send_call(w, (PmAwsRequest){0});
    assert_int_equal(w->status, PM_OK);
    assert_int_equal(w->attempts, 2);
}

static const char *page_for_all(void *data, const char *head)
{
    (void)data;
    (void)head;
    return "/page/7";
}

static void on_paged(void *data, const PmS3Result *result)
{
    World *w = data;
    w->status = result->err != NULL ? result->err->status : PM_OK;
    w->attempts = result->attempts;
    snprintf(w->message, sizeof w->message, "%s", result->err != NULL ? result->err->message : "");
    pm_loop_stop(w->loop);
}

static void on_paged_batch(void *data, const PmSqsBatchResult *result)
{
    World *w = data;
    w->status = result->err != NULL ? result->err->status : PM_OK;
    pm_loop_stop(w->loop);
}

/* Megabytes for the answer to a put or to a delete: not kept, not believed, and not the image's fault. */
static void long_answers_to_short_questions_are_not_kept(void **state)
{
    World *w = *state;
    PmError err = {0};
    char url[128];
    w->peer.other = page_for_all;
    PmS3 *s3 = pm_s3_new(w->loop, w->client, &(PmS3Options){.endpoint_url = w->peer.origin}, &err);
    PmS3Put put = {.bucket = "bucket", .key = "k", .bytes = "hello", .size = 5};
    assert_non_null(pm_s3_put(s3, &put, on_paged, w, &err));
    pm_loop_run(w->loop);
    assert_int_equal(w->status, PM_TRANSIENT);
    assert_int_equal(w->attempts, 3);
    assert_string_equal(w->message, "s3 PutObject in bucket bucket: the answer is longer than allowed");
    pm_s3_free(s3);
    snprintf(url, sizeof url, "%s/1/q", w->peer.origin);
    PmSqs *sqs = pm_sqs_new(w->loop, w->client, &(PmSqsOptions){.queue_url = url}, &err);
    w->status = PM_OK;
    assert_non_null(pm_sqs_delete(sqs, &(PmSqsEntry){"handle", 0}, 1, on_paged_batch, w, &err));
    pm_loop_run(w->loop);
    assert_int_equal(w->status, PM_TRANSIENT);
    pm_sqs_free(sqs);
}

/* --- silence --- */

static const char *mute_once(void *data, const char *head)
{
    World *w = data;
    return strstr(head, "first") != NULL && w->peer.requests == 1 ? "/mute" : "/ok";
}

/* The connection that the first attempt had is not asked again. */
static void after_silence_comes_a_fresh_connection(void **state)
{
    World *w = *state;
    w->peer.other = mute_once;
    w->peer.data = w;
    int64_t began_ms = pm_clock_mono_ms();
    send_call(w, (PmAwsRequest){.origin = w->peer.origin, .path = "/first", .first_byte_timeout_ms = 500});
    assert_int_equal(w->status, PM_OK);
    assert_int_equal(w->attempts, 2);
    assert_int_equal(w->peer.accepted, 2);
    assert_true(pm_clock_mono_ms() - began_ms < 10000);
}

static const char *slow_after_the_first(void *data, const char *head)
{
    World *w = data;
    (void)head;
    return w->peer.requests == 1 ? "/mute" : "/late/900";
}

/* A store that is overloaded is slow for every attempt: asked again as impatiently, it would only have more to do. */
static void a_slow_service_is_given_more_time(void **state)
{
    World *w = *state;
    w->peer.other = slow_after_the_first;
    w->peer.data = w;
    send_call(w, (PmAwsRequest){.origin = w->peer.origin, .first_byte_timeout_ms = 800});
    assert_int_equal(w->status, PM_OK);
    assert_int_equal(w->attempts, 2);
}

/* --- heartbeats --- */

enum { PUTS = 64, BEATS = 10, BEAT_MS = 100 };

typedef struct Heart {
    World *w;
    PmSqs *sqs;
    int beats;
    int64_t sent_ms, slowest_ms;
} Heart;

static const char *slow_store(void *data, const char *head)
{
    (void)data;
    return strncmp(head, "PUT ", 4) == 0 ? "/mute" : "/ok";
}

static void on_s3(void *data, const PmS3Result *result)
{
    (void)data;
    (void)result;
}

static void beat(void *data);

static void on_beat(void *data, const PmSqsBatchResult *result)
{
    Heart *heart = data;
    int64_t took_ms = pm_clock_mono_ms() - heart->sent_ms;
    assert_non_null(result); /* "hi" is no JSON, but it came */
    if (took_ms > heart->slowest_ms) heart->slowest_ms = took_ms;
    if (++heart->beats == BEATS)
        pm_loop_stop(heart->w->loop);
    else
        pm_loop_after(heart->w->loop, BEAT_MS, beat, heart);
}

static void beat(void *data)
{
    Heart *heart = data;
    PmError err = {0};
    heart->sent_ms = pm_clock_mono_ms();
    assert_non_null(pm_sqs_change_visibility(heart->sqs, &(PmSqsEntry){"handle", 30}, 1, on_beat, heart, &err));
}

/* 64 puts to a store that takes them and says nothing: they were all the connections there were. */
static void heartbeats_come_in_time_while_puts_are_slow(void **state)
{
    World *w = *state;
    PmError err = {0};
    char url[128];
    snprintf(url, sizeof url, "%s/1/q", w->peer.origin);
    w->peer.other = slow_store;
    PmS3 *s3 = pm_s3_new(w->loop, w->client, &(PmS3Options){.endpoint_url = w->peer.origin}, &err);
    Heart heart = {.w = w, .sqs = pm_sqs_new(w->loop, w->client, &(PmSqsOptions){.queue_url = url}, &err)};
    for (int i = 0; i < PUTS; i++) {
        PmS3Put put = {.bucket = "bucket", .key = "k", .bytes = "hello", .size = 5};
        assert_non_null(pm_s3_put(s3, &put, on_s3, w, &err));
    }
    pm_loop_after(w->loop, BEAT_MS, beat, &heart);
    pm_loop_run(w->loop);
    assert_in_range(w->peer.open_max, 32, 40); /* the puts are bounded, too */
    assert_true(heart.slowest_ms < 2000);
    pm_s3_free(s3);
    pm_sqs_free(heart.sqs);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_error_s_body_does_not_hide_its_status),    TEST(a_refusal_that_names_no_reason_is_not_the_request_s),
        TEST(each_endpoint_has_retries_of_its_own),        TEST(long_answers_to_short_questions_are_not_kept),
        TEST(after_silence_comes_a_fresh_connection),      TEST(a_slow_service_is_given_more_time),
        TEST(heartbeats_come_in_time_while_puts_are_slow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
