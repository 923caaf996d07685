/* SPDX-License-Identifier: Apache-2.0
 *
 * A put in parts that is cancelled, or whose answers are lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aws/s3.h"
#include "net/peer.h"

#define ANSWER(status, headers, length, body) \
    "HTTP/1.1 " status "\r\n" headers "Content-Length: " #length "\r\n\r\n" body
#define CREATED \
    ANSWER("200 OK", "", 86, "<InitiateMultipartUploadResult><UploadId>U1</UploadId></InitiateMultipartUploadResult>")
#define COMPLETED \
    ANSWER("200 OK", "", 81, "<CompleteMultipartUploadResult><ETag>\"e-1\"</ETag></CompleteMultipartUploadResult>")
#define PART    ANSWER("200 OK", "ETag: \"p1\"\r\n", 0, "")
#define GONE    ANSWER("404 Not Found", "", 40, "<Error><Code>NoSuchUpload</Code></Error>")
#define ABORTED ANSWER("204 No Content", "", 0, "")

enum { SIZE = 100 };

typedef struct Fixture {
    PmLoop *loop;
    PmHttp *http;
    PmCredentials *credentials;
    PmAwsClient *client;
    PmS3 *s3;
    Peer peer;
    const char *create, *part, *complete[3], *abort, *head;
    int creates, parts, completes, aborts, heads;
    const char *stop_at; /* ends the loop when such a request has come */
    char bytes[SIZE];
    /* what came back */
    int calls;
    PmS3Outcome outcome;
    PmStatus status;
    bool uncertain;
    char etag[64], message[800];
} Fixture;

static const char *play(void *data, const char *head)
{
    Fixture *f = data;
    if (f->stop_at != NULL && strncmp(head, f->stop_at, strlen(f->stop_at)) == 0) pm_loop_stop(f->loop);
    if (strncmp(head, "POST /bucket/k?uploads", 22) == 0) {
        f->creates++;
        return f->create;
    }
    if (strncmp(head, "PUT ", 4) == 0) {
        f->parts++;
        return f->part;
    }
    if (strncmp(head, "POST ", 5) == 0) return f->complete[f->completes++ % 3];
    if (strncmp(head, "HEAD ", 5) == 0) {
        f->heads++;
        return f->head;
    }
    if (strncmp(head, "GET ", 4) == 0) /* after a HEAD that found nothing, to be told so */
        return ANSWER("404 Not Found", "", 37, "<Error><Code>NoSuchKey</Code></Error>");
    f->aborts++;
    assert_non_null(strstr(head, "DELETE /bucket/k?uploadId=U1 "));
    return f->abort;
}

static int setup(void **state)
{
    Fixture *f = calloc(1, sizeof *f);
    PmError err = {0};
    f->loop = pm_loop_new(&err);
    f->http = pm_http_new(f->loop, NULL, &err);
    f->credentials = pm_credentials_fixed("AKID", "SECRET", NULL);
    f->client = pm_aws_client_new(f->loop, f->http, f->credentials);
    peer_start(&f->peer, f->loop);
    f->peer.other = play;
    f->peer.data = f;
    f->s3 =
        pm_s3_new(f->loop, f->client, &(PmS3Options){.endpoint_url = f->peer.origin, .multipart_threshold = 10}, &err);
    f->create = CREATED;
    f->part = PART;
    for (int i = 0; i < 3; i++) f->complete[i] = COMPLETED;
    f->abort = ABORTED;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    Fixture *f = *state;
    pm_s3_free(f->s3);
    pm_aws_client_free(f->client);
    pm_credentials_free(f->credentials);
    pm_http_free(f->http);
    peer_stop(&f->peer);
    pm_loop_free(f->loop);
    free(f);
    return 0;
}

static void on_put(void *data, const PmS3Result *result)
{
    Fixture *f = data;
    f->calls++;
    f->outcome = result->outcome;
    f->status = result->err != NULL ? result->err->status : PM_OK;
    f->uncertain = result->uncertain;
    snprintf(f->etag, sizeof f->etag, "%s", result->object.etag != NULL ? result->object.etag : "");
    snprintf(f->message, sizeof f->message, "%s", result->err != NULL ? result->err->message : "");
    pm_loop_stop(f->loop);
}

