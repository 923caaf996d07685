/* SPDX-License-Identifier: Apache-2.0
 *
 * How many lines a second worker processes may put into our log: each child for itself, and all of them together. What
 * is beyond that is dropped, and a line says how many. Only we know how fast they speak, so only we can count.
 */
#ifndef PM_WORKERS_LOG_GATE_H
#define PM_WORKERS_LOG_GATE_H

#include "base/loop.h"

enum { PM_LOG_LINES_PER_CHILD = 50, PM_LOG_LINES_IN_ALL = 200 }; /* a second */

/* A second and what was written in it. */
typedef struct PmLogShare {
    int64_t second;
    unsigned lines;
} PmLogShare;

typedef struct PmLogGate {
    PmLoop *loop; /* borrowed */
    PmLogShare all;
    unsigned long dropped; /* not reported yet */
    PmTimer *timer;        /* until that is reported */
} PmLogGate;

void pm_log_gate_init(PmLogGate *gate, PmLoop *loop);
void pm_log_gate_finish(PmLogGate *gate); /* reports what is still to be reported */

/* Whether one more line may be written. `share` is the child's, or NULL for the zygote's own lines. */
bool pm_log_gate_admits(PmLogGate *gate, PmLogShare *share);

#endif
