/* SPDX-License-Identifier: Apache-2.0
 *
 * One thread beside the loop, for calls that block: fsync, rename and reading on a slow disk. Hides the thread, its
 * queue and the eventfd that brings the loop its answers.
 *
 * Jobs run one after the other, in order. `work` runs on the thread and may touch nothing but its `data`; `done` runs
 * on the loop's thread. From pm_helper_run until `done`, `data` belongs to the job. The thread blocks all signals and
 * is started with the first job; it must never start a process (PR_SET_PDEATHSIG goes by thread).
 */
#ifndef PM_BASE_HELPER_H
#define PM_BASE_HELPER_H

#include "base/loop.h"

typedef struct PmHelper PmHelper;
typedef struct PmHelperJob PmHelperJob;

enum { PM_HELPER_JOBS_MAX = 65536 };

/* Comes exactly once for each job, on the loop's thread, and ends it. cancelled: nobody waits for it any more, and work
 * may not have run at all: only free what belongs to it. */
typedef void PmHelperDone(void *data, bool cancelled);

/* New; NULL and err set when the kernel refuses. The loop outlives it. */
PmHelper *pm_helper_new(PmLoop *loop, PmError *err);

/* Cancels all jobs, waits for the one that is running, frees. NULL is fine. */
void pm_helper_free(PmHelper *helper);

/* Queues a job; the loop keeps running until it is done. NULL when PM_HELPER_JOBS_MAX are waiting or the thread cannot
 * be started: then `done` does not come, and data is still the caller's. */
PmHelperJob *pm_helper_run(PmHelper *helper, void (*work)(void *data), PmHelperDone *done, void *data);

/* A job that has not begun never runs, and `done` comes from inside this call; so it does for one that has ended and
 * was not reported yet. For one that is running `done` comes from the loop when it has ended, or from pm_helper_free.
 * In each case with `cancelled` set. NULL is fine. */
void pm_helper_cancel(PmHelperJob *job);

#endif
