/* SPDX-License-Identifier: Apache-2.0
 *
 * The process around sessions: the loop, signals, log lines and results that never wait, the socket that says that we
 * are alive.
 */
#ifndef PM_CLI_SERVE_H
#define PM_CLI_SERVE_H

#include "base/writer.h"
#include "session/session.h"

typedef struct PmServeOptions {
    PmSessionOptions session; /* `started`, `context` and `ended` are set here; `data` goes to the others */
    /* A generation's workers are ready; may be NULL. */
    void (*started)(void *data, const PmPipeline *pipeline, unsigned generation, const json_t *info, size_t workers);
    bool reloads, watches; /* the pipeline is a file that is read anew on SIGHUP; and when it changes */
    int64_t grace_ms;      /* after SIGTERM; 0: 20 s */
    const char *listen;    /* address:port that answers what the session does (observe.h); or NULL */
    PmWriter *writer;      /* what `result` writes to: it is attached to the loop; or NULL */
} PmServeOptions;

/* Borrowed, all of it. */
typedef struct PmServePipeline {
    const PmPipeline *pipeline;
    const char *text;
    size_t size;
} PmServePipeline;

typedef struct PmServed {
    PmSessionSummary summary; /* of all pipelines; `ms` of the one that took longest */
    bool interrupted, ran;    /* ran: everything could be opened */
} PmServed;

enum { PM_SERVE_MAX = 16 };

/* Runs the sessions of 1 to PM_SERVE_MAX pipelines to their end, all in one loop: one that ends early leaves the others
 * alone. Nothing runs when one of them cannot be opened. `errors` gets what is wrong with pipelines (then
 * PM_BAD_CONFIG); `err` the first that ended one otherwise. PM_OK also when single images failed: see the summary.
 * Blocks. */
PmStatus pm_serve(const PmServePipeline *pipelines, size_t count, const PmServeOptions *options, PmServed *served,
                  PmErrorList *errors, PmError *err);

#endif
