/* SPDX-License-Identifier: Apache-2.0
 *
 * Folders, files and lists of files, once for each allocation on the way, which fails: an error that can be tried
 * again, or everything as it should be. A file of the folder stays where it is or is set aside whole.
 */
#include "connectors/file/folders.h"
#include "failing.h"
#include "pipelines.h"

#include "base/ipc.h"
#include "base/log.h"
#include "connectors/file/stores.h"
#include "connectors/file/triggers.h"
#include "connectors/store.h"

enum { PATIENCE_MS = 60000, RUNS_MAX = 2000 };

typedef struct Scene {
    PmLoop *loop;
    PmHelper *helper;
    PmPipeline *pipeline;
    char *folder;
    size_t done, events, settled;
    PmError err;
    PmFateKind fate;
    PmTrigger *trigger;
} Scene;

static void on_late(void *data)
{
    (void)data;
    fail_msg("not within %d ms; the allocation that failed was asked for at %p", (int)PATIENCE_MS, failing_caller());
}

static void run(Scene *s)
{
    failing_pause();
    PmTimer *late = pm_loop_after(s->loop, PATIENCE_MS, on_late, NULL);
    failing_resume();
    pm_loop_run(s->loop);
    pm_loop_cancel(late);
}

static void start(Scene *s)
{
    PmError err = {0};
    *s = (Scene){.loop = pm_loop_new(&err), .folder = new_folder()};
    s->helper = pm_helper_new(s->loop, &err);
}

static void stop(Scene *s)
{
    pm_helper_free(s->helper);
    pm_loop_free(s->loop);
    pm_pipeline_free(s->pipeline);
    remove_folder(s->folder);
}

static void may_be_tried_again(const PmError *err)
{
    if (err->status != PM_OK && err->status != PM_TRANSIENT)
        fail_msg("%p: status %d, \"%s\"", failing_caller(), (int)err->status, err->message);
    if (err->status != PM_OK) assert_true(err->message[0] != '\0');
}

static void on_fetched(void *data, const PmFetched *fetched)
{
    Scene *s = data;
    s->done++;
    if (fetched->err != NULL) s->err = *fetched->err;
    if (fetched->outcome == PM_FETCHED) {
        assert_int_equal(fetched->size, 5);
        close(fetched->fd);
    }
    pm_loop_stop(s->loop);
}

static void reading_a_file(void **state)
{
    (void)state;
    for (size_t n = 1; n < RUNS_MAX; n++) {
        Scene s;
        start(&s);
        write_text(at(s.folder, "f"), "bytes");
        PmObject object = {.key = (char *)"f", .path = (char *)at(s.folder, "f"), .size = 5};
        failing_nth(n);
        PmSource *source = pm_source_file_new(s.helper, NULL, &s.err);
        PmSourceCall *call = source != NULL ? source->ops->get(source, &object, 100, on_fetched, &s, &s.err) : NULL;
        if (call != NULL) run(&s);
        bool failed = failing_stop();
        may_be_tried_again(&s.err);
        assert_int_equal(s.done, call != NULL);
        if (source != NULL) source->ops->free(source);
        stop(&s);
        if (!failed) {
            assert_int_equal(s.err.status, PM_OK);
            return;
        }
    }
    fail();
}

static void on_stored(void *data, const PmStored *stored)
{
    Scene *s = data;
    s->done++;
    if (stored->err != NULL) s->err = *stored->err;
    assert_int_equal(stored->outcome == PM_STORED, stored->err == NULL);
    pm_loop_stop(s->loop);
}

