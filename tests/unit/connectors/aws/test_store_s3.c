/* SPDX-License-Identifier: Apache-2.0
 *
 * What the store makes of S3's answers: when it puts, under which condition, and when it looks again.
 */
#include "connectors/aws/objects.h"

#include "connectors/aws/stores.h"
#include "connectors/store.h"

#define TAKEN   XML("412 No", "PreconditionFailed")
#define REFUSED XML("400 No", "InvalidArgument")
#define STAMP(etag, sequencer)                                           \
    "x-amz-meta-pixmill-digest: d\r\nx-amz-meta-pixmill-src-etag: " etag \
    "\r\nx-amz-meta-pixmill-src-sequencer: " sequencer "\r\nx-amz-meta-pixmill-src-time: 5\r\n"

typedef struct World {
    Objects objects;
    PmStore *store;
    PmStoreOutcome outcome;
    PmStatus status;
    char message[800];
    int calls;
} World;

static World *make(const char *place)
{
    World *w = calloc(1, sizeof *w);
    PmError err = {0};
    objects_start(&w->objects, place);
    w->store = pm_store_s3_new(w->objects.loop, w->objects.cloud, w->objects.pipeline->source.config, &err);
    assert_non_null(w->store);
    return w;
}

static void unmake(World *w)
{
    w->store->ops->free(w->store);
    objects_stop(&w->objects);
    free(w);
}

static void on_stored(void *data, const PmStored *stored)
{
    World *w = data;
    w->calls++;
    w->outcome = stored->outcome;
    w->status = stored->err != NULL ? stored->err->status : PM_OK;
    snprintf(w->message, sizeof w->message, "%s", stored->err != NULL ? stored->err->message : "");
    pm_loop_stop(w->objects.loop);
}

static void ask(World *w, const PmObject *source, int output, PmStoreCall *expected, bool only_expects,
                PmStoreCall **call)
{
    const PmPipeline *pipeline = w->objects.pipeline;
    PmError err = {0};
    PmStorePut put = {.place = output < 0 ? &pipeline->quarantine : &pipeline->outputs[output].to,
                      .key = "k",
                      .key_prefix = "",
                      .bytes = "bytes",
                      .size = 5,
                      .content_type = "image/jpeg",
                      .output = "a",
                      .quarantine = output < 0,
                      .source = source,
                      .digest = "d",
                      .expected = expected};
    *call =
        only_expects ? w->store->ops->expect(w->store, &put) : w->store->ops->put(w->store, &put, on_stored, w, &err);
    assert_non_null(*call);
}

static PmObject version(const char *etag, const char *sequencer)
{
    return (PmObject){.bucket = (char *)"in",
                      .key = (char *)"k",
                      .etag = (char *)etag,
                      .sequencer = (char *)sequencer,
                      .time_ms = 5,
                      .size = 1};
}

static void prepare(World *w, const char *const *answers)
{
    objects_reset(&w->objects);
    while (*answers != NULL) stub_answer(&w->objects.stub, *answers++);
    w->calls = 0;
}

/* Stores one rendition of the source; `output` is an index, -1 the quarantine. The answers end with NULL. */
static void store(World *w, int output, const char *sequencer, const char *const *answers)
{
    PmObject source = version("e1", sequencer);
    PmStoreCall *call;
    prepare(w, answers);
    ask(w, &source, output, NULL, false, &call);
    pm_loop_run(w->objects.loop);
    assert_int_equal(w->calls, 1);
}

#define ANSWERS(...)      \
    (const char *const[]) \
    {                     \
        __VA_ARGS__, NULL \
    }

static void assert_went(const World *w, PmStoreOutcome outcome, PmStatus status, const char *asked)
{
    if (w->outcome != outcome || w->status != status || strcmp(objects_asked(&w->objects), asked) != 0)
        fail_msg("outcome %d, status %d, %s, \"%s\"", (int)w->outcome, (int)w->status, objects_asked(&w->objects),
                 w->message);
}

static void nothing_there(void **state)
{
    (void)state;
    World *w = make("");
    store(w, 0, "01", ANSWERS(NO_KEY, DONE));
    assert_went(w, PM_STORED, PM_OK, "HEAD PUT");
    assert_true(objects_sent(&w->objects, 1, "If-None-Match: *\r\n"));
    assert_true(objects_sent(&w->objects, 1, "x-amz-meta-pixmill-digest: d\r\n"));
    assert_true(objects_sent(&w->objects, 1, "x-amz-meta-pixmill-src-sequencer: 01\r\n"));
    assert_true(objects_sent(&w->objects, 1, "x-amz-meta-pixmill-src: "));
    assert_false(objects_sent(&w->objects, 1, "quarantine"));
    unmake(w);
}

