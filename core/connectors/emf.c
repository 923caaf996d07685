/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/emf.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"

/* Values of one member; bytes of all lines; values of a histogram that are kept, which is one for each message of the
 * largest batch there is. */
enum { VALUES_MAX = 100, EMF_MAX = 4 * 1024 * 1024, SAMPLES_MAX = 10000 };

/* The labels of a series, and which of its family count for a row. */
enum { BY_STATUS = 1, BY_STEP = 1, OUTCOME_OF_OUTPUT = 2, OUTCOME_OF_IMAGE = 1, STAGE = 1 };

typedef struct Row {
    PmEmfInfo info;
    PmMetric metric;
    int label;        /* which label must have `only`, or is the dimension's value; 0: none */
    const char *only; /* NULL: any */
    bool number;      /* of a histogram: how many were observed */
} Row;

/* The one list of CloudWatch's metrics, which all come from the registry. */
static const Row table[] = {
    {{"Messages", "Count", NULL, "Messages that arrived."}, PM_METRIC_RECEIVED, 0, NULL, false},
    {{"Images", "Count", NULL, "Images that were worked on, whatever became of them."},
     PM_METRIC_DURATION,
     0,
     NULL,
     true},
    {{"Outputs", "Count", NULL, "Renditions that were written."},
     PM_METRIC_OUTPUTS,
     OUTCOME_OF_OUTPUT,
     "stored",
     false},
    {{"Failures", "Count", NULL, "Images that ended with an error."}, PM_METRIC_FAILURES, 0, NULL, false},
    {{"Skipped", "Count", NULL, "Images of which nothing was made: deleted, replaced, or our own."},
     PM_METRIC_IMAGES,
     OUTCOME_OF_IMAGE,
     "gone",
     false},
    {{"BytesIn", "Bytes", NULL, "Bytes of sources."}, PM_METRIC_SOURCE_BYTES, 0, NULL, false},
    {{"BytesOut", "Bytes", NULL, "Bytes of renditions that were written."}, PM_METRIC_OUTPUT_BYTES, 0, NULL, false},
    {{"Latency", "Milliseconds", NULL, "From an image's beginning to its end."}, PM_METRIC_DURATION, 0, NULL, false},
    {{"FetchLatency", "Milliseconds", NULL, "Reading the source."}, PM_METRIC_STAGES, STAGE, "fetch", false},
    {{"WaitLatency", "Milliseconds", NULL, "Waiting for a worker."}, PM_METRIC_STAGES, STAGE, "wait", false},
    {{"PlanLatency", "Milliseconds", NULL, "Reading the header and planning."}, PM_METRIC_STAGES, STAGE, "plan", false},
    {{"DecodeLatency", "Milliseconds", NULL, "Decoding and the shared steps."},
     PM_METRIC_STAGES,
     STAGE,
     "decode",
     false},
    {{"WorkLatency", "Milliseconds", NULL, "All of a worker's time for an image."},
     PM_METRIC_STAGES,
     STAGE,
     "work",
     false},
    {{"StoreLatency", "Milliseconds", NULL, "Storing renditions."}, PM_METRIC_STAGES, STAGE, "store", false},
    {{"Failures", "Count", "Status", "Images that ended with an error, by its status."},
     PM_METRIC_FAILURES,
     BY_STATUS,
     NULL,
     false},
    {{"StepLatency", "Milliseconds", "Step", "Time in one step."}, PM_METRIC_STEPS, BY_STEP, NULL, false},
};

enum { ROWS = sizeof table / sizeof table[0] };

const PmEmfInfo *pm_emf_info(size_t i)
{
    return i < ROWS ? &table[i].info : NULL;
}

void pm_emf_begin(PmMetrics *metrics)
{
    pm_metric_keep_samples(pm_metrics_set(metrics), SAMPLES_MAX);
}

/* A line: the pipeline alone, or with one value of a dimension. */
typedef struct Group {
    const char *dimension, *value;
} Group;

static bool same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool belongs(const Row *row, const Group *group, const PmSeries *series)
{
    const char *wanted = row->info.dimension != NULL ? group->value : row->only;
    return wanted == NULL || strcmp(series->labels[row->label], wanted) == 0;
}

static bool is_latency(const Row *row)
{
    return pm_metric_families[row->metric].type == PM_HISTOGRAM && !row->number;
}

/* --- one line --- */

/* What it has come to, of all series that belong to the line. */
static double value_of(PmMetricSet *set, const Row *row, const Group *group)
{
    double value = 0;
    for (const PmSeries *series = pm_metric_first(set, row->metric); series != NULL; series = series->next)
        if (belongs(row, group, series)) value += row->number ? (double)series->sample_count : series->more;
    return value;
}