static PmS3Call *begin(Fixture *f, bool metadata)
{
    static const PmNameValue pairs[] = {{"src-etag", "e1"}, {"who", "J\xc3\xb6rg"}};
    PmError err = {0};
    PmS3Put put = {.bucket = "bucket",
                   .key = "k",
                   .bytes = f->bytes,
                   .size = SIZE,
                   .metadata = pairs,
                   .metadata_count = metadata ? 2 : 0};
    PmS3Call *call = pm_s3_put(f->s3, &put, on_put, f, &err);
    assert_non_null(call);
    return call;
}

static void on_patience(void *data)
{
    (void)data;
    fail_msg("not done in time");
}

static void run(Fixture *f)
{
    PmTimer *patience = pm_loop_after(f->loop, 30000, on_patience, f);
    pm_loop_run(f->loop);
    pm_loop_cancel(patience);
}

static void parts_become_an_object(void **state)
{
    Fixture *f = *state;
    begin(f, true);
    run(f);
    assert_string_equal(f->message, "");
    assert_int_equal(f->outcome, PM_S3_OK);
    assert_string_equal(f->etag, "e-1");
    assert_int_equal(f->creates + f->parts + f->completes, 3);
    assert_int_equal(f->aborts, 0);
}

/* --- cancelling --- */

static void on_pause(void *data)
{
    pm_loop_stop(((Fixture *)data)->loop);
}

static void pause_ms(Fixture *f, int64_t ms)
{
    pm_loop_after(f->loop, ms, on_pause, f);
    pm_loop_run(f->loop);
}

/* Cancelled when such a request has arrived. */
static void cancel_at(Fixture *f, const char *request)
{
    PmS3Call *call = begin(f, true);
    f->stop_at = request;
    run(f);
    f->stop_at = NULL;
    pm_s3_cancel(call);
    memset(f->bytes, 'x', SIZE); /* the caller's again */
}

static void await_abort(Fixture *f)
{
    f->stop_at = "DELETE ";
    if (f->aborts == 0) run(f);
    f->stop_at = NULL;
    pause_ms(f, 50);
    assert_int_equal(f->aborts, 1);
    assert_int_equal(f->calls, 0);
}

static void an_upload_cancelled_in_a_part_is_aborted(void **state)
{
    Fixture *f = *state;
    f->part = "/mute";
    cancel_at(f, "PUT ");
    await_abort(f);
}

static void an_upload_cancelled_at_its_end_is_aborted(void **state)
{
    Fixture *f = *state;
    f->complete[0] = "/mute";
    cancel_at(f, "POST /bucket/k?uploadId");
    await_abort(f);
}

/* What there is to abort is in an answer that is still to come. */
static void an_upload_cancelled_at_its_beginning_is_aborted(void **state)
{
    Fixture *f = *state;
    cancel_at(f, "POST /bucket/k?uploads");
    await_abort(f);
    assert_true(f->parts <= 1);
}

static void a_cancelled_upload_that_never_began_leaves_nothing(void **state)
{
    Fixture *f = *state;
    f->create = ANSWER("403 No", "", 40, "<Error><Code>AccessDenied</Code></Error>");
    PmS3Call *call = begin(f, false);
    pm_s3_cancel(call);
    pause_ms(f, 300);
    assert_int_equal(f->creates, 1);
    assert_int_equal(f->aborts + f->parts + f->calls, 0);
}

/* The client goes with an upload in each stage: nothing is left, and nothing comes any more. */
static void a_client_may_go_at_any_stage(void **state)
{
    static const char *const stages[] = {"POST /bucket/k?uploads", "PUT ", "POST /bucket/k?uploadId"};
    Fixture *f = *state;
    for (size_t i = 0; i < 6; i++) {
        PmError err = {0};
        f->create = i / 2 == 0 ? "/mute" : CREATED;
        f->complete[0] = "/mute";
        f->part = i / 2 == 1 ? "/mute" : PART;
        f->abort = "/mute";
        f->completes = 0;
        if (i % 2 == 0) {
            begin(f, true);
            f->stop_at = stages[i / 2];
            run(f);
            f->stop_at = NULL;
        } else {
            cancel_at(f, stages[i / 2]);
        }
        pause_ms(f, 50);
        pm_s3_free(f->s3);
        f->s3 = pm_s3_new(f->loop, f->client, &(PmS3Options){.endpoint_url = f->peer.origin, .multipart_threshold = 10},
                          &err);
    }
    assert_int_equal(f->calls, 0);
}

