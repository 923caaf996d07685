/* SPDX-License-Identifier: Apache-2.0 */
#include "session/session.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "connectors/metrics.h"
#include "session/delivery.h"
#include "session/run_context.h"

enum { GRACE_MS = 20000, SETTLE_MS = 5000 };

struct PmSession {
    PmLoop *loop;
    PmSessionOptions options;
    PmSessionSummary summary;
    PmErrorList errors;
    PmError error;
    PmRunContext run;
    PmTrigger *trigger;
    PmDeliveries *deliveries;
    PmTimer *grace, *end;
    int64_t started_ms;
    char digest[80];
    bool ready, drained, stopping, ended;
};

/* --- the end --- */

static void tell_end(void *data)
{
    PmSession *session = data;
    session->end = NULL;
    session->summary.ms = pm_clock_mono_ms() - session->started_ms;
    session->options.ended(session->options.data, session); /* which may free it */
}

/* The callback may free us, so it comes from the loop, not from the depths of the trigger or the pool. */
static void end(PmSession *session)
{
    if (session->ended) return;
    session->ended = true;
    session->end = pm_loop_after(session->loop, 0, tell_end, session);
    if (session->end == NULL) tell_end(session);
}

static void maybe_end(PmSession *session)
{
    if (session->drained && pm_deliveries_are_done(session->deliveries)) end(session);
}

static void give_up(PmSession *session, const PmErrorList *errors)
{
    if (session->trigger != NULL && session->trigger->ops->refuse != NULL)
        session->trigger->ops->refuse(session->trigger, errors);
    else
        end(session);
}

/* --- events --- */

static void on_event(void *data, PmEvent *event)
{
    PmSession *session = data;
    pm_deliveries_add(session->deliveries, event);
}

static void ask_for_more(PmSession *session)
{
    if (session->options.held || session->stopping || (!session->ready && !session->trigger->early)) return;
    session->trigger->ops->want(session->trigger, pm_deliveries_room(session->deliveries));
}

static void on_more(void *data)
{
    PmSession *session = data;
    ask_for_more(session);
    maybe_end(session);
}

static void on_drained(void *data)
{
    PmSession *session = data;
    session->drained = true;
    maybe_end(session);
}

/* The trigger cannot continue: the session ends with its error. */
static void on_trigger_failed(void *data, const PmError *err)
{
    PmSession *session = data;
    if (session->error.status == PM_OK) session->error = *err;
    end(session);
}

static void on_expired(void *data)
{
    PmSession *session = data;
    pm_deliveries_release(session->deliveries);
}

static void on_context(void *data, const char *request_id, const char *trace_id)
{
    const PmSession *session = data;
    if (session->options.context != NULL) session->options.context(session->options.data, request_id, trace_id);
}

/* --- the pool --- */

static void on_ready(void *data, const json_t *info)
{
    PmSession *session = data;
    if (session->ready) return; /* after a restart */
    pm_pipeline_check_facts(session->run.context.pipeline, json_object_get(info, "facts"), &session->errors);
    pm_pipeline_check_places(session->run.context.pipeline, json_object_get(info, "writes"), &session->errors);
    pm_run_context_open_signers(&session->run, info, &session->errors);
    if (session->errors.count > 0) {
        give_up(session, &session->errors);
        return;
    }
    const char *digest = json_string_value(json_object_get(info, "digest"));
    pm_text_copy(session->digest, sizeof session->digest, digest != NULL ? digest : "");
    session->ready = true;
    const json_t *tier = json_object_get(json_object_get(info, "sandbox"), "tier");
    pm_metrics_put(session->run.context.metrics, PM_METRIC_SANDBOX, (double)json_integer_value(tier));
    pm_metrics_put_info(session->run.context.metrics, session->digest);
    if (session->options.started != NULL)
        session->options.started(session->options.data, info, pm_pool_size(session->run.pool));
    ask_for_more(session);
}

static void on_refused(void *data, const PmErrorList *errors)
{
    PmSession *session = data;
    for (size_t i = 0; i < errors->count; i++) pm_error_list_add(&session->errors, &errors->items[i]);
    give_up(session, &session->errors);
}

