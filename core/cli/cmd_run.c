/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/lambda.h"
#include "cli/print.h"
#include "cli/start.h"
#include "connectors/record.h"
#include "session/job_names.h"

static const PmCommandOption options[] = {
    {"once", NULL, "End when everything that is there is done.", 0},
    {"workers", "N", "How many images of a pipeline at the same time; as many as processors may be used by default.",
     'w'},
    {"grace", "TIME", "How long to finish what is under way after SIGTERM; 20s by default.", 0},
    {"watch", NULL, "Reload the pipeline file when it changes; SIGHUP does so at any time.", 0},
    {"listen", "ADDRESS:PORT", "Answer /livez, /readyz, /metrics and /status there, by HTTP.", 0},
    {"json", NULL, "One JSON object per image on standard output.", 0},
    {NULL, NULL, NULL, 0},
};

enum {
    LAMBDA_GRACE_MS = 200, /* Lambda gives a runtime 500 ms after SIGTERM, or less */
    UNFINISHED_MAX = 10000,
    KEPT_MAX = 256 * 1024,       /* bytes of results not read yet */
    ONCE_MAX = 64 * 1024 * 1024, /* --once is read by a program that wants them all */
    IDLE_MS = 10000,
    STOP_IDLE_MS = 500
};

typedef struct Listener {
    bool json;
    PmWriter *writer; /* of standard output; owned */
    size_t dropped;   /* results that found no room */
    bool logs;        /* failures go to the log too: somebody else reads it */
    char host[256];
    json_t
        *unfinished; /* --once: {object: true}, those that failed so that they come again, and did not yet; else NULL */
} Listener;

/* "a; b" */
static void join(const json_t *list, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < json_array_size(list) && used < size; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        int n = snprintf(out + used, size - used, "%s%s", i > 0 ? "; " : "", text != NULL ? text : "");
        used += n > 0 ? (size_t)n : 0;
    }
}

/* What this host does not stop is the operator's to know, and to weigh. */
static void log_sandbox(const json_t *sandbox)
{
    char open[512], missing[1024], text[1600];
    join(json_object_get(sandbox, "open"), open, sizeof open);
    join(json_object_get(sandbox, "missing"), missing, sizeof missing);
    if (open[0] != '\0') {
        snprintf(text, sizeof text, "a codec or plugin that is taken over by an image could here: %s", open);
        pm_log(PM_LOG_WARN, "sandbox.weak", "msg", text, "missing", missing, NULL);
    } else if (missing[0] != '\0') {
        pm_log(PM_LOG_INFO, "sandbox.partial", "missing", missing, NULL);
    }
}

static void on_started(void *data, const PmPipeline *pipeline, unsigned generation, const json_t *info, size_t workers)
{
    char count[24], number[16];
    (void)data;
    snprintf(count, sizeof count, "%zu", workers);
    snprintf(number, sizeof number, "%u", generation);
    char sandbox[16];
    snprintf(sandbox, sizeof sandbox, "T%d",
             (int)json_integer_value(json_object_get(json_object_get(info, "sandbox"), "tier")));
    pm_log(PM_LOG_INFO, "run.started", "pipeline", pipeline->name, "generation", number, "workers", count, "sandbox",
           sandbox, "vips", json_string_value(json_object_get(info, "vips")), NULL);
    log_sandbox(json_object_get(info, "sandbox"));
    for (size_t i = 0; i < json_array_size(json_object_get(info, "warnings")); i++) {
        PmError warning;
        char text[2000];
        pm_error_from_json(json_array_get(json_object_get(info, "warnings"), i), &warning);
        pm_error_format(&warning, text, sizeof text);
        pm_log(PM_LOG_WARN, "pipeline.warning", "msg", text, NULL);
    }
}

static int level_of(const PmJobResult *result)
{
    if (result->error == NULL || result->error->status == PM_REJECTED || result->fate == PM_FATE_RELEASE)
        return PM_LOG_INFO;
    return result->fate == PM_FATE_RETRY ? PM_LOG_WARN : PM_LOG_ERROR;
}

/* A failure goes to the log too, with all that names the image. That of a bucket or folder is logged once, as such. */
static void log_failure(const PmJobResult *result)
{
    char attempt[16], text[1600];
    const PmJobNames names = pm_job_names(result->object, result->event_id);
    bool outage = result->fate == PM_FATE_RETRY && result->unavailable != NULL;
    int level = level_of(result);
    if (level == PM_LOG_INFO) return;
    snprintf(attempt, sizeof attempt, "%d", result->attempt);
    pm_error_format(result->error, text, sizeof text);
    pm_log(outage ? PM_LOG_DEBUG : level, result->fate == PM_FATE_RETRY ? "image.retry" : "image.failed",
           PM_JOB_NAMES(&names), "status", pm_status_name(result->error->status), "attempt", attempt, "msg", text,
           NULL);
}

