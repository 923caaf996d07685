/* SPDX-License-Identifier: Apache-2.0
 *
 * The registry (metrics.h) as log lines that CloudWatch turns into metrics, its embedded metric format (EMF). Hides the
 * format and CloudWatch's names. Dimensions are the pipeline, and for some its steps or statuses. Source:
 * "Specification: Embedded metric format" (Amazon CloudWatch User Guide).
 */
#ifndef PM_CONNECTORS_EMF_H
#define PM_CONNECTORS_EMF_H

#include "connectors/metrics.h"

/* One metric of CloudWatch; several may share a name, each with a dimension of its own. */
typedef struct PmEmfInfo {
    const char *name, *unit; /* as CloudWatch has them: "Count", "Bytes", "Milliseconds" */
    const char *dimension;   /* besides the pipeline; or NULL */
    const char *doc;
} PmEmfInfo;

/* The i-th of all; NULL beyond the last. */
const PmEmfInfo *pm_emf_info(size_t i);

/* Before anything is counted: from now on each value of a histogram is kept until its line is written. */
void pm_emf_begin(PmMetrics *metrics);

/* What was counted since the last call, as lines that end in \n, each a JSON object; "" when nothing was. New string;
 * NULL when out of memory. wall_ms: since 1970. */
char *pm_emf_take(PmMetrics *metrics, const char *name_space, int64_t wall_ms);

#endif