static void on_pool_failed(void *data, const PmError *err)
{
    PmSession *session = data;
    PmErrorList list = {0};
    if (session->error.status == PM_OK) session->error = *err;
    pm_error_list_add(&list, err);
    give_up(session, &list);
    pm_error_list_finish(&list);
}

static void on_idle(void *data)
{
    PmSession *session = data;
    pm_deliveries_work(session->deliveries);
}

/* --- draining --- */

static void on_settle_over(void *data)
{
    PmSession *session = data;
    session->grace = NULL;
    end(session);
}

static void on_grace_over(void *data)
{
    PmSession *session = data;
    session->grace = NULL;
    session->drained = true;
    if (!pm_deliveries_are_settled(session->deliveries))
        pm_log(PM_LOG_WARN, "run.grace", "msg", "the grace time is over: what is unfinished goes back", NULL);
    pm_deliveries_release(session->deliveries);
    /* A queue far away needs a moment to hear of it; should it not, the visibility timeout does the same. */
    session->grace = pm_loop_after(session->loop, SETTLE_MS, on_settle_over, session);
    maybe_end(session);
}

void pm_session_drain(PmSession *session, int64_t grace_ms)
{
    if (session->stopping) {
        pm_loop_cancel(session->grace);
        on_grace_over(session);
        return;
    }
    session->stopping = true;
    session->drained |= session->trigger->ops->stop(session->trigger);
    pm_deliveries_stop(session->deliveries);
    session->grace = pm_loop_after(session->loop, grace_ms > 0 ? grace_ms : GRACE_MS, on_grace_over, session);
    maybe_end(session);
}

static void on_gave_up(void *data, const char *failing)
{
    PmSession *session = data;
    char text[1200];
    snprintf(text, sizeof text, "%s failed too often: the run ends, and what is left stays where it is", failing);
    pm_log(PM_LOG_ERROR, "run.gave_up", "dependency", failing, "msg", text, NULL);
    session->summary.gave_up = true;
    if (!session->stopping) pm_session_drain(session, session->options.grace_ms);
}

/* --- looking at it --- */

json_t *pm_session_status(const PmSession *session)
{
    char failing[1000] = "";
    PmDeliveryCounts counts = pm_deliveries_count(session->deliveries);
    pm_deliveries_failing(session->deliveries, failing, sizeof failing);
    const PmSessionSummary *sums = &session->summary;
    return json_pack(
        "{ss ss sI sI sI sI sI sI sI sI sI sI sI ss}", "pipeline", session->run.context.pipeline->name, "state",
        session->stopping ? "stopping"
        : session->ready  ? "running"
                          : "starting",
        "up_s", (json_int_t)((pm_clock_mono_ms() - session->started_ms) / 1000), "events", (json_int_t)counts.events,
        "objects", (json_int_t)counts.objects, "at_work", (json_int_t)(counts.begun - counts.fetched), "fetched",
        (json_int_t)counts.fetched, "waiting", (json_int_t)counts.waiting, "held", (json_int_t)counts.held, "bytes",
        (json_int_t)counts.bytes, "done", (json_int_t)sums->done, "failed", (json_int_t)sums->failed, "retried",
        (json_int_t)sums->retried, "failing", failing);
}

bool pm_session_is_ready(const PmSession *session, char *why, size_t size)
{
    const char *trouble = session->trigger->trouble;
    if (session->stopping || session->ended)
        pm_text_copy(why, size, "draining");
    else if (!session->ready)
        pm_text_copy(why, size, "the workers are starting");
    else
        pm_text_copy(why, size, trouble);
    return why[0] == '\0';
}

const PmPipeline *pm_session_pipeline(const PmSession *session)
{
    return session->run.context.pipeline;
}

const char *pm_session_digest(const PmSession *session)
{
    return session->digest;
}

json_t *pm_session_in_flight(const PmSession *session, size_t most)
{
    return pm_deliveries_in_flight(session->deliveries, most);
}