static void writing_a_file(void **state)
{
    (void)state;
    for (size_t n = 1; n < RUNS_MAX; n++) {
        Scene s;
        start(&s);
        PmObject source = {
            .bucket = (char *)"b", .key = (char *)"k", .etag = (char *)"e", .sequencer = (char *)"01", .time_ms = 5};
        PmStorePut put = {.key = "x/y/z.webp",
                          .key_prefix = "",
                          .bytes = "bytes",
                          .size = 5,
                          .output = "a",
                          .source = &source,
                          .digest = "d"};
        failing_nth(n);
        PmStore *store = pm_store_file_new(s.helper, s.folder, false, &s.err);
        PmStoreCall *call = store != NULL ? store->ops->put(store, &put, on_stored, &s, &s.err) : NULL;
        if (call != NULL) run(&s);
        bool failed = failing_stop();
        may_be_tried_again(&s.err);
        if (s.err.status == PM_OK) assert_string_equal(read_text(at(s.folder, "x/y/z.webp")), "bytes");
        /* Whole or not at all. */
        if (is_there(at(s.folder, "x/y/z.webp"))) assert_string_equal(read_text(at(s.folder, "x/y/z.webp")), "bytes");
        if (store != NULL) store->ops->free(store);
        stop(&s);
        if (!failed) {
            assert_int_equal(s.err.status, PM_OK);
            return;
        }
    }
    fail();
}

static void on_settled(void *data, const PmError *err)
{
    Scene *s = data;
    s->settled++;
    if (err != NULL) may_be_tried_again(err);
}

static void on_event(void *data, PmEvent *event)
{
    Scene *s = data;
    static const PmError reason = {.status = PM_BAD_INPUT, .message = "hopeless"};
    s->events++;
    s->trigger->ops->settle(s->trigger, event, &(PmFate){.kind = s->fate, .reason = &reason}, on_settled, s);
}

static void on_drained(void *data)
{
    pm_loop_stop(((Scene *)data)->loop);
}

static void on_failed(void *data, const PmError *err)
{
    Scene *s = data;
    s->err = *err;
    pm_loop_stop(s->loop);
}

/* done, failed, or still in the folder: one of the three. */
static bool folder_once(size_t n, PmFateKind fate, const char *settings, const char *aside)
{
    Scene s;
    char text[400];
    start(&s);
    s.fate = fate;
    assert_int_equal(mkdir(at(s.folder, "in"), 0755), 0);
    write_text(at(s.folder, "in/f"), "bytes");
    struct timespec old[2] = {{.tv_sec = 1000000}, {.tv_sec = 1000000}};
    utimensat(AT_FDCWD, at(s.folder, "in/f"), old, 0);
    snprintf(text, sizeof text,
             "version: 1\nname: p\ntrigger: { directory: { path: in%s } }\n"
             "outputs: { a: { to: { file: { path: \"out/{name}\" } } } }\n",
             settings);
    s.pipeline = read_pipeline(s.folder, text);
    PmTriggerSink sink = {.data = &s, .event = on_event, .drained = on_drained, .failed = on_failed};
    failing_nth(n);
    s.trigger = pm_trigger_directory_new(s.loop, s.helper, s.pipeline, "digest", true, &sink, &s.err);
    if (s.trigger != NULL) {
        s.trigger->ops->want(s.trigger, 4);
        if (s.err.status == PM_OK) run(&s);
    }
    bool failed = failing_stop();
    may_be_tried_again(&s.err);
    assert_int_equal(s.events, s.settled);
    bool here = is_there(at(s.folder, "in/f")), gone = is_there(at(s.folder, aside));
    if (here == gone && strcmp(aside, "in/f") != 0) fail_msg("%p: %d %d", failing_caller(), here, gone);
    if (gone) assert_string_equal(read_text(at(s.folder, aside)), "bytes");
    if (s.trigger != NULL) s.trigger->ops->free(s.trigger);
    stop(&s);
    return failed;
}

static void a_folder(void **state)
{
    (void)state;
    size_t n = 1;
    for (n = 1; n < RUNS_MAX && folder_once(n, PM_FATE_ACK, "", "in/done/f");) n++;
    assert_in_range(n, 10, RUNS_MAX - 1);
    for (n = 1; n < RUNS_MAX && folder_once(n, PM_FATE_DEAD, "", "in/failed/f");) n++;
    assert_in_range(n, 10, RUNS_MAX - 1);
    for (n = 1; n < RUNS_MAX && folder_once(n, PM_FATE_ACK, ", settle: keep", "in/f");) n++;
    assert_in_range(n, 10, RUNS_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_a_file),
        cmocka_unit_test(writing_a_file),
        cmocka_unit_test(a_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
