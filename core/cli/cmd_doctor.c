/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "broker/doctor.h"
#include "cli/command.h"
#include "cli/print.h"

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

static int run(const PmArguments *arguments)
{
    PmChecked checked;
    PmErrorList errors = {0};
    PmError err = {0};
    Visit visit = {.coloured = pm_print_colours(stdout)};
    PmStatus status = pm_check(arguments->values[0], &arguments->pool, &checked, &errors, &err);
    if (status == PM_OK) {
        on_found(&visit, &(PmFinding){PM_FINDING_GOOD, "pipeline", arguments->values[0], NULL});
        status = pm_doctor(checked.pipeline, on_found, &visit, &err);
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
    .text = "Credentials, the queue and its dead-letter queue, reading the source, a conditional write to each\n"
            "destination (a probe object, taken away again). What is denied is told with the IAM action to allow.\n"
            "Ends with 3 when something is missing.\n"
            "\n"
            "Examples:\n"
            "  pixmill doctor photos.yaml",
    .least = 1,
    .most = 1,
    .run = run,
};
