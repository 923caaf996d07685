/* SPDX-License-Identifier: Apache-2.0 */
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "aws/client.h"
#include "aws/s3.h"
#include "net/retry.h"
#include "net/stub.h"

#define OK    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"
#define FOUND "HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"
#define XML_ERROR(status, code)                                                                                       \
    "HTTP/1.1 " status "\r\nConnection: close\r\nContent-Type: application/xml\r\n\r\n<?xml version=\"1.0\"?><Error>" \
    "<Code>" code "</Code><Message>because</Message></Error>"

typedef struct World {
    PmLoop *loop;
    PmHttp *http;
    PmCredentials *credentials;
    PmAwsClient *client;
    Stub stub;
    /* what came back */
    PmStatus status;
    char code[128], message[800], body[256];
    int attempts, calls;
    PmS3Outcome outcome;
    bool uncertain;
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
    w->uncertain = response->uncertain;
    snprintf(w->code, sizeof w->code, "%s", response->code);
    snprintf(w->body, sizeof w->body, "%s", response->http->body);
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

static void call(World *w, bool error_in_ok)
{
    send_call(w, (PmAwsRequest){.error_in_ok = error_in_ok});
}

static void a_call_is_signed_and_answered(void **state)
{
    World *w = *state;
    stub_answer(&w->stub, OK);
    call(w, true);
    assert_int_equal(w->status, PM_OK);
    assert_string_equal(w->body, "hi");
    const char *request = w->stub.requests[0];
    assert_memory_equal(request, "GET /bucket/a%20b HTTP/1.1\r\n", 28);
    assert_non_null(strstr(request, "Authorization: AWS4-HMAC-SHA256 Credential=AKID/"));
    assert_non_null(strstr(request, "x-amz-security-token: TOKEN\r\n"));
    assert_null(strstr(request, "SECRET"));
    assert_null(strcasestr(request, "\r\nExpect:"));
    assert_null(strcasestr(request, "\r\nAccept:"));
}

static void server_errors_are_retried_three_times_at_most(void **state)
{
    World *w = *state;
    stub_answer(&w->stub, XML_ERROR("503 Slow", "SlowDown"));
    stub_answer(&w->stub, "");
    stub_answer(&w->stub, XML_ERROR("500 Oh", "InternalError"));
    call(w, true);
    assert_int_equal(w->status, PM_TRANSIENT);
    assert_int_equal(w->attempts, 3);
    assert_true(w->uncertain);
    assert_string_equal(w->message, "s3 GetObject: 500 InternalError: because");
}

static void a_retry_that_succeeds_is_a_success(void **state)
{
    World *w = *state;
    stub_answer(&w->stub, XML_ERROR("503 Slow", "SlowDown"));
    stub_answer(&w->stub, OK);
    call(w, true);
    assert_int_equal(w->status, PM_OK);
    assert_int_equal(w->attempts, 2);
}

static void refusals_are_final(void **state)
{
    World *w = *state;
    stub_answer(&w->stub, XML_ERROR("403 No", "AccessDenied"));
    call(w, true);
    assert_int_equal(w->status, PM_BAD_CONFIG);
    assert_int_equal(w->attempts, 1);
    assert_string_equal(w->code, "AccessDenied");
}

static void an_error_in_a_200_is_an_error(void **state)
{
    World *w = *state;
    stub_answer(&w->stub, XML_ERROR("200 OK", "InternalError"));
    stub_answer(&w->stub, OK);
    call(w, true);
    assert_int_equal(w->status, PM_OK);
    assert_int_equal(w->attempts, 2);
    stub_answer(&w->stub, XML_ERROR("200 OK", "InternalError"));
    call(w, false); /* the bytes of an object may well look like that */
    assert_int_equal(w->status, PM_OK);
    assert_int_equal(w->attempts, 1);
}

static void a_wrong_clock_is_corrected_once(void **state)
{
    World *w = *state;
    static char skewed[512];
    time_t server = time(NULL) + 3600;
    char date[64];
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime(&server));
    snprintf(skewed, sizeof skewed,
             "HTTP/1.1 403 No\r\nDate: %s\r\nConnection: close\r\n\r\n<Error><Code>RequestTimeTooSkewed</Code></Error>",
             date);
    stub_answer(&w->stub, skewed);
    stub_answer(&w->stub, OK);
    call(w, true);
    assert_int_equal(w->status, PM_OK);
    char day_hour[16], other[16];
    strftime(day_hour, sizeof day_hour, "%Y%m%dT%H", gmtime(&server));
    server += 10; /* the hour may turn between the two */
    strftime(other, sizeof other, "%Y%m%dT%H", gmtime(&server));
    const char *sent = strstr(w->stub.requests[1], "x-amz-date: ");
    assert_non_null(sent);
    assert_true(strncmp(sent + 12, day_hour, 11) == 0 || strncmp(sent + 12, other, 11) == 0);
    stub_answer(&w->stub, skewed);
    call(w, true); /* the offset is known by now, so it cannot be the clock: no endless loop */
    assert_int_equal(w->status, PM_BAD_CONFIG);
    assert_int_equal(w->attempts, 1);
}

