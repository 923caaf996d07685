/* SPDX-License-Identifier: Apache-2.0
 *
 * Which answers end a message, and which only mean another try.
 */
#include "connectors/aws/objects.h"

#include "connectors/aws/stores.h"
#include "connectors/source.h"
#include "connectors/stamp.h"

#define E         "\"0123456789abcdef0123456789abcde-2\""
#define GOT(more) "HTTP/1.1 200 OK\r\nETag: " E "\r\n" more "Content-Length: 5\r\n" END "12345"
#define HELLO     "5d41402abc4b2a76b9719d911017c592" /* MD5 */
#define MARKER                                                                    \
    "HTTP/1.1 404 No\r\nx-amz-request-id: 1\r\nx-amz-delete-marker: true\r\n" END \
    "<Error><Code>NoSuchKey</Code></Error>"

/* 1,200 bytes, where 1,000 are allowed */
#define HUNDRED "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define LARGE                                                                                                        \
    "HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: 1200\r\n" END HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED \
        HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED

typedef struct World {
    Objects objects;
    PmSource *source;
    PmFetchOutcome outcome;
    PmStatus status;
    int64_t size, modified_ms;
    bool ours;
    char message[800], version[64], sha256[65];
    int calls;
} World;

static int setup(void **state)
{
    World *w = calloc(1, sizeof *w);
    PmError err = {0};
    objects_start(&w->objects, "");
    w->source = pm_source_s3_new(w->objects.cloud, w->objects.pipeline->source.config, &err);
    assert_non_null(w->source);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    World *w = *state;
    w->source->ops->free(w->source);
    objects_stop(&w->objects);
    free(w);
    return 0;
}

static void on_fetched(void *data, const PmFetched *fetched)
{
    World *w = data;
    w->calls++;
    w->outcome = fetched->outcome;
    w->status = fetched->err != NULL ? fetched->err->status : PM_OK;
    w->size = fetched->size;
    w->modified_ms = fetched->modified_ms;
    w->ours = fetched->ours;
    snprintf(w->message, sizeof w->message, "%s", fetched->err != NULL ? fetched->err->message : "");
    snprintf(w->version, sizeof w->version, "%s", fetched->version_id != NULL ? fetched->version_id : "");
    snprintf(w->sha256, sizeof w->sha256, "%s", fetched->sha256 != NULL ? fetched->sha256 : "");
    if (fetched->fd >= 0) close(fetched->fd);
    pm_loop_stop(w->objects.loop);
}

static void fetch(World *w, const PmObject *object, const char *first, const char *second)
{
    PmError err = {0};
    objects_reset(&w->objects);
    stub_answer(&w->objects.stub, first);
    if (second != NULL) stub_answer(&w->objects.stub, second);
    w->calls = 0;
    assert_non_null(w->source->ops->get(w->source, object, 1000, on_fetched, w, &err));
    pm_loop_run(w->objects.loop);
    assert_int_equal(w->calls, 1);
    assert_string_equal(objects_asked(&w->objects), second != NULL ? "GET GET" : "GET");
}

static PmObject event(const char *version, int64_t size)
{
    return (PmObject){.bucket = (char *)"in",
                      .key = (char *)"k",
                      .etag = (char *)"0123456789abcdef0123456789abcde-2",
                      .version_id = (char *)version,
                      .size = size};
}

static void assert_ends(const World *w, PmFetchOutcome outcome, PmStatus status, const char *message)
{
    if (w->outcome != outcome || w->status != status || strstr(w->message, message) == NULL)
        fail_msg("outcome %d, status %d, \"%s\"", (int)w->outcome, (int)w->status, w->message);
}

static void what_is_gone(void **state)
{
    World *w = *state;
    PmObject object = event(NULL, 5);
    fetch(w, &object, XML("404 No", "NoSuchKey"), NULL);
    assert_ends(w, PM_FETCH_GONE, PM_OK, "");
    fetch(w, &object, XML("412 No", "PreconditionFailed"), NULL);
    assert_ends(w, PM_FETCH_GONE, PM_OK, "");
    fetch(w, &object, INGRESS, NULL);
    assert_ends(w, PM_FETCH_FAILED, PM_TRANSIENT, "404 without an error code of S3");
    fetch(w, &object, "HTTP/1.1 412 No\r\nContent-Length: 0\r\n" END, NULL);
    assert_ends(w, PM_FETCH_FAILED, PM_TRANSIENT, "412 without an error code of S3");
    fetch(w, &object, XML("404 No", "NoSuchBucket"), NULL);
    assert_ends(w, PM_FETCH_FAILED, PM_BAD_CONFIG, "NoSuchBucket");
}

