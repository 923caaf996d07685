/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/start.h"

#include <stdlib.h>

#include "cli/pipeline_file.h"
#include "cli/print.h"

/* Prints, and tells who wants to know. */
static void say(const PmStart *start, PmError *err, PmErrorList *printed)
{
    if (err->status == PM_OK) return;
    if (start->line != NULL) pm_steps_line_place(start->line, err);
    pm_print_error(err);
    if (printed != NULL) pm_error_list_add(printed, err);
}

void pm_start_say_all(const PmStart *start, PmErrorList *errors, PmErrorList *printed)
{
    for (size_t i = 0; start->line != NULL && i < errors->count; i++)
        pm_steps_line_place(start->line, &errors->items[i]);
    pm_error_list_sort(errors);
    pm_print_errors(errors);
    for (size_t i = 0; printed != NULL && i < errors->count; i++) pm_error_list_add(printed, &errors->items[i]);
    pm_error_list_finish(errors);
}

/* Reads start->text, which is called `file`; dir: see pm_pipeline_read. */
static PmStatus read_text(const char *file, const char *dir, const PmPoolOptions *pool, PmStart *start,
                          PmErrorList *printed)
{
    PmErrorList errors = {0};
    PmError err = {0};
    start->pipeline = pm_pipeline_file_parse(file, dir, start->text, start->size, &errors);
    if (errors.count == 0 && start->pipeline != NULL) return PM_OK;
    pm_error_list_finish(&errors);
    pm_pipeline_free(start->pipeline);
    /* The plugins may have more to say: all of it at once. */
    PmChecked checked;
    PmStatus status = pm_check_text(file, dir, start->text, start->size, pool, &checked, &errors, &err);
    start->pipeline = NULL;
    start->text = NULL;
    pm_start_say_all(start, &errors, printed);
    say(start, &err, printed);
    pm_checked_finish(&checked);
    pm_start_finish(start);
    return status == PM_OK ? PM_BAD_CONFIG : status;
}

PmStatus pm_start_read(const char *file, const PmPoolOptions *pool, PmStart *start, PmErrorList *printed)
{
    PmError err = {0};
    char *dir = NULL;
    *start = (PmStart){0};
    if (pm_pipeline_load_text(file, &start->text, &start->size, &dir, &err) != PM_OK) {
        say(start, &err, printed);
        return err.status;
    }
    PmStatus status = read_text(file, dir, pool, start, printed);
    free(dir);
    return status;
}

PmStatus pm_start_read_steps(const char *steps, const PmPoolOptions *pool, PmStart *start, PmErrorList *printed)
{
    PmError err = {0};
    *start = (PmStart){.line = calloc(1, sizeof *start->line)};
    char *dir = realpath(".", NULL);
    PmStatus status = PM_LIMIT;
    if (start->line == NULL || dir == NULL)
        pm_error_set(&err, PM_LIMIT, "cannot find out the current directory");
    else
        status = pm_steps_line_read(steps, start->line, &err);
    if (status == PM_OK) {
        start->text = start->line->yaml;
        start->size = start->line->size;
        start->line->yaml = NULL;
        status = read_text(PM_STEPS_LINE_FILE, dir, pool, start, printed);
    } else {
        pm_print_error(&err);
        if (printed != NULL) pm_error_list_add(printed, &err);
        pm_start_finish(start);
    }
    free(dir);
    return status;
}

int pm_start_run_all(const PmStart *starts, size_t count, const PmServeOptions *options, PmServed *served,
                     PmErrorList *printed)
{
    PmServePipeline pipelines[PM_SERVE_MAX];
    PmErrorList errors = {0};
    PmError err = {0};
    for (size_t i = 0; i < count; i++)
        pipelines[i] = (PmServePipeline){starts[i].pipeline, starts[i].text, starts[i].size};
    PmStatus status = pm_serve(pipelines, count, options, served, &errors, &err);
    pm_start_say_all(&starts[0], &errors, printed);
    say(&starts[0], &err, printed);
    if (status != PM_OK) return PM_EXIT_USAGE;
    return served->summary.failed > 0 ? PM_EXIT_FAILED : PM_EXIT_FINE;
}

int pm_start_run(const PmStart *start, const PmServeOptions *options, PmServed *served, PmErrorList *printed)
{
    return pm_start_run_all(start, 1, options, served, printed);
}

void pm_start_finish(PmStart *start)
{
    pm_pipeline_free(start->pipeline);
    free(start->text);
    if (start->line != NULL) pm_steps_line_finish(start->line);
    free(start->line);
    *start = (PmStart){0};
}