/* The answer to a HEAD has no body that could name the reason. */
static void a_refusal_without_a_word_may_be_the_clock(void **state)
{
    World *w = *state;
    static char mute[200];
    time_t server = time(NULL) - 3600;
    char date[64];
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime(&server));
    snprintf(mute, sizeof mute, "HTTP/1.1 403 No\r\nDate: %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", date);
    stub_answer(&w->stub, mute);
    stub_answer(&w->stub, OK);
    call(w, true);
    assert_int_equal(w->status, PM_OK);
    stub_answer(&w->stub, mute);
    call(w, true); /* with the right time it is a refusal */
    assert_int_equal(w->status, PM_BAD_CONFIG);
}

/* Of an object it is a reason, and told at once. Any other answer of such a length is not the service's. */
static void answers_have_a_maximum(void **state)
{
    World *w = *state;
    static char large[4096];
    int n = snprintf(large, sizeof large, "HTTP/1.1 200 OK\r\nContent-Length: 3000\r\nConnection: close\r\n\r\n");
    memset(large + n, 'x', 3000);
    for (int i = 0; i < 4; i++) stub_answer(&w->stub, large);
    FILE *file = tmpfile();
    send_call(w, (PmAwsRequest){.body_fd = fileno(file)});
    assert_int_equal(w->status, PM_LIMIT);
    assert_int_equal(w->attempts, 1);
    assert_string_equal(w->message, "s3 GetObject: the answer is longer than allowed");
    fclose(file);
    call(w, true);
    assert_int_equal(w->status, PM_TRANSIENT);
    assert_int_equal(w->attempts, 3);
}

static void the_bucket_of_tokens_ends_retries(void **state)
{
    (void)state;
    PmRetryBucket bucket;
    pm_retry_bucket_init(&bucket);
    int paid = 0, count = 0;
    while (pm_retry_pay(&bucket, false, &paid)) count++;
    assert_int_equal(count, 100);
    assert_int_equal(paid, 5);
    pm_retry_refund(&bucket, paid);
    assert_true(pm_retry_pay(&bucket, false, &paid));
    assert_false(pm_retry_pay(&bucket, true, &paid));
    for (int attempt = 1; attempt < 10; attempt++)
        for (int i = 0; i < 50; i++) assert_in_range(pm_retry_delay_ms(attempt), 0, attempt == 1 ? 1000 : 20000);
}

/* --- s3 over the stub --- */

static void on_s3(void *data, const PmS3Result *result)
{
    World *w = data;
    w->outcome = result->outcome;
    w->calls++;
    snprintf(w->message, sizeof w->message, "%s", result->err != NULL ? result->err->message : "");
    snprintf(w->body, sizeof w->body, "%s", result->object.etag != NULL ? result->object.etag : "");
    pm_loop_stop(w->loop);
}

static PmS3 *new_s3(World *w)
{
    PmError err = {0};
    PmS3 *s3 = pm_s3_new(w->loop, w->client, &(PmS3Options){.endpoint_url = w->stub.origin}, &err);
    assert_non_null(s3);
    return s3;
}