/* --- answers that are lost --- */

#define HEAD_OF(size, etag, who)                                                                      \
    "HTTP/1.1 200 OK\r\nETag: \"" etag "\"\r\nx-amz-meta-src-etag: e1\r\nx-amz-meta-who: " who "\r\n" \
    "Content-Length: " size "\r\n\r\n"
#define SENT "=?UTF-8?B?SsO2cmc=?="

/* Done by the first attempt, whose answer nobody got; the second finds no upload. */
static void a_complete_whose_answer_was_lost_is_looked_for(void **state)
{
    Fixture *f = *state;
    f->complete[0] = ANSWER("503 Slow", "", 0, "");
    f->complete[1] = GONE;
    f->head = HEAD_OF("100", "abc-1", SENT);
    begin(f, true);
    run(f);
    assert_string_equal(f->message, "");
    assert_int_equal(f->outcome, PM_S3_OK);
    assert_string_equal(f->etag, "abc-1");
    assert_true(f->uncertain);
    assert_int_equal(f->heads, 1);
    assert_int_equal(f->aborts, 0);
}

/* Somebody else's object, or none: tried again as a whole later, and never the image's fault. */
static void what_is_not_found_there_is_tried_again(void **state)
{
    Fixture *f = *state;
    static const char *const others[] = {HEAD_OF("99", "abc-1", SENT), HEAD_OF("100", "abc-1", "me"),
                                         "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
                                         "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        f->completes = 0;
        f->complete[0] = ANSWER("500 Oh", "", 0, "");
        f->complete[1] = GONE;
        f->head = others[i];
        begin(f, true);
        run(f);
        assert_int_equal(f->outcome, PM_S3_FAILED);
        assert_int_equal(f->status, PM_TRANSIENT);
        assert_non_null(strstr(f->message, "NoSuchUpload"));
    }
    assert_int_equal(f->heads, 4);
}

/* Without metadata to know it by, the number of parts has to be right. */
static void an_object_without_metadata_is_known_by_its_parts(void **state)
{
    Fixture *f = *state;
    for (int i = 0; i < 2; i++) {
        f->completes = 0;
        f->complete[0] = ANSWER("500 Oh", "", 0, "");
        f->complete[1] = GONE;
        f->head = i == 0 ? HEAD_OF("100", "abc-1", "x") : HEAD_OF("100", "abc", "x");
        begin(f, false);
        run(f);
        assert_int_equal(f->outcome, i == 0 ? PM_S3_OK : PM_S3_FAILED);
    }
}

/* A lifecycle rule, or another's hand. */
static void an_upload_that_somebody_aborted_is_tried_again(void **state)
{
    Fixture *f = *state;
    f->part = GONE;
    f->abort = GONE;
    begin(f, true);
    run(f);
    assert_int_equal(f->outcome, PM_S3_FAILED);
    assert_int_equal(f->status, PM_TRANSIENT);
    assert_int_equal(f->aborts, 1);
    f->part = PART;
    f->complete[0] = GONE;
    f->completes = 0;
    begin(f, true);
    run(f);
    assert_int_equal(f->outcome, PM_S3_FAILED);
    assert_int_equal(f->status, PM_TRANSIENT);
    assert_int_equal(f->heads, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(parts_become_an_object),
        TEST(an_upload_cancelled_in_a_part_is_aborted),
        TEST(an_upload_cancelled_at_its_end_is_aborted),
        TEST(an_upload_cancelled_at_its_beginning_is_aborted),
        TEST(a_cancelled_upload_that_never_began_leaves_nothing),
        TEST(a_client_may_go_at_any_stage),
        TEST(a_complete_whose_answer_was_lost_is_looked_for),
        TEST(what_is_not_found_there_is_tried_again),
        TEST(an_object_without_metadata_is_known_by_its_parts),
        TEST(an_upload_that_somebody_aborted_is_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
