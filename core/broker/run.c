/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/run.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "base/text.h"
#include "broker/fate.h"
#include "broker/job.h"
#include "broker/notify.h"
#include "broker/world.h"

enum { PREFETCH = 8, BUDGET_FILES = 4, GRACE_MS = 20000, SETTLE_MS = 5000 };

typedef struct Flight Flight;

/* One object of an event: waits for room, is fetched, waits for a worker, is worked on. */
typedef struct Passenger {
    Flight *flight;
    PmImageJob *job;
    PmNotice *notice;       /* the record of its end is on its way */
    struct Passenger *next; /* in the queue it stands in */
    const PmObject *object;
    int64_t bytes; /* of the budget, once it has begun */
    bool left;
} Passenger;

typedef struct Queue {
    Passenger *first, *last;
} Queue;

/* An event under way. */
struct Flight {
    struct Run *run;
    Flight *previous, *next;
    PmEvent *event;
    size_t open;
    bool decided;
    PmFateKind fate;
    PmError reason;
    const PmObject *object; /* that decided it */
    char tag[160];
    Passenger passengers[];
};

typedef struct Run {
    PmLoop *loop;
    const PmRunOptions *options;
    PmRunSummary *summary;
    PmErrorList *errors;
    PmError *err;
    PmJobWorld world;
    PmTrigger *trigger;
    PmNotifier *notifier; /* or NULL */
    Flight *flights;
    Queue waiting;   /* for room to be fetched */
    Queue fetched;   /* for a worker */
    size_t objects;  /* of all flights */
    size_t begun;    /* of these, those with a job */
    int64_t bytes;   /* of theirs, as far as is known */
    size_t settling; /* events whose end is under way: the trigger has not said `done` */
    PmTimer *grace;
    char digest[80];
    bool ready, dry, stopping;
    bool beginning; /* begin_waiting is at it */
} Run;

/* --- fates --- */

static PmFateKind fate_of(const Flight *flight, const PmError *err, PmFateKind inspected)
{
    const Run *run = flight->run;
    return pm_fate_of(run->world.pipeline, err != NULL ? err->status : PM_OK, inspected, flight->event->attempt,
                      run->trigger->redrives);
}

static void decide(Flight *flight, PmFateKind kind, const PmError *reason, const PmObject *object, const char *tag)
{
    if (flight->decided && !pm_fate_worse(kind, flight->fate)) return;
    flight->decided = true;
    flight->fate = kind;
    flight->object = object;
    flight->reason = reason != NULL ? *reason : (PmError){0};
    pm_text_copy(flight->tag, sizeof flight->tag, tag != NULL ? tag : "");
}

static void ask_for_more(Run *run);
static void maybe_stop(Run *run);

static void on_settled(void *data, const PmError *err)
{
    Run *run = data;
    PM_CRASH_POINT("run.settled");
    if (err != NULL) {
        char text[1600];
        pm_error_format(err, text, sizeof text);
        pm_log(PM_LOG_ERROR, "settle.failed", "msg", text, NULL);
    }
    run->settling--;
    maybe_stop(run);
}

static void settle_event(Run *run, PmEvent *event, const PmFate *fate)
{
    run->settling++;
    PM_CRASH_POINT("run.settle_next");
    event->trigger->ops->settle(event->trigger, event, fate, on_settled, run);
}

static void settle(Flight *flight)
{
    Run *run = flight->run;
    PmEvent *event = flight->event;
    PmFate fate = {.kind = flight->fate,
                   .delay_ms =
                       flight->fate == PM_FATE_RETRY ? pm_fate_backoff_ms(run->world.pipeline, event->attempt) : 0,
                   .reason = flight->reason.status != PM_OK ? &flight->reason : NULL,
                   .object = flight->object,
                   .tag = flight->tag[0] != '\0' ? flight->tag : NULL};
    if (run->stopping && fate.kind == PM_FATE_RETRY) fate.kind = PM_FATE_RELEASE;
    settle_event(run, event, &fate);
    if (flight->previous != NULL)
        flight->previous->next = flight->next;
    else
        run->flights = flight->next;
    if (flight->next != NULL) flight->next->previous = flight->previous;
    free(flight);
    ask_for_more(run);
    maybe_stop(run);
}

