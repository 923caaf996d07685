/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/command.h"
#include "cli/print.h"

static void print_fine(const PmChecked *checked)
{
    const PmPipeline *p = checked->pipeline;
    size_t steps = p->step_count;
    for (size_t i = 0; i < p->output_count; i++) steps += p->outputs[i].step_count;
    printf("%s: fine (%zu %s, %zu %s)\n", p->file, p->output_count, pm_plural(p->output_count, "output", "outputs"),
           steps, pm_plural(steps, "step", "steps"));
    const json_t *of_worker = json_object_get(checked->info, "warnings");
    PmErrorList warnings = {0};
    for (size_t i = 0; i < json_array_size(of_worker); i++) {
        PmError warning;
        pm_error_from_json(json_array_get(of_worker, i), &warning);
        pm_error_list_add(&warnings, &warning);
    }
    pm_pipeline_warn_places(p, json_object_get(checked->info, "writes"), &warnings);
    pm_error_list_sort(&warnings);
    for (size_t i = 0; i < warnings.count; i++) {
        char text[2000];
        pm_error_format(&warnings.items[i], text, sizeof text);
        printf("warning: %s\n", text);
    }
    pm_error_list_finish(&warnings);
}

static int run(const PmArguments *arguments)
{
    int code = PM_EXIT_FINE;
    for (size_t i = 0; i < arguments->count; i++) {
        PmChecked checked;
        PmErrorList errors = {0};
        PmError err = {0};
        if (pm_check(arguments->values[i], &arguments->pool, &checked, &errors, &err) == PM_OK) {
            print_fine(&checked);
        } else {
            pm_print_errors(&errors);
            if (err.status != PM_OK) pm_print_error(&err);
            code = PM_EXIT_USAGE;
        }
        fflush(stdout);
        pm_error_list_finish(&errors);
        pm_checked_finish(&checked);
    }
    return code;
}

const PmCommand pm_command_validate = {
    .name = "validate",
    .usage = "PIPELINE...",
    .summary = "Check pipeline files, plugins' parameters included.",
    .text = "Prints all errors of a file at once, each with line and column. Nothing is run and no image is read.\n"
            "\n"
            "Examples:\n"
            "  pixmill validate photos.yaml\n"
            "  pixmill validate config/*.yaml && echo all fine",
    .least = 1,
    .run = run,
};
