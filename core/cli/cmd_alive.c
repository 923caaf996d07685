/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/alive.h"
#include "cli/command.h"
#include "cli/print.h"

static const PmCommandOption options[] = {
    {"timeout", "MS", "How long to wait for the answer, in milliseconds; 5000 by default.", 0},
    {NULL, NULL, NULL, 0},
};

static int alive(const PmArguments *arguments)
{
    char answer[4096];
    PmError err = {0};
    long timeout = 5000;
    if (!pm_arguments_number(arguments, "timeout", 1, 600000, &timeout)) return PM_EXIT_USAGE;
    if (pm_alive_ask(arguments->values[0], (int)timeout, answer, sizeof answer, &err) == PM_OK) {
        puts(answer);
        return PM_EXIT_FINE;
    }
    pm_print_error(&err);
    return PM_EXIT_FAILED;
}

const PmCommand pm_command_alive = {
    .name = "alive",
    .usage = "PIPELINE [--timeout MS]",
    .summary = "Ask the process that runs a pipeline whether it still works.",
    .text = "For health checks. `pixmill run` answers from its event loop, so a process that hangs or is stopped does "
            "not;\n"
            "one whose bucket is away does, since starting it again would help nobody. The answer is one line of JSON: "
            "what is\n"
            "under way, and what fails. It has to be asked by the same user (or root) in the same container. Exit code "
            "3: no\n"
            "answer.\n"
            "\n"
            "Examples:\n"
            "  pixmill alive photos.yaml\n"
            "  pixmill alive photos.yaml | jq .failing",
    .options = options,
    .least = 1,
    .most = 1,
    .run = alive,
};
