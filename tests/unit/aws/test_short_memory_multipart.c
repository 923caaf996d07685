/* SPDX-License-Identifier: Apache-2.0
 *
 * A put in parts, once for each allocation of ours on the way, which fails: an error that is tried again, with nothing
 * left in the store, or the whole object.
 */
#include "failing.h"

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
#define ABORTED ANSWER("204 No Content", "", 0, "")

enum { SIZE = 12, PATIENCE_MS = 60000, RUNS_MAX = 3000 };

typedef struct Scene {
    PmLoop *loop;
    Peer peer;
    int creates, parts, completes, aborts, calls;
    PmError err;
    PmS3Outcome outcome;
    char etag[64];
} Scene;

static const char *play(void *data, const char *head)
{
    Scene *s = data;
    if (strncmp(head, "POST /bucket/k?uploads", 22) == 0) return s->creates++, CREATED;
    if (strncmp(head, "PUT ", 4) == 0) return s->parts++, PART;
    if (strncmp(head, "POST ", 5) == 0) return s->completes++, COMPLETED;
    if (strncmp(head, "DELETE ", 7) == 0) return s->aborts++, ABORTED;
    return ANSWER("404 Not Found", "", 0, "");
}

static void on_put(void *data, const PmS3Result *result)
{
    Scene *s = data;
    s->calls++;
    s->outcome = result->outcome;
    if (result->err != NULL) s->err = *result->err;
    snprintf(s->etag, sizeof s->etag, "%s", result->object.etag != NULL ? result->object.etag : "");
    pm_loop_stop(s->loop);
}

static void on_late(void *data)
{
    (void)data;
    fail_msg("not within %d ms; the allocation that failed was asked for at %p", (int)PATIENCE_MS, failing_caller());
}

static bool put_once(size_t n)
{
    static const PmNameValue pairs[] = {{"src-etag", "e1"}};
    static Scene s;
    PmError err = {0};
    memset(&s, 0, sizeof s);
    s.loop = pm_loop_new(&err);
    PmHttp *http = pm_http_new(s.loop, NULL, &err);
    PmCredentials *credentials = pm_credentials_fixed("AKID", "SECRET", NULL);
    PmAwsClient *client = pm_aws_client_new(s.loop, http, credentials);
    peer_start(&s.peer, s.loop);
    s.peer.other = play;
    s.peer.data = &s;
    PmS3 *s3 =
        pm_s3_new(s.loop, client, &(PmS3Options){.endpoint_url = s.peer.origin, .multipart_threshold = 10}, &err);
    assert_non_null(s3);
    PmS3Put put = {.bucket = "bucket",
                   .key = "k",
                   .bytes = "twelve bytes",
                   .size = SIZE,
                   .if_match = "old",
                   .metadata = pairs,
                   .metadata_count = 1};
    PmTimer *late = pm_loop_after(s.loop, PATIENCE_MS, on_late, NULL);
    failing_nth(n);
    PmS3Call *call = pm_s3_put(s3, &put, on_put, &s, &s.err);
    if (call != NULL) pm_loop_run(s.loop);
    bool failed = failing_stop();
    assert_int_equal(s.calls, call != NULL);
    if (s.err.status == PM_OK) {
        assert_int_equal(s.outcome, PM_S3_OK);
        assert_string_equal(s.etag, "e-1");
        assert_in_range(s.completes, 1, 3);
        assert_int_equal(s.aborts, 0);
    } else {
        if (s.err.status != PM_TRANSIENT)
            fail_msg("%p: status %d, \"%s\"", failing_caller(), (int)s.err.status, s.err.message);
        if (s.parts > 0) assert_int_not_equal(s.aborts, 0);
    }
    pm_loop_cancel(late);
    pm_s3_free(s3);
    pm_aws_client_free(client);
    pm_credentials_free(credentials);
    pm_http_free(http);
    peer_stop(&s.peer);
    pm_loop_free(s.loop);
    return failed;
}

static void an_upload_in_parts(void **state)
{
    (void)state;
    size_t n = 1;
    while (n < RUNS_MAX && put_once(n)) n++;
    print_message("    %zu allocations\n", n - 1);
    assert_in_range(n, 30, RUNS_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_upload_in_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
