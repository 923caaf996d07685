/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "base/writer.h"

enum { LINE_MAX_BYTES = 16 * 1024, VALUE_MAX_BYTES = 2048, KEPT_MAX_BYTES = 256 * 1024, FLUSH_MS = 500 };

static const char *const levels[] = {"error", "warn", "info", "debug"};
static int threshold = PM_LOG_INFO, configured = PM_LOG_INFO;
static bool as_json, for_lambda;
static char request[128], trace[512];
static PmWriter *writer; /* NULL: lines are written at once, and wait */
static bool attached;    /* to a loop */
static size_t dropped;

void pm_log_setup(PmLogFormat format, int level)
{
    threshold = configured = level;
    for_lambda = format == PM_LOG_JSON_LAMBDA;
    as_json = format == PM_LOG_JSON || for_lambda || (format == PM_LOG_AUTO && isatty(STDERR_FILENO) == 0);
}

void pm_log_context(const char *request_id, const char *trace_id)
{
    pm_text_copy(request, sizeof request, request_id != NULL ? request_id : "");
    pm_text_copy(trace, sizeof trace, trace_id != NULL ? trace_id : "");
}

bool pm_log_toggle_debug(void)
{
    threshold = threshold == configured ? PM_LOG_DEBUG : configured;
    return threshold == PM_LOG_DEBUG;
}

bool pm_log_enabled(int level)
{
    return level <= threshold;
}

static void add_json(PmBuffer *line, const char *event, const char *level, va_list ap)
{
    char when[25];
    pm_clock_iso8601(pm_clock_wall_ms(), when);
    char loud[8] = "";
    for (size_t i = 0; level[i] != '\0' && i + 1 < sizeof loud; i++) loud[i] = (char)(level[i] - 'a' + 'A');
    json_t *object = json_pack("{ssssss}", for_lambda ? "timestamp" : "time", when, "level", for_lambda ? loud : level,
                               "event", event);
    if (request[0] != '\0') json_object_set_new(object, "requestId", json_string(request));
    if (trace[0] != '\0') json_object_set_new(object, "traceId", json_string(trace));
    const char *key;
    while ((key = va_arg(ap, const char *)) != NULL) {
        const char *value = va_arg(ap, const char *);
        if (value == NULL) continue;
        char clean[VALUE_MAX_BYTES];
        pm_text_utf8(clean, sizeof clean, value);
        json_object_set_new(object, for_lambda && strcmp(key, "msg") == 0 ? "message" : key, json_string(clean));
    }
    char *text = pm_json_text(object, JSON_COMPACT | JSON_ENSURE_ASCII);
    if (text != NULL) pm_buffer_adds(line, text);
    free(text);
    json_decref(object);
}

static void add_text(PmBuffer *line, const char *event, const char *level, va_list ap)
{
    pm_buffer_addf(line, "%-5s %s", level, event);
    if (request[0] != '\0') pm_buffer_addf(line, " requestId=%s", request);
    const char *key;
    while ((key = va_arg(ap, const char *)) != NULL) {
        const char *value = va_arg(ap, const char *);
        if (value == NULL) continue;
        char safe[VALUE_MAX_BYTES];
        pm_text_escape(safe, sizeof safe, value);
        if (strcmp(key, "msg") == 0)
            pm_buffer_addf(line, ": %s", safe);
        else
            pm_buffer_addf(line, strchr(safe, ' ') != NULL ? " %s=\"%s\"" : " %s=%s", key, safe);
    }
}

static void put(PmBuffer *line)
{
    if (writer != NULL) {
        if (line->size > 0 && !pm_writer_line(writer, line->data, line->size)) dropped++;
        if (!attached) pm_writer_flush(writer, FLUSH_MS);
        return;
    }
    pm_buffer_adds(line, "\n");
    /* One write, so that lines of several processes do not mix. */
    if (line->size > 0 && write(STDERR_FILENO, line->data, line->size) < 0) { /* nowhere left to say it */
    }
}

void pm_log_attach(struct PmLoop *loop)
{
    if (writer == NULL && loop != NULL) writer = pm_writer_new(STDERR_FILENO, KEPT_MAX_BYTES);
    if (writer == NULL) return;
    attached = loop != NULL;
    pm_writer_attach(writer, loop);
    if (!attached) pm_writer_flush(writer, FLUSH_MS);
}

/* Once there is room again: how much is missing. */
static void tell_dropped(void)
{
    char count[24];
    snprintf(count, sizeof count, "%zu", dropped);
    dropped = 0;
    pm_log(PM_LOG_WARN, "log.dropped", "lines", count, "msg", "nobody read standard error, so lines were left out",
           NULL);
}

void pm_log(int level, const char *event, ...)
{
    if (!pm_log_enabled(level)) return;
    if (dropped > 0 && pm_writer_flush(writer, 0)) tell_dropped();
    const char *name = levels[level < 0 ? 0 : level > PM_LOG_DEBUG ? PM_LOG_DEBUG : level];
    PmBuffer line;
    pm_buffer_init(&line, LINE_MAX_BYTES);
    va_list ap;
    va_start(ap, event);
    if (as_json)
        add_json(&line, event, name, ap);
    else
        add_text(&line, event, name, ap);
    va_end(ap);
    put(&line);
    pm_buffer_finish(&line);
}
