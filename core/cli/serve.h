/* SPDX-License-Identifier: Apache-2.0
 *
 * The process around a session: the loop, signals, log lines and results that never wait, the socket that says that we
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

typedef struct PmServed {
    PmSessionSummary summary;
    bool interrupted, ran; /* ran: everything could be opened */
} PmServed;

/* Runs a session to its end. `errors` gets what is wrong with the pipeline (then PM_BAD_CONFIG); `err` what ended it
 * otherwise. PM_OK also when single images failed: see the summary. Blocks. */
PmStatus pm_serve(const PmPipeline *pipeline, const char *text, size_t size, const PmServeOptions *options,
                  PmServed *served, PmErrorList *errors, PmError *err);

#endif
