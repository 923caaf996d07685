/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/rlimits.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/lambda.h"

enum { OPTIONS_MAX = 32 };

int pm_cli_usage(const char *hint, const char *fmt, ...)
{
    char message[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    fprintf(stderr, "pixmill: %s\n", message);
    if (hint != NULL) fprintf(stderr, "  hint: %s\n", hint);
    return PM_EXIT_USAGE;
}

const char *pm_arguments_at(const PmArguments *arguments, const char *name, size_t i)
{
    for (size_t k = 0; k < arguments->option_count; k++)
        if (strcmp(arguments->options[k].name, name) == 0 && i-- == 0) return arguments->options[k].value;
    return NULL;
}

const char *pm_arguments_get(const PmArguments *arguments, const char *name)
{
    const char *value = NULL, *next;
    for (size_t i = 0; (next = pm_arguments_at(arguments, name, i)) != NULL; i++) value = next;
    return value;
}

bool pm_arguments_number(const PmArguments *arguments, const char *name, long least, long most, long *value)
{
    const char *text = pm_arguments_get(arguments, name);
    if (text == NULL) return true;
    char *end = NULL;
    long number = strtol(text, &end, 10);
    if (*text != '\0' && *end == '\0' && number >= least && number <= most) {
        *value = number;
        return true;
    }
    pm_cli_usage(NULL, "--%s must be a whole number from %ld to %ld, not \"%s\"", name, least, most, text);
    return false;
}

/* --- help --- */

static void print_options(const PmCommandOption *options)
{
    for (; options != NULL && options->name != NULL; options++) {
        char left[64];
        snprintf(left, sizeof left, "%s%c%s--%s%s%s", options->letter != 0 ? "-" : "",
                 options->letter != 0 ? options->letter : ' ', options->letter != 0 ? ", " : "   ", options->name,
                 options->argument != NULL ? " " : "", options->argument != NULL ? options->argument : "");
        printf("  %-24s %s\n", left, options->doc);
    }
}

static void print_help(void)
{
    puts("pixmill turns images into renditions, as one YAML file says.\n\nUsage: pixmill COMMAND "
         "[ARGUMENTS]\n\nCommands:");
    const PmCommand *command;
    for (size_t i = 0; (command = pm_command_at(i)) != NULL; i++)
        printf("  %-14s %s\n", command->name, command->summary);
    puts("\nOptions of every command:");
    print_options(pm_command_common());
    puts("\nExit codes:");
    for (const PmExitCode *exit = pm_command_exits(); exit->meaning != NULL; exit++)
        printf("  %d  %s\n", exit->code, exit->meaning);
    puts("\n"
         "Examples:\n"
         "  pixmill validate photos.yaml\n"
         "  pixmill apply photos.yaml holiday/*.jpg --out renditions\n"
         "  pixmill run photos.yaml\n"
         "\n"
         "`pixmill COMMAND --help` says more.");
}

static void print_command_help(const PmCommand *command)
{
    printf("Usage: pixmill %s %s\n\n%s\n\n", command->name, command->usage, command->summary);
    if (command->text != NULL) printf("%s\n\n", command->text);
    puts("Options:");
    print_options(command->options);
    print_options(pm_command_common());
}

/* --- the command line --- */

static int unknown_command(const char *word)
{
    const char *names[PM_COMMANDS_MAX + 1] = {NULL};
    char hint[120];
    const PmCommand *command;
    for (size_t i = 0; (command = pm_command_at(i)) != NULL; i++) names[i] = command->name;
    const char *near = pm_text_nearest(word, names);
    if (near != NULL)
        snprintf(hint, sizeof hint, "did you mean \"%s\"?", near);
    else
        snprintf(hint, sizeof hint, "`pixmill --help` lists the commands");
    return pm_cli_usage(hint, "unknown command \"%s\"", word);
}

typedef struct Table {
    struct option options[OPTIONS_MAX + 1];
    const PmCommandOption *sources[OPTIONS_MAX];
    char letters[2 * OPTIONS_MAX + 2];
    int count;
} Table;

static void add_options(Table *table, const PmCommandOption *options)
{
    for (; options != NULL && options->name != NULL && table->count < OPTIONS_MAX; options++) {
        size_t n = strlen(table->letters);
        if (options->letter != 0) {
            table->letters[n++] = options->letter;
            if (options->argument != NULL) table->letters[n++] = ':';
            table->letters[n] = '\0';
        }
        int i = table->count++;
        table->sources[i] = options;
        table->options[i] = (struct option){options->name, options->argument != NULL ? required_argument : no_argument,
                                            NULL, 0x100 + i};
    }
}

static const PmCommandOption *option_of(const Table *table, int code)
{
    if (code >= 0x100 && code < 0x100 + table->count) return table->sources[code - 0x100];
    for (int i = 0; i < table->count; i++)
        if (table->sources[i]->letter == code) return table->sources[i];
    return NULL;
}

static int bad_option(const PmCommand *command, const Table *table, char **argv, int at, int code)
{
    char hint[160];
    const char *word = at > 0 && argv[at] != NULL ? argv[at] : "";
    if (code == ':') return pm_cli_usage(NULL, "%s needs a value", word);
    const char *names[OPTIONS_MAX + 1];
    for (int i = 0; i < table->count; i++) names[i] = table->options[i].name;
    names[table->count] = NULL;
    char name[64];
    pm_text_copy(name, sizeof name, word + strspn(word, "-"));
    name[strcspn(name, "=")] = '\0';
    const char *near = pm_text_nearest(name, names);
    if (near != NULL)
        snprintf(hint, sizeof hint, "did you mean --%s?", near);
    else
        snprintf(hint, sizeof hint, "`pixmill %s --help` lists the options", command->name);
    return pm_cli_usage(hint, "unknown option %s", word);
}

static int set_up_log(const PmArguments *arguments)
{
    static const char *const levels[] = {"error", "warn", "info", "debug", NULL};
    const char *level = pm_arguments_get(arguments, "log-level"), *format = pm_arguments_get(arguments, "log-format");
    int found = PM_LOG_INFO, shape = PM_LOG_AUTO;
    pm_lambda_log(&shape, &found);
    if (level != NULL) {
        found = -1;
        for (int i = 0; levels[i] != NULL; i++)
            if (strcmp(level, levels[i]) == 0) found = i;
    }
    if (found < 0) return pm_cli_usage(NULL, "--log-level must be error, warn, info or debug, not \"%s\"", level);
    if (format != NULL && strcmp(format, "text") != 0 && strcmp(format, "json") != 0)
        return pm_cli_usage(NULL, "--log-format must be text or json, not \"%s\"", format);
    pm_log_setup(format == NULL ? (PmLogFormat)shape : strcmp(format, "json") == 0 ? PM_LOG_JSON : PM_LOG_TEXT, found);
    return PM_EXIT_FINE;
}

static int run_command(const PmCommand *command, int argc, char **argv)
{
    Table table = {.letters = ":"};
    PmArguments arguments = {0};
    add_options(&table, command->options);
    add_options(&table, pm_command_common());
    opterr = 0;
    optind = 1;
    int code;
    while ((code = getopt_long(argc, argv, table.letters, table.options, NULL)) != -1) {
        const PmCommandOption *option = option_of(&table, code);
        if (option == NULL) return bad_option(command, &table, argv, optind - 1, code);
        if (strcmp(option->name, "help") == 0) {
            print_command_help(command);
            return PM_EXIT_FINE;
        }
        if (arguments.option_count == PM_CLI_VALUES_MAX)
            return pm_cli_usage(NULL, "more than %d options", (int)PM_CLI_VALUES_MAX);
        arguments.options[arguments.option_count].name = option->name;
        arguments.options[arguments.option_count++].value = optarg != NULL ? optarg : "";
    }
    arguments.values = (const char **)argv + optind;
    arguments.count = (size_t)(argc - optind);
    char hint[100];
    snprintf(hint, sizeof hint, "`pixmill %s --help` shows examples", command->name);
    if (arguments.count < command->least)
        return pm_cli_usage(hint, "usage: pixmill %s %s", command->name, command->usage);
    if (command->most > 0 && arguments.count > command->most)
        return pm_cli_usage(hint, "%s takes no \"%s\"", command->name, arguments.values[command->most]);
    int failed = set_up_log(&arguments);
    long workers = 0;
    if (failed != PM_EXIT_FINE || !pm_arguments_number(&arguments, "workers", 1, 1024, &workers)) return PM_EXIT_USAGE;
    arguments.pool.plugin_dirs = pm_arguments_get(&arguments, "plugin-dir");
    arguments.pool.workers = (int)workers;
    return command->run(&arguments);
}

/* What belongs to the whole process is settled here, once, and nowhere below: no write to a closed socket or pipe ends
 * us, nor does the kernel's word that somebody wants to write to a file that we look at; and as many descriptors as the
 * hard limit allows. */
static void own_process(void)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGIO, SIG_IGN);
    pm_rlimits_raise_descriptors();
}

int main(int argc, char **argv)
{
    own_process();
    if (argc < 2 && pm_lambda_host() != NULL) {
        char pipeline[4096];
        pm_lambda_pipeline(pipeline, sizeof pipeline);
        char *words[] = {"run", pipeline, NULL};
        return run_command(&pm_command_run, 2, words);
    }
    if (argc < 2) {
        print_help();
        return PM_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        size_t words;
        const PmCommand *command = pm_command_find((const char *const *)argv + 2, (size_t)argc - 2, &words);
        if (argc > 2 && command == NULL) return unknown_command(argv[2]);
        if (command != NULL)
            print_command_help(command);
        else
            print_help();
        return PM_EXIT_FINE;
    }
    if (strcmp(argv[1], "--version") == 0) return pm_command_version.run(&(PmArguments){0});
    size_t words;
    const PmCommand *command = pm_command_find((const char *const *)argv + 1, (size_t)argc - 1, &words);
    if (command == NULL && strcmp(argv[1], "plugin") == 0)
        return pm_cli_usage("did you mean \"plugin check FILE.so\" or \"plugins\"?", "unknown command \"plugin\"");
    if (command == NULL) return unknown_command(argv[1]);
    return run_command(command, argc - (int)words, argv + words);
}
