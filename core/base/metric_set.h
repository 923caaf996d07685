/* SPDX-License-Identifier: Apache-2.0
 *
 * Typed counters, gauges and histograms by family and labels, and their text for Prometheus. Hides how series are kept.
 * Families are a table; labels' values must come from a fixed set of the caller's, since a series is never forgotten.
 */
#ifndef PM_BASE_METRIC_SET_H
#define PM_BASE_METRIC_SET_H

#include <stdint.h>

#include "base/buffer.h"

typedef enum PmMetricType { PM_COUNTER, PM_GAUGE, PM_HISTOGRAM } PmMetricType;

enum { PM_METRIC_LABELS_MAX = 4, PM_METRIC_BUCKETS = 16, PM_METRIC_SERIES_MAX = 5000 };

typedef struct PmMetricFamily {
    const char *name; /* with its unit; a counter's without _total, which the text adds */
    PmMetricType type;
    const char *labels[PM_METRIC_LABELS_MAX + 1]; /* ended by NULL */
    const char *doc;
} PmMetricFamily;

/* One value of all labels. */
typedef struct PmSeries {
    struct PmSeries *next;               /* of the family, in the order in which they came */
    double value;                        /* a histogram: the sum of what was observed */
    uint64_t count;                      /* of a histogram */
    uint64_t buckets[PM_METRIC_BUCKETS]; /* each alone, not what lies below it too */
    double taken, more;                  /* `value` when it was last taken, and by how much it had grown then */
    double *samples;                     /* observed since then, where they are kept */
    size_t sample_count, sample_room;
    char *labels[PM_METRIC_LABELS_MAX];
} PmSeries;

typedef struct PmMetricSet PmMetricSet;

/* `families` is borrowed and outlives it. New; NULL: out of memory. */
PmMetricSet *pm_metric_set_new(const PmMetricFamily *families, size_t count);
void pm_metric_set_free(PmMetricSet *set);

/* From now on the histograms keep up to so many samples of each series, until they are taken. */
void pm_metric_keep_samples(PmMetricSet *set, size_t most);

/* The series of these values, one for each label of the family; made when it is new. NULL: out of memory, or more than
 * PM_METRIC_SERIES_MAX: it is not counted then. */
PmSeries *pm_metric_series(PmMetricSet *set, size_t family, const char *const *values);
/* The first of a family's; NULL: it has none. */
PmSeries *pm_metric_first(const PmMetricSet *set, size_t family);

/* All take NULL. */
void pm_metric_add(PmSeries *series, double more);
void pm_metric_put(PmSeries *series, double value);
void pm_metric_observe(PmMetricSet *set, PmSeries *series, double value);

/* Sets `more` to what has come since the last time. */
void pm_metric_take(PmSeries *series);

typedef enum PmMetricText { PM_METRIC_PROMETHEUS, PM_METRIC_OPENMETRICS } PmMetricText;

/* The series of all sets, which have one table, family by family: Prometheus' text format 0.0.4 or OpenMetrics 1.0. */
void pm_metric_write(const PmMetricSet *const *sets, size_t count, PmMetricText text, PmBuffer *out);

#endif
