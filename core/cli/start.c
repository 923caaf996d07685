/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/start.h"

#include <stdlib.h>

#include "cli/print.h"

static const char *environment(void *data, const char *name)
{
    (void)data;
    return getenv(name);
}

/* Prints, and tells who wants to know. */
static void say(const PmError *err, PmErrorList *told)
{
    if (err->status == PM_OK) return;
    pm_print_error(err);
    if (told != NULL) pm_error_list_add(told, err);
}

static void say_all(PmErrorList *errors, PmErrorList *told)
{
    pm_print_errors(errors);
    for (size_t i = 0; told != NULL && i < errors->count; i++) pm_error_list_add(told, &errors->items[i]);
    pm_error_list_finish(errors);
}

PmStatus pm_start_read(const char *file, const PmPoolOptions *pool, PmStart *start, PmErrorList *told)
{
    PmErrorList errors = {0};
    PmError err = {0};
    char *dir = NULL;
    *start = (PmStart){0};
    if (pm_pipeline_load_text(file, &start->text, &start->size, &dir, &err) != PM_OK) {
        say(&err, told);
        return err.status;
    }
    start->pipeline = pm_pipeline_read(file, dir, start->text, start->size, pm_kinds, environment, NULL, &errors);
    free(dir);
    if (errors.count == 0 && start->pipeline != NULL) return PM_OK;
    pm_start_finish(start);
    /* The plugins may have more to say: all of it at once. */
    pm_error_list_finish(&errors);
    PmChecked checked;
    PmStatus status = pm_check(file, pool, &checked, &errors, &err);
    say_all(&errors, told);
    say(&err, told);
    pm_checked_finish(&checked);
    return status == PM_OK ? PM_BAD_CONFIG : status; /* edited in between: not this time */
}

int pm_start_run(PmStart *start, const PmServeOptions *options, PmServed *served, PmErrorList *told)
{
    PmErrorList errors = {0};
    PmError err = {0};
    PmStatus status = pm_serve(start->pipeline, start->text, start->size, options, served, &errors, &err);
    pm_error_list_sort(&errors);
    say_all(&errors, told);
    say(&err, told);
    if (status != PM_OK) return PM_EXIT_USAGE;
    return served->summary.failed > 0 ? PM_EXIT_FAILED : PM_EXIT_FINE;
}

void pm_start_finish(PmStart *start)
{
    pm_pipeline_free(start->pipeline);
    free(start->text);
    *start = (PmStart){0};
}
