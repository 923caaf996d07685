/* SPDX-License-Identifier: Apache-2.0 */
#include "session/run.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "session/alive.h"
#include "session/delivery.h"
#include "session/world.h"

enum { GRACE_MS = 20000, SETTLE_MS = 5000 };

typedef struct Run {
    PmLoop *loop;
    const PmRunOptions *options;
    PmRunSummary *summary;
    PmErrorList *errors;
    PmError *err;
    PmJobWorld world;
    PmTrigger *trigger;
    PmDeliveries *deliveries;
    PmAlive *alive; /* or NULL */
    PmTimer *grace;
    int64_t started_ms;
    char digest[80];
    bool ready, dry, stopping;
} Run;

/* --- events --- */

static void on_event(void *data, PmEvent *event)
{
    Run *run = data;
    pm_deliveries_add(run->deliveries, event);
}

static void ask_for_more(Run *run)
{
    if (run->stopping || (!run->ready && !run->trigger->early)) return;
    run->trigger->ops->want(run->trigger, pm_deliveries_room(run->deliveries));
}

static void maybe_stop(Run *run)
{
    if (run->dry && pm_deliveries_are_done(run->deliveries)) pm_loop_stop(run->loop);
}

static void on_more(void *data)
{
    Run *run = data;
    ask_for_more(run);
    maybe_stop(run);
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
    pm_pipeline_check_facts(run->world.context.pipeline, json_object_get(info, "facts"), run->errors);
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

static void on_idle(void *data)
{
    Run *run = data;
    pm_deliveries_work(run->deliveries);
}

/* --- stopping --- */

static void on_settle_over(void *data)
{
    Run *run = data;
    run->grace = NULL;
    pm_loop_stop(run->loop);
}

static void on_expired(void *data)
{
    Run *run = data;
    pm_deliveries_release(run->deliveries);
}

static void on_grace_over(void *data)
{
    Run *run = data;
    run->grace = NULL;
    run->dry = true;
    if (!pm_deliveries_are_settled(run->deliveries))
        pm_log(PM_LOG_WARN, "run.grace", "msg", "the grace time is over: what is unfinished goes back", NULL);
    pm_deliveries_release(run->deliveries);
    /* A queue far away needs a moment to hear of it; should it not, the visibility timeout does the same. */
    run->grace = pm_loop_after(run->loop, SETTLE_MS, on_settle_over, run);
    maybe_stop(run);
}

static void begin_to_stop(Run *run)
{
    run->stopping = true;
    run->dry |= run->trigger->ops->stop(run->trigger);
    pm_deliveries_stop(run->deliveries);
    int64_t grace = run->options->grace_ms > 0 ? run->options->grace_ms : GRACE_MS;
    run->grace = pm_loop_after(run->loop, grace, on_grace_over, run);
    maybe_stop(run);
}

static void on_signal(void *data)
{
    Run *run = data;
    run->summary->interrupted = true;
    if (run->stopping) { /* the second time: now */
        pm_loop_cancel(run->grace);
        on_grace_over(run);
        return;
    }
    begin_to_stop(run);
}

static void on_gave_up(void *data, const char *failing)
{
    Run *run = data;
    char text[1200];
    snprintf(text, sizeof text, "%s failed too often: the run ends, and what is left stays where it is", failing);
    pm_log(PM_LOG_ERROR, "run.gave_up", "dependency", failing, "msg", text, NULL);
    run->summary->gave_up = true;
    begin_to_stop(run);
}

/* --- status --- */

static json_t *status_of(const Run *run)
{
    char failing[1000] = "";
    PmDeliveryCounts counts = {0};
    if (run->deliveries != NULL) {
        counts = pm_deliveries_count(run->deliveries);
        pm_deliveries_failing(run->deliveries, failing, sizeof failing);
    }
    const PmRunSummary *sums = run->summary;
    return json_pack(
        "{ss ss sI sI sI sI sI sI sI sI sI sI sI ss}", "pipeline", run->world.context.pipeline->name, "state",
        run->stopping ? "stopping"
        : run->ready  ? "running"
                      : "starting",
        "up_s", (json_int_t)((pm_clock_mono_ms() - run->started_ms) / 1000), "events", (json_int_t)counts.events,
        "objects", (json_int_t)counts.objects, "at_work", (json_int_t)(counts.begun - counts.fetched), "fetched",
        (json_int_t)counts.fetched, "waiting", (json_int_t)counts.waiting, "held", (json_int_t)counts.held, "bytes",
        (json_int_t)counts.bytes, "done", (json_int_t)sums->done, "failed", (json_int_t)sums->failed, "retried",
        (json_int_t)sums->retried, "failing", failing);
}

static void write_status(void *data, PmBuffer *out)
{
    json_t *status = status_of(data);
    char *text = status != NULL ? json_dumps(status, JSON_COMPACT) : NULL;
    if (text != NULL) pm_buffer_addf(out, "%s\n", text);
    free(text);
    json_decref(status);
}

static void on_status_signal(void *data)
{
    json_t *status = status_of(data);
    char *text = status != NULL ? json_dumps(status, JSON_COMPACT) : NULL;
    pm_log(PM_LOG_INFO, "run.status", "msg", text, NULL);
    free(text);
    json_decref(status);
}

static void on_debug_signal(void *data)
{
    (void)data;
    bool debug = pm_log_toggle_debug();
    pm_log(PM_LOG_INFO, "run.log_level", "msg", debug ? "debug, until the next SIGUSR1" : "as it was at the start",
           NULL);
}

static void on_hangup(void *data)
{
    (void)data;
    pm_log(PM_LOG_INFO, "run.hangup", "msg", "SIGHUP is ignored: start pixmill again for a new pipeline", NULL);
}

/* Nothing depends on it: a second process of the same file runs as well. */
static void answer_alive(Run *run)
{
    PmError err = {0};
    if (run->trigger->answers || run->options->once) return;
    run->alive = pm_alive_new(run->loop, run->world.context.pipeline->file, write_status, run, &err);
    if (run->alive == NULL) pm_log(PM_LOG_WARN, "run.alive", "msg", err.message, NULL);
}

/* --- wiring --- */

static PmTrigger *new_trigger(Run *run, PmError *err)
{
    PmTriggerSink sink = {
        .data = run, .event = on_event, .dry = on_dry, .failed = on_trigger_failed, .expired = on_expired};
    return pm_world_trigger(&run->world, run->options, &sink, err);
}

static PmStatus handle_signals(Run *run, PmError *err)
{
    static const struct {
        int signo;
        PmTimerCallback *call;
    } handlers[] = {{SIGTERM, on_signal},
                    {SIGINT, on_signal},
                    {SIGHUP, on_hangup},
                    {SIGUSR1, on_debug_signal},
                    {SIGUSR2, on_status_signal}};
    for (size_t i = 0; i < sizeof handlers / sizeof handlers[0]; i++)
        if (!pm_loop_signal(run->loop, handlers[i].signo, handlers[i].call, run))
            return pm_error_set(err, PM_TRANSIENT, "cannot handle signals");
    return PM_OK;
}

static PmStatus wire(Run *run, const char *text, size_t size, PmError *err)
{
    const PmPipeline *pipeline = run->world.context.pipeline;
    PmPoolSink sink = {
        .data = run, .ready = on_ready, .refused = on_refused, .failed = on_pool_failed, .idle = on_idle};
    run->world.context.loop = run->loop;
    run->world.context.digest = run->digest;
    if (pm_world_open(&run->world, run->options, err) != PM_OK) return err->status;
    run->trigger = new_trigger(run, err);
    if (run->trigger == NULL) return err->status;
    run->world.pool = pm_pool_new(run->loop, pipeline, text, size, &run->options->pool, &sink, err);
    if (run->world.pool == NULL) return err->status;
    PmDeliverySink heard = {.data = run, .more = on_more, .gave_up = on_gave_up};
    run->deliveries = pm_deliveries_new(&run->world, run->trigger, run->options, run->summary, &heard);
    if (run->deliveries == NULL) return pm_error_set(err, PM_TRANSIENT, "out of memory");
    answer_alive(run);
    ask_for_more(run);
    return PM_OK;
}

PmStatus pm_run(const PmPipeline *pipeline, const char *text, size_t size, const PmRunOptions *options,
                PmRunSummary *summary, PmErrorList *errors, PmError *err)
{
    Run run = {.options = options,
               .summary = summary,
               .errors = errors,
               .err = err,
               .world = {.context = {.pipeline = pipeline}}};
    run.started_ms = pm_clock_mono_ms();
    *summary = (PmRunSummary){0};
    signal(SIGPIPE, SIG_IGN);
    run.loop = pm_loop_new(err);
    pm_log_attach(run.loop);
    if (run.loop != NULL && options->writer != NULL) pm_writer_attach(options->writer, run.loop);
    if (run.loop != NULL && handle_signals(&run, err) == PM_OK && wire(&run, text, size, err) == PM_OK) {
        summary->ran = true;
        pm_loop_run(run.loop);
    }
    pm_deliveries_free(run.deliveries);
    pm_alive_free(run.alive);
    pm_loop_cancel(run.grace);
    if (run.trigger != NULL) run.trigger->ops->free(run.trigger);
    pm_pool_free(run.world.pool);
    pm_world_close(&run.world);
    if (options->writer != NULL) pm_writer_attach(options->writer, NULL);
    pm_log_attach(NULL);
    pm_loop_free(run.loop);
    summary->ms = pm_clock_mono_ms() - run.started_ms;
    if (errors->count > 0) return PM_BAD_CONFIG;
    return err->status;
}
