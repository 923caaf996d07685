/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/command.h"
#include "cli/print.h"
#include "connectors/aws/iam_policy.h"
#include "session/check.h"

static const PmCommandOption options[] = {
    {"for", "TARGET", "container, lambda or both; container by default.", 0},
    {"dead-letter-arn", "ARN", "The queue's dead-letter queue, where the file does not name one.", 0},
    {"function", "NAME", "Name of the Lambda function; the pipeline's by default.", 0},
    {NULL, NULL, NULL, 0},
};

static int run(const PmArguments *arguments)
{
    static const char *const targets[] = {"container", "lambda", "both"};
    const char *target = pm_arguments_get(arguments, "for"), *wide;
    PmIamOptions request = {.dead_letter_arn = pm_arguments_get(arguments, "dead-letter-arn"),
                            .function = pm_arguments_get(arguments, "function")};
    for (size_t i = 0; i < 3; i++)
        if (strcmp(target != NULL ? target : "container", targets[i]) == 0) request.target = (PmIamTarget)(i + 1);
    if (request.target == 0) return pm_cli_usage(NULL, "--for must be container, lambda or both, not \"%s\"", target);
    PmChecked checked;
    PmErrorList errors = {0};
    PmError err = {0};
    PmStatus status = pm_check(arguments->values[0], &arguments->pool, &checked, &errors, &err);
    pm_print_errors(&errors);
    if (err.status != PM_OK) pm_print_error(&err);
    pm_error_list_finish(&errors);
    if (status != PM_OK) return PM_EXIT_USAGE;
    request.ready = checked.info;
    json_t *policy = pm_iam_policy(checked.pipeline, &request, &wide);
    char *text = pm_json_text(policy, JSON_INDENT(2));
    if (text != NULL) puts(text);
    if (wide != NULL) fprintf(stderr, "pixmill: %s\n  hint: name it with --dead-letter-arn\n", wide);
    free(text);
    json_decref(policy);
    pm_checked_finish(&checked);
    return PM_EXIT_FINE;
}

const PmCommand pm_command_iam = {
    .name = "iam",
    .usage = "PIPELINE [--for container|lambda|both]",
    .summary = "Print the IAM policy that a pipeline needs, and no more.",
    .text = "Worked out of the file and its plugins; AWS is not asked. The policy is JSON on standard output.\n"
            "\n"
            "Examples:\n"
            "  pixmill iam photos.yaml --for lambda\n"
            "  pixmill iam photos.yaml --dead-letter-arn arn:aws:sqs:eu-west-1:123456789012:uploads-dead",
    .options = options,
    .least = 1,
    .most = 1,
    .run = run,
};
