/* SPDX-License-Identifier: Apache-2.0
 *
 * A pipeline at work: trigger, source, workers and stores wired together until the trigger is dry or we are told to
 * stop.
 */
#ifndef PM_SESSION_RUN_H
#define PM_SESSION_RUN_H

#include "base/writer.h"
#include "connectors/connector.h"
#include "connectors/result.h"
#include "workers/pool.h"

/* A trigger and a store other than the pipeline's: `apply`. No records are sent. */
typedef struct PmRunInstead {
    void *data;
    PmTrigger *(*open_trigger)(void *data, PmContext *context, const PmTriggerSink *sink, PmError *err);
    PmStore *(*open_store)(void *data, PmContext *context, PmError *err);
    const char *delivers; /* the source that reads what the trigger hands over */
} PmRunInstead;

typedef struct PmRunOptions {
    PmPoolOptions pool;
    bool once;
    const PmRunInstead *instead; /* of what the pipeline names; or NULL */
    const char *const *outputs;  /* these only; NULL-terminated; NULL: all */
    int64_t grace_ms;            /* after SIGTERM; 0: 20 s */
    const PmConnector *hosted;   /* the trigger of the environment, instead of the pipeline's own; or NULL */
    const char *host;            /* where that environment is reached */
    void *data;
    PmWriter *writer; /* what `result` writes to: it is attached to the run's loop; or NULL */
    void (*started)(void *data, const json_t *info, size_t workers); /* may be NULL, as all below */
    void (*result)(void *data, const PmJobResult *result);
} PmRunOptions;

typedef struct PmRunSummary {
    size_t done, failed, rejected, skipped, retried, outputs;
    int64_t bytes_in, bytes_out, ms;
    bool interrupted, ran; /* ran: everything could be opened */
    bool gave_up;          /* once: a source or store failed too often, and objects were left where they are */
} PmRunSummary;

/* Runs to the end. `errors` gets what is wrong with the pipeline (then PM_BAD_CONFIG and nothing ran); `err` what ended
 * it otherwise. PM_OK also when single images failed: see the summary. Blocks; makes a loop of its own. */
PmStatus pm_run(const PmPipeline *pipeline, const char *text, size_t size, const PmRunOptions *options,
                PmRunSummary *summary, PmErrorList *errors, PmError *err);

/* Reads the file and asks a worker what the plugins say: every error at once. *pipeline is NULL when there are any. */
typedef struct PmChecked {
    PmPipeline *pipeline; /* owned */
    char *text;           /* owned */
    size_t size;
    json_t *info; /* owned: READY's body */
} PmChecked;
PmStatus pm_check(const char *file, const PmPoolOptions *options, PmChecked *checked, PmErrorList *errors,
                  PmError *err);
void pm_checked_finish(PmChecked *checked);

/* The plan of a checked pipeline, for a file (NULL: for `format` of width x height). New; NULL and err set on failure.
 */
json_t *pm_explain(const PmChecked *checked, const PmPoolOptions *options, const char *file, const char *format,
                   int32_t width, int32_t height, PmError *err);

/* The plan of each file, in this order, through one worker; NULL for one that cannot be planned. When the pipeline
 * itself is refused, none comes and PM_OK is returned: running it tells why. */
typedef void PmPlanned(void *data, size_t i, const json_t *plan);
PmStatus pm_explain_files(const PmPipeline *pipeline, const char *text, size_t size, const PmPoolOptions *options,
                          const PmObject *const *objects, size_t count, PmPlanned *planned, void *data, PmError *err);

#endif
