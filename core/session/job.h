/* SPDX-License-Identifier: Apache-2.0
 *
 * One source object on its way: fetched, worked on, every output stored. Hides the order of things: an output is on its
 * way to its store while the worker makes the next. Knows no trigger; told to start, it ends with one callback.
 */
#ifndef PM_SESSION_JOB_H
#define PM_SESSION_JOB_H

#include "connectors/connector.h"
#include "connectors/signers.h"
#include "session/evidence.h"
#include "session/session.h"
#include "workers/pool.h"

typedef struct PmImageJob PmImageJob;

enum { PM_STORES_MAX = 16, PM_SIGNERS_MAX = 4 };

/* What every job of a session shares; borrowed, outlives them. */
typedef struct PmRunContext {
    PmContext context;
    PmPool *pool;
    PmSource *source;
    struct {
        const PmKind *kind;
        PmStore *store;
    } stores[PM_STORES_MAX]; /* one for each kind of places in use */
    PmStore *everything;     /* this one for every place; else NULL */
    PmNotifier *notifier;    /* or NULL */
    struct {
        const PmSignerKind *kind;
        PmSigner *signer;
    } signers[PM_SIGNERS_MAX]; /* one for each kind of calls that plugins make */
    const json_t *outputs;     /* names wanted, or NULL */
    struct PmClaims *claims;   /* NULL: sources reach other processes, too, and nobody knows all renditions */
} PmRunContext;

/* Where renditions for that place go. */
PmStore *pm_job_store(const PmRunContext *run, const PmPlace *place);

typedef struct PmJobSink {
    void *data;
    void (*ready)(void *data, PmImageJob *job); /* fetched: wants a worker */
    void (*done)(void *data, PmImageJob *job);  /* see pm_job_result; freed by the callback's owner */
} PmJobSink;

/* New; starts to fetch at once. `object` and `event_id` (for log lines; may be NULL) are borrowed and outlive the job.
 * max: bytes to read at most; when it is below limits.file_size and the source has more, the job ends and
 * pm_job_is_larger says so. `done` may come without `ready`.
 */
PmImageJob *pm_job_new(const PmRunContext *run, const PmObject *object, const char *event_id, int attempt, int64_t max,
                       const PmJobSink *sink, PmError *err);
/* Gives it a worker; on failure (none is free, no memory) it stays as it is. */
PmStatus pm_job_work(PmImageJob *job, PmError *err);
/* From `ready` on, while it has no worker: it ends for that reason. */
void pm_job_give_up(PmImageJob *job, const PmError *err);
/* Ends it in any state, without calling back. Puts under way may or may not become visible. */
void pm_job_free(PmImageJob *job);

/* Where it is: "fetch", "wait", "work" or "store". */
const char *pm_job_stage(const PmImageJob *job);
/* From `ready` on. */
int64_t pm_job_source_size(const PmImageJob *job);

/* After `done`: what became of it. */
bool pm_job_is_larger(const PmImageJob *job);
const PmJobResult *pm_job_result(const PmImageJob *job);
const char *pm_job_crash(const PmImageJob *job); /* the crash's tag, or NULL */
const PmEvidence *pm_job_evidence(const PmImageJob *job);

#endif
