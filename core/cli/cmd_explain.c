/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/command.h"
#include "cli/explain_text.h"
#include "cli/print.h"

static const PmCommandOption options[] = {
    {"json", NULL, "The plan as JSON.", 0},
    {"size", "WxH", "Without FILE: plan for a source of this size; 4000x3000 by default.", 0},
    {"format", "NAME", "Without FILE: the source's format; jpeg by default.", 0},
    {NULL, NULL, NULL, 0},
};

static bool parse_size(const char *text, int32_t *width, int32_t *height)
{
    char *end = NULL;
    long w = strtol(text, &end, 10);
    if (end == text || *end != 'x') return false;
    const char *rest = end + 1;
    long h = strtol(rest, &end, 10);
    if (end == rest || *end != '\0' || w < 1 || h < 1 || w > 1000000 || h > 1000000) return false;
    *width = (int32_t)w;
    *height = (int32_t)h;
    return true;
}

static int run(const PmArguments *arguments)
{
    int32_t width = 4000, height = 3000;
    const char *size = pm_arguments_get(arguments, "size"), *format = pm_arguments_get(arguments, "format");
    const char *file = arguments->count > 1 ? arguments->values[1] : NULL;
    if (size != NULL && !parse_size(size, &width, &height))
        return pm_cli_usage(NULL, "--size must be like 4000x3000, not \"%s\"", size);
    PmChecked checked;
    PmErrorList errors = {0};
    PmError err = {0};
    int code = PM_EXIT_USAGE;
    if (pm_check(arguments->values[0], &arguments->pool, &checked, &errors, &err) == PM_OK) {
        json_t *plan =
            pm_explain(&checked, &arguments->pool, file, format != NULL ? format : "jpeg", width, height, &err);
        if (plan != NULL && pm_arguments_get(arguments, "json") != NULL) {
            char *text = pm_json_text(plan, JSON_INDENT(2));
            if (text != NULL) puts(text);
            free(text);
        } else if (plan != NULL) {
            pm_explain_print(plan, &checked);
        }
        code = plan != NULL ? PM_EXIT_FINE : file != NULL ? PM_EXIT_FAILED : PM_EXIT_USAGE;
        json_decref(plan);
    }
    pm_print_errors(&errors);
    if (err.status != PM_OK) pm_print_error(&err);
    pm_error_list_finish(&errors);
    pm_checked_finish(&checked);
    return code;
}

const PmCommand pm_command_explain = {
    .name = "explain",
    .usage = "PIPELINE [FILE] [--json]",
    .summary = "Show the plan: what is decoded how small, what is shared, what each step makes.",
    .text = "With FILE only its header is read. Without, the plan is for a picture as --size and --format say.\n"
            "\n"
            "Examples:\n"
            "  pixmill explain photos.yaml cat.jpg\n"
            "  pixmill explain photos.yaml --size 6000x4000 --format png",
    .options = options,
    .least = 1,
    .most = 2,
    .run = run,
};
