/* SPDX-License-Identifier: Apache-2.0
 *
 * How many worker processes there are to be: as many as may run at once, and as their memory has room for. Hides CPU
 * affinity and control groups: in a container the host's processors and memory are not ours.
 */
#ifndef PM_WORKERS_COUNT_H
#define PM_WORKERS_COUNT_H

#include "pipeline/pipeline.h"

enum { PM_WORKERS_MAX = 1024 };

/* `asked` (--workers), else `workers` of the file, else what fits, told in a log line when that is not all of the
 * host's processors. */
size_t pm_workers_count(int asked, const PmWorkerConfig *config, const PmLimits *limits);

/* --- for tests --- */

/* What limits us. */
typedef struct PmWorkersRoom {
    int64_t processors;    /* that we may run on */
    int64_t quota_percent; /* of one processor that the control group may use: 150 is one and a half; 0: no limit */
    int64_t memory_bytes;  /* of the control group; 0: no limit */
} PmWorkersRoom;

/* Reads control groups, of version 2 or 1, as the process whose /proc/self/cgroup is `list` sees them mounted at `root`
 * ("/sys/fs/cgroup"). Every group from ours to the root counts. */
void pm_workers_read_cgroup(const char *list, const char *root, PmWorkersRoom *room);

/* At least 1. `why` says what decided, or is "". */
size_t pm_workers_fit(const PmWorkersRoom *room, int64_t memory_per_worker, char *why, size_t why_size);

#endif
