/* SPDX-License-Identifier: Apache-2.0
 *
 * What is counted of a pipeline at work: the one registry, from which Prometheus' text (base/metric_set.h), the status
 * and CloudWatch's lines (emf.h) come. No key, bucket or URL is ever a label: values of labels are names of the
 * pipeline file and words of fixed lists, so that a child cannot make series.
 */
#ifndef PM_CONNECTORS_METRICS_H
#define PM_CONNECTORS_METRICS_H

#include "base/metric_set.h"
#include "connectors/result.h"

typedef enum PmMetric {
    PM_METRIC_PIPELINE_INFO,
    PM_METRIC_RECEIVED,
    PM_METRIC_SETTLED,
    PM_METRIC_IMAGES,
    PM_METRIC_OUTPUTS,
    PM_METRIC_FAILURES,
    PM_METRIC_RETRIES,
    PM_METRIC_DEAD_LETTERS,
    PM_METRIC_STAGES,
    PM_METRIC_STEPS,
    PM_METRIC_DURATION,
    PM_METRIC_AGE,
    PM_METRIC_SOURCE_BYTES,
    PM_METRIC_OUTPUT_BYTES,
    PM_METRIC_SOURCE_PIXELS,
    PM_METRIC_IN_FLIGHT,
    PM_METRIC_WORKERS,
    PM_METRIC_WORKERS_BUSY,
    PM_METRIC_SANDBOX,
    PM_METRICS
} PmMetric;

/* By PmMetric. The first label of each is the pipeline. */
extern const PmMetricFamily pm_metric_families[PM_METRICS];

typedef struct PmMetrics PmMetrics;

/* `pipeline` is borrowed and outlives it. New; NULL when out of memory. */
PmMetrics *pm_metrics_new(const PmPipeline *pipeline);
void pm_metrics_free(PmMetrics *metrics);

const char *pm_metrics_pipeline(const PmMetrics *metrics); /* its name */
PmMetricSet *pm_metrics_set(PmMetrics *metrics);

/* All take NULL, and then do nothing. */

void pm_metrics_add_received(PmMetrics *metrics, size_t events);
void pm_metrics_add_settled(PmMetrics *metrics, const PmFate *fate);
void pm_metrics_add_result(PmMetrics *metrics, const PmJobResult *result);
/* ms: between two moments of one clock; a negative one counts as none. */
void pm_metrics_add_stage(PmMetrics *metrics, const char *stage, int64_t ms);
void pm_metrics_add_age(PmMetrics *metrics, int64_t ms);
void pm_metrics_put(PmMetrics *metrics, PmMetric gauge, double value);
void pm_metrics_put_info(PmMetrics *metrics, const char *digest);

#endif
