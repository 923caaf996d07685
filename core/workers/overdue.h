/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose fault is it that a job was not finished within limits.wall_time? A picture costs processor time, which has a
 * limit of its own (limits.cpu_time); a child that got none, or waited, says nothing about the picture.
 */
#ifndef PM_WORKERS_OVERDUE_H
#define PM_WORKERS_OVERDUE_H

#include "base/error.h"

typedef enum PmOverdue {
    PM_OVERDUE_NOT,     /* in time */
    PM_OVERDUE_WORKED,  /* the picture or the plugin really needs that long: PM_LIMIT */
    PM_OVERDUE_STARVED, /* stopped, frozen, or too little of a processor: PM_TRANSIENT */
    PM_OVERDUE_FETCHED, /* it waited for an answer from the network: PM_TRANSIENT */
    PM_OVERDUE_SLEPT    /* it waits for nothing we know of: PM_TRANSIENT once, then PM_LIMIT */
} PmOverdue;

typedef struct PmOverdueFacts {
    int64_t wall_ms;    /* limits.wall_time */
    int64_t used_ms;    /* processor time since the job began; -1: unknown */
    int64_t fetched_ms; /* spent waiting for answers from the network */
    int64_t late_ms;    /* by which we ourselves noticed too late: we were frozen as well */
    int64_t wants_ms;   /* in a short look at the end: processor time used and waited for; -1: unknown */
    bool held;          /* stopped, or waiting for the disk */
} PmOverdueFacts;

enum { PM_OVERDUE_LOOK_MS = 250 }; /* how long that look takes */

/* What can be said before a look; PM_OVERDUE_NOT: look first. */
PmOverdue pm_overdue_at_once(const PmOverdueFacts *facts);
PmOverdue pm_overdue_judge(const PmOverdueFacts *facts);

/* Sets the error. plugin: whose code was at work, or "". attempt: 1 for the first delivery of the message. */
void pm_overdue_error(PmOverdue overdue, const PmOverdueFacts *facts, const char *plugin, int attempt, PmError *err);

#endif