static void begin_waiting(Run *run);

static void leave(Passenger *passenger)
{
    Flight *flight = passenger->flight;
    Run *run = flight->run;
    pm_notice_cancel(passenger->notice);
    passenger->notice = NULL;
    if (passenger->job != NULL) {
        pm_job_free(passenger->job);
        passenger->job = NULL;
        run->begun--;
        run->bytes -= passenger->bytes;
    }
    passenger->left = true;
    run->objects--;
    if (--flight->open == 0) settle(flight);
    begin_waiting(run);
}

static void join(Queue *queue, Passenger *passenger)
{
    passenger->next = NULL;
    if (queue->last != NULL)
        queue->last->next = passenger;
    else
        queue->first = passenger;
    queue->last = passenger;
}

static Passenger *first_out(Queue *queue)
{
    Passenger *passenger = queue->first;
    if (passenger == NULL) return NULL;
    queue->first = passenger->next;
    if (queue->first == NULL) queue->last = NULL;
    passenger->next = NULL;
    return passenger;
}

/* --- jobs --- */

static void count_result(PmRunSummary *summary, const PmJobResult *result, PmFateKind fate)
{
    summary->bytes_in += result->source_size;
    for (size_t i = 0; i < json_array_size(result->outputs); i++) {
        const json_t *entry = json_array_get(result->outputs, i);
        const char *stored = json_string_value(json_object_get(entry, "stored"));
        if (stored == NULL || strcmp(stored, "stored") != 0) continue;
        summary->outputs++;
        summary->bytes_out += json_integer_value(json_object_get(entry, "size"));
    }
    if (fate == PM_FATE_RETRY)
        summary->retried++;
    else if (result->skipped != NULL)
        summary->skipped++;
    else if (result->error == NULL)
        summary->done++;
    else if (result->error->status == PM_REJECTED)
        summary->rejected++;
    else
        summary->failed++;
}

static void not_notified(Passenger *passenger, const PmError *err)
{
    Flight *flight = passenger->flight;
    char text[1200];
    pm_error_format(err, text, sizeof text);
    pm_log(PM_LOG_ERROR, "notify.failed", "msg", text, NULL);
    decide(flight, fate_of(flight, err, PM_FATE_DEAD), err, passenger->object, NULL);
}

/* Told or not, it has ended; but when it could not be told, the event comes again, and finds everything done. */
static void on_notified(void *data, const PmError *err)
{
    Passenger *passenger = data;
    passenger->notice = NULL;
    if (err != NULL) not_notified(passenger, err);
    leave(passenger);
}

/* False: there is nothing to wait for. */
static bool notify(Passenger *passenger, const PmJobResult *result)
{
    Run *run = passenger->flight->run;
    if (run->notifier == NULL || result->fate == PM_FATE_RETRY || result->fate == PM_FATE_RELEASE) return false;
    PmError err = {0};
    passenger->notice = pm_notice_start(run->notifier, result, on_notified, passenger, &err);
    if (passenger->notice == NULL) not_notified(passenger, &err);
    return passenger->notice != NULL;
}

static void end_object(Passenger *passenger, PmJobResult *result, const char *crash)
{
    Flight *flight = passenger->flight;
    Run *run = flight->run;
    result->fate = fate_of(flight, result->error, result->fate);
    if (run->stopping && result->fate == PM_FATE_RETRY) result->fate = PM_FATE_RELEASE;
    count_result(run->summary, result, result->fate);
    if (run->trigger->ops->result != NULL) run->trigger->ops->result(run->trigger, flight->event, result);
    if (run->options->result != NULL) run->options->result(run->options->data, result);
    decide(flight, result->fate, result->error, result->object, crash);
    if (!notify(passenger, result)) leave(passenger);
}

