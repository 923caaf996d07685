/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "cli/command.h"
#include "cli/describe.h"
#include "cli/print.h"
#include "connectors/connector.h"
#include "pipeline/schema.h"

static const PmCommandOption options[] = {
    {"markdown", NULL, "The reference page of the pipeline file instead.", 0},
    {NULL, NULL, NULL, 0},
};

static int run(const PmArguments *arguments)
{
    char *text = NULL;
    if (pm_arguments_get(arguments, "markdown") != NULL) {
        text = pm_schema_pipeline_markdown(pm_kinds);
        if (text != NULL) fputs(text, stdout);
        free(text);
        return PM_EXIT_FINE;
    }
    PmError err = {0};
    json_t *answer = pm_describe_plugins(&arguments->pool, NULL, 0, &err);
    if (answer == NULL) {
        pm_print_error(&err);
        return PM_EXIT_USAGE;
    }
    json_t *schema = pm_schema_pipeline(pm_kinds, json_object_get(answer, "plugins"));
    text = pm_json_text(schema, JSON_INDENT(2));
    if (text != NULL) puts(text);
    free(text);
    json_decref(schema);
    json_decref(answer);
    return PM_EXIT_FINE;
}

const PmCommand pm_command_schema = {
    .name = "schema",
    .usage = "[--markdown]",
    .summary = "Print the JSON Schema of the pipeline file, for editors.",
    .text =
        "Covers the parameters of every plugin found. In an editor with the YAML language server, begin a file with\n"
        "  # yaml-language-server: $schema=pixmill.schema.json\n"
        "\n"
        "Examples:\n"
        "  pixmill schema > pixmill.schema.json",
    .options = options,
    .most = 0,
    .run = run,
};
