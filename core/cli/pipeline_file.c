/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/pipeline_file.h"

#include <stdlib.h>

#include "connectors/connector.h"

static const char *environment(void *data, const char *name)
{
    (void)data;
    return getenv(name);
}

PmPipeline *pm_pipeline_file_parse(const char *file, const char *dir, const char *text, size_t size,
                                   PmErrorList *errors)
{
    return pm_pipeline_read(file, dir, text, size, pm_kinds, environment, NULL, errors);
}

PmStatus pm_pipeline_file_read(const char *file, PmPipelineFile *out, PmErrorList *errors)
{
    PmError err = {0};
    char *dir = NULL;
    *out = (PmPipelineFile){0};
    if (pm_pipeline_load_text(file, &out->text, &out->size, &dir, &err) == PM_OK)
        out->pipeline = pm_pipeline_file_parse(file, dir, out->text, out->size, errors);
    else
        pm_error_list_add(errors, &err);
    free(dir);
    if (errors->count == 0 && out->pipeline != NULL) return PM_OK;
    pm_pipeline_file_finish(out);
    return PM_BAD_CONFIG;
}

void pm_pipeline_file_finish(PmPipelineFile *file)
{
    pm_pipeline_free(file->pipeline);
    free(file->text);
    *file = (PmPipelineFile){0};
}
