/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of jobs and deliveries put in the place of everything around them: a trigger, a source, a store, a
 * notifier and a pool of workers, all on the test's loop, without processes, files or sockets. What they are told to
 * do they do in the loop's next turn.
 */
#ifndef PM_TESTS_SESSION_STANDINS_H
#define PM_TESTS_SESSION_STANDINS_H

#include "pipelines.h"

#include <unistd.h>

#include "base/clock.h"
#include "failing.h"
#include "session/claims.h"
#include "session/delivery.h"

enum { CALLS_MAX = 64, PATIENCE_MS = 60000 };

typedef struct Standins Standins;

/* A call to a stand-in that is under way. */
typedef struct Call {
    Standins *s;
    PmTimer *timer;
    int number;   /* of its kind, from 0 */
    bool expects; /* a look before a put */
    char key[200], output[32];
    PmSourceDone *fetched;
    PmStoreDone *stored;
    PmNotified *notified;
    PmPoolJobSink worker;
    void (*settled)(void *data, const PmError *err);
    void *data;
    PmEvent *event;
} Call;

/* How the n-th call of that kind ends: NULL as it should, else with this error. */
typedef const PmError *Script(Standins *s, int number);

struct Standins {
    PmLoop *loop;
    PmPipeline *pipeline;
    PmRunContext run;
    PmTrigger trigger;
    PmSource source;
    PmStore store;
    PmNotifier notifier;
    PmSessionOptions options;
    PmSessionSummary summary;
    PmDeliveries *deliveries;
    size_t workers, busy; /* of the pool */
    Call calls[CALLS_MAX];
    Script *fetch_script, *work_script, *store_script, *notify_script;
    PmFetchOutcome fetch_outcome;
    /* what was asked for */
    int fetches, works, puts, looks, notices, cancelled;
    size_t facts; /* of the last job given to a worker */
    char stored[CALLS_MAX][200];
    size_t stored_count;
    char record[8192];
    /* what became of the event */
    int settled, more, gave_up;
    PmFate fate;
    PmError reason;
    size_t results;
    PmFateKind result_fate;
};

static Standins *standins; /* the pool's, which is no table of functions */

/* --- calls --- */

static inline void call_end(Call *call)
{
    *call = (Call){0};
}

static inline Call *call_begin(Standins *s, PmTimerCallback *turn, int number)
{
    size_t i = 0;
    while (i < CALLS_MAX && s->calls[i].s != NULL) i++;
    assert_in_range(i, 0, CALLS_MAX - 1);
    s->calls[i] = (Call){.s = s, .number = number};
    failing_pause();
    s->calls[i].timer = pm_loop_after(s->loop, 0, turn, &s->calls[i]);
    failing_resume();
    assert_non_null(s->calls[i].timer);
    return &s->calls[i];
}

static inline void call_cancel(Call *call)
{
    call->s->cancelled++;
    pm_loop_cancel(call->timer);
    call_end(call);
}

/* --- the source --- */

static const char source_sha256[] = "2cea274d0bedc39ec4ab6ba9e59ec889e3ed6fb56a1cf088a64d9b383378dc97";

static inline void source_turn(void *data)
{
    Call call = *(Call *)data;
    Standins *s = call.s;
    call_end(data);
    const PmError *err = s->fetch_script != NULL ? s->fetch_script(s, call.number) : NULL;
    PmError none = {0};
    PmFetched fetched = {.outcome = err != NULL ? PM_FETCH_FAILED : s->fetch_outcome, .fd = -1, .err = err};
    fetched.etag = "e-delivered";
    fetched.sha256 = source_sha256; /* of "picture" */
    if (fetched.outcome == PM_FETCHED) fetched.fd = pm_memfd_new("source", "picture", 7, &none);
    call.fetched(call.data, &fetched);
}

static inline PmSourceCall *source_get(PmSource *source, const PmObject *object, int64_t max, PmSourceDone *done,
                                       void *data, PmError *err)
{
    (void)source, (void)object, (void)max, (void)err;
    Call *call = call_begin(standins, source_turn, standins->fetches++);
    call->fetched = done;
    call->data = data;
    return (PmSourceCall *)call;
}

