/* SPDX-License-Identifier: Apache-2.0
 *
 * What is S3's word and what is a proxy's, over a scripted server: each case is what such a thing really answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aws/operations.h"
#include "aws/s3.h"
#include "aws/xml.h"
#include "net/stub.h"

#define END     "Connection: close\r\n\r\n"
#define REQUEST "x-amz-request-id: 4442587FB7D0A2F9\r\n"
#define INGRESS \
    "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 21\r\n" END "default backend - 404"
#define BARE(s)   "HTTP/1.1 " s "\r\nContent-Length: 0\r\n" END
#define SIGNED(s) "HTTP/1.1 " s "\r\n" REQUEST "Content-Length: 0\r\n" END
#define XML(s, code)                                                                                                 \
    "HTTP/1.1 " s "\r\n" REQUEST "Content-Type: application/xml\r\n" END "<?xml version=\"1.0\"?><Error><Code>" code \
    "</Code><Message>m</Message></Error>"
#define PAGE(s) \
    "HTTP/1.1 " s "\r\nServer: nginx\r\nContent-Type: text/html\r\n" END "<html><body><h1>" s "</h1></body></html>"
#define TEN                 "xxxxxxxxxx"
#define LONG                TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN /* more than size_max */
#define OK_ETAG(more, body) "HTTP/1.1 200 OK\r\nETag: \"e1\"\r\n" more END body

typedef struct World {
    PmLoop *loop;
    PmHttp *http;
    PmCredentials *credentials;
    PmAwsClient *client;
    PmS3 *s3;
    Stub stub;
    PmS3Outcome outcome;
    PmStatus status;
    char message[800], argument[64];
    int calls;
} World;

static int setup(void **state)
{
    World *w = calloc(1, sizeof *w);
    PmError err = {0};
    w->loop = pm_loop_new(&err);
    w->http = pm_http_new(w->loop, NULL, &err);
    w->credentials = pm_credentials_fixed("AKID", "SECRET", NULL);
    w->client = pm_aws_client_new(w->loop, w->http, w->credentials);
    stub_start(&w->stub, w->loop);
    w->s3 = pm_s3_new(w->loop, w->client, &(PmS3Options){.endpoint_url = w->stub.origin}, &err);
    assert_non_null(w->s3);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    World *w = *state;
    pm_s3_free(w->s3);
    pm_aws_client_free(w->client);
    pm_credentials_free(w->credentials);
    pm_http_free(w->http);
    stub_stop(&w->stub);
    pm_loop_free(w->loop);
    free(w);
    return 0;
}

static void on_done(void *data, const PmS3Result *result)
{
    World *w = data;
    w->calls++;
    w->outcome = result->outcome;
    w->status = result->err != NULL ? result->err->status : PM_OK;
    snprintf(w->message, sizeof w->message, "%s", result->err != NULL ? result->err->message : "");
    snprintf(w->argument, sizeof w->argument, "%s", result->argument != NULL ? result->argument : "");
    pm_loop_stop(w->loop);
}

typedef enum Kind { GET, HEAD, PUT, TAGS, LIST } Kind;

/* One call. All requests but the first get the second answer. */
static void call(World *w, Kind kind, const char *answer, const char *second)
{
    PmError err = {0};
    PmS3Call *started = NULL;
    FILE *file = tmpfile();
    w->stub.answer_count = w->stub.answered = 0;
    for (; w->stub.request_count > 0; w->stub.request_count--) free(w->stub.requests[w->stub.request_count - 1]);
    stub_answer(&w->stub, answer);
    for (int i = 0; i < 2; i++) stub_answer(&w->stub, second != NULL ? second : answer); /* as often as it is tried */
    w->calls = 0;
    switch (kind) {
    case GET:
        started = pm_s3_get(w->s3, &(PmS3Get){.bucket = "bucket", .key = "k", .body_fd = fileno(file), .size_max = 100},
                            on_done, w, &err);
        break;
    case HEAD:
        started = pm_s3_head(w->s3, "bucket", "k", NULL, on_done, w, &err);
        break;
    case PUT:
        started =
            pm_s3_put(w->s3, &(PmS3Put){.bucket = "bucket", .key = "k", .bytes = "b", .size = 1}, on_done, w, &err);
        break;
    case TAGS:
        started = pm_s3_get_tags(w->s3, "bucket", "k", NULL, on_done, w, &err);
        break;
    case LIST:
        started = pm_s3_list(w->s3, "bucket", NULL, NULL, on_done, w, &err);
        break;
    }
    assert_non_null(started);
    pm_loop_run(w->loop);
    fclose(file);
    assert_int_equal(w->calls, 1);
}

typedef struct Case {
    Kind kind;
    const char *answer, *second;
    PmS3Outcome outcome;
    PmStatus status;
    const char *message; /* a part of it; NULL: none */
} Case;

static void try_all(World *w, const Case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const Case *c = &cases[i];
        call(w, c->kind, c->answer, c->second);
        if (w->outcome != c->outcome || w->status != c->status ||
            (c->message != NULL && strstr(w->message, c->message) == NULL))
            fail_msg("case %zu: outcome %d, status %d, \"%s\"", i, (int)w->outcome, (int)w->status, w->message);
        if (c->second != NULL) assert_int_equal(w->stub.request_count, 2);
    }
}

