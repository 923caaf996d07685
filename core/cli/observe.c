/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/observe.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/process_metrics.h"
#include "cli/serve.h"
#include "cli/status_page.h"
#include "net/listener.h"

enum { FAILURES_MAX = 50, IN_FLIGHT_MAX = 100 };

/* One pipeline. */
typedef struct Subject {
    const PmGenerations *generations;
    json_t *info;     /* READY's body; NULL: the workers are not up */
    json_t *failures; /* the newest first */
} Subject;

struct PmObserve {
    PmListener *listener;
    PmProcessMetrics *process;
    Subject *subjects;
    size_t count;
};

static void add_json(PmListenAnswer *answer, json_t *json)
{
    char *text = pm_json_text(json, JSON_COMPACT);
    json_decref(json);
    answer->content_type = "application/json";
    if (text == NULL) {
        answer->status = 503;
        return;
    }
    pm_buffer_addf(&answer->body, "%s\n", text);
    free(text);
}

/* --- the paths --- */

/* A blocked loop does not answer. */
static void answer_livez(PmObserve *observe, const PmListenRequest *request, PmListenAnswer *answer)
{
    (void)observe, (void)request;
    pm_buffer_adds(&answer->body, "alive\n");
}

static json_t *readiness(const Subject *subject, bool *ready)
{
    char why[300] = "";
    const PmPipeline *pipeline = pm_session_pipeline(pm_generations_session(subject->generations));
    *ready = pm_generations_is_ready(subject->generations, why, sizeof why);
    return json_pack("{ss sb ss}", "pipeline", pipeline->name, "ready", *ready, "reason", why);
}

static void answer_readyz(PmObserve *observe, const PmListenRequest *request, PmListenAnswer *answer)
{
    bool all = true;
    json_t *list = json_array();
    (void)request;
    for (size_t i = 0; i < observe->count; i++) {
        bool ready;
        json_array_append_new(list, readiness(&observe->subjects[i], &ready));
        all = all && ready;
    }
    if (!all) answer->status = 503;
    add_json(answer, json_pack("{sb so}", "ready", all, "pipelines", list));
}

static void note_reload(PmProcessMetrics *process, const Subject *subject)
{
    json_t *status = pm_generations_status(subject->generations);
    const json_t *reload = json_object_get(status, "reload");
    pm_process_metrics_put_config(process, json_string_value(json_object_get(status, "pipeline")),
                                  json_integer_value(json_object_get(status, "generation")),
                                  !json_is_object(reload) || json_is_true(json_object_get(reload, "ok")));
    json_decref(status);
}

/* All workers are of one build. */
static const char *vips_of(const PmObserve *observe)
{
    const char *version = NULL;
    for (size_t i = 0; version == NULL && i < observe->count; i++)
        version = json_string_value(json_object_get(observe->subjects[i].info, "vips"));
    return version;
}

static void answer_metrics(PmObserve *observe, const PmListenRequest *request, PmListenAnswer *answer)
{
    bool open = strstr(request->accept, "application/openmetrics-text") != NULL;
    PmMetricText text = open ? PM_METRIC_OPENMETRICS : PM_METRIC_PROMETHEUS;
    const PmMetricSet *sessions[PM_SERVE_MAX];
    for (size_t i = 0; i < observe->count; i++) {
        sessions[i] = pm_session_metrics(pm_generations_session(observe->subjects[i].generations));
        note_reload(observe->process, &observe->subjects[i]);
    }
    const PmMetricSet *process = pm_process_metrics(observe->process, vips_of(observe));
    answer->content_type = open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                : "text/plain; version=0.0.4; charset=utf-8";
    pm_metric_write(&process, 1, text, &answer->body);
    pm_metric_write(sessions, observe->count, text, &answer->body);
    if (open) pm_buffer_adds(&answer->body, "# EOF\n");
    if (answer->body.failed) answer->status = 503;
}

/* Name and version of each. */
static json_t *plugins_of(const json_t *info)
{
    json_t *list = json_array(), *plugin;
    size_t i;
    json_array_foreach(json_object_get(info, "plugins"), i, plugin)
    {
        json_array_append_new(list, json_pack("{sO? sO?}", "name", json_object_get(plugin, "name"), "version",
                                              json_object_get(plugin, "version")));
    }
    return list;
}

