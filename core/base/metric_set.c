/* SPDX-License-Identifier: Apache-2.0 */
#include "base/metric_set.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct PmMetricSet {
    const PmMetricFamily *families;
    size_t family_count, series_count, samples_max;
    PmSeries *first[];
};

/* Where buckets end, in seconds, and the way that is written: `le` is compared as text. */
static const struct {
    double end;
    const char *text;
} buckets[PM_METRIC_BUCKETS] = {{0.001, "0.001"}, {0.0025, "0.0025"}, {0.005, "0.005"}, {0.01, "0.01"},
                                {0.025, "0.025"}, {0.05, "0.05"},     {0.1, "0.1"},     {0.25, "0.25"},
                                {0.5, "0.5"},     {1, "1.0"},         {2.5, "2.5"},     {5, "5.0"},
                                {10, "10.0"},     {30, "30.0"},       {60, "60.0"},     {300, "300.0"}};

static void free_series(PmSeries *series)
{
    for (size_t i = 0; i < PM_METRIC_LABELS_MAX; i++) free(series->labels[i]);
    free(series->samples);
    free(series);
}

PmMetricSet *pm_metric_set_new(const PmMetricFamily *families, size_t count)
{
    PmMetricSet *set = calloc(1, sizeof *set + count * sizeof(PmSeries *));
    if (set == NULL) return NULL;
    set->families = families;
    set->family_count = count;
    return set;
}

void pm_metric_set_free(PmMetricSet *set)
{
    if (set == NULL) return;
    for (size_t i = 0; i < set->family_count; i++)
        for (PmSeries *series = set->first[i], *next; series != NULL; series = next) {
            next = series->next;
            free_series(series);
        }
    free(set);
}

void pm_metric_keep_samples(PmMetricSet *set, size_t most)
{
    set->samples_max = most;
}

/* --- series --- */

static bool has_labels(const PmMetricFamily *family, const PmSeries *series, const char *const *values)
{
    for (size_t i = 0; family->labels[i] != NULL; i++)
        if (strcmp(series->labels[i], values[i]) != 0) return false;
    return true;
}

static PmSeries *new_series(const PmMetricFamily *family, const char *const *values)
{
    PmSeries *series = calloc(1, sizeof *series);
    for (size_t i = 0; series != NULL && family->labels[i] != NULL; i++)
        if ((series->labels[i] = strdup(values[i])) == NULL) {
            free_series(series);
            series = NULL;
        }
    return series;
}

PmSeries *pm_metric_series(PmMetricSet *set, size_t family, const char *const *values)
{
    PmSeries **at = &set->first[family];
    while (*at != NULL && !has_labels(&set->families[family], *at, values)) at = &(*at)->next;
    if (*at != NULL || set->series_count == PM_METRIC_SERIES_MAX) return *at;
    *at = new_series(&set->families[family], values);
    if (*at != NULL) set->series_count++;
    return *at;
}

PmSeries *pm_metric_first(const PmMetricSet *set, size_t family)
{
    return set->first[family];
}

/* --- values --- */

void pm_metric_add(PmSeries *series, double more)
{
    if (series != NULL) series->value += more;
}

void pm_metric_put(PmSeries *series, double value)
{
    if (series != NULL) series->value = value;
}

static void keep(PmSeries *series, double value, size_t most)
{
    if (series->sample_count == most) return;
    if (series->sample_count == series->sample_room) {
        size_t room = series->sample_room > 0 ? 2 * series->sample_room : 16;
        double *samples = realloc(series->samples, room * sizeof *samples);
        if (samples == NULL) return;
        series->samples = samples;
        series->sample_room = room;
    }
    series->samples[series->sample_count++] = value;
}

void pm_metric_observe(PmMetricSet *set, PmSeries *series, double value)
{
    if (series == NULL) return;
    size_t i = 0;
    while (i < PM_METRIC_BUCKETS && value > buckets[i].end) i++;
    if (i < PM_METRIC_BUCKETS) series->buckets[i]++;
    series->count++;
    series->value += value;
    if (set->samples_max > 0) keep(series, value, set->samples_max);
}