static void on_done(void *data, PmImageJob *job)
{
    PmJobResult result = *pm_job_result(job);
    end_object(data, &result, pm_job_crash(job));
}

/* It could not even begin: too large by what the event says, for one. */
static void refuse_object(Passenger *passenger, const PmError *err)
{
    PmJobResult result = {.object = passenger->object, .error = err, .attempt = passenger->flight->event->attempt};
    end_object(passenger, &result, NULL);
}

static void dispatch(Run *run)
{
    while (run->fetched.first != NULL && pm_pool_idle(run->world.pool) > 0) {
        size_t idle = pm_pool_idle(run->world.pool);
        PmError err = {0};
        if (pm_job_work(run->fetched.first->job, &err) != PM_OK) {
            /* That worker has died and nobody knew: the next one. */
            if (pm_pool_idle(run->world.pool) < idle) continue;
            pm_log(PM_LOG_ERROR, "job.start", "msg", err.message, NULL);
            return;
        }
        first_out(&run->fetched);
    }
}

static void on_fetched(void *data, PmImageJob *job)
{
    Passenger *passenger = data;
    Run *run = passenger->flight->run;
    (void)job;
    join(&run->fetched, passenger);
    dispatch(run);
}

static size_t room_for_jobs(const Run *run)
{
    return pm_pool_size(run->world.pool) + PREFETCH;
}

/* Sources wait in memory: as many bytes as some of the largest allowed, whatever the count. One is always let in. */
static bool fits_budget(const Run *run, int64_t bytes)
{
    return run->begun == 0 || run->bytes + bytes <= BUDGET_FILES * run->world.pipeline->limits.file_size;
}

static void begin_waiting(Run *run)
{
    if (run->beginning) return;
    run->beginning = true;
    while (!run->stopping && run->waiting.first != NULL && run->begun < room_for_jobs(run)) {
        Passenger *passenger = run->waiting.first;
        int64_t max = run->world.pipeline->limits.file_size, size = passenger->object->size;
        int64_t bytes = size >= 0 && size < max ? size : max;
        if (!fits_budget(run, bytes)) break;
        first_out(&run->waiting);
        PmJobSink sink = {.data = passenger, .ready = on_fetched, .done = on_done};
        PmError err = {0};
        passenger->job = pm_job_new(&run->world, passenger->object, passenger->flight->event->attempt, &sink, &err);
        if (passenger->job != NULL) {
            passenger->bytes = bytes;
            run->begun++;
            run->bytes += bytes;
            continue;
        }
        refuse_object(passenger, &err);
    }
    run->beginning = false;
}

static void on_idle(void *data)
{
    dispatch(data);
}

/* --- events --- */

static void on_bad_event(Flight *flight)
{
    Run *run = flight->run;
    const PmEvent *event = flight->event;
    char name[160];
    snprintf(name, sizeof name, "message %s", event->id);
    PmObject nameless = {.key = name, .path = name, .size = -1}; /* nothing else is known of it */
    PmJobResult result = {.object = event->about != NULL ? event->about : &nameless,
                          .error = &event->error,
                          .fate = PM_FATE_DEAD,
                          .attempt = event->attempt};
    run->summary->failed++;
    if (run->trigger->ops->result != NULL) run->trigger->ops->result(run->trigger, flight->event, &result);
    if (run->options->result != NULL) run->options->result(run->options->data, &result);
    decide(flight, PM_FATE_DEAD, &event->error, NULL, NULL);
}

