/* SPDX-License-Identifier: Apache-2.0
 *
 * Counts what becomes of images, for CloudWatch's embedded metric format (EMF): log lines that CloudWatch turns into
 * metrics. Hides the format. Dimensions are the pipeline, and for some its steps or
 * statuses: never a key, a bucket, a URL. Source: "Specification: Embedded metric format" (Amazon CloudWatch User
 * Guide).
 */
#ifndef PM_CONNECTORS_METRICS_H
#define PM_CONNECTORS_METRICS_H

#include "connectors/result.h"

typedef struct PmMetrics PmMetrics;

/* One metric; several may share a name, each with a dimension of its own. */
typedef struct PmMetricInfo {
    const char *name, *unit; /* as CloudWatch has them: "Count", "Bytes", "Milliseconds" */
    const char *dimension;   /* besides the pipeline; or NULL */
    const char *doc;
} PmMetricInfo;

/* The i-th of all metrics; NULL beyond the last. */
const PmMetricInfo *pm_metrics_info(size_t i);

/* Both borrowed; outlive it. New; NULL when out of memory. */
PmMetrics *pm_metrics_new(const char *name_space, const char *pipeline);
void pm_metrics_free(PmMetrics *metrics);

void pm_metrics_add_messages(PmMetrics *metrics, size_t count);
void pm_metrics_add_result(PmMetrics *metrics, const PmJobResult *result);

/* What was counted since the last call, as lines that end in \n, each a JSON object; "" when nothing was. New string;
 * NULL when out of memory. wall_ms: since 1970. */
char *pm_metrics_take_emf(PmMetrics *metrics, int64_t wall_ms);

#endif
