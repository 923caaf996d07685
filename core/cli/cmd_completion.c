/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cli/command.h"
#include "cli/describe.h"
#include "session/check.h"

static const char *const shells[] = {"bash", "zsh", "fish", NULL};

/* What the shells are told once: to ask us, with the words before the cursor and the one it is in, possibly empty.
 * Files are theirs to find where we know nothing. */
static const char *const scripts[] = {
    "_pixmill() {\n"
    "    local words=(\"${COMP_WORDS[@]:1:COMP_CWORD}\")\n"
    "    mapfile -t COMPREPLY < <(\"${1/#\\~/$HOME}\" completion bash -- \"${words[@]}\" 2>/dev/null)\n"
    "}\n"
    "complete -o bashdefault -o default -F _pixmill pixmill\n",
    "#compdef pixmill\n"
    "_pixmill() {\n"
    "    local -a found\n"
    "    found=(${(f)\"$(${~words[1]} completion zsh -- \"${(@)words[2,CURRENT]}\" 2>/dev/null)\"})\n"
    "    if (( $#found )); then compadd -a found; else _files; fi\n"
    "}\n"
    "if [ \"$funcstack[1]\" = _pixmill ]; then _pixmill \"$@\"; else compdef _pixmill pixmill; fi\n",
    "function __pixmill_complete\n"
    "    set -l words (commandline -opc) (commandline -ct)\n"
    "    set -l found ($words[1] completion fish -- $words[2..-1] 2>/dev/null)\n"
    "    if test (count $found) -gt 0\n"
    "        printf '%s\\n' $found\n"
    "    else\n"
    "        __fish_complete_path (commandline -ct)\n"
    "    end\n"
    "end\n"
    "complete -c pixmill -f -a '(__pixmill_complete)'\n",
};

/* Values of options that take one of a few. */
static const struct {
    const char *option, *values[8];
} known[] = {
    {"log-level", {"error", "warn", "info", "debug"}},
    {"log-format", {"text", "json"}},
    {"kind", {"apply", "inspect", "encode"}},
    {"for", {"container", "lambda", "both"}},
};

typedef struct Request {
    const char *const *words; /* all before the one to complete */
    size_t count;
    const char *begun; /* that one, as far as it is written */
    bool describe;     /* with a tab and what it is */
    const PmPoolOptions *pool;
} Request;

static void offer(const Request *request, const char *prefix, const char *word, size_t length, const char *doc)
{
    char candidate[128];
    snprintf(candidate, sizeof candidate, "%s%.*s", prefix, (int)length, word);
    if (strncmp(candidate, request->begun, strlen(request->begun)) != 0) return;
    if (request->describe && doc != NULL)
        printf("%s\t%.*s\n", candidate, (int)strcspn(doc, "\n"), doc);
    else
        puts(candidate);
}

static void offer_word(const Request *request, const char *word, const char *doc)
{
    offer(request, "", word, strlen(word), doc);
}

/* The first words of commands, each once, though several share theirs. */
static void offer_commands(const Request *request)
{
    const PmCommand *command, *before = NULL;
    for (size_t i = 0; (command = pm_command_at(i)) != NULL; before = command, i++) {
        size_t length = strcspn(command->name, " ");
        if (before != NULL && strcspn(before->name, " ") == length && !strncmp(before->name, command->name, length))
            continue;
        offer(request, "", command->name, length, command->name[length] == '\0' ? command->summary : NULL);
    }
}

static void offer_second_words(const Request *request)
{
    const PmCommand *command;
    for (size_t i = 0; (command = pm_command_at(i)) != NULL; i++) {
        const char *space = strchr(command->name, ' ');
        if (space != NULL && strlen(request->words[0]) == (size_t)(space - command->name) &&
            !strncmp(command->name, request->words[0], (size_t)(space - command->name)))
            offer_word(request, space + 1, command->summary);
    }
}

static void offer_options(const Request *request, const PmCommandOption *options)
{
    for (; options != NULL && options->name != NULL; options++)
        offer(request, "--", options->name, strlen(options->name), options->doc);
}

static void offer_plugins(const Request *request)
{
    PmError err = {0};
    json_t *answer = pm_describe_plugins(request->pool, NULL, 0, &err), *plugins = json_object_get(answer, "plugins");
    for (size_t i = 0; i < json_array_size(plugins); i++) {
        const json_t *plugin = json_array_get(plugins, i);
        const char *name = json_string_value(json_object_get(plugin, "name"));
        if (name != NULL) offer_word(request, name, json_string_value(json_object_get(plugin, "summary")));
    }
    json_decref(answer);
}