static void what_came_is_compared_with_the_event(void **state)
{
    World *w = *state;
    PmObject object = event(NULL, 5);
    fetch(w, &object, GOT("Last-Modified: Tue, 24 Nov 2026 21:00:00 GMT\r\n"), NULL);
    assert_ends(w, PM_FETCHED, PM_OK, "");
    assert_int_equal(w->size, 5);
    assert_int_equal(w->modified_ms, 1795554000000);
    object.size = 10; /* halved, with a length to match and an ETag that is not an MD5 */
    fetch(w, &object, GOT(""), NULL);
    assert_ends(w, PM_FETCH_FAILED, PM_TRANSIENT, "5 bytes arrived of the 10 that the event names");
    fetch(w, &object, "HTTP/1.1 200 OK\r\nETag: " E "\r\nContent-Length: 0\r\n" END, NULL);
    assert_ends(w, PM_FETCH_FAILED, PM_TRANSIENT, "0 bytes arrived of the 10");
    fetch(w, &object, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" END, NULL);
    assert_ends(w, PM_FETCH_FAILED, PM_TRANSIENT, "without an ETag");
    for (int i = -1; i < 2; i++) { /* unknown, a sender that does not know, a smaller one: nothing is cut off */
        object.size = i;
        fetch(w, &object, GOT(""), NULL);
        assert_ends(w, PM_FETCHED, PM_OK, "");
    }
    fetch(w, &object, "HTTP/1.1 200 OK\r\nETag: \"other\"\r\nContent-Length: 5\r\n" END "12345", NULL);
    assert_ends(w, PM_FETCH_FAILED, PM_TRANSIENT, "asked for ETag 0123456789abcdef0123456789abcde-2, and other came");
    object.etag = (char *)HELLO;
    fetch(w, &object, "HTTP/1.1 200 OK\r\nETag: \"" HELLO "\"\r\nContent-Length: 5\r\n" END "hellO", NULL);
    assert_ends(w, PM_FETCH_FAILED, PM_TRANSIENT, "do not have the MD5");
    object.etag = (char *)"d41d8cd98f00b204e9800998ecf8427e";
    object.size = 0; /* empty it is: for the job to refuse */
    fetch(w, &object, "HTTP/1.1 200 OK\r\nETag: \"d41d8cd98f00b204e9800998ecf8427e\"\r\nContent-Length: 0\r\n" END,
          NULL);
    assert_ends(w, PM_FETCHED, PM_OK, "");
}

/* What arrived before an answer was cut off is no part of the object. */
static void digests_are_of_the_last_attempt(void **state)
{
    World *w = *state;
    PmObject object = event(NULL, 5);
    object.etag = (char *)HELLO;
    fetch(w, &object, "HTTP/1.1 200 OK\r\nETag: \"" HELLO "\"\r\nContent-Length: 5\r\n" END "hel",
          "HTTP/1.1 200 OK\r\nETag: \"" HELLO "\"\r\nContent-Length: 5\r\n" END "hello");
    assert_ends(w, PM_FETCHED, PM_OK, "");
    assert_string_equal(w->sha256, ""); /* nobody asked for it */
    w->source->sha256 = true;
    fetch(w, &object, "HTTP/1.1 200 OK\r\nETag: \"" HELLO "\"\r\nContent-Length: 5\r\n" END "hel",
          "HTTP/1.1 200 OK\r\nETag: \"" HELLO "\"\r\nContent-Length: 5\r\n" END "hello");
    assert_ends(w, PM_FETCHED, PM_OK, "");
    assert_string_equal(w->sha256, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
    object.etag = NULL; /* an event that names none: the answer's counts */
    fetch(w, &object, "HTTP/1.1 200 OK\r\nETag: \"" HELLO "\"\r\nContent-Length: 5\r\n" END "hellO", NULL);
    assert_ends(w, PM_FETCH_FAILED, PM_TRANSIENT, "do not have the MD5");
}

static void versions(void **state)
{
    World *w = *state;
    PmObject object = event("v1", 5);
    /* the current one is the event's: one request */
    fetch(w, &object, GOT("x-amz-version-id: v1\r\n"), NULL);
    assert_ends(w, PM_FETCHED, PM_OK, "");
    assert_true(objects_sent(&w->objects, 0, "If-Match: " E));
    assert_false(objects_sent(&w->objects, 0, "versionId"));
    /* deleted since: its bytes could still be had */
    fetch(w, &object, MARKER, NULL);
    assert_ends(w, PM_FETCH_GONE, PM_OK, "");
    /* there is a newer one, with other bytes or with the same */
    fetch(w, &object, XML("412 No", "PreconditionFailed"), GOT("x-amz-version-id: v1\r\n"));
    assert_ends(w, PM_FETCHED, PM_OK, "");
    assert_true(objects_sent(&w->objects, 1, "GET /in/k?versionId=v1 "));
    assert_false(objects_sent(&w->objects, 1, "If-Match"));
    fetch(w, &object, GOT("x-amz-version-id: v3\r\n"), GOT("x-amz-version-id: v1\r\n"));
    assert_ends(w, PM_FETCHED, PM_OK, "");
    assert_string_equal(w->version, "v1");
    fetch(w, &object, GOT("x-amz-version-id: v3\r\n"), GOT("x-amz-version-id: v2\r\n"));
    assert_ends(w, PM_FETCH_FAILED, PM_TRANSIENT, "asked for version v1, and v2 came");
    fetch(w, &object, XML("412 No", "PreconditionFailed"), XML("404 No", "NoSuchVersion"));
    assert_ends(w, PM_FETCH_GONE, PM_OK, "");
    /* the right may be for versions only */
    fetch(w, &object, XML("403 No", "AccessDenied"), GOT("x-amz-version-id: v1\r\n"));
    assert_ends(w, PM_FETCHED, PM_OK, "");
    fetch(w, &object, INGRESS, NULL);
    assert_ends(w, PM_FETCH_FAILED, PM_TRANSIENT, "not S3");
    /* some events name no ETag (radosgw, of an upload in parts) */
    object.etag = NULL;
    object.sequencer = (char *)"01";
    fetch(w, &object, GOT("x-amz-version-id: v1\r\n"), NULL);
    assert_ends(w, PM_FETCHED, PM_OK, "");
    assert_false(objects_sent(&w->objects, 0, "If-Match"));
    fetch(w, &object, MARKER, NULL);
    assert_ends(w, PM_FETCH_GONE, PM_OK, "");
    fetch(w, &object, GOT("x-amz-version-id: v3\r\n"), GOT("x-amz-version-id: v1\r\n"));
    assert_ends(w, PM_FETCHED, PM_OK, "");
    fetch(w, &object, GOT(""), GOT("x-amz-version-id: v1\r\n")); /* which one is this? */
    assert_ends(w, PM_FETCHED, PM_OK, "");
    fetch(w, &object, LARGE, GOT("x-amz-version-id: v1\r\n")); /* the newer one is above the limit */
    assert_ends(w, PM_FETCHED, PM_OK, "");
    object.sequencer = NULL;
    /* S3 Batch Operations: that very version, deleted or not */
    object.etag = NULL;
    fetch(w, &object, GOT("x-amz-version-id: v1\r\n"), NULL);
    assert_ends(w, PM_FETCHED, PM_OK, "");
    assert_true(objects_sent(&w->objects, 0, "GET /in/k?versionId=v1 "));
}

static void what_pixmill_wrote_is_no_source(void **state)
{
    World *w = *state;
    PmObject object = event(NULL, 5);
    char here[PM_STAMP_SOURCE_SIZE], elsewhere[PM_STAMP_SOURCE_SIZE], answer[600];
    fetch(w, &object, GOT("x-amz-meta-pixmill-digest: d\r\n"), NULL);
    assert_true(w->ours);
    /* what the quarantine holds, where it holds it; a copy made by somebody is an original again */
    pm_stamp_name("in", "k", here);
    pm_stamp_name("aside", "k", elsewhere);
    for (int i = 0; i < 2; i++) {
        snprintf(answer, sizeof answer,
                 "HTTP/1.1 200 OK\r\nETag: " E "\r\nx-amz-meta-pixmill-quarantine-digest: d\r\n"
                 "x-amz-meta-pixmill-quarantine-place: %s\r\nContent-Length: 5\r\n" END "12345",
                 i == 0 ? here : elsewhere);
        fetch(w, &object, answer, NULL);
        assert_int_equal(w->ours, i == 0);
    }
    fetch(w, &object, GOT(""), NULL);
    assert_false(w->ours);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_is_gone), TEST(what_came_is_compared_with_the_event), TEST(digests_are_of_the_last_attempt),
        TEST(versions),     TEST(what_pixmill_wrote_is_no_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
