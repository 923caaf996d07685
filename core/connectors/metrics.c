/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"

enum { VALUES_MAX = 100, EMF_MAX = 4 * 1024 * 1024 }; /* values of one member; bytes of all lines */

struct PmMetrics {
    const char *name_space, *pipeline;
    json_t *groups; /* "" or "Status limit" -> {metric: {unit, values: [..]} or {unit, sum}} */
};

PmMetrics *pm_metrics_new(const char *name_space, const char *pipeline)
{
    PmMetrics *metrics = calloc(1, sizeof *metrics);
    if (metrics == NULL) return NULL;
    *metrics = (PmMetrics){.name_space = name_space, .pipeline = pipeline, .groups = json_object()};
    return metrics;
}

void pm_metrics_free(PmMetrics *metrics)
{
    if (metrics == NULL) return;
    json_decref(metrics->groups);
    free(metrics);
}

/* --- counting --- */

/* dimension NULL: the pipeline alone. Made when it is not there. */
static json_t *metric_of(PmMetrics *metrics, const char *dimension, const char *value, const char *name,
                         const char *unit)
{
    char group[200] = "";
    if (dimension != NULL) snprintf(group, sizeof group, "%s %s", dimension, value);
    json_t *in = json_object_get(metrics->groups, group);
    if (in == NULL) {
        in = json_object();
        json_object_set_new(metrics->groups, group, in);
    }
    json_t *metric = json_object_get(in, name);
    if (metric == NULL) {
        metric = json_pack("{ss}", "unit", unit);
        json_object_set_new(in, name, metric);
    }
    return metric;
}

static void count(PmMetrics *metrics, const char *dimension, const char *value, const char *name, const char *unit,
                  int64_t more)
{
    json_t *metric = metric_of(metrics, dimension, value, name, unit);
    json_object_set_new(metric, "sum", json_integer(json_integer_value(json_object_get(metric, "sum")) + more));
}

static void sample(PmMetrics *metrics, const char *dimension, const char *value, const char *name, double ms)
{
    json_t *metric = metric_of(metrics, dimension, value, name, "Milliseconds");
    json_t *values = json_object_get(metric, "values");
    if (values == NULL) {
        values = json_array();
        json_object_set_new(metric, "values", values);
    }
    json_array_append_new(values, json_real(ms));
}

void pm_metrics_add_messages(PmMetrics *metrics, size_t messages)
{
    count(metrics, NULL, NULL, "Messages", "Count", (int64_t)messages);
}

static void add_timings(PmMetrics *metrics, const json_t *timings)
{
    static const char *const phases[][2] = {{"fetch_ms", "FetchLatency"}, {"wait_ms", "WaitLatency"},
                                            {"plan_ms", "PlanLatency"},   {"decode_ms", "DecodeLatency"},
                                            {"work_ms", "WorkLatency"},   {"store_ms", "StoreLatency"}};
    const char *step;
    json_t *us;
    for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++) {
        const json_t *phase = json_object_get(timings, phases[i][0]);
        if (phase != NULL) sample(metrics, NULL, NULL, phases[i][1], json_number_value(phase));
    }
    json_object_foreach(json_object_get(timings, "steps_us"), step, us)
        sample(metrics, "Step", step, "StepLatency", json_number_value(us) / 1000);
}

void pm_metrics_add_result(PmMetrics *metrics, const PmJobResult *result)
{
    int64_t outputs = 0, bytes = 0;
    for (size_t i = 0; i < result->output_count; i++) {
        if (result->outputs[i].stored != PM_STORED) continue;
        outputs++;
        bytes += result->outputs[i].size;
    }
    bool failed = result->error != NULL;
    count(metrics, NULL, NULL, "Images", "Count", 1);
    count(metrics, NULL, NULL, "Outputs", "Count", outputs);
    count(metrics, NULL, NULL, "Failures", "Count", failed);
    count(metrics, NULL, NULL, "Skipped", "Count", result->skipped != NULL);
    count(metrics, NULL, NULL, "BytesIn", "Bytes", result->source_size);
    count(metrics, NULL, NULL, "BytesOut", "Bytes", bytes);
    if (failed) count(metrics, "Status", pm_status_name(result->error->status), "Failures", "Count", 1);
    sample(metrics, NULL, NULL, "Latency", (double)result->ms);
    add_timings(metrics, result->timings);
}

/* --- lines --- */

/* Moves up to VALUES_MAX values out; the rest waits for a line more. */
static json_t *take_values(json_t *values)
{
    json_t *some = json_array();
    while (json_array_size(values) > 0 && json_array_size(some) < VALUES_MAX) {
        size_t last = json_array_size(values) - 1;
        json_array_append(some, json_array_get(values, last));
        json_array_remove(values, last);
    }
    return some;
}

/* One line's metrics; false when nothing is left. */
static bool take_metrics(json_t *group, json_t *line, json_t *definitions)
{
    const char *name;
    json_t *metric;
    void *next;
    json_object_foreach_safe(group, next, name, metric)
    {
        json_t *values = json_object_get(metric, "values"), *sum = json_object_get(metric, "sum");
        json_array_append_new(definitions, json_pack("{sssO}", "Name", name, "Unit", json_object_get(metric, "unit")));
        if (sum != NULL)
            json_object_set(line, name, sum);
        else
            json_object_set_new(line, name, take_values(values));
        if (json_array_size(values) == 0) json_object_del(group, name);
    }
    return json_array_size(definitions) > 0;
}

static void add_line(const PmMetrics *metrics, PmBuffer *lines, const char *dimension, const char *value, json_t *line,
                     json_t *definitions, int64_t wall_ms)
{
    json_t *dimensions = json_pack("[s]", "Pipeline");
    json_object_set_new(line, "Pipeline", json_string(metrics->pipeline));
    if (dimension[0] != '\0') {
        json_array_append_new(dimensions, json_string(dimension));
        json_object_set_new(line, dimension, json_string(value));
    }
    json_object_set_new(line, "_aws",
                        json_pack("{sIs[{sss[o]sO}]}", "Timestamp", (json_int_t)wall_ms, "CloudWatchMetrics",
                                  "Namespace", metrics->name_space, "Dimensions", dimensions, "Metrics", definitions));
    char *text = json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(6));
    if (text != NULL) {
        pm_buffer_adds(lines, text);
        pm_buffer_adds(lines, "\n");
    }
    free(text);
}

char *pm_metrics_take_emf(PmMetrics *metrics, int64_t wall_ms)
{
    PmBuffer lines;
    const char *key;
    json_t *group;
    pm_buffer_init(&lines, EMF_MAX);
    pm_buffer_adds(&lines, "");
    json_object_foreach(metrics->groups, key, group)
    {
        char dimension[16] = "";
        const char *space = strchr(key, ' ');
        if (space != NULL && (size_t)(space - key) < sizeof dimension) memcpy(dimension, key, (size_t)(space - key));
        for (bool more = true; more;) {
            json_t *line = json_object(), *definitions = json_array();
            more = take_metrics(group, line, definitions);
            if (more) add_line(metrics, &lines, dimension, space != NULL ? space + 1 : "", line, definitions, wall_ms);
            json_decref(definitions);
            json_decref(line);
        }
    }
    json_object_clear(metrics->groups);
    return pm_buffer_steal(&lines);
}
