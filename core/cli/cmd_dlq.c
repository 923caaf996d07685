/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/print.h"
#include "cli/start.h"
#include "connectors/connector.h"

enum { MESSAGES_MAX = 100000, LIST_MAX = 1000 };

static const PmCommandOption list_options[] = {
    {"max", "N", "Look at no more than N messages; 1000 by default.", 0},
    {"each", NULL, "A line for each message, not for each reason.", 0},
    {"json", NULL, "A JSON list of all messages.", 0},
    {NULL, NULL, NULL, 0},
};

static const PmCommandOption redrive_options[] = {
    {"reason", "REASON", "Only messages with this reason, as `dlq list` shows them; all by default.", 0},
    {"max", "N", "No more than N messages.", 0},
    {NULL, NULL, NULL, 0},
};

static void write_time(char *out, size_t size, int64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    out[0] = '\0';
    if (ms > 0 && gmtime_r(&seconds, &tm) != NULL) strftime(out, size, "%Y-%m-%d %H:%M", &tm);
}

static void on_listed(void *data, const PmDeadLetter *message)
{
    json_t *one = json_pack("{ss ss ss ss ss sI si}", "id", message->id, "reason", message->reason, "message",
                            message->message, "source", message->source, "where", message->where, "sent_ms",
                            (json_int_t)message->sent_ms, "received", message->receive_count);
    if (one != NULL) json_array_append_new(data, one);
}

static const char *text_at(const json_t *message, const char *name)
{
    return json_string_value(json_object_get(message, name));
}

static void print_message(const json_t *message)
{
    char time[24], clean[1400];
    write_time(time, sizeof time, json_integer_value(json_object_get(message, "sent_ms")));
    printf("%-24s %s  ", text_at(message, "reason"), time);
    const char *source = text_at(message, "source"), *text = text_at(message, "message");
    pm_text_escape(clean, sizeof clean, source[0] != '\0' ? source : text_at(message, "id"));
    printf("%s", clean);
    pm_text_escape(clean, sizeof clean, text);
    printf("%s%s\n", clean[0] != '\0' ? ": " : "", clean);
}

/* One line a reason: how many, since when, one of them. */
static void print_reasons(const json_t *messages)
{
    json_t *counts = json_object(), *oldest = json_object();
    size_t i;
    json_t *message;
    json_array_foreach(messages, i, message)
    {
        const char *reason = text_at(message, "reason");
        const json_t *first = json_object_get(oldest, reason);
        json_object_set_new(counts, reason, json_integer(json_integer_value(json_object_get(counts, reason)) + 1));
        if (first == NULL || json_integer_value(json_object_get(message, "sent_ms")) <
                                 json_integer_value(json_object_get(first, "sent_ms")))
            json_object_set(oldest, reason, message);
    }
    const char *reason;
    json_t *count;
    json_object_foreach(counts, reason, count)
    {
        printf("%6lld  ", (long long)json_integer_value(count));
        print_message(json_object_get(oldest, reason));
    }
    json_decref(counts);
    json_decref(oldest);
}

static void print_list(const PmArguments *arguments, const json_t *messages)
{
    size_t i;
    json_t *message;
    if (pm_arguments_get(arguments, "json") != NULL) {
        char *text = pm_json_text(messages, JSON_INDENT(2));
        if (text != NULL) puts(text);
        free(text);
    } else if (json_array_size(messages) == 0) {
        puts("no dead letters");
    } else if (pm_arguments_get(arguments, "each") != NULL) {
        json_array_foreach(messages, i, message) print_message(message);
    } else {
        print_reasons(messages);
    }
}

/* Of the pipeline's trigger. */
static const PmDeadLetterOps *find_dead_letters(const PmPipeline *pipeline, PmError *err)
{
    const PmConnector *connector = pm_connector_of(pipeline->trigger.kind);
    if (connector != NULL && connector->dead_letters != NULL) return connector->dead_letters;
    pm_error_set(err, PM_BAD_CONFIG, "%s: its trigger is neither an SQS queue nor a folder, so it has no dead letters",
                 pipeline->file);
    return NULL;
}