/* Never blocks: images are processed even if the results are not read. */
static void put(Listener *listener, const char *text)
{
    char missing[24];
    if (!pm_writer_line(listener->writer, text, strlen(text))) {
        if (listener->dropped++ == 0)
            pm_log(PM_LOG_WARN, "output.full", "msg", "nobody reads standard output: results are left out", NULL);
        return;
    }
    if (listener->dropped == 0) return;
    snprintf(missing, sizeof missing, "%zu", listener->dropped);
    listener->dropped = 0;
    pm_log(PM_LOG_WARN, "output.back", "results", missing, "msg",
           "standard output is read again; so many were left out", NULL);
}

static void print_text(Listener *listener, const PmJobResult *result)
{
    PmBuffer line;
    pm_buffer_init(&line, 64 * 1024);
    pm_result_to_text(result, &line);
    if (!line.failed) put(listener, line.data);
    pm_buffer_finish(&line);
}

static void print_json(Listener *listener, const PmJobResult *result)
{
    json_t *object = pm_record_of(result);
    char when[25];
    pm_clock_iso8601(pm_clock_wall_ms(), when);
    json_object_set_new(object, "time", json_string(when));
    json_object_set_new(object, "level",
                        json_string(level_of(result) == PM_LOG_ERROR  ? "error"
                                    : level_of(result) == PM_LOG_WARN ? "warn"
                                                                      : "info"));
    if (listener->host[0] != '\0') json_object_set_new(object, "host", json_string(listener->host));
    char *text = pm_json_text(object, JSON_COMPACT);
    if (text != NULL) put(listener, text);
    free(text);
    json_decref(object);
}

/* What comes no more, since the queue has put it aside after so many tries, is a failure, too. */
static void remember(json_t *unfinished, const PmJobResult *result)
{
    char label[1400];
    pm_object_label(result->object, label, sizeof label);
    if (result->fate != PM_FATE_RETRY || result->error == NULL)
        json_object_del(unfinished, label);
    else if (json_object_size(unfinished) < UNFINISHED_MAX)
        json_object_set_new(unfinished, label, json_true());
}

static void on_result(void *data, const PmJobResult *result)
{
    Listener *listener = data;
    if (listener->json)
        print_json(listener, result);
    else
        print_text(listener, result);
    if (listener->logs) log_failure(result);
    if (listener->unfinished != NULL) remember(listener->unfinished, result);
}

/* Until Lambda ends us. */
static int serve_lambda(const PmArguments *arguments, PmStart *start, int64_t grace)
{
    if (start->pipeline->listen != NULL || pm_arguments_get(arguments, "listen") != NULL)
        pm_log(PM_LOG_INFO, "run.listening", "msg", "nothing listens in Lambda, where nobody could connect", NULL);
    Listener listener = {0};
    PmServeOptions request = {.session = {.pool = arguments->pool, .data = &listener, .result = pm_lambda_log_result},
                              .started = on_started,
                              .grace_ms = grace > 0 ? grace : LAMBDA_GRACE_MS};
    request.session.hosted = pm_connector_hosting(&request.session.host);
    PmServed served;
    PmErrorList printed = {0};
    int code = pm_start_run(start, &request, &served, &printed);
    if (!served.ran) pm_lambda_init_error(&printed);
    pm_error_list_finish(&printed);
    pm_start_finish(start);
    return code == PM_EXIT_FAILED ? PM_EXIT_FINE : code; /* each invocation has reported its own failures */
}

static void finish_all(PmStart *starts, size_t count)
{
    for (size_t i = 0; i < count; i++) pm_start_finish(&starts[i]);
}

/* Prints what is wrong with any of them; then none is left. Their names tell their log lines and metrics apart. */
static bool read_all(const PmArguments *arguments, PmStart *starts, PmErrorList *printed)
{
    size_t good = 0;
    for (size_t i = 0; i < arguments->count; i++)
        if (pm_start_read(arguments->values[i], &arguments->pool, &starts[good], printed) == PM_OK) good++;
    bool fine = good > 0 && good == arguments->count;
    for (size_t i = 0; fine && i < good; i++)
        for (size_t k = 0; fine && k < i; k++)
            if (strcmp(starts[i].pipeline->name, starts[k].pipeline->name) == 0) {
                pm_cli_usage("write another `name:` into one of them", "%s and %s are both called \"%s\"",
                             starts[k].pipeline->file, starts[i].pipeline->file, starts[i].pipeline->name);
                fine = false;
            }
    if (!fine) finish_all(starts, good);
    return fine;
}

static const char *listen_of(const PmStart *starts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (starts[i].pipeline->listen != NULL) return starts[i].pipeline->listen;
    return NULL;
}

