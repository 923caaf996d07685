/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json.h"

enum { VALUES_MAX = 100, EMF_MAX = 4 * 1024 * 1024 }; /* values of one member; bytes of all lines */

/* --- what is counted --- */

/* The one list of metrics. A counter adds up; a latency keeps its values. */
typedef enum Metric {
    MESSAGES,
    IMAGES,
    OUTPUTS,
    FAILURES,
    SKIPPED,
    BYTES_IN,
    BYTES_OUT,
    LATENCY,
    FETCH_LATENCY,
    WAIT_LATENCY,
    PLAN_LATENCY,
    DECODE_LATENCY,
    WORK_LATENCY,
    STORE_LATENCY,
    FAILURES_BY_STATUS,
    STEP_LATENCY,
    METRICS
} Metric;

static const struct {
    PmMetricInfo info;
    const char *timing; /* the member of a job's timings that it is, in milliseconds; or NULL */
} table[METRICS] = {
    [MESSAGES] = {{"Messages", "Count", NULL, "Messages that arrived."}, NULL},
    [IMAGES] = {{"Images", "Count", NULL, "Images that were worked on, whatever became of them."}, NULL},
    [OUTPUTS] = {{"Outputs", "Count", NULL, "Renditions that were written."}, NULL},
    [FAILURES] = {{"Failures", "Count", NULL, "Images that ended with an error."}, NULL},
    [SKIPPED] = {{"Skipped", "Count", NULL, "Images of which nothing was made: deleted, replaced, or our own."}, NULL},
    [BYTES_IN] = {{"BytesIn", "Bytes", NULL, "Bytes of sources."}, NULL},
    [BYTES_OUT] = {{"BytesOut", "Bytes", NULL, "Bytes of renditions that were written."}, NULL},
    [LATENCY] = {{"Latency", "Milliseconds", NULL, "From an image's beginning to its end."}, NULL},
    [FETCH_LATENCY] = {{"FetchLatency", "Milliseconds", NULL, "Reading the source."}, "fetch_ms"},
    [WAIT_LATENCY] = {{"WaitLatency", "Milliseconds", NULL, "Waiting for a worker."}, "wait_ms"},
    [PLAN_LATENCY] = {{"PlanLatency", "Milliseconds", NULL, "Reading the header and planning."}, "plan_ms"},
    [DECODE_LATENCY] = {{"DecodeLatency", "Milliseconds", NULL, "Decoding and the shared steps."}, "decode_ms"},
    [WORK_LATENCY] = {{"WorkLatency", "Milliseconds", NULL, "All of a worker's time for an image."}, "work_ms"},
    [STORE_LATENCY] = {{"StoreLatency", "Milliseconds", NULL, "Storing renditions."}, "store_ms"},
    [FAILURES_BY_STATUS] = {{"Failures", "Count", "Status", "Images that ended with an error, by its status."}, NULL},
    [STEP_LATENCY] = {{"StepLatency", "Milliseconds", "Step", "Time in one step."}, NULL},
};

const PmMetricInfo *pm_metrics_info(size_t i)
{
    return i < METRICS ? &table[i].info : NULL;
}

/* What a metric has come to since the last lines. */
typedef struct Cell {
    bool used;
    int64_t sum;
    json_t *values; /* of a latency, milliseconds; NULL: none left */
} Cell;

/* All metrics with one value of a dimension, which is a line. */
typedef struct Series {
    struct Series *next;
    const char *dimension; /* NULL: the pipeline alone */
    Cell cells[METRICS];
    char value[]; /* of the dimension */
} Series;

struct PmMetrics {
    const char *name_space, *pipeline;
    Series *series; /* in the order in which they came */
};

PmMetrics *pm_metrics_new(const char *name_space, const char *pipeline)
{
    PmMetrics *metrics = calloc(1, sizeof *metrics);
    if (metrics == NULL) return NULL;
    *metrics = (PmMetrics){.name_space = name_space, .pipeline = pipeline};
    return metrics;
}

static void forget(PmMetrics *metrics)
{
    while (metrics->series != NULL) {
        Series *series = metrics->series;
        metrics->series = series->next;
        for (size_t i = 0; i < METRICS; i++) json_decref(series->cells[i].values);
        free(series);
    }
}

void pm_metrics_free(PmMetrics *metrics)
{
    if (metrics == NULL) return;
    forget(metrics);
    free(metrics);
}

/* --- counting --- */

