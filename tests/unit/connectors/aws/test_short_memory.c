/* SPDX-License-Identifier: Apache-2.0
 *
 * S3 against a scripted service, once for each allocation of ours on the way, which fails: an
 * error that can be tried again, or everything as it should be.
 */
#include "failing.h"

#include "connectors/aws/objects.h"

#include "connectors/aws/stores.h"

enum { PATIENCE_MS = 60000, RUNS_MAX = 3000 };

#define GOT "HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: 5\r\n" END "12345"

typedef struct Scene {
    Objects objects;
    int calls;
    PmError err;
    bool refused;
} Scene;

static void on_late(void *data)
{
    (void)data;
    fail_msg("not within %d ms; the allocation that failed was asked for at %p", (int)PATIENCE_MS, failing_caller());
}

static void run(Scene *s)
{
    failing_pause();
    PmTimer *late = pm_loop_after(s->objects.loop, PATIENCE_MS, on_late, NULL);
    failing_resume();
    pm_loop_run(s->objects.loop);
    pm_loop_cancel(late);
}

static void may_be_tried_again(const PmError *err)
{
    if (err->status != PM_OK && err->status != PM_TRANSIENT)
        fail_msg("%p: status %d, \"%s\"", failing_caller(), (int)err->status, err->message);
    if (err->status != PM_OK) assert_true(err->message[0] != '\0');
}

static void start(Scene *s)
{
    memset(s, 0, sizeof *s);
    objects_start(&s->objects, "");
}

static void on_stored(void *data, const PmStored *stored)
{
    Scene *s = data;
    s->calls++;
    if (stored->err != NULL) s->err = *stored->err;
    pm_loop_stop(s->objects.loop);
}

static bool put_once(size_t n)
{
    static Scene s;
    start(&s);
    for (int i = 0; i < 6; i++) { /* it may look or put again */
        stub_answer(&s.objects.stub, NO_KEY);
        stub_answer(&s.objects.stub, DONE);
    }
    PmObject source = {
        .bucket = (char *)"in", .key = (char *)"k", .etag = (char *)"e", .sequencer = (char *)"01", .time_ms = 5};
    PmStorePut put = {.place = &s.objects.pipeline->outputs[0].to,
                      .key = "k",
                      .key_prefix = "",
                      .bytes = "bytes",
                      .size = 5,
                      .content_type = "image/jpeg",
                      .output = "a",
                      .source = &source,
                      .digest = "d"};
    failing_nth(n);
    PmStore *store = pm_store_s3_new(s.objects.loop, s.objects.cloud, NULL, &s.err);
    if (store != NULL) put.expected = store->ops->expect(store, &put);
    PmStoreCall *call = store != NULL ? store->ops->put(store, &put, on_stored, &s, &s.err) : NULL;
    if (call != NULL) run(&s);
    bool failed = failing_stop();
    may_be_tried_again(&s.err);
    assert_int_equal(s.calls, call != NULL);
    if (s.err.status == PM_OK) assert_non_null(strstr(objects_asked(&s.objects), "PUT"));
    if (store != NULL) store->ops->free(store);
    objects_stop(&s.objects);
    return failed;
}

static void storing(void **state)
{
    (void)state;
    size_t n = 1;
    while (n < RUNS_MAX && put_once(n)) n++;
    print_message("    %zu allocations\n", n - 1);
    assert_in_range(n, 10, RUNS_MAX - 1);
}

static void on_fetched(void *data, const PmFetched *fetched)
{
    Scene *s = data;
    s->calls++;
    if (fetched->err != NULL) s->err = *fetched->err;
    s->refused = fetched->outcome == PM_FETCH_GONE;
    if (fetched->outcome == PM_FETCHED) {
        assert_int_equal(fetched->size, 5);
        close(fetched->fd);
    }
    pm_loop_stop(s->objects.loop);
}

static bool get_once(size_t n)
{
    static Scene s;
    start(&s);
    for (int i = 0; i < 6; i++) stub_answer(&s.objects.stub, GOT);
    PmObject object = {.bucket = (char *)"in", .key = (char *)"k", .etag = (char *)"e", .size = 5};
    failing_nth(n);
    PmSource *source = pm_source_s3_new(s.objects.cloud, s.objects.pipeline->source.config, &s.err);
    PmSourceCall *call = source != NULL ? source->ops->get(source, &object, 1000, on_fetched, &s, &s.err) : NULL;
    if (call != NULL) run(&s);
    bool failed = failing_stop();
    may_be_tried_again(&s.err);
    assert_false(s.refused); /* it is there */
    assert_int_equal(s.calls, call != NULL);
    if (source != NULL) source->ops->free(source);
    objects_stop(&s.objects);
    return failed;
}

static void fetching(void **state)
{
    (void)state;
    size_t n = 1;
    while (n < RUNS_MAX && get_once(n)) n++;
    print_message("    %zu allocations\n", n - 1);
    assert_in_range(n, 10, RUNS_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(storing),
        cmocka_unit_test(fetching),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