void pm_metric_take(PmSeries *series)
{
    series->more = series->value - series->taken;
    series->taken = series->value;
}

/* --- text --- */

static void add_escaped(PmBuffer *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n')
            pm_buffer_adds(out, "\\n");
        else if (*text == '"' || *text == '\\')
            pm_buffer_addf(out, "\\%c", *text);
        else
            pm_buffer_add(out, text, 1);
    }
}

/* le: of a bucket; or NULL */
static void add_labels(PmBuffer *out, const PmMetricFamily *family, const PmSeries *series, const char *le)
{
    const char *before = "{";
    for (size_t i = 0; family->labels[i] != NULL; i++) {
        pm_buffer_addf(out, "%s%s=\"", before, family->labels[i]);
        add_escaped(out, series->labels[i]);
        pm_buffer_adds(out, "\"");
        before = ",";
    }
    if (le != NULL) pm_buffer_addf(out, "%sle=\"%s\"", before, le);
    if (le != NULL || before[0] == ',') pm_buffer_adds(out, "}");
}

static void add_number(PmBuffer *out, double value)
{
    if (value == floor(value) && fabs(value) < 1e15)
        pm_buffer_addf(out, " %.0f\n", value);
    else
        pm_buffer_addf(out, " %.13g\n", value);
}

static void write_histogram(PmBuffer *out, const PmMetricFamily *family, const PmSeries *series)
{
    uint64_t below = 0;
    for (size_t i = 0; i <= PM_METRIC_BUCKETS; i++) {
        bool last = i == PM_METRIC_BUCKETS;
        below = last ? series->count : below + series->buckets[i];
        pm_buffer_addf(out, "%s_bucket", family->name);
        add_labels(out, family, series, last ? "+Inf" : buckets[i].text);
        pm_buffer_addf(out, " %llu\n", (unsigned long long)below);
    }
    pm_buffer_addf(out, "%s_sum", family->name);
    add_labels(out, family, series, NULL);
    add_number(out, series->value);
    pm_buffer_addf(out, "%s_count", family->name);
    add_labels(out, family, series, NULL);
    pm_buffer_addf(out, " %llu\n", (unsigned long long)series->count);
}

static void write_series(PmBuffer *out, const PmMetricFamily *family, const PmSeries *series)
{
    if (family->type == PM_HISTOGRAM) {
        write_histogram(out, family, series);
        return;
    }
    pm_buffer_addf(out, "%s%s", family->name, family->type == PM_COUNTER ? "_total" : "");
    add_labels(out, family, series, NULL);
    add_number(out, series->value);
}

/* OpenMetrics names a counter's family without _total, Prometheus with it. */
static void write_head(PmBuffer *out, const PmMetricFamily *family, PmMetricText text)
{
    static const char *const types[] = {[PM_COUNTER] = "counter", [PM_GAUGE] = "gauge", [PM_HISTOGRAM] = "histogram"};
    const char *total = family->type == PM_COUNTER && text == PM_METRIC_PROMETHEUS ? "_total" : "";
    pm_buffer_addf(out, "# HELP %s%s %s\n", family->name, total, family->doc);
    pm_buffer_addf(out, "# TYPE %s%s %s\n", family->name, total, types[family->type]);
}

void pm_metric_write(const PmMetricSet *const *sets, size_t count, PmMetricText text, PmBuffer *out)
{
    for (size_t f = 0; count > 0 && f < sets[0]->family_count; f++) {
        const PmMetricFamily *family = &sets[0]->families[f];
        bool any = false;
        for (size_t i = 0; i < count; i++)
            for (const PmSeries *series = sets[i]->first[f]; series != NULL; series = series->next) {
                if (!any) write_head(out, family, text);
                any = true;
                write_series(out, family, series);
            }
    }
}
