/* SPDX-License-Identifier: Apache-2.0
 *
 * A pipeline at work: trigger, source, workers and stores wired together until the trigger is drained or the session is
 * told to drain. A value: several live in one loop, at once or one after the other. It owns neither the loop nor
 * signals nor anything else of the process.
 */
#ifndef PM_SESSION_SESSION_H
#define PM_SESSION_SESSION_H

#include "base/metric_set.h"
#include "connectors/connector.h"
#include "connectors/result.h"
#include "workers/pool.h"

typedef struct PmSession PmSession;

/* A trigger and a store other than the pipeline's: `apply`. No records are sent. */
typedef struct PmSessionInstead {
    void *data;
    PmTrigger *(*open_trigger)(void *data, PmContext *context, const PmTriggerSink *sink, PmError *err);
    PmStore *(*open_store)(void *data, PmContext *context, PmError *err);
    const char *delivers; /* the source that reads what the trigger hands over */
} PmSessionInstead;

typedef struct PmSessionOptions {
    PmPoolOptions pool;
    bool once;
    bool held; /* takes nothing before pm_session_begin; another session may still hold what only one can */
    const PmSessionInstead *instead; /* of what the pipeline names; or NULL */
    const char *const *outputs;      /* these only; NULL-terminated; NULL: all */
    const PmConnector *hosted;       /* the trigger of the environment, instead of the pipeline's own; or NULL */
    const char *host;                /* where that environment is reached */
    int64_t grace_ms;                /* of a session that drains by itself; 0: 20 s */
    void *data;                      /* all below may be NULL, but for `ended` */
    void (*started)(void *data, const json_t *info, size_t workers);
    void (*result)(void *data, const PmJobResult *result);
    /* What log lines are about from now on: an invocation and its trace; NULL: nothing more. */
    void (*context)(void *data, const char *request_id, const char *trace_id);
    /* The session has ended, by itself or drained: the last call, from the loop, where it may be freed. */
    void (*ended)(void *data, PmSession *session);
} PmSessionOptions;

typedef struct PmSessionSummary {
    size_t done, failed, rejected, skipped, retried, outputs;
    int64_t bytes_in, bytes_out, ms;
    bool gave_up; /* once: a source or store failed too often, and objects were left where they are */
} PmSessionSummary;

/* Opens all that the pipeline names and starts the workers; work begins in the loop. All is borrowed and
 * outlives it, but for the text and the struct of the options. New; NULL and err set when something cannot be opened.
 */
PmSession *pm_session_new(PmLoop *loop, const PmPipeline *pipeline, const char *text, size_t size,
                          const PmSessionOptions *options, PmError *err);
/* At any time: what is under way ends unsettled and comes again. NULL is fine. */
void pm_session_free(PmSession *session);

/* Lets a held session take its first event, at any time. */
void pm_session_begin(PmSession *session);

/* Takes nothing new and ends when what is under way is done, or given back when the time is over. A second call gives
 * it back now. */
void pm_session_drain(PmSession *session, int64_t grace_ms);

const PmSessionSummary *pm_session_summary(const PmSession *session);
/* Counts `more` in; `ms` is added, too. */
void pm_session_summary_add(PmSessionSummary *sum, const PmSessionSummary *more);
/* What is wrong with the pipeline, as the workers found; empty when it could run. */
const PmErrorList *pm_session_errors(const PmSession *session);
/* What else ended it; PM_OK: nothing did. */
const PmError *pm_session_error(const PmSession *session);
/* Somebody waits for what becomes of the trigger's events. */
bool pm_session_answers(const PmSession *session);
/* What was counted, with what it is at now: see connectors/metrics.h. Borrowed until the session is freed. */
const PmMetricSet *pm_session_metrics(const PmSession *session);
/* Whether it accepts events; if not, `why` gives a short reason. */
bool pm_session_is_ready(const PmSession *session, char *why, size_t size);
const PmPipeline *pm_session_pipeline(const PmSession *session); /* borrowed until it is freed */
const char *pm_session_digest(const PmSession *session); /* of pipeline and plugins; "" until the workers are up */
/* Objects taken and not finished, see delivery.h. New. */
json_t *pm_session_in_flight(const PmSession *session, size_t most);
/* For a status line: {pipeline, state, up_s, events, objects, ...}. New. */
json_t *pm_session_status(const PmSession *session);

#endif
