/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/start.h"

#include <stdlib.h>

#include "cli/print.h"

static const char *environment(void *data, const char *name)
{
    (void)data;
    return getenv(name);
}

PmStatus pm_start_read(const char *file, const PmPoolOptions *pool, PmStart *start)
{
    PmErrorList *errors = &start->errors;
    PmError err = {0};
    char *dir = NULL;
    *start = (PmStart){0};
    if (pm_pipeline_load_text(file, &start->text, &start->size, &dir, &err) != PM_OK) {
        pm_print_error(&err);
        pm_error_list_add(errors, &err);
        return err.status;
    }
    start->pipeline = pm_pipeline_read(file, dir, start->text, start->size, PM_READ_ALL, environment, NULL, errors);
    free(dir);
    if (errors->count == 0 && start->pipeline != NULL) return PM_OK;
    /* The plugins may have more to say: all of it at once. */
    pm_error_list_finish(errors);
    PmChecked checked;
    PmStatus status = pm_check(file, pool, &checked, errors, &err);
    pm_print_errors(errors);
    if (err.status != PM_OK) {
        pm_print_error(&err);
        pm_error_list_add(errors, &err);
    }
    pm_checked_finish(&checked);
    return status == PM_OK ? PM_BAD_CONFIG : status; /* edited in between: not this time */
}

int pm_start_run(PmStart *start, const PmRunOptions *options, PmRunSummary *summary)
{
    PmErrorList *errors = &start->errors;
    PmError err = {0};
    PmStatus status = pm_run(start->pipeline, start->text, start->size, options, summary, errors, &err);
    pm_error_list_sort(errors);
    pm_print_errors(errors);
    if (err.status != PM_OK) {
        pm_print_error(&err);
        pm_error_list_add(errors, &err);
    }
    if (status != PM_OK) return PM_EXIT_USAGE;
    return summary->failed > 0 ? PM_EXIT_FAILED : PM_EXIT_FINE;
}

void pm_start_finish(PmStart *start)
{
    pm_pipeline_free(start->pipeline);
    free(start->text);
    pm_error_list_finish(&start->errors);
    *start = (PmStart){0};
}
