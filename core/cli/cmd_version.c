/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "cli/command.h"

static const PmCommandOption options[] = {
    {"json", NULL, "As JSON.", 0},
    {NULL, NULL, NULL, 0},
};

static int run(const PmArguments *arguments)
{
    if (pm_arguments_get(arguments, "json") != NULL)
        printf("{\"version\": \"%s\", \"abi\": \"%d.%d\"}\n", PIXMILL_VERSION, PM_ABI_MAJOR, PM_ABI_MINOR);
    else
        printf("pixmill %s (plugin ABI %d.%d)\n", PIXMILL_VERSION, PM_ABI_MAJOR, PM_ABI_MINOR);
    return PM_EXIT_FINE;
}

const PmCommand pm_command_version = {
    .name = "version",
    .usage = "[--json]",
    .summary = "Print the version and that of the plugin ABI.",
    .options = options,
    .most = 0,
    .run = run,
};