static void a_page_of_a_load_balancer_is_not_believed(void **state)
{
    (void)state;
    World *w = make("");
    store(w, 0, "01", ANSWERS("HTTP/1.1 404 No\r\nContent-Length: 0\r\n" END, INGRESS));
    assert_went(w, PM_STORE_FAILED, PM_TRANSIENT, "HEAD GET");
    store(w, 0, "01", ANSWERS("HTTP/1.1 404 No\r\nContent-Length: 0\r\n" END, XML("404 No", "NoSuchKey"), DONE));
    assert_went(w, PM_STORED, PM_OK, "HEAD GET PUT");
    store(w, 0, "01", ANSWERS("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" END));
    assert_went(w, PM_STORE_FAILED, PM_TRANSIENT, "HEAD");
    store(w, 0, "01", ANSWERS(NO_KEY, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" END));
    assert_went(w, PM_STORE_FAILED, PM_TRANSIENT, "HEAD PUT");
    store(w, 0, "01", ANSWERS(NO_KEY, INGRESS));
    assert_went(w, PM_STORE_FAILED, PM_TRANSIENT, "HEAD PUT");
    unmake(w);
}

static void what_is_there_decides(void **state)
{
    (void)state;
    World *w = make("");
    store(w, 0, "03", ANSWERS(FOUND(STAMP("e1", "03"))));
    assert_went(w, PM_STORE_CURRENT, PM_OK, "HEAD");
    store(w, 0, "02", ANSWERS(FOUND(STAMP("e2", "03"))));
    assert_went(w, PM_STORE_STALE, PM_OK, "HEAD");
    store(w, 0, "03", ANSWERS(FOUND(STAMP("e1", "01")), DONE)); /* the same bytes, and a stamp that goes forward */
    assert_went(w, PM_STORED, PM_OK, "HEAD PUT");
    assert_true(objects_sent(&w->objects, 1, "If-Match: \"old\"\r\n"));
    assert_true(objects_sent(&w->objects, 1, "pixmill-src-sequencer: 03\r\n"));
    /* made by another pipeline, of the same version: an event without a sequencer keeps the one that is there */
    store(w, 0, NULL,
          ANSWERS(FOUND("x-amz-meta-pixmill-digest: x\r\nx-amz-meta-pixmill-src-etag: e1\r\n"
                        "x-amz-meta-pixmill-src-time: 9\r\nx-amz-meta-pixmill-src-sequencer: 07\r\n"),
                  DONE));
    assert_went(w, PM_STORED, PM_OK, "HEAD PUT");
    assert_true(objects_sent(&w->objects, 1, "pixmill-src-sequencer: 07\r\n"));
    assert_true(objects_sent(&w->objects, 1, "pixmill-src-time: 9\r\n"));
    unmake(w);
}

static void what_changes_meanwhile_is_looked_at_again(void **state)
{
    (void)state;
    World *w = make("");
    store(w, 0, "03", ANSWERS(NO_KEY, TAKEN, FOUND(STAMP("e1", "03"))));
    assert_went(w, PM_STORE_CURRENT, PM_OK, "HEAD PUT HEAD");
    /* deleted between the look and the put: If-Match is answered 404 */
    store(w, 0, "03", ANSWERS(FOUND(STAMP("e0", "01")), XML("404 No", "NoSuchKey"), NO_KEY, DONE));
    assert_went(w, PM_STORED, PM_OK, "HEAD PUT HEAD PUT");
    assert_true(objects_sent(&w->objects, 1, "If-Match: "));
    assert_true(objects_sent(&w->objects, 3, "If-None-Match: *"));
    store(w, 0, "03", ANSWERS(NO_KEY, XML("404 No", "NoSuchBucket")));
    assert_went(w, PM_STORE_FAILED, PM_BAD_CONFIG, "HEAD PUT");
    unmake(w);
}

static void on_soon(void *data)
{
    pm_loop_stop(data);
}

/* Uploads A, B, A: the third has the bytes of the first, so that the rendition's ETag stays while its stamp goes
 * forward. A put of B that looked before would still meet its condition: it waits its turn, and looks again. */
static void two_versions_at_one_key_take_turns(void **state)
{
    (void)state;
    World *w = make("");
    PmObject b = version("e2", "02"), a = version("e1", "03");
    PmStoreCall *calls[2];
    /* B is still computed: it has looked and found A's first version */
    prepare(w, ANSWERS(FOUND(STAMP("e1", "01")), FOUND(STAMP("e1", "01")), DONE, FOUND(STAMP("e1", "03"))));
    ask(w, &b, 0, NULL, true, &calls[0]);
    pm_loop_after(w->objects.loop, 300, on_soon, w->objects.loop);
    pm_loop_run(w->objects.loop);
    assert_string_equal(objects_asked(&w->objects), "HEAD");
    /* A's third is at it when B's bytes come */
    ask(w, &a, 0, NULL, false, &calls[1]);
    ask(w, &b, 0, calls[0], false, &calls[0]);
    pm_loop_run(w->objects.loop);
    assert_int_equal(w->calls, 1);
    assert_int_equal(w->outcome, PM_STORED);
    pm_loop_run(w->objects.loop);
    assert_int_equal(w->calls, 2);
    assert_went(w, PM_STORE_STALE, PM_OK, "HEAD HEAD PUT HEAD");

    /* Nobody else is at it: what exists is looked at once more, since the look may be old by now */
    prepare(w, ANSWERS(FOUND(STAMP("e1", "01")), FOUND(STAMP("e1", "03"))));
    ask(w, &b, 0, NULL, true, &calls[0]);
    pm_loop_after(w->objects.loop, 300, on_soon, w->objects.loop);
    pm_loop_run(w->objects.loop);
    ask(w, &b, 0, calls[0], false, &calls[0]);
    pm_loop_run(w->objects.loop);
    assert_went(w, PM_STORE_STALE, PM_OK, "HEAD HEAD");

    /* Who waits may be cancelled, and so may the one before */
    prepare(w, ANSWERS(FOUND(STAMP("e1", "03"))));
    PmStoreCall *third;
    ask(w, &a, 0, NULL, false, &calls[0]);
    ask(w, &b, 0, NULL, false, &calls[1]);
    ask(w, &b, 0, NULL, false, &third);
    pm_loop_after(w->objects.loop, 0, on_soon, w->objects.loop);
    pm_loop_run(w->objects.loop);
    w->store->ops->cancel(w->store, calls[1]);
    w->store->ops->cancel(w->store, calls[0]);
    pm_loop_run(w->objects.loop);
    assert_int_equal(w->calls, 1);
    assert_int_equal(w->outcome, PM_STORE_STALE);
    unmake(w);
}

static void conditions_are_given_up_for_one_bucket_and_only_when_they_were_the_reason(void **state)
{
    (void)state;
    World *w = make("");
    /* InvalidArgument for another reason: the same without a condition */
    store(w, 0, "03", ANSWERS(NO_KEY, REFUSED, NO_KEY, REFUSED));
    assert_went(w, PM_STORE_FAILED, PM_BAD_INPUT, "HEAD PUT HEAD PUT");
    assert_false(objects_sent(&w->objects, 3, "If-"));
    /* it names its argument, which is another */
    store(w, 0, "03",
          ANSWERS(NO_KEY, XML_BODY("400 No", "<Code>InvalidArgument</Code><ArgumentName>x-amz-acl</ArgumentName>")));
    assert_went(w, PM_STORE_FAILED, PM_BAD_INPUT, "HEAD PUT");
    /* and still nothing was learnt */
    store(w, 0, "03", ANSWERS(NO_KEY, DONE));
    assert_true(objects_sent(&w->objects, 1, "If-None-Match: *"));
    /* the trial looks once more first, since nothing guards its put */
    store(w, 0, "03", ANSWERS(NO_KEY, REFUSED, FOUND(STAMP("e9", "FF"))));
    assert_went(w, PM_STORE_STALE, PM_OK, "HEAD PUT HEAD");
    store(w, 0, "03", ANSWERS(NO_KEY, DONE));
    assert_true(objects_sent(&w->objects, 1, "If-None-Match: *"));
    /* a network that fails proves nothing either */
    store(w, 0, "03",
          ANSWERS(NO_KEY, XML_BODY("501 No", "<Code>NotImplemented</Code><Header>If-None-Match</Header>"), NO_KEY,
                  INGRESS));
    assert_went(w, PM_STORE_FAILED, PM_TRANSIENT, "HEAD PUT HEAD PUT");
    store(w, 0, "03", ANSWERS(NO_KEY, DONE));
    assert_true(objects_sent(&w->objects, 1, "If-None-Match: *"));
    /* that is what it does not know */
    store(w, 0, "03", ANSWERS(NO_KEY, REFUSED, NO_KEY, DONE));
    assert_went(w, PM_STORED, PM_OK, "HEAD PUT HEAD PUT");
    assert_false(objects_sent(&w->objects, 3, "If-"));
    store(w, 0, "03", ANSWERS(NO_KEY, DONE));
    assert_went(w, PM_STORED, PM_OK, "HEAD PUT");
    assert_false(objects_sent(&w->objects, 1, "If-"));
    /* of this bucket; the other one is as it was */
    store(w, 1, "03", ANSWERS(FOUND(STAMP("e9", "FF"))));
    assert_went(w, PM_STORE_STALE, PM_OK, "HEAD");
    store(w, 1, "03", ANSWERS(NO_KEY, TAKEN, FOUND(STAMP("e9", "FF"))));
    assert_went(w, PM_STORE_STALE, PM_OK, "HEAD PUT HEAD");
    assert_true(objects_sent(&w->objects, 1, "If-None-Match: *"));
    unmake(w);
}

static void a_rejected_original_has_a_mark_of_its_own(void **state)
{
    (void)state;
    World *w = make("");
    store(w, -1, "03", ANSWERS(NO_KEY, DONE));
    assert_went(w, PM_STORED, PM_OK, "HEAD PUT");
    assert_true(objects_sent(&w->objects, 1, "x-amz-meta-pixmill-quarantine-digest: d\r\n"));
    assert_true(objects_sent(&w->objects, 1, "x-amz-meta-pixmill-quarantine-place: "));
    assert_false(objects_sent(&w->objects, 1, "x-amz-meta-pixmill-digest"));
    store(w, -1, "03",
          ANSWERS(FOUND("x-amz-meta-pixmill-quarantine-digest: d\r\nx-amz-meta-pixmill-src-etag: e1\r\n"
                        "x-amz-meta-pixmill-src-sequencer: 03\r\n")));
    assert_went(w, PM_STORE_CURRENT, PM_OK, "HEAD");
    store(w, -1, "02",
          ANSWERS(FOUND("x-amz-meta-pixmill-quarantine-digest: d\r\nx-amz-meta-pixmill-src-etag: e2\r\n"
                        "x-amz-meta-pixmill-src-sequencer: 03\r\n")));
    assert_went(w, PM_STORE_STALE, PM_OK, "HEAD");
    unmake(w);
}

/* What was to be copied cannot be had any more: not without it, but once more. */
static void a_source_that_goes_away_meanwhile(void **state)
{
    (void)state;
    World *w = make(", copy_metadata: true, copy_tags: true");
    store(w, 0, "03", ANSWERS(NO_KEY));
    assert_went(w, PM_STORE_FAILED, PM_TRANSIENT, "HEAD");
    store(w, 0, "03", ANSWERS(FOUND("x-amz-meta-by: anna\r\n"), XML("404 No", "NoSuchKey")));
    assert_went(w, PM_STORE_FAILED, PM_TRANSIENT, "HEAD GET");
    store(w, 0, "03",
          ANSWERS(FOUND("x-amz-meta-by: anna\r\nx-amz-meta-pixmill-quarantine-digest: d\r\n"),
                  "HTTP/1.1 200 OK\r\n" END
                  "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>",
                  NO_KEY, DONE));
    assert_went(w, PM_STORED, PM_OK, "HEAD GET HEAD PUT");
    assert_true(objects_sent(&w->objects, 3, "x-amz-meta-by: anna\r\n"));
    assert_true(objects_sent(&w->objects, 3, "x-amz-tagging: k=v\r\n"));
    assert_false(objects_sent(&w->objects, 3, "quarantine"));
    unmake(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_there),
        cmocka_unit_test(a_page_of_a_load_balancer_is_not_believed),
        cmocka_unit_test(what_is_there_decides),
        cmocka_unit_test(what_changes_meanwhile_is_looked_at_again),
        cmocka_unit_test(two_versions_at_one_key_take_turns),
        cmocka_unit_test(conditions_are_given_up_for_one_bucket_and_only_when_they_were_the_reason),
        cmocka_unit_test(a_rejected_original_has_a_mark_of_its_own),
        cmocka_unit_test(a_source_that_goes_away_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
