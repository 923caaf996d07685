/* SPDX-License-Identifier: Apache-2.0
 *
 * One command of pixmill: its words, its options, its function. Hides getopt. A command's file holds one such table and
 * what it does; main.c lists the tables.
 */
#ifndef PM_CLI_COMMAND_H
#define PM_CLI_COMMAND_H

#include "session/check.h"
#include "session/session.h"

enum { PM_EXIT_FINE = 0, PM_EXIT_USAGE = 2, PM_EXIT_FAILED = 3 };

typedef struct PmCommandOption {
    const char *name;     /* "workers" */
    const char *argument; /* "N"; NULL: takes none */
    const char *doc;
    char letter; /* 0: none */
} PmCommandOption;

enum { PM_CLI_VALUES_MAX = 64 };

/* What the command line said. */
typedef struct PmArguments {
    const char **values; /* the words that are not options */
    size_t count;
    struct {
        const char *name, *value; /* value "" for options without argument */
    } options[PM_CLI_VALUES_MAX];
    size_t option_count;
    PmPoolOptions pool; /* --plugin-dir, --workers */
} PmArguments;

typedef struct PmCommand {
    const char *name;  /* "plugin check" for two words */
    const char *usage; /* "PIPELINE [--once]" */
    const char *summary;
    const char *text;               /* more, and examples */
    const PmCommandOption *options; /* ended by a NULL name; besides those every command has */
    size_t least, most;             /* words it takes; most 0: any number */
    int (*run)(const PmArguments *arguments);
} PmCommand;

extern const PmCommand pm_command_run, pm_command_apply, pm_command_validate, pm_command_explain, pm_command_plugins,
    pm_command_plugin_check, pm_command_plugin_run, pm_command_plugin_new, pm_command_schema, pm_command_presign,
    pm_command_doctor, pm_command_dlq_list, pm_command_dlq_redrive, pm_command_alive, pm_command_iam,
    pm_command_version, pm_command_completion, pm_command_manual, pm_command_srcset, pm_command_init,
    pm_command_preview;

enum { PM_COMMANDS_MAX = 64 };

/* The i-th of all commands, in the order of the help; NULL beyond the last. */
const PmCommand *pm_command_at(size_t i);
/* The options of every command; ended by a NULL name. */
const PmCommandOption *pm_command_common(void);
typedef struct PmExitCode {
    int code;
    const char *meaning;
} PmExitCode;
/* What commands exit with; ended by a NULL meaning. */
const PmExitCode *pm_command_exits(void);
/* The command that `words` begin with, and how many of them are its name; NULL when there is none. */
const PmCommand *pm_command_find(const char *const *words, size_t count, size_t *used);

/* The last value of an option, or NULL. */
const char *pm_arguments_get(const PmArguments *arguments, const char *name);
/* The i-th value of an option given several times, or NULL. */
const char *pm_arguments_at(const PmArguments *arguments, const char *name, size_t i);
/* A whole number of an option; false after a usage error was printed. *value stays when the option is absent. */
bool pm_arguments_number(const PmArguments *arguments, const char *name, long least, long most, long *value);

/* "pixmill: ..." on stderr, with a hint line when hint is not NULL. Returns PM_EXIT_USAGE. */
int pm_cli_usage(const char *hint, const char *fmt, ...) PM_PRINTF(2, 3);

#endif