const PmMetricSet *pm_session_metrics(const PmSession *session)
{
    PmMetrics *metrics = session->run.context.metrics;
    size_t size = pm_pool_size(session->run.pool), idle = pm_pool_idle(session->run.pool);
    pm_metrics_put(metrics, PM_METRIC_IN_FLIGHT, (double)pm_deliveries_count(session->deliveries).objects);
    pm_metrics_put(metrics, PM_METRIC_WORKERS, (double)size);
    pm_metrics_put(metrics, PM_METRIC_WORKERS_BUSY, session->ready && size > idle ? (double)(size - idle) : 0);
    return pm_metrics_set(metrics);
}

const PmSessionSummary *pm_session_summary(const PmSession *session)
{
    return &session->summary;
}

void pm_session_summary_add(PmSessionSummary *sum, const PmSessionSummary *more)
{
    sum->done += more->done;
    sum->failed += more->failed;
    sum->rejected += more->rejected;
    sum->skipped += more->skipped;
    sum->retried += more->retried;
    sum->outputs += more->outputs;
    sum->bytes_in += more->bytes_in;
    sum->bytes_out += more->bytes_out;
    sum->ms += more->ms;
    sum->gave_up |= more->gave_up;
}

const PmErrorList *pm_session_errors(const PmSession *session)
{
    return &session->errors;
}

const PmError *pm_session_error(const PmSession *session)
{
    return &session->error;
}

bool pm_session_answers(const PmSession *session)
{
    return session->trigger->answers;
}

/* --- life --- */

static PmStatus wire(PmSession *session, const char *text, size_t size, PmError *err)
{
    PmRunContext *run = &session->run;
    PmTriggerSink events = {.data = session,
                            .event = on_event,
                            .drained = on_drained,
                            .failed = on_trigger_failed,
                            .expired = on_expired,
                            .context = on_context};
    PmPoolSink workers = {
        .data = session, .ready = on_ready, .refused = on_refused, .failed = on_pool_failed, .idle = on_idle};
    PmDeliverySink heard = {.data = session, .more = on_more, .gave_up = on_gave_up};
    if (pm_run_context_open(run, &session->options, err) != PM_OK) return err->status;
    session->trigger = pm_run_context_trigger(run, &session->options, &events, err);
    if (session->trigger == NULL) return err->status;
    session->options.pool.find_signer = pm_run_context_signer;
    session->options.pool.find_signer_data = run;
    run->pool = pm_pool_new(session->loop, run->context.pipeline, text, size, &session->options.pool, &workers, err);
    if (run->pool == NULL) return err->status;
    session->deliveries = pm_deliveries_new(run, session->trigger, &session->options, &session->summary, &heard);
    if (session->deliveries == NULL) return pm_error_set(err, PM_TRANSIENT, "out of memory");
    ask_for_more(session);
    return PM_OK;
}

PmSession *pm_session_new(PmLoop *loop, const PmPipeline *pipeline, const char *text, size_t size,
                          const PmSessionOptions *options, PmError *err)
{
    PmSession *session = calloc(1, sizeof *session);
    if (session == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    session->loop = loop;
    session->options = *options;
    session->started_ms = pm_clock_mono_ms();
    session->run.context =
        (PmContext){.loop = loop, .pipeline = pipeline, .metrics = pm_metrics_new(pipeline), .digest = session->digest};
    if (session->run.context.metrics == NULL)
        pm_error_set(err, PM_TRANSIENT, "out of memory");
    else if (wire(session, text, size, err) == PM_OK)
        return session;
    pm_session_free(session);
    return NULL;
}

void pm_session_begin(PmSession *session)
{
    session->options.held = false;
    ask_for_more(session);
}

void pm_session_free(PmSession *session)
{
    if (session == NULL) return;
    pm_deliveries_free(session->deliveries);
    pm_loop_cancel(session->grace);
    pm_loop_cancel(session->end);
    if (session->trigger != NULL) session->trigger->ops->free(session->trigger);
    pm_pool_free(session->run.pool);
    pm_run_context_close(&session->run);
    pm_metrics_free(session->run.context.metrics);
    pm_error_list_finish(&session->errors);
    free(session);
}