static void on_event(void *data, PmEvent *event)
{
    Run *run = data;
    Flight *flight = calloc(1, sizeof *flight + event->count * sizeof *flight->passengers);
    if (flight == NULL) {
        settle_event(run, event, &(PmFate){.kind = PM_FATE_RELEASE});
        return;
    }
    *flight = (Flight){.run = run, .next = run->flights, .event = event};
    if (flight->next != NULL) flight->next->previous = flight;
    run->flights = flight;
    if (event->error.status != PM_OK) on_bad_event(flight);
    if (event->count == 0) {
        settle(flight);
        return;
    }
    flight->open = event->count;
    run->objects += event->count;
    for (size_t i = 0; i < event->count; i++) {
        Passenger *passenger = &flight->passengers[i];
        *passenger = (Passenger){.flight = flight, .object = &event->objects[i]};
        join(&run->waiting, passenger);
    }
    begin_waiting(run);
}

static void ask_for_more(Run *run)
{
    if (run->stopping || (!run->ready && !run->trigger->early)) return;
    size_t room = room_for_jobs(run);
    run->trigger->ops->want(run->trigger, room > run->objects ? room - run->objects : 0);
}

static void maybe_stop(Run *run)
{
    if (run->flights == NULL && run->settling == 0 && run->dry) pm_loop_stop(run->loop);
}

static void on_dry(void *data)
{
    Run *run = data;
    run->dry = true;
    maybe_stop(run);
}

static void give_up(Run *run, const PmErrorList *errors)
{
    if (run->trigger != NULL && run->trigger->ops->refuse != NULL)
        run->trigger->ops->refuse(run->trigger, errors);
    else
        pm_loop_stop(run->loop);
}

/* The trigger cannot go on, so there is nobody to tell. */
static void on_trigger_failed(void *data, const PmError *err)
{
    Run *run = data;
    if (run->err->status == PM_OK) *run->err = *err;
    pm_loop_stop(run->loop);
}

/* --- the pool --- */

static void on_ready(void *data, const json_t *info)
{
    Run *run = data;
    if (run->ready) return; /* after a restart */
    pm_pipeline_check_facts(run->world.pipeline, json_object_get(info, "facts"), run->errors);
    if (run->errors->count > 0) {
        give_up(run, run->errors);
        return;
    }
    const char *digest = json_string_value(json_object_get(info, "digest"));
    pm_text_copy(run->digest, sizeof run->digest, digest != NULL ? digest : "");
    run->ready = true;
    if (run->options->started != NULL) run->options->started(run->options->data, info, pm_pool_size(run->world.pool));
    ask_for_more(run);
}

static void on_refused(void *data, const PmErrorList *errors)
{
    Run *run = data;
    for (size_t i = 0; i < errors->count; i++) pm_error_list_add(run->errors, &errors->items[i]);
    give_up(run, run->errors);
}

static void on_pool_failed(void *data, const PmError *err)
{
    Run *run = data;
    PmErrorList list = {0};
    if (run->err->status == PM_OK) *run->err = *err;
    pm_error_list_add(&list, err);
    give_up(run, &list);
    pm_error_list_finish(&list);
}

/* --- stopping --- */

static void release(Flight *flight, const PmObject *object)
{
    decide(flight, PM_FATE_RELEASE, NULL, object, NULL);
}

/* Those that no worker has begun go back at once. */
static void release_queue(Queue *queue)
{
    Passenger *passenger;
    while ((passenger = first_out(queue)) != NULL) {
        release(passenger->flight, passenger->object);
        leave(passenger);
    }
}

static void on_settle_over(void *data)
{
    Run *run = data;
    run->grace = NULL;
    pm_loop_stop(run->loop);
}

static void release_all(Run *run)
{
    run->fetched = run->waiting = (Queue){0};
    while (run->flights != NULL) {
        Flight *flight = run->flights;
        for (size_t i = 0, n = flight->event->count; i < n && run->flights == flight; i++) {
            if (flight->passengers[i].left) continue;
            release(flight, &flight->event->objects[i]);
            leave(&flight->passengers[i]);
        }
    }
}

static void on_expired(void *data)
{
    release_all(data);
}