/* Milliseconds, from the `from`-th on; empty: none is left. New. */
static json_t *values_of(PmMetricSet *set, const Row *row, const Group *group, size_t from, bool *more)
{
    json_t *values = json_array();
    for (const PmSeries *series = pm_metric_first(set, row->metric); series != NULL; series = series->next) {
        if (!belongs(row, group, series)) continue;
        for (size_t i = from; i < series->sample_count && i < from + VALUES_MAX; i++)
            json_array_append_new(values, json_real(series->samples[i] * 1000));
        *more = *more || series->sample_count > from + VALUES_MAX;
    }
    return values;
}

/* A count of 0 says something where images were worked on. */
static json_t *member_of(PmMetricSet *set, const Row *row, const Group *group, size_t from, bool *more)
{
    if (is_latency(row)) {
        json_t *values = values_of(set, row, group, from, more);
        if (json_array_size(values) > 0) return values;
        json_decref(values);
        return NULL;
    }
    const PmSeries *images = pm_metric_first(set, PM_METRIC_DURATION);
    bool worked = images != NULL && images->sample_count > 0;
    double value = value_of(set, row, group);
    bool told = value > 0 || (worked && row->metric != PM_METRIC_RECEIVED && row->info.dimension == NULL);
    return told && from == 0 ? json_integer((json_int_t)value) : NULL;
}

static void add_text(PmBuffer *lines, const json_t *line)
{
    char *text = pm_json_text(line, JSON_COMPACT | JSON_REAL_PRECISION(6));
    if (text != NULL) {
        pm_buffer_adds(lines, text);
        pm_buffer_adds(lines, "\n");
    }
    free(text);
}

/* True: values are left for a line more. */
static bool add_line(PmMetrics *metrics, const char *name_space, const Group *group, size_t from, int64_t wall_ms,
                     PmBuffer *lines)
{
    bool more = false;
    json_t *line = json_object(), *definitions = json_array(), *dimensions = json_pack("[s]", "Pipeline");
    for (size_t i = 0; i < ROWS; i++) {
        const PmEmfInfo *info = &table[i].info;
        if (!same(info->dimension, group->dimension)) continue;
        json_t *member = member_of(pm_metrics_set(metrics), &table[i], group, from, &more);
        if (member == NULL) continue;
        json_array_append_new(definitions, json_pack("{ssss}", "Name", info->name, "Unit", info->unit));
        json_object_set_new(line, info->name, member);
    }
    json_object_set_new(line, "Pipeline", json_string(pm_metrics_pipeline(metrics)));
    if (group->dimension != NULL) {
        json_array_append_new(dimensions, json_string(group->dimension));
        json_object_set_new(line, group->dimension, json_string(group->value));
    }
    bool any = json_array_size(definitions) > 0;
    json_object_set_new(line, "_aws",
                        json_pack("{sIs[{sss[o]so}]}", "Timestamp", (json_int_t)wall_ms, "CloudWatchMetrics",
                                  "Namespace", name_space, "Dimensions", dimensions, "Metrics", definitions));
    if (any) add_text(lines, line);
    json_decref(line);
    return more;
}

static void add_lines(PmMetrics *metrics, const char *name_space, const Group *group, int64_t wall_ms, PmBuffer *lines)
{
    for (size_t from = 0; add_line(metrics, name_space, group, from, wall_ms, lines); from += VALUES_MAX) {
    }
}

/* --- all of them --- */

/* Whether a series before this one has the same value of that label: its line is there already. */
static bool repeats(const PmSeries *first, const PmSeries *series, int label)
{
    for (; first != series; first = first->next)
        if (strcmp(first->labels[label], series->labels[label]) == 0) return true;
    return false;
}

static void take(PmMetricSet *set)
{
    for (size_t i = 0; i < PM_METRICS; i++)
        for (PmSeries *series = pm_metric_first(set, i); series != NULL; series = series->next) pm_metric_take(series);
}

static void forget_samples(PmMetricSet *set)
{
    for (size_t i = 0; i < PM_METRICS; i++)
        for (PmSeries *series = pm_metric_first(set, i); series != NULL; series = series->next)
            series->sample_count = 0;
}

char *pm_emf_take(PmMetrics *metrics, const char *name_space, int64_t wall_ms)
{
    PmMetricSet *set = pm_metrics_set(metrics);
    PmBuffer lines;
    pm_buffer_init(&lines, EMF_MAX);
    pm_buffer_adds(&lines, "");
    take(set);
    add_lines(metrics, name_space, &(Group){0}, wall_ms, &lines);
    for (size_t i = 0; i < ROWS; i++) {
        if (table[i].info.dimension == NULL) continue;
        const PmSeries *first = pm_metric_first(set, table[i].metric);
        for (const PmSeries *series = first; series != NULL; series = series->next)
            if (!repeats(first, series, table[i].label))
                add_lines(metrics, name_space, &(Group){table[i].info.dimension, series->labels[table[i].label]},
                          wall_ms, &lines);
    }
    forget_samples(set);
    return pm_buffer_steal(&lines);
}