static bool names_pipeline(const char *word)
{
    const char *dot = strrchr(word, '.');
    return dot != NULL && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

/* Of the pipeline file that the line names. */
static void offer_outputs(const Request *request)
{
    const char *file = NULL;
    for (size_t i = 0; i < request->count; i++)
        if (names_pipeline(request->words[i])) file = request->words[i];
    if (file == NULL) return;
    PmChecked checked;
    PmErrorList errors = {0};
    PmError err = {0};
    if (pm_check(file, request->pool, &checked, &errors, &err) == PM_OK && checked.pipeline != NULL)
        for (size_t i = 0; i < checked.pipeline->output_count; i++)
            offer_word(request, checked.pipeline->outputs[i].name, NULL);
    pm_error_list_finish(&errors);
    pm_checked_finish(&checked);
}

static void offer_values(const Request *request, const PmCommandOption *option)
{
    if (strcmp(option->name, "output") == 0) offer_outputs(request);
    if (strcmp(option->name, "steps") == 0) offer_plugins(request);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        for (size_t k = 0; !strcmp(known[i].option, option->name) && known[i].values[k] != NULL; k++)
            offer_word(request, known[i].values[k], NULL);
}

/* The option of that table which `word` names and which takes a value. */
static const PmCommandOption *waiting(const PmCommandOption *options, const char *word)
{
    for (; options != NULL && options->name != NULL; options++) {
        bool is_long = word[0] == '-' && word[1] == '-' && strcmp(word + 2, options->name) == 0;
        bool is_short = word[0] == '-' && options->letter != 0 && word[1] == options->letter && word[2] == '\0';
        if (options->argument != NULL && (is_long || is_short)) return options;
    }
    return NULL;
}

static void complete_arguments(const Request *request, const PmCommand *command)
{
    const char *last = request->words[request->count - 1];
    const PmCommandOption *option = waiting(command->options, last);
    if (option == NULL) option = waiting(pm_command_common(), last);
    if (option != NULL) {
        offer_values(request, option);
    } else if (request->begun[0] == '-') {
        offer_options(request, command->options);
        offer_options(request, pm_command_common());
    } else if (strcmp(command->name, "plugins") == 0) {
        offer_plugins(request);
    } else if (command == &pm_command_completion) {
        for (size_t i = 0; shells[i] != NULL; i++) offer_word(request, shells[i], NULL);
    }
}

static void complete(const Request *request)
{
    size_t used;
    const PmCommand *command = pm_command_find(request->words, request->count, &used);
    if (request->count == 0 || (request->count == 1 && strcmp(request->words[0], "help") == 0)) {
        offer_commands(request);
        if (request->count > 0) return;
        offer_word(request, "help", "Show the help of a command.");
        offer_word(request, "--help", NULL);
        offer_word(request, "--version", NULL);
    } else if (command != NULL) {
        complete_arguments(request, command);
    } else if (request->count == 1) {
        offer_second_words(request);
    }
}

static int run(const PmArguments *arguments)
{
    size_t shell = 0;
    while (shells[shell] != NULL && strcmp(shells[shell], arguments->values[0]) != 0) shell++;
    if (shells[shell] == NULL)
        return pm_cli_usage(NULL, "completions are there for bash, zsh and fish, not \"%s\"", arguments->values[0]);
    if (arguments->count == 1) {
        fputs(scripts[shell], stdout);
        return PM_EXIT_FINE;
    }
    complete(&(Request){.words = arguments->values + 1,
                        .count = arguments->count - 2,
                        .begun = arguments->values[arguments->count - 1],
                        .describe = strcmp(shells[shell], "fish") == 0,
                        .pool = &arguments->pool});
    return PM_EXIT_FINE;
}

const PmCommand pm_command_completion = {
    .name = "completion",
    .usage = "bash|zsh|fish [-- WORD...]",
    .summary = "Print what makes a shell complete commands, options, plugins and outputs.",
    .text = "An installed pixmill has brought it along. Else, a shell is told by what its own start file says.\n"
            "With words it prints how the last of them may go on, a line each: this is what the shells ask.\n"
            "\n"
            "Examples:\n"
            "  source <(pixmill completion bash)\n"
            "  source <(pixmill completion zsh)\n"
            "  pixmill completion fish | source",
    .least = 1,
    .most = 0,
    .run = run,
};