static inline void source_cancel(PmSource *source, PmSourceCall *call)
{
    (void)source;
    call_cancel((Call *)call);
}

static inline void source_name(const PmSource *source, const PmObject *object, char *out, size_t size)
{
    (void)source, (void)object;
    snprintf(out, size, "standin:source");
}

static const PmSourceOps source_ops = {.get = source_get, .cancel = source_cancel, .name = source_name};

/* --- the store --- */

static inline void store_turn(void *data)
{
    Call call = *(Call *)data;
    Standins *s = call.s;
    if (call.expects) { /* has looked, and waits for its put */
        ((Call *)data)->timer = NULL;
        return;
    }
    call_end(data);
    const PmError *err = s->store_script != NULL ? s->store_script(s, call.number) : NULL;
    PmStored stored = {.outcome = err != NULL ? PM_STORE_FAILED : PM_STORED, .location = call.key, .err = err};
    if (err == NULL) snprintf(s->stored[s->stored_count++], sizeof s->stored[0], "%s", call.key);
    call.stored(call.data, &stored);
}

static inline PmStoreCall *store_expect(PmStore *store, const PmStorePut *put)
{
    (void)store, (void)put;
    Call *call = call_begin(standins, store_turn, standins->looks++);
    call->expects = true;
    return (PmStoreCall *)call;
}

static inline PmStoreCall *store_put(PmStore *store, const PmStorePut *put, PmStoreDone *done, void *data, PmError *err)
{
    (void)store, (void)err;
    Call *call = (Call *)put->expected;
    if (call != NULL) {
        pm_loop_cancel(call->timer);
        call_end(call);
    }
    call = call_begin(standins, store_turn, standins->puts++);
    snprintf(call->key, sizeof call->key, "%s", put->key);
    call->stored = done;
    call->data = data;
    return (PmStoreCall *)call;
}

static inline void store_cancel(PmStore *store, PmStoreCall *call)
{
    (void)store;
    call_cancel((Call *)call);
}

static inline char *store_locate(const PmStore *store, const PmPlace *place, const char *key)
{
    (void)store, (void)place;
    return strdup(key);
}

static inline void store_name(const PmStore *store, const PmPlace *place, char *out, size_t size)
{
    (void)store, (void)place;
    snprintf(out, size, "standin:store");
}

static const PmStoreOps store_ops = {
    .put = store_put, .expect = store_expect, .cancel = store_cancel, .locate = store_locate, .name = store_name};

/* --- the notifier --- */

static inline void notifier_turn(void *data)
{
    Call call = *(Call *)data;
    call_end(data);
    call.notified(call.data, call.s->notify_script != NULL ? call.s->notify_script(call.s, call.number) : NULL);
}

static inline PmNotifierCall *notifier_send(PmNotifier *notifier, const PmObject *object, const char *record,
                                            PmNotified *done, void *data, PmError *err)
{
    (void)notifier, (void)object, (void)err;
    Call *call = call_begin(standins, notifier_turn, standins->notices++);
    snprintf(standins->record, sizeof standins->record, "%s", record);
    call->notified = done;
    call->data = data;
    return (PmNotifierCall *)call;
}

static inline void notifier_cancel(PmNotifier *notifier, PmNotifierCall *call)
{
    (void)notifier;
    call_cancel((Call *)call);
}

static const PmNotifierOps notifier_ops = {.send = notifier_send, .cancel = notifier_cancel};

/* --- the trigger --- */

static inline void settle_turn(void *data)
{
    Call call = *(Call *)data;
    call_end(data);
    call.settled(call.data, NULL);
}

static inline void trigger_settle(PmTrigger *trigger, PmEvent *event, const PmFate *fate,
                                  void (*done)(void *data, const PmError *err), void *data)
{
    (void)trigger;
    Call *call = call_begin(standins, settle_turn, standins->settled++);
    standins->fate = *fate;
    standins->reason = fate->reason != NULL ? *fate->reason : (PmError){0};
    call->settled = done;
    call->data = data;
    call->event = event;
}

static const PmTriggerOps trigger_ops = {.settle = trigger_settle};

/* --- the pool --- */

