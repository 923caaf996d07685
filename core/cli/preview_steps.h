/* SPDX-License-Identifier: Apache-2.0
 *
 * The pictures between the steps: a pipeline whose outputs end after each step of another one, so that a worker can
 * compute them as it does everything else. Hides how steps become text again.
 */
#ifndef PM_CLI_PREVIEW_STEPS_H
#define PM_CLI_PREVIEW_STEPS_H

#include "base/buffer.h"
#include "pipeline/pipeline.h"

enum { PM_PREVIEW_PICTURES_MAX = 64 };

/* What the pipeline of pictures makes: output "s0" is the source, "s1" ... follow. */
typedef struct PmPreviewSteps {
    char *text; /* owned; of the pipeline file */
    size_t size;
    char *starts[PM_PREVIEW_PICTURES_MAX]; /* owned; what is done until that picture, as text */
    size_t count;
    bool cut;         /* there are more pictures than a pipeline may have outputs */
    bool source_only; /* a step would ask an endpoint once for each picture */
} PmPreviewSteps;

/* Of a pipeline that was read without errors; source_only: of the source alone. PM_LIMIT: it is too long. Finish in
 * either case. */
PmStatus pm_preview_steps_make(const PmPipeline *pipeline, bool source_only, PmPreviewSteps *out, PmError *err);
void pm_preview_steps_finish(PmPreviewSteps *steps);

/* Which picture shows output `output` (NULL: the trunk) after the first `count` of its steps; -1: none. */
int pm_preview_steps_find(const PmPreviewSteps *steps, const PmPipeline *pipeline, const PmOutput *output,
                          size_t count);

#endif