static bool same_dimension(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* `value` of the metric's dimension, "" where it has none. NULL: out of memory, and it is not counted. */
static Cell *cell_of(PmMetrics *metrics, Metric metric, const char *value)
{
    const char *dimension = table[metric].info.dimension;
    Series **at = &metrics->series;
    while (*at != NULL && (!same_dimension((*at)->dimension, dimension) || strcmp((*at)->value, value) != 0))
        at = &(*at)->next;
    if (*at == NULL) {
        size_t size = strlen(value) + 1;
        if ((*at = calloc(1, sizeof **at + size)) == NULL) return NULL;
        (*at)->dimension = dimension;
        memcpy((*at)->value, value, size);
    }
    Cell *cell = &(*at)->cells[metric];
    cell->used = true;
    return cell;
}

static void count(PmMetrics *metrics, Metric metric, const char *value, int64_t more)
{
    Cell *cell = cell_of(metrics, metric, value);
    if (cell != NULL) cell->sum += more;
}

static void sample(PmMetrics *metrics, Metric metric, const char *value, double ms)
{
    Cell *cell = cell_of(metrics, metric, value);
    if (cell == NULL) return;
    if (cell->values == NULL) cell->values = json_array();
    json_array_append_new(cell->values, json_real(ms));
}

void pm_metrics_add_messages(PmMetrics *metrics, size_t messages)
{
    count(metrics, MESSAGES, "", (int64_t)messages);
}

static void add_timings(PmMetrics *metrics, const json_t *timings)
{
    const char *step;
    json_t *us;
    for (Metric i = 0; i < METRICS; i++) {
        const json_t *ms = table[i].timing != NULL ? json_object_get(timings, table[i].timing) : NULL;
        if (ms != NULL) sample(metrics, i, "", json_number_value(ms));
    }
    json_object_foreach(json_object_get(timings, "steps_us"), step, us)
        sample(metrics, STEP_LATENCY, step, json_number_value(us) / 1000);
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
    count(metrics, IMAGES, "", 1);
    count(metrics, OUTPUTS, "", outputs);
    count(metrics, FAILURES, "", failed);
    count(metrics, SKIPPED, "", result->skipped != NULL);
    count(metrics, BYTES_IN, "", result->source_size);
    count(metrics, BYTES_OUT, "", bytes);
    if (failed) count(metrics, FAILURES_BY_STATUS, pm_status_name(result->error->status), 1);
    sample(metrics, LATENCY, "", (double)result->ms);
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
static bool take_metrics(Series *series, json_t *line, json_t *definitions)
{
    for (size_t i = 0; i < METRICS; i++) {
        Cell *cell = &series->cells[i];
        const PmMetricInfo *info = &table[i].info;
        if (!cell->used) continue;
        json_array_append_new(definitions, json_pack("{ssss}", "Name", info->name, "Unit", info->unit));
        json_object_set_new(line, info->name,
                            cell->values != NULL ? take_values(cell->values) : json_integer(cell->sum));
        cell->used = json_array_size(cell->values) > 0;
    }
    return json_array_size(definitions) > 0;
}

static void add_line(const PmMetrics *metrics, PmBuffer *lines, const Series *series, json_t *line, json_t *definitions,
                     int64_t wall_ms)
{
    json_t *dimensions = json_pack("[s]", "Pipeline");
    json_object_set_new(line, "Pipeline", json_string(metrics->pipeline));
    if (series->dimension != NULL) {
        json_array_append_new(dimensions, json_string(series->dimension));
        json_object_set_new(line, series->dimension, json_string(series->value));
    }
    json_object_set_new(line, "_aws",
                        json_pack("{sIs[{sss[o]sO}]}", "Timestamp", (json_int_t)wall_ms, "CloudWatchMetrics",
                                  "Namespace", metrics->name_space, "Dimensions", dimensions, "Metrics", definitions));
    char *text = pm_json_text(line, JSON_COMPACT | JSON_REAL_PRECISION(6));
    if (text != NULL) {
        pm_buffer_adds(lines, text);
        pm_buffer_adds(lines, "\n");
    }
    free(text);
}

char *pm_metrics_take_emf(PmMetrics *metrics, int64_t wall_ms)
{
    PmBuffer lines;
    pm_buffer_init(&lines, EMF_MAX);
    pm_buffer_adds(&lines, "");
    for (Series *series = metrics->series; series != NULL; series = series->next) {
        for (bool more = true; more;) {
            json_t *line = json_object(), *definitions = json_array();
            more = take_metrics(series, line, definitions);
            if (more) add_line(metrics, &lines, series, line, definitions, wall_ms);
            json_decref(definitions);
            json_decref(line);
        }
    }
    forget(metrics);
    return pm_buffer_steal(&lines);
}