static inline void pool_turn(void *data)
{
    Call call = *(Call *)data;
    Standins *s = call.s;
    call_end(data);
    s->busy--;
    const PmError *err = s->work_script != NULL ? s->work_script(s, call.number) : NULL;
    PmPoolReport report = {.error = err != NULL ? *err : (PmError){0}, .rejected_as = PM_ON_REJECT_QUARANTINE};
    failing_pause();
    json_t *facts = json_pack("{ss ss ss ss ss}", "format", "jpeg", "width", "4", "height", "3", "pages", "1", "shape",
                              "landscape");
    json_t *of_steps = json_pack("{ss}", "look.score", "0.5");
    failing_resume();
    for (size_t i = 0; err == NULL && i < s->pipeline->output_count; i++) {
        PmPoolOutput out = {.output = &s->pipeline->outputs[i],
                            .format = "webp",
                            .mime = "image/webp",
                            .extension = "webp",
                            .width = 4,
                            .height = 3,
                            .pages = 1,
                            .facts = of_steps};
        PmError none = {0};
        int fd = pm_memfd_new("rendition", "made", 4, &none);
        assert_true(fd >= 0);
        call.worker.begins(call.worker.data, &out);
        assert_int_equal(pm_memfd_map(fd, 4, &out.bytes, &none), PM_OK);
        close(fd);
        call.worker.output(call.worker.data, &out);
    }
    report.facts = facts;
    call.worker.done(call.worker.data, &report);
    json_decref(facts);
    json_decref(of_steps);
    if (s->deliveries != NULL) pm_deliveries_work(s->deliveries);
}

PmWorkerJob *pm_pool_run(PmPool *pool, const PmPoolJob *job, const PmPoolJobSink *sink, PmError *err)
{
    (void)pool;
    Standins *s = standins;
    if (s->busy == s->workers) {
        pm_error_set(err, PM_TRANSIENT, "no worker is free");
        return NULL;
    }
    s->busy++;
    s->facts = json_object_size(job->facts);
    Call *call = call_begin(s, pool_turn, s->works++);
    call->worker = *sink;
    return (PmWorkerJob *)call;
}

void pm_pool_abandon(PmWorkerJob *job)
{
    if (job == NULL) return;
    call_cancel((Call *)job);
    standins->busy--;
}

size_t pm_pool_size(const PmPool *pool)
{
    (void)pool;
    return standins->workers;
}

size_t pm_pool_idle(const PmPool *pool)
{
    (void)pool;
    return standins->workers - standins->busy;
}

/* --- all of it --- */

static inline void standins_more(void *data)
{
    Standins *s = data;
    s->more++;
    if (s->deliveries != NULL && pm_deliveries_are_done(s->deliveries)) pm_loop_stop(s->loop);
}

static inline void standins_gave_up(void *data, const char *failing)
{
    (void)failing;
    ((Standins *)data)->gave_up++;
}

static inline void standins_start(Standins *s, const char *text)
{
    PmError err = {0};
    *s = (Standins){.loop = pm_loop_new(&err), .pipeline = read_pipeline("/", text), .workers = 1};
    standins = s;
    s->source.ops = &source_ops;
    s->store.ops = &store_ops;
    s->notifier = (PmNotifier){.ops = &notifier_ops, .name = "standin:notifier"};
    s->trigger.ops = &trigger_ops;
    s->run = (PmRunContext){.context = {.loop = s->loop, .pipeline = s->pipeline, .digest = "digest"},
                            .source = &s->source,
                            .everything = &s->store};
}

static inline void standins_stop(Standins *s)
{
    for (size_t i = 0; i < CALLS_MAX; i++)
        if (s->calls[i].s != NULL) fail_msg("a call is left: number %d", s->calls[i].number);
    pm_claims_free(s->run.claims);
    pm_loop_free(s->loop);
    pm_pipeline_free(s->pipeline);
}

static inline void standins_late(void *data)
{
    (void)data;
    fail_msg("not within %d ms; the allocation that failed was asked for at %p", (int)PATIENCE_MS, failing_caller());
}

static inline void standins_run(Standins *s)
{
    failing_pause();
    PmTimer *late = pm_loop_after(s->loop, PATIENCE_MS, standins_late, s);
    failing_resume();
    pm_loop_run(s->loop);
    pm_loop_cancel(late);
}

#endif