static int list(const PmArguments *arguments)
{
    PmStart start;
    PmError err = {0};
    long max = LIST_MAX;
    if (!pm_arguments_number(arguments, "max", 1, MESSAGES_MAX, &max)) return PM_EXIT_USAGE;
    if (pm_start_read(arguments->values[0], &arguments->pool, &start, NULL) != PM_OK) return PM_EXIT_USAGE;
    json_t *messages = json_array();
    const PmDeadLetterOps *ops = find_dead_letters(start.pipeline, &err);
    if (ops != NULL && ops->list(start.pipeline, (size_t)max, on_listed, messages, &err) == PM_OK)
        print_list(arguments, messages);
    else
        pm_print_error(&err);
    json_decref(messages);
    pm_start_finish(&start);
    return err.status == PM_OK ? PM_EXIT_FINE : PM_EXIT_USAGE;
}

typedef struct Redrive {
    size_t done;
} Redrive;

static void on_redriven(void *data, const PmDeadLetter *message)
{
    Redrive *redrive = data;
    redrive->done++;
    pm_print_progress(redrive->done, redrive->done, message->source[0] != '\0' ? message->source : message->id);
}

static int redrive(const PmArguments *arguments)
{
    PmStart start;
    PmError err = {0};
    Redrive state = {0};
    size_t left = 0;
    long max = MESSAGES_MAX;
    if (!pm_arguments_number(arguments, "max", 1, MESSAGES_MAX, &max)) return PM_EXIT_USAGE;
    if (pm_start_read(arguments->values[0], &arguments->pool, &start, NULL) != PM_OK) return PM_EXIT_USAGE;
    const PmDeadLetterOps *ops = find_dead_letters(start.pipeline, &err);
    if (ops != NULL) {
        ops->redrive(start.pipeline, pm_arguments_get(arguments, "reason"), (size_t)max, on_redriven, &state, &left,
                     &err);
        pm_print_progress_end();
        printf("%zu %s back %s, %zu left\n", state.done, pm_plural(state.done, ops->one, ops->many), ops->back, left);
    }
    if (err.status != PM_OK) pm_print_error(&err);
    pm_start_finish(&start);
    return err.status == PM_OK ? PM_EXIT_FINE : PM_EXIT_FAILED;
}

const PmCommand pm_command_dlq_list = {
    .name = "dlq list",
    .usage = "PIPELINE [--each] [--json]",
    .summary = "Show what lies in the dead-letter queue or the failed folder, and why.",
    .text = "One line for each reason: how many messages, the oldest of them. The messages stay where they are. The "
            "reason\n"
            "is pixmill's own; " PM_REDRIVEN " stands for those that the queue moved, after too many deliveries.\n"
            "Of a folder trigger: the files in `failed` that have a .reason.json.\n"
            "\n"
            "Examples:\n"
            "  pixmill dlq list photos.yaml\n"
            "  pixmill dlq list photos.yaml --json | jq -r '.[] | select(.reason == \"limit\") | .source'",
    .options = list_options,
    .least = 1,
    .most = 1,
    .run = list,
};

const PmCommand pm_command_dlq_redrive = {
    .name = "dlq redrive",
    .usage = "PIPELINE [--reason REASON] [--max N]",
    .summary = "Send dead letters back to the queue, or failed files to the folder, that they came from.",
    .text =
        "Each is sent first and deleted then: when it is interrupted, a message may be in both queues, which does no\n"
        "harm. Mend the cause before: what fails again comes back, and stays there. Of a folder trigger: each file "
        "moves back from\n"
        "`failed` to its place in the folder, then its .reason.json is removed; a name that is taken gets a number.\n"
        "\n"
        "Examples:\n"
        "  pixmill dlq redrive photos.yaml --reason plugin_crash:watermark:SIGSEGV\n"
        "  pixmill dlq redrive photos.yaml --max 10",
    .options = redrive_options,
    .least = 1,
    .most = 1,
    .run = redrive,
};
