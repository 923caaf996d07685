/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/print.h"
#include "workers/process.h"

enum { SETTINGS_MAX = 256 };

/* "a:b" */
static char *folders_of(const PmPoolOptions *pool)
{
    json_t *list = pm_pool_plugin_dirs(pool), *dir;
    size_t size = 1, i;
    json_array_foreach(list, i, dir) size += json_string_length(dir) + 1;
    char *text = calloc(size, 1);
    size_t used = 0;
    json_array_foreach(list, i, dir)
    {
        if (text == NULL) break;
        used += (size_t)snprintf(text + used, size - used, "%s%s", i > 0 ? ":" : "", json_string_value(dir));
    }
    json_decref(list);
    return text;
}

static int run(const PmArguments *arguments)
{
    char worker[4096];
    char *words[SETTINGS_MAX + 8];
    PmError err = {0};
    size_t n = 0;
    if (arguments->count > SETTINGS_MAX) return pm_cli_usage(NULL, "too many parameters");
    if (pm_process_worker(&arguments->pool, worker, sizeof worker, &err) != PM_OK) {
        pm_print_error(&err);
        return PM_EXIT_USAGE;
    }
    /* This process goes on as the worker: a debugger on it sees all that happens. */
    words[n++] = worker;
    words[n++] = (char[]){"--try"};
    words[n++] = (char[]){"--plugin-dirs"};
    words[n++] = folders_of(&arguments->pool);
    words[n++] = (char[]){"--"};
    for (size_t i = 0; i < arguments->count; i++) words[n++] = (char *)(uintptr_t)arguments->values[i];
    words[n] = NULL;
    if (words[3] != NULL) execv(worker, words);
    return pm_cli_usage(NULL, "cannot start %s: %s", worker, strerror(errno));
}

const PmCommand pm_command_plugin_run = {
    .name = "plugin run",
    .usage = "FILE.so IN OUT [PARAM=VALUE...]",
    .summary = "Run a plugin on one picture in this process, for debuggers.",
    .text = "One step in one process, without a sandbox: debuggers, valgrind and sanitizers see all of it.\n"
            "The ending of OUT names the format, unless the plugin is an encoder.\n"
            "\n"
            "Examples:\n"
            "  pixmill plugin run ./soften.so photo.jpg soft.png sigma=4\n"
            "  valgrind --trace-children=yes pixmill plugin run ./soften.so photo.jpg soft.png",
    .least = 3,
    .most = 0,
    .run = run,
};