static void a_short_object_is_no_object(void **state)
{
    World *w = *state;
    PmS3 *s3 = new_s3(w);
    PmError err = {0};
    for (int i = 0; i < 3; i++)
        stub_answer(&w->stub, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nhi");
    FILE *file = tmpfile();
    pm_s3_get(s3, &(PmS3Get){.bucket = "bucket", .key = "k", .body_fd = fileno(file), .size_max = 100}, on_s3, w, &err);
    pm_loop_run(w->loop);
    assert_int_equal(w->outcome, PM_S3_FAILED);
    assert_int_equal(w->stub.request_count, 3);
    fclose(file);
    pm_s3_free(s3);
}

static void a_redirect_names_the_region_and_is_remembered(void **state)
{
    World *w = *state;
    PmS3 *s3 = new_s3(w);
    PmError err = {0};
    stub_answer(
        &w->stub,
        "HTTP/1.1 301 Moved\r\nx-amz-bucket-region: eu-west-1\r\nLocation: http://evil/\r\nConnection: close\r\n\r\n");
    stub_answer(&w->stub, FOUND);
    stub_answer(&w->stub, FOUND);
    for (int i = 0; i < 2; i++) {
        pm_s3_head(s3, "bucket", "k", NULL, on_s3, w, &err);
        pm_loop_run(w->loop);
        assert_int_equal(w->outcome, PM_S3_OK);
    }
    assert_int_equal(w->stub.request_count, 3);
    assert_non_null(strstr(w->stub.requests[0], "/us-east-1/s3/aws4_request"));
    assert_non_null(strstr(w->stub.requests[1], "/eu-west-1/s3/aws4_request"));
    assert_non_null(strstr(w->stub.requests[2], "/eu-west-1/s3/aws4_request"));
    pm_s3_free(s3);
}

static void a_forged_region_is_not_followed(void **state)
{
    World *w = *state;
    PmS3 *s3 = new_s3(w);
    PmError err = {0};
    stub_answer(&w->stub, "HTTP/1.1 301 Moved\r\nx-amz-bucket-region: evil.example/\r\nConnection: close\r\n\r\n");
    pm_s3_head(s3, "bucket", "k", NULL, on_s3, w, &err);
    pm_loop_run(w->loop);
    assert_int_equal(w->outcome, PM_S3_FAILED);
    assert_int_equal(w->stub.request_count, 1);
    pm_s3_free(s3);
}

static void a_put_carries_what_was_asked(void **state)
{
    World *w = *state;
    PmS3 *s3 = new_s3(w);
    PmError err = {0};
    stub_answer(&w->stub, "HTTP/1.1 200 OK\r\nETag: \"abc\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    PmNameValue metadata[] = {{"src-etag", "e1"}, {"who", "J\xc3\xb6rg"}}, tag = {"a b", "c/d"};
    PmS3Put put = {.bucket = "bucket",
                   .key = "a b",
                   .bytes = "hello",
                   .size = 5,
                   .content_type = "image/jpeg",
                   .cache_control = "public, max-age=60",
                   .metadata = metadata,
                   .metadata_count = 2,
                   .tags = &tag,
                   .tag_count = 1,
                   .if_none_match = true};
    assert_non_null(pm_s3_put(s3, &put, on_s3, w, &err));
    pm_loop_run(w->loop);
    assert_string_equal(w->body, "abc");
    const char *request = w->stub.requests[0];
    assert_non_null(strstr(request, "PUT /bucket/a%20b HTTP/1.1"));
    assert_non_null(strstr(request, "\r\nIf-None-Match: *\r\n"));
    assert_non_null(strstr(request, "\r\nx-amz-meta-src-etag: e1\r\n"));
    assert_non_null(strstr(request, "\r\nx-amz-meta-who: =?UTF-8?B?SsO2cmc=?=\r\n"));
    assert_non_null(strstr(request, "\r\nx-amz-tagging: a%20b=c%2Fd\r\n"));
    assert_non_null(strstr(request, "\r\nx-amz-checksum-crc32: NhCmhg==\r\n"));
    assert_non_null(strstr(request, "\r\nContent-Length: 5\r\n"));
    assert_null(strcasestr(request, "x-amz-acl"));
    pm_s3_free(s3);
}

static void a_put_that_cannot_be_is_refused(void **state)
{
    World *w = *state;
    PmS3 *s3 = new_s3(w);
    static char large[3000];
    memset(large, 'x', sizeof large - 1);
    PmNameValue big = {"a", large}, control = {"a", "b\nc"}, tags[11] = {{"t", "v"}};
    for (int i = 0; i < 11; i++) tags[i] = (PmNameValue){"t", "v"};
    const struct {
        PmS3Put put;
        const char *message;
    } cases[] = {
        {{.bucket = "b/c", .key = "k"}, "\"b/c\" is not a bucket name"},
        {{.bucket = "b", .key = "k", .metadata = &big, .metadata_count = 1},
         "the metadata of an object may be 2 KiB in all"},
        {{.bucket = "b", .key = "k", .metadata = &control, .metadata_count = 1},
         "metadata a holds a control character"},
        {{.bucket = "b", .key = "k", .tags = tags, .tag_count = 11}, "an object may have 10 tags, not 11"},
        {{.bucket = "b", .key = "k", .cache_control = "a\r\nx: y"}, "Cache-Control holds a control character"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        PmError err = {0};
        assert_null(pm_s3_put(s3, &cases[i].put, on_s3, w, &err));
        assert_string_equal(err.message, cases[i].message);
    }
    pm_s3_free(s3);
}

static void hosts_follow_aws_rules(void **state)
{
    World *w = *state;
    static const struct {
        PmS3Options options;
        const char *bucket, *key, *url;
    } cases[] = {
        {{.region = "eu-west-1"}, "photos", "a b", "https://photos.s3.eu-west-1.amazonaws.com/a%20b"},
        {{.region = "eu-west-1"}, "my.photos", "k", "https://s3.eu-west-1.amazonaws.com/my.photos/k"},
        {{.region = "eu-west-1", .addressing = PM_ADDRESSING_PATH},
         "photos",
         "k",
         "https://s3.eu-west-1.amazonaws.com/photos/k"},
        {{.region = "cn-north-1"}, "photos", "k", "https://photos.s3.cn-north-1.amazonaws.com.cn/k"},
        {{.region = "us-east-1", .fips = true, .dualstack = true},
         "photos",
         "k",
         "https://photos.s3-fips.dualstack.us-east-1.amazonaws.com/k"},
        {{.endpoint_url = "http://127.0.0.1:9000/"}, "photos", "k", "http://127.0.0.1:9000/photos/k"},
        {{.endpoint_url = "https://store.example:8443"}, "photos", "k", "https://photos.store.example:8443/k"},
        {{.endpoint_url = "https://store.example"}, "Photos_1", "..//%41", "https://store.example/Photos_1/..//%2541"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        PmError err = {0};
        PmS3 *s3 = pm_s3_new(w->loop, w->client, &cases[i].options, &err);
        assert_non_null(s3);
        PmBuffer origin, path;
        pm_buffer_init(&origin, 1000);
        pm_buffer_init(&path, 1000);
        pm_s3_address(s3, cases[i].bucket, cases[i].key, &origin, &path);
        pm_buffer_adds(&origin, path.data);
        assert_string_equal(origin.data, cases[i].url);
        pm_buffer_finish(&origin);
        pm_buffer_finish(&path);
        pm_s3_free(s3);
    }
    PmError err = {0};
    assert_null(pm_s3_new(w->loop, w->client, &(PmS3Options){.endpoint_url = "store.example"}, &err));
    assert_string_equal(err.message,
                        "the S3 endpoint \"store.example\" is not a URL of the form https://host or http://host:port");
}

/* --- large bodies --- */

typedef struct Busy {
    sem_t begun, go;
} Busy;

static void be_busy(void *data)
{
    Busy *busy = data;
    sem_post(&busy->begun);
    while (sem_wait(&busy->go) != 0) {
    }
}

static void no_longer_busy(void *data, bool cancelled)
{
    (void)data, (void)cancelled;
}

typedef struct Ticks {
    World *w;
    Busy *busy;
    int count, requests;
} Ticks;

static void tick(void *data)
{
    Ticks *ticks = data;
    if (++ticks->count < 20) {
        pm_loop_after(ticks->w->loop, 1, tick, ticks);
        return;
    }
    ticks->requests = (int)ticks->w->stub.request_count;
    sem_post(&ticks->busy->go);
}

/* While the helper is kept busy nothing is hashed, and the loop goes round: so it is not the loop that hashes. */
static void the_loop_goes_on_while_a_large_body_is_hashed(void **state)
{
    World *w = *state;
    enum { SIZE = 300 * 1024 };
    PmError err = {0};
    Busy busy;
    Ticks ticks = {w, &busy, 0, -1};
    char *body = malloc(SIZE + 1), hash[65], expected[100];
    memset(body, 'x', SIZE);
    body[SIZE] = '\0';
    pm_sha256_hex(body, SIZE, hash);
    sem_init(&busy.begun, 0, 0);
    sem_init(&busy.go, 0, 0);
    PmHelper *helper = pm_helper_new(w->loop, &err);
    pm_aws_client_use_helper(w->client, helper);
    assert_non_null(pm_helper_run(helper, be_busy, no_longer_busy, &busy));
    while (sem_wait(&busy.begun) != 0) {
    }

    PmS3Options options = {.endpoint_url = w->stub.origin, .checksum = PM_CHECKSUM_MD5};
    PmS3 *s3 = pm_s3_new(w->loop, w->client, &options, &err);
    PmS3Put put = {.bucket = "bucket", .key = "key", .bytes = body, .size = SIZE};
    stub_answer(&w->stub, FOUND);
    assert_non_null(pm_s3_put(s3, &put, on_s3, w, &err));
    pm_loop_after(w->loop, 0, tick, &ticks);
    pm_loop_run(w->loop);

    assert_int_equal(ticks.count, 20);
    assert_int_equal(ticks.requests, 0);
    assert_int_equal(w->outcome, PM_S3_OK);
    snprintf(expected, sizeof expected, "\r\nx-amz-content-sha256: %s\r\n", hash);
    assert_non_null(strstr(w->stub.requests[0], expected));
    assert_non_null(strstr(w->stub.requests[0], "\r\nContent-MD5: DzBbCkAEQJ1Bxn+8biJNbQ==\r\n"));

    /* and one that is cancelled meanwhile: the bytes are the caller's again at once */
    PmS3Call *call = pm_s3_put(s3, &put, on_s3, w, &err);
    assert_non_null(call);
    pm_s3_cancel(call);
    memset(body, 'y', SIZE);
    /* and one that is under way when the helper goes */
    assert_non_null(pm_s3_put(s3, &put, on_s3, w, &err));
    pm_helper_free(helper);
    assert_int_equal(w->stub.request_count, 1);
    pm_s3_free(s3);
    free(body);
    sem_destroy(&busy.begun);
    sem_destroy(&busy.go);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_call_is_signed_and_answered),
        TEST(server_errors_are_retried_three_times_at_most),
        TEST(a_retry_that_succeeds_is_a_success),
        TEST(refusals_are_final),
        TEST(an_error_in_a_200_is_an_error),
        TEST(a_wrong_clock_is_corrected_once),
        TEST(a_refusal_without_a_word_may_be_the_clock),
        TEST(answers_have_a_maximum),
        TEST(the_bucket_of_tokens_ends_retries),
        TEST(a_short_object_is_no_object),
        TEST(a_redirect_names_the_region_and_is_remembered),
        TEST(a_forged_region_is_not_followed),
        TEST(a_put_carries_what_was_asked),
        TEST(a_put_that_cannot_be_is_refused),
        TEST(hosts_follow_aws_rules),
        TEST(the_loop_goes_on_while_a_large_body_is_hashed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
