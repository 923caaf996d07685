/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/describe.h"
#include "cli/print.h"
#include "connectors/doctor.h"

typedef struct Visit {
    size_t bad, warnings;
    bool coloured;
} Visit;

static void on_found(void *data, const PmFinding *finding)
{
    static const char *const words[] = {"ok", "warning", "FAILED"}, *const colours[] = {"32", "33", "31"};
    Visit *visit = data;
    visit->bad += finding->kind == PM_FINDING_BAD;
    visit->warnings += finding->kind == PM_FINDING_WARNING;
    if (visit->coloured)
        printf("\033[%sm%-8s\033[0m", colours[finding->kind], words[finding->kind]);
    else
        printf("%-8s", words[finding->kind]);
    printf(" %s: %s\n", finding->subject, finding->text);
    if (finding->hint != NULL && finding->hint[0] != '\0') printf("           hint: %s\n", finding->hint);
    fflush(stdout);
}

/* What this build decodes and encodes, and what the pipeline asks for beyond that. */
static void report_worker(Visit *visit, const json_t *info)
{
    char reads[PM_DESCRIBE_FORMATS_MAX], writes[PM_DESCRIBE_FORMATS_MAX], text[2 * PM_DESCRIBE_FORMATS_MAX + 64];
    pm_describe_formats_text(info, "load", reads, sizeof reads);
    pm_describe_formats_text(info, "save", writes, sizeof writes);
    snprintf(text, sizeof text, "libvips %s reads %s; writes %s", json_string_value(json_object_get(info, "vips")),
             reads, writes);
    on_found(visit, &(PmFinding){PM_FINDING_GOOD, "formats", text, NULL});
    const json_t *warnings = json_object_get(info, "warnings");
    for (size_t i = 0; i < json_array_size(warnings); i++) {
        PmError warning;
        char what[1600], hint[sizeof warning.hint];
        pm_error_from_json(json_array_get(warnings, i), &warning);
        memcpy(hint, warning.hint, sizeof hint);
        warning.hint[0] = '\0';
        pm_error_format(&warning, what, sizeof what);
        on_found(visit, &(PmFinding){PM_FINDING_WARNING, "pipeline", what, hint});
    }
}

static int run(const PmArguments *arguments)
{
    PmChecked checked;
    PmErrorList errors = {0};
    PmError err = {0};
    Visit visit = {.coloured = pm_print_colours(stdout)};
    PmStatus status = pm_check(arguments->values[0], &arguments->pool, &checked, &errors, &err);
    if (status == PM_OK) {
        on_found(&visit, &(PmFinding){PM_FINDING_GOOD, "pipeline", arguments->values[0], NULL});
        report_worker(&visit, checked.info);
        status = pm_doctor(checked.pipeline, checked.info, on_found, &visit, &err);
    }
    pm_print_errors(&errors);
    if (err.status != PM_OK) pm_print_error(&err);
    pm_error_list_finish(&errors);
    pm_checked_finish(&checked);
    if (status != PM_OK) return PM_EXIT_USAGE;
    if (visit.bad > 0)
        printf("%zu %s to mend before `pixmill run` can work\n", visit.bad, pm_plural(visit.bad, "thing", "things"));
    return visit.bad > 0 ? PM_EXIT_FAILED : PM_EXIT_FINE;
}

const PmCommand pm_command_doctor = {
    .name = "doctor",
    .usage = "PIPELINE",
    .summary = "Try everything that a pipeline needs of AWS, and say what is missing.",
    .text = "The formats that this build reads and writes; credentials, the queue and its dead-letter queue, reading "
            "the source, a conditional write to each\n"
            "destination (a probe object, taken away again), calls that plugins make (one byte, which is refused). For "
            "what is denied it names the IAM action to allow.\n"
            "Ends with 3 when something is missing.\n"
            "\n"
            "Examples:\n"
            "  pixmill doctor photos.yaml",
    .least = 1,
    .most = 1,
    .run = run,
};
