/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cli/command.h"

static const PmCommand *const commands[] = {
    &pm_command_init,    &pm_command_preview, &pm_command_run,          &pm_command_apply,       &pm_command_validate,
    &pm_command_explain, &pm_command_plugins, &pm_command_plugin_check, &pm_command_plugin_run,  &pm_command_plugin_new,
    &pm_command_schema,  &pm_command_doctor,  &pm_command_dlq_list,     &pm_command_dlq_redrive, &pm_command_srcset,
    &pm_command_presign, &pm_command_alive,   &pm_command_iam,          &pm_command_completion,  &pm_command_manual,
    &pm_command_version,
};

static const PmCommandOption common[] = {
    {"plugin-dir", "DIR", "Look for plugins here first; several are separated by \":\".", 0},
    {"log-level", "LEVEL", "error, warn, info or debug; info by default.", 0},
    {"log-format", "FORMAT", "text or json; text on a terminal by default.", 0},
    {"help", NULL, "Show this help.", 'h'},
    {NULL, NULL, NULL, 0},
};

static const PmExitCode exits[] = {
    {PM_EXIT_FINE, "fine"},
    {PM_EXIT_USAGE, "wrong usage, or a pipeline file that has to be edited"},
    {PM_EXIT_FAILED, "some images failed, or something is missing (doctor)"},
    {0, NULL},
};

const PmCommand *pm_command_at(size_t i)
{
    _Static_assert(sizeof commands / sizeof commands[0] <= PM_COMMANDS_MAX, "raise PM_COMMANDS_MAX");
    return i < sizeof commands / sizeof commands[0] ? commands[i] : NULL;
}

const PmCommandOption *pm_command_common(void)
{
    return common;
}

const PmExitCode *pm_command_exits(void)
{
    return exits;
}

const PmCommand *pm_command_find(const char *const *words, size_t count, size_t *used)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0] && count > 0; i++) {
        const char *name = commands[i]->name, *space = strchr(name, ' ');
        size_t first = space != NULL ? (size_t)(space - name) : strlen(name);
        *used = space != NULL ? 2 : 1;
        if (strncmp(words[0], name, first) != 0 || words[0][first] != '\0' || *used > count) continue;
        if (space == NULL || strcmp(words[1], space + 1) == 0) return commands[i];
    }
    return NULL;
}
