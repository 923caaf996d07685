/* SPDX-License-Identifier: Apache-2.0 */
#include "workers/log_gate.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"

enum { TELL_MS = 1000 };

void pm_log_gate_init(PmLogGate *gate, PmLoop *loop)
{
    *gate = (PmLogGate){.loop = loop};
}

static void tell(PmLogGate *gate)
{
    char lines[32];
    if (gate->dropped == 0) return;
    snprintf(lines, sizeof lines, "%lu", gate->dropped);
    pm_log(PM_LOG_WARN, "worker.log_dropped", "lines", lines, "msg",
           "worker processes wrote more log lines a second than are shown", NULL);
    gate->dropped = 0;
}

static void on_time(void *data)
{
    PmLogGate *gate = data;
    gate->timer = NULL;
    tell(gate);
}

void pm_log_gate_finish(PmLogGate *gate)
{
    pm_loop_cancel(gate->timer);
    gate->timer = NULL;
    tell(gate);
}

static bool fits(PmLogShare *share, int64_t second, unsigned max)
{
    if (share->second != second) *share = (PmLogShare){.second = second};
    return share->lines < max;
}

bool pm_log_gate_admits(PmLogGate *gate, PmLogShare *share)
{
    int64_t second = pm_clock_mono_ms() / 1000;
    if ((share == NULL || fits(share, second, PM_LOG_LINES_PER_CHILD)) &&
        fits(&gate->all, second, PM_LOG_LINES_IN_ALL)) {
        if (share != NULL) share->lines++;
        gate->all.lines++;
        return true;
    }
    gate->dropped++;
    if (gate->timer == NULL) gate->timer = pm_loop_after(gate->loop, TELL_MS, on_time, gate);
    return false;
}