static json_t *pipeline_status(const Subject *subject)
{
    const PmSession *session = pm_generations_session(subject->generations);
    const PmSessionSummary of_all = pm_generations_summary(subject->generations), *sums = &of_all;
    bool ready;
    json_t *status = pm_generations_status(subject->generations), *readiness_now = readiness(subject, &ready);
    const PmKind *trigger = pm_session_pipeline(session)->trigger.kind;
    json_object_update(status, readiness_now);
    json_decref(readiness_now);
    json_object_set_new(status, "file", json_string(pm_session_pipeline(session)->file));
    json_object_set_new(status, "digest", json_string(pm_session_digest(session)));
    json_object_set_new(status, "trigger", trigger != NULL ? json_string(trigger->name) : json_null());
    json_object_set_new(status, "plugins", plugins_of(subject->info));
    if (subject->info != NULL) json_object_set(status, "sandbox", json_object_get(subject->info, "sandbox"));
    json_object_set_new(status, "in_flight", pm_session_in_flight(session, IN_FLIGHT_MAX));
    json_object_set(status, "failures", subject->failures);
    json_object_set_new(status, "counters",
                        json_pack("{sI sI sI sI sI sI sI sI}", "done", (json_int_t)sums->done, "failed",
                                  (json_int_t)sums->failed, "rejected", (json_int_t)sums->rejected, "skipped",
                                  (json_int_t)sums->skipped, "retried", (json_int_t)sums->retried, "outputs",
                                  (json_int_t)sums->outputs, "bytes_in", (json_int_t)sums->bytes_in, "bytes_out",
                                  (json_int_t)sums->bytes_out));
    return status;
}

static void answer_status(PmObserve *observe, const PmListenRequest *request, PmListenAnswer *answer)
{
    if (strstr(request->accept, "text/html") != NULL) {
        answer->content_type = "text/html; charset=utf-8";
        pm_buffer_adds(&answer->body, pm_status_page);
        return;
    }
    json_t *build = json_pack("{ss ss?}", "version", PIXMILL_VERSION, "libvips", vips_of(observe));
    json_t *list = json_array();
    for (size_t i = 0; i < observe->count; i++) json_array_append_new(list, pipeline_status(&observe->subjects[i]));
    add_json(answer, json_pack("{so so}", "build", build, "pipelines", list));
}

static void on_request(void *data, const PmListenRequest *request, PmListenAnswer *answer)
{
    static const struct {
        const char *path;
        void (*answer)(PmObserve *observe, const PmListenRequest *request, PmListenAnswer *answer);
    } paths[] = {
        {"/livez", answer_livez}, {"/readyz", answer_readyz}, {"/metrics", answer_metrics}, {"/status", answer_status}};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        if (strcmp(request->path, paths[i].path) != 0) continue;
        paths[i].answer(data, request, answer);
        return;
    }
    answer->status = 404;
    pm_buffer_adds(&answer->body, "here are /livez, /readyz, /metrics and /status\n");
}

/* --- what happens --- */

void pm_observe_started(PmObserve *observe, size_t i, const json_t *info)
{
    if (observe == NULL) return;
    json_decref(observe->subjects[i].info);
    observe->subjects[i].info = json_deep_copy(info);
}

void pm_observe_result(PmObserve *observe, size_t i, const PmJobResult *result)
{
    char label[1400], when[25], text[1600];
    if (observe == NULL || result->error == NULL || result->fate == PM_FATE_RELEASE) return;
    json_t *failures = observe->subjects[i].failures;
    pm_object_label(result->object, label, sizeof label);
    pm_clock_iso8601(pm_clock_wall_ms(), when);
    pm_error_format(result->error, text, sizeof text);
    json_array_insert_new(failures, 0,
                          json_pack("{ss ss ss ss sb si}", "time", when, "object", label, "status",
                                    pm_status_name(result->error->status), "message", text, "again",
                                    result->fate == PM_FATE_RETRY, "attempt", result->attempt));
    while (json_array_size(failures) > FAILURES_MAX) json_array_remove(failures, FAILURES_MAX);
}

/* --- life --- */

static bool make_subjects(PmObserve *observe, const PmGenerations *const *generations, size_t count)
{
    observe->subjects = calloc(count, sizeof *observe->subjects);
    if (observe->subjects == NULL) return false;
    for (; observe->count < count; observe->count++) {
        Subject *subject = &observe->subjects[observe->count];
        *subject = (Subject){.generations = generations[observe->count], .failures = json_array()};
        if (subject->failures == NULL) return false;
    }
    return true;
}

PmObserve *pm_observe_new(PmLoop *loop, const PmGenerations *const *generations, size_t count, const char *address,
                          PmError *err)
{
    PmObserve *observe = calloc(1, sizeof *observe);
    if (observe == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    observe->process = pm_process_metrics_new();
    if (!make_subjects(observe, generations, count) || observe->process == NULL)
        pm_error_set(err, PM_TRANSIENT, "out of memory");
    else
        observe->listener = pm_listener_new(loop, address, on_request, observe, err);
    if (observe->listener == NULL) {
        pm_observe_free(observe);
        return NULL;
    }
    pm_log(PM_LOG_INFO, "run.listening", "address", pm_listener_address(observe->listener), NULL);
    return observe;
}

void pm_observe_free(PmObserve *observe)
{
    if (observe == NULL) return;
    pm_listener_free(observe->listener);
    pm_process_metrics_free(observe->process);
    for (size_t i = 0; i < observe->count; i++) {
        json_decref(observe->subjects[i].info);
        json_decref(observe->subjects[i].failures);
    }
    free(observe->subjects);
    free(observe);
}
