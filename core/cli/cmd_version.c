/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "cli/command.h"
#include "cli/describe.h"

static const PmCommandOption options[] = {
    {"json", NULL, "As JSON.", 0},
    {NULL, NULL, NULL, 0},
};

static void print_json(const json_t *answer)
{
    char abi[32];
    snprintf(abi, sizeof abi, "%d.%d", PM_ABI_MAJOR, PM_ABI_MINOR);
    json_t *all = json_pack("{ss ss}", "version", PIXMILL_VERSION, "abi", abi);
    if (answer != NULL) {
        json_object_set(all, "vips", json_object_get(answer, "vips"));
        json_object_set_new(all, "reads", pm_describe_formats(answer, "load"));
        json_object_set_new(all, "writes", pm_describe_formats(answer, "save"));
    }
    char *text = pm_json_text(all, 0);
    if (text != NULL) puts(text);
    free(text);
    json_decref(all);
}

static void print_text(const json_t *answer)
{
    char reads[PM_DESCRIBE_FORMATS_MAX], writes[PM_DESCRIBE_FORMATS_MAX];
    printf("pixmill %s (plugin ABI %d.%d)\n", PIXMILL_VERSION, PM_ABI_MAJOR, PM_ABI_MINOR);
    if (answer == NULL) return;
    pm_describe_formats_text(answer, "load", reads, sizeof reads);
    pm_describe_formats_text(answer, "save", writes, sizeof writes);
    printf("libvips %s reads %s; writes %s\n", json_string_value(json_object_get(answer, "vips")), reads, writes);
}

/* The formats are the worker's to tell. Where there is none, the version is still the answer. */
static int run(const PmArguments *arguments)
{
    PmError err = {0};
    json_t *answer = pm_describe_build(&arguments->pool, &err);
    if (pm_arguments_get(arguments, "json") != NULL)
        print_json(answer);
    else
        print_text(answer);
    fflush(stdout);
    if (answer == NULL) fprintf(stderr, "pixmill: cannot find out which formats it reads: %s\n", err.message);
    json_decref(answer);
    return PM_EXIT_FINE;
}

const PmCommand pm_command_version = {
    .name = "version",
    .usage = "[--json]",
    .summary = "Print the version, that of the plugin ABI, and the formats that this build reads and writes.",
    .options = options,
    .most = 0,
    .run = run,
};