static int run(const PmArguments *arguments)
{
    PmStart starts[PM_SERVE_MAX] = {0};
    size_t count = arguments->count;
    int64_t grace = 0;
    char why[120];
    const char *grace_text = pm_arguments_get(arguments, "grace");
    if (grace_text != NULL && (!pm_parse_duration(grace_text, &grace, why, sizeof why) || grace < 1))
        return pm_cli_usage(NULL, "--grace must be %s, not \"%s\"",
                            grace == 0 && why[0] != '\0' ? why : "a duration such as 20s", grace_text);
    const char *listen = pm_arguments_get(arguments, "listen");
    char host[100];
    int port;
    if (listen != NULL && !pm_text_listen_address(listen, host, sizeof host, &port))
        return pm_cli_usage("--listen 127.0.0.1:9464, or :9464 for every address of this host",
                            "--listen must be ADDRESS:PORT, not \"%s\"", listen);
    bool once = pm_arguments_get(arguments, "once") != NULL, watches = pm_arguments_get(arguments, "watch") != NULL;
    if (once && watches)
        return pm_cli_usage(NULL, "--once ends with what is there: it cannot be combined with --watch");
    if (count > PM_SERVE_MAX || (count > 1 && pm_lambda_host() != NULL))
        return pm_cli_usage(NULL, "one process runs at most %d pipelines, and a Lambda function one",
                            (int)PM_SERVE_MAX);
    PmErrorList printed = {0};
    if (!read_all(arguments, starts, &printed)) {
        pm_lambda_init_error(&printed);
        pm_error_list_finish(&printed);
        return PM_EXIT_USAGE;
    }
    if (pm_lambda_host() != NULL) return serve_lambda(arguments, &starts[0], grace);
    Listener listener = {.json = pm_arguments_get(arguments, "json") != NULL,
                         .writer = pm_writer_new(STDOUT_FILENO, once ? ONCE_MAX : KEPT_MAX),
                         .unfinished = once ? json_object() : NULL};
    if (listener.writer == NULL) return PM_EXIT_FAILED;
    listener.logs = isatty(STDOUT_FILENO) == 0 || isatty(STDERR_FILENO) == 0;
    if (gethostname(listener.host, sizeof listener.host - 1) != 0) listener.host[0] = '\0';
    PmServeOptions request = {
        .session = {.pool = arguments->pool, .once = once, .data = &listener, .result = on_result},
        .started = on_started,
        .reloads = !once,
        .watches = watches,
        .grace_ms = grace,
        .listen = listen != NULL ? listen : listen_of(starts, count),
        .writer = listener.writer};
    PmServed served;
    int code = pm_start_run_all(starts, count, &request, &served, NULL);
    const PmSessionSummary summary = served.summary;
    size_t unfinished = json_object_size(listener.unfinished);
    if (code == PM_EXIT_FINE && (unfinished > 0 || summary.gave_up) && !served.interrupted) code = PM_EXIT_FAILED;
    if (code != PM_EXIT_USAGE) {
        char in[32], out[32], text[300];
        pm_text_bytes(in, sizeof in, summary.bytes_in);
        pm_text_bytes(out, sizeof out, summary.bytes_out);
        char left[60] = "";
        if (unfinished > 0) snprintf(left, sizeof left, ", %zu given up after all tries", unfinished);
        snprintf(text, sizeof text,
                 "%zu done, %zu failed%s, %zu rejected, %zu skipped; %zu %s; %s in, %s out; %.1f s%s", summary.done,
                 summary.failed, left, summary.rejected, summary.skipped, summary.outputs,
                 pm_plural(summary.outputs, "rendition", "renditions"), in, out, (double)summary.ms / 1000,
                 served.interrupted ? "; stopped by a signal" : "");
        if (listener.json)
            pm_log(PM_LOG_INFO, "run.ended", "msg", text, NULL);
        else
            put(&listener, text);
    }
    if (!pm_writer_flush(listener.writer, served.interrupted ? STOP_IDLE_MS : IDLE_MS))
        pm_log(PM_LOG_WARN, "output.lost", "msg", "nobody reads standard output: the last results are lost", NULL);
    pm_writer_free(listener.writer);
    json_decref(listener.unfinished);
    finish_all(starts, count);
    return code;
}

const PmCommand pm_command_run = {
    .name = "run",
    .usage = "PIPELINE... [--once] [--workers N]",
    .summary = "Run pipelines: take images as their triggers deliver them.",
    .text =
        "A folder is watched with inotify; a finished file moves to done/, a hopeless one to failed/ with a\n"
        ".reason.json beside it. SIGTERM and Ctrl-C finish what is under way; a second one ends at once.\n"
        "SIGHUP reads the file anew; one that is wrong is logged and changes nothing.\n"
        "Several files run side by side in one process, each with workers of its own; one that fails stops no other.\n"
        "\n"
        "Inside AWS Lambda, which sets AWS_LAMBDA_RUNTIME_API, it serves invocations instead of the trigger; there\n"
        "pixmill needs no arguments: the file is $PIXMILL_PIPELINE, else the function's handler when that is a .yaml\n"
        "file, else pipeline.yaml.\n"
        "\n"
        "Examples:\n"
        "  pixmill run photos.yaml\n"
        "  pixmill run photos.yaml --once --workers 4\n"
        "  pixmill run photos.yaml --once --json | jq .outputs",
    .options = options,
    .least = 1,
    .run = run,
};
