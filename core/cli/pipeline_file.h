/* SPDX-License-Identifier: Apache-2.0
 *
 * A pipeline file as it is now: its text, which workers read too, and what it says. Prints nothing and asks no worker.
 */
#ifndef PM_CLI_PIPELINE_FILE_H
#define PM_CLI_PIPELINE_FILE_H

#include "pipeline/pipeline.h"

typedef struct PmPipelineFile {
    PmPipeline *pipeline;
    char *text;
    size_t size;
} PmPipelineFile;

/* Reads a text that is called `file`; dir: see pm_pipeline_read. Variables come from the environment. New; NULL,
 * or errors added, when it is wrong. */
PmPipeline *pm_pipeline_file_parse(const char *file, const char *dir, const char *text, size_t size,
                                   PmErrorList *errors);
/* PM_OK: *out is new. Otherwise it is empty, and `errors` has all that is wrong with it, or the one reason why it
 * cannot be read. */
PmStatus pm_pipeline_file_read(const char *file, PmPipelineFile *out, PmErrorList *errors);
void pm_pipeline_file_finish(PmPipelineFile *file);

#endif
