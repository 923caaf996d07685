/* SPDX-License-Identifier: Apache-2.0
 *
 * Metrics of the process itself, named as Prometheus' client libraries name them, of the build, and of reloads.
 */
#ifndef PM_CLI_PROCESS_METRICS_H
#define PM_CLI_PROCESS_METRICS_H

#include "base/metric_set.h"

typedef struct PmProcessMetrics PmProcessMetrics;

PmProcessMetrics *pm_process_metrics_new(void); /* new; NULL: out of memory */
void pm_process_metrics_free(PmProcessMetrics *metrics);

/* Which reading of the file runs, and whether the last one was of use. */
void pm_process_metrics_put_config(PmProcessMetrics *metrics, const char *pipeline, int64_t generation, bool reloaded);
/* As they are now. vips: version of the workers' libvips; NULL: not known yet. Borrowed until the next call. */
const PmMetricSet *pm_process_metrics(PmProcessMetrics *metrics, const char *vips);

#endif
