/* SPDX-License-Identifier: Apache-2.0
 *
 * Asking without running: is the pipeline fine, and what would it do. Each call blocks, in a loop of its own.
 */
#ifndef PM_SESSION_CHECK_H
#define PM_SESSION_CHECK_H

#include "connectors/object.h"
#include "workers/pool.h"

/* Reads the file and asks a worker what the plugins say: every error at once. *pipeline is NULL when there are any. */
typedef struct PmChecked {
    PmPipeline *pipeline; /* owned */
    char *text;           /* owned */
    size_t size;
    json_t *info; /* owned: READY's body */
} PmChecked;
PmStatus pm_check(const char *file, const PmPoolOptions *options, PmChecked *checked, PmErrorList *errors,
                  PmError *err);
/* The same for a text at hand, taken: `file` names it, assets are looked for below dir (absolute). */
PmStatus pm_check_text(const char *file, const char *dir, char *text, size_t size, const PmPoolOptions *options,
                       PmChecked *checked, PmErrorList *errors, PmError *err);
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