static void on_grace_over(void *data)
{
    Run *run = data;
    run->grace = NULL;
    run->dry = true;
    if (run->flights != NULL)
        pm_log(PM_LOG_WARN, "run.grace", "msg", "the grace time is over: what is unfinished goes back", NULL);
    release_all(run);
    /* A queue far away needs a moment to hear of it; should it not, the visibility timeout does the same. */
    run->grace = pm_loop_after(run->loop, SETTLE_MS, on_settle_over, run);
    maybe_stop(run);
}

static void on_signal(void *data)
{
    Run *run = data;
    if (run->stopping) { /* the second time: now */
        pm_loop_cancel(run->grace);
        on_grace_over(run);
        return;
    }
    run->stopping = true;
    run->summary->interrupted = true;
    run->dry |= run->trigger->ops->stop(run->trigger);
    release_queue(&run->waiting);
    release_queue(&run->fetched);
    int64_t grace = run->options->grace_ms > 0 ? run->options->grace_ms : GRACE_MS;
    run->grace = pm_loop_after(run->loop, grace, on_grace_over, run);
    maybe_stop(run);
}

/* --- wiring --- */

static PmTrigger *new_trigger(Run *run, PmError *err)
{
    PmTriggerSink sink = {
        .data = run, .event = on_event, .dry = on_dry, .failed = on_trigger_failed, .expired = on_expired};
    if (run->options->listing != NULL)
        return pm_trigger_list_new(run->loop, run->options->listing, &sink, NULL, NULL, err);
    return pm_world_trigger(&run->world, run->options, &sink, err);
}

static PmStatus wire(Run *run, const char *text, size_t size, PmError *err)
{
    const PmPipeline *pipeline = run->world.pipeline;
    PmPoolSink sink = {
        .data = run, .ready = on_ready, .refused = on_refused, .failed = on_pool_failed, .idle = on_idle};
    run->world.loop = run->loop;
    run->world.digest = run->digest;
    if (pm_world_open(&run->world, run->options, err) != PM_OK) return err->status;
    run->notifier = pm_notifier_new(&run->world, err);
    if (err->status != PM_OK) return err->status;
    run->trigger = new_trigger(run, err);
    if (run->trigger == NULL) return err->status;
    run->world.pool = pm_pool_new(run->loop, pipeline, text, size, &run->options->pool, &sink, err);
    if (run->world.pool == NULL) return err->status;
    if (!pm_loop_signal(run->loop, SIGTERM, on_signal, run) || !pm_loop_signal(run->loop, SIGINT, on_signal, run))
        return pm_error_set(err, PM_TRANSIENT, "cannot handle signals");
    ask_for_more(run);
    return PM_OK;
}

PmStatus pm_run(const PmPipeline *pipeline, const char *text, size_t size, const PmRunOptions *options,
                PmRunSummary *summary, PmErrorList *errors, PmError *err)
{
    Run run = {.options = options, .summary = summary, .errors = errors, .err = err, .world = {.pipeline = pipeline}};
    int64_t started = pm_clock_mono_ms();
    *summary = (PmRunSummary){0};
    signal(SIGPIPE, SIG_IGN);
    run.loop = pm_loop_new(err);
    if (run.loop != NULL && wire(&run, text, size, err) == PM_OK) {
        summary->ran = true;
        pm_loop_run(run.loop);
    }
    while (run.flights != NULL) { /* only after a failure: nothing is settled, so nothing is lost */
        Flight *flight = run.flights;
        for (size_t i = 0; i < flight->event->count; i++) {
            pm_notice_cancel(flight->passengers[i].notice);
            pm_job_free(flight->passengers[i].job);
        }
        run.flights = flight->next;
        free(flight);
    }
    pm_loop_cancel(run.grace);
    if (run.trigger != NULL) run.trigger->ops->free(run.trigger);
    pm_pool_free(run.world.pool);
    pm_notifier_free(run.notifier);
    pm_world_close(&run.world);
    pm_loop_free(run.loop);
    summary->ms = pm_clock_mono_ms() - started;
    if (errors->count > 0) return PM_BAD_CONFIG;
    return err->status;
}
