/* SPDX-License-Identifier: Apache-2.0
 *
 * The worker processes: a zygote and its children. Hides processes, sockets and the protocol; treats whatever a child
 * says as an attacker's words. A child's death ends one job, with an error that names plugin and signal.
 */
#ifndef PM_WORKERS_POOL_H
#define PM_WORKERS_POOL_H

#include "base/ipc.h"
#include "base/loop.h"
#include "pipeline/pipeline.h"
#include "workers/fetch.h"
#include "workers/names.h"

typedef struct PmPool PmPool;
typedef struct PmWorkerJob PmWorkerJob;

typedef struct PmPoolOptions {
    const char *worker; /* path of pixmill-worker; NULL: PIXMILL_WORKER, beside this executable, the installed one */
    const char *plugin_dirs;   /* folders separated by ':'; NULL: PIXMILL_PLUGIN_PATH, the build's, the installed one */
    int workers;               /* 0: as the pipeline says, see count.h */
    bool check;                /* only to find out whether the pipeline is fine */
    PmFindSigner *find_signer; /* for plugins' calls that want a signature (fetch.h); NULL: nobody signs */
    void *find_signer_data;
} PmPoolOptions;

typedef struct PmPoolSink {
    void *data;
    void (*ready)(void *data, const json_t *info);          /* READY's body; comes again after a restart */
    void (*refused)(void *data, const PmErrorList *errors); /* the pipeline does not work: final */
    void (*failed)(void *data, const PmError *err);         /* no worker can be started: final */
    void (*idle)(void *data);                               /* a worker became free */
} PmPoolSink;

/* New; the zygote starts at once; callbacks come from the loop. `text` (borrowed for the call) is what `pipeline` was
 * read from; pipeline and loop outlive the pool. */
PmPool *pm_pool_new(PmLoop *loop, const PmPipeline *pipeline, const char *text, size_t size,
                    const PmPoolOptions *options, const PmPoolSink *sink, PmError *err);
void pm_pool_free(PmPool *pool); /* ends all processes; no callback comes any more */

size_t pm_pool_size(const PmPool *pool);
size_t pm_pool_idle(const PmPool *pool); /* workers that would take a job now */

typedef struct PmPoolJob {
    int source_fd;         /* sealed memfd, borrowed for the call */
    const json_t *facts;   /* borrowed for the call */
    const json_t *outputs; /* names wanted; NULL: all */
    int attempt;
    PmJobNames names; /* for log lines, while it is worked on */
} PmPoolJob;

typedef struct PmPoolOutput {
    const PmOutput *output; /* one of the pipeline's */
    const char *format, *mime, *extension;
    int32_t width, height, pages;
    PmMapping bytes; /* given away to `output`: pm_memfd_unmap; empty for `begins` */
    bool source;     /* the source itself is the result; bytes empty */
    const json_t *facts;
} PmPoolOutput;

typedef struct PmPoolReport {
    PmError error;          /* PM_OK: all outputs were reported */
    const char *crash;      /* "plugin_crash:watermark:SIGSEGV" when the child died, else NULL */
    PmOnReject rejected_as; /* with PM_REJECTED */
    const json_t *facts, *verdicts, *warnings, *timings; /* or NULL */
} PmPoolReport;

typedef struct PmPoolJobSink {
    void *data;
    void (*begins)(void *data, const PmPoolOutput *output); /* once at most, and before the same comes as `output` */
    void (*output)(void *data, PmPoolOutput *output);
    void (*skipped)(void *data, const char *output, const char *reason);
    void (*done)(void *data, const PmPoolReport *report); /* the last; the lease is gone */
} PmPoolJobSink;

/* Gives a job to an idle worker; NULL and err set when none is idle. Calls back from the loop only. */
PmWorkerJob *pm_pool_run(PmPool *pool, const PmPoolJob *job, const PmPoolJobSink *sink, PmError *err);
void pm_pool_abandon(PmWorkerJob *lease); /* kills the child; no callback comes any more */

/* Plans instead of running, in a child: `explain`. body is PLAN's; source_fd -1: none. `planned` gets the plan or the
 * error. */
typedef void PmPoolPlanned(void *data, const json_t *plan, const PmError *err);
PmStatus pm_pool_plan(PmPool *pool, const json_t *body, int source_fd, PmPoolPlanned *planned, void *data,
                      PmError *err);

/* --- without a pipeline --- */

/* Asks a worker of its own one question (DESCRIBE, CHECK) and waits for the answer. New; NULL and err set on failure.
 */
json_t *pm_pool_ask(const PmPoolOptions *options, PmMessageType type, const json_t *body, PmError *err);
/* The folders as an array of strings, absolute, those that exist. New. */
json_t *pm_pool_plugin_dirs(const PmPoolOptions *options);

#endif