static void only_s3_says_that_an_object_is_missing(void **state)
{
    static const Case cases[] = {
        {GET, XML("404 Not Found", "NoSuchKey"), NULL, PM_S3_MISSING, PM_BAD_INPUT, "404 NoSuchKey"},
        {GET, XML("404 Not Found", "NoSuchVersion"), NULL, PM_S3_MISSING, PM_BAD_INPUT, "NoSuchVersion"},
        {GET, "HTTP/1.1 404 Not Found\r\nx-amz-delete-marker: true\r\nContent-Length: 0\r\n" END, NULL, PM_S3_MISSING,
         PM_TRANSIENT, NULL},
        {GET, "HTTP/1.1 405 No\r\nx-amz-delete-marker: true\r\nContent-Length: 0\r\n" END, NULL, PM_S3_MISSING,
         PM_TRANSIENT, NULL},
        {GET, INGRESS, NULL, PM_S3_FAILED, PM_TRANSIENT,
         "s3 GetObject in bucket bucket: 404 without an error code of S3, so it is not S3 that answered"},
        {GET, PAGE("404 Not Found"), NULL, PM_S3_FAILED, PM_TRANSIENT, "not S3"},
        {GET, BARE("404 Not Found"), NULL, PM_S3_FAILED, PM_TRANSIENT, "not S3"},
        {GET, SIGNED("404 Not Found"), NULL, PM_S3_FAILED, PM_TRANSIENT, NULL}, /* where has the body gone? */
        {GET, XML("404 Not Found", "NoSuchBucket"), NULL, PM_S3_FAILED, PM_BAD_CONFIG, "NoSuchBucket"},
        {GET, XML("404 Not Found", "NoSuchRoute"), NULL, PM_S3_FAILED, PM_BAD_INPUT, "NoSuchRoute"},
        {HEAD, SIGNED("404 Not Found"), NULL, PM_S3_MISSING, PM_BAD_INPUT, "404"},
        {PUT, XML("404 Not Found", "NoSuchKey"), NULL, PM_S3_MISSING, PM_BAD_INPUT, NULL},
        {PUT, INGRESS, NULL, PM_S3_FAILED, PM_TRANSIENT, "not S3"},
        {TAGS, INGRESS, NULL, PM_S3_FAILED, PM_TRANSIENT, "not S3"},
    };
    try_all(*state, cases, sizeof cases / sizeof cases[0]);
}

/* An answer to HEAD has no body. If no header is S3's either, a GET of the first byte has to say it. */
static void a_head_that_tells_nothing_is_asked_again_by_get(void **state)
{
    static const Case cases[] = {
        {HEAD, BARE("404 Not Found"), XML("404 Not Found", "NoSuchKey"), PM_S3_MISSING, PM_BAD_INPUT, "NoSuchKey"},
        {HEAD, BARE("404 Not Found"), INGRESS, PM_S3_FAILED, PM_TRANSIENT, "not S3"},
        {HEAD, BARE("404 Not Found"), XML("404 Not Found", "NoSuchBucket"), PM_S3_FAILED, PM_BAD_CONFIG,
         "NoSuchBucket"},
        {HEAD, BARE("404 Not Found"), "HTTP/1.1 206 Partial Content\r\nETag: \"e\"\r\nContent-Length: 1\r\n" END "x",
         PM_S3_FAILED, PM_TRANSIENT, "404, but a GET of the same key is answered 206"},
        {HEAD, BARE("404 Not Found"), XML("416 Range", "InvalidRange"), PM_S3_FAILED, PM_TRANSIENT,
         "404, but a GET of the same key is answered 416"},
    };
    World *w = *state;
    try_all(w, cases, sizeof cases / sizeof cases[0]);
    assert_memory_equal(w->stub.requests[0], "HEAD /bucket/k ", 15);
    assert_memory_equal(w->stub.requests[1], "GET /bucket/k ", 14);
    assert_non_null(strstr(w->stub.requests[1], "\r\nRange: bytes=0-0\r\n"));
}

static void only_s3_says_that_a_condition_failed(void **state)
{
    static const Case cases[] = {
        {GET, XML("412 Precondition Failed", "PreconditionFailed"), NULL, PM_S3_PRECONDITION, PM_BAD_INPUT, NULL},
        {PUT, XML("412 Precondition Failed", "PreconditionFailed"), NULL, PM_S3_PRECONDITION, PM_BAD_INPUT, NULL},
        {GET, PAGE("412 Precondition Failed"), NULL, PM_S3_FAILED, PM_TRANSIENT, "412 without an error code"},
        {GET, BARE("412 Precondition Failed"), NULL, PM_S3_FAILED, PM_TRANSIENT, "not S3"},
        {PUT, PAGE("412 Precondition Failed"), NULL, PM_S3_FAILED, PM_TRANSIENT, "not S3"},
    };
    try_all(*state, cases, sizeof cases / sizeof cases[0]);
}

static void refusals_of_a_proxy_are_no_fault_of_the_object(void **state)
{
    static const Case cases[] = {
        {GET, PAGE("400 Bad Request"), NULL, PM_S3_FAILED, PM_TRANSIENT, "400 without an error code of S3"},
        {PUT, PAGE("413 Request Entity Too Large"), NULL, PM_S3_FAILED, PM_TRANSIENT, "413 without"},
        {GET, PAGE("403 Forbidden"), NULL, PM_S3_FAILED, PM_BAD_CONFIG, "403"},
        {GET, XML("400 Bad Request", "InvalidArgument"), NULL, PM_S3_FAILED, PM_BAD_INPUT, "400 InvalidArgument: m"},
        {PUT, XML("400 Bad Request", "XAmzContentSHA256Mismatch"), OK_ETAG("Content-Length: 0\r\n", ""), PM_S3_OK,
         PM_OK, NULL},
    };
    try_all(*state, cases, sizeof cases / sizeof cases[0]);
}

/* A maintenance page, an empty 200: believed, a message would be acknowledged whose rendition is nowhere. */
static void a_success_carries_the_sign_of_s3(void **state)
{
    static const Case cases[] = {
        {GET, OK_ETAG("Content-Length: 2\r\n", "hi"), NULL, PM_S3_OK, PM_OK, NULL},
        {GET, BARE("200 OK"), NULL, PM_S3_FAILED, PM_TRANSIENT,
         "s3 GetObject in bucket bucket: 200 without an ETag, so it is not S3 that answered"},
        {GET, PAGE("200 OK"), NULL, PM_S3_FAILED, PM_TRANSIENT, "without an ETag"},
        {GET, "HTTP/1.1 200 OK\r\nContent-Length: 120\r\n" END LONG, NULL, PM_S3_FAILED, PM_TRANSIENT,
         "a long answer without an ETag"},
        {GET, OK_ETAG("Content-Length: 120\r\n", LONG), NULL, PM_S3_FAILED, PM_LIMIT, "longer than allowed"},
        {HEAD, OK_ETAG("Content-Length: 2\r\n", ""), NULL, PM_S3_OK, PM_OK, NULL},
        {HEAD, BARE("200 OK"), NULL, PM_S3_FAILED, PM_TRANSIENT, "without an ETag"},
        {PUT, OK_ETAG("Content-Length: 0\r\n", ""), NULL, PM_S3_OK, PM_OK, NULL},
        {PUT, BARE("200 OK"), NULL, PM_S3_FAILED, PM_TRANSIENT, "s3 PutObject in bucket bucket: 200 without an ETag"},
        {PUT, BARE("204 No Content"), NULL, PM_S3_FAILED, PM_TRANSIENT, "204 without an ETag"},
        {TAGS, "HTTP/1.1 200 OK\r\n" END "<Tagging><TagSet/></Tagging>", NULL, PM_S3_OK, PM_OK, NULL},
        {TAGS, "HTTP/1.1 200 OK\r\n" END "<html><body>soon</body></html>", NULL, PM_S3_FAILED, PM_TRANSIENT,
         "the answer is html and not Tagging"},
        {TAGS, BARE("200 OK"), NULL, PM_S3_FAILED, PM_TRANSIENT, "the answer is no XML"},
        {LIST, "HTTP/1.1 200 OK\r\n" END "<html/>", NULL, PM_S3_FAILED, PM_TRANSIENT, "not ListBucketResult"},
    };
    try_all(*state, cases, sizeof cases / sizeof cases[0]);
}

static void an_error_names_its_argument(void **state)
{
    World *w = *state;
    call(w, PUT,
         "HTTP/1.1 400 No\r\n" END "<Error><Code>InvalidArgument</Code><ArgumentName>x-amz-acl</ArgumentName></Error>",
         NULL);
    assert_string_equal(w->argument, "x-amz-acl");
    call(w, PUT, "HTTP/1.1 501 No\r\n" END "<Error><Code>NotImplemented</Code><Header>If-Match</Header></Error>", NULL);
    assert_string_equal(w->argument, "If-Match");
    call(w, PUT, XML("400 No", "InvalidArgument"), NULL);
    assert_string_equal(w->argument, "");
}

static void every_operation_names_its_right(void **state)
{
    (void)state;
    const PmAwsOperation *operation;
    for (size_t i = 0; (operation = pm_aws_operation_at(i)) != NULL; i++) {
        size_t n = strlen(operation->service);
        assert_ptr_equal(pm_aws_operation(operation->service, operation->name), operation);
        assert_memory_equal(operation->action, operation->service, n);
        assert_int_equal(operation->action[n], ':');
    }
    assert_null(pm_aws_operation("sqs", "GetObject"));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(only_s3_says_that_an_object_is_missing), TEST(a_head_that_tells_nothing_is_asked_again_by_get),
        TEST(only_s3_says_that_a_condition_failed),   TEST(refusals_of_a_proxy_are_no_fault_of_the_object),
        TEST(a_success_carries_the_sign_of_s3),       TEST(an_error_names_its_argument),
        TEST(every_operation_names_its_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
