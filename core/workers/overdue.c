/* SPDX-License-Identifier: Apache-2.0 */
#include "workers/overdue.h"

#include "base/text.h"

enum { LATE_MS = 1000 };

PmOverdue pm_overdue_at_once(const PmOverdueFacts *facts)
{
    if (facts->used_ms >= facts->wall_ms / 2) return PM_OVERDUE_WORKED;
    if (facts->fetched_ms >= facts->wall_ms / 2) return PM_OVERDUE_FETCHED;
    if (facts->held || facts->late_ms >= LATE_MS) return PM_OVERDUE_STARVED;
    return PM_OVERDUE_NOT;
}

PmOverdue pm_overdue_judge(const PmOverdueFacts *facts)
{
    PmOverdue known = pm_overdue_at_once(facts);
    if (known != PM_OVERDUE_NOT) return known;
    /* Little processor time in all, and yet it works, or would like to: then it was kept from it. */
    return facts->wants_ms >= PM_OVERDUE_LOOK_MS / 10 ? PM_OVERDUE_STARVED : PM_OVERDUE_SLEPT;
}

void pm_overdue_error(PmOverdue overdue, const PmOverdueFacts *facts, const char *plugin, int attempt, PmError *err)
{
    char limit[32], used[32] = "little";
    const char *in = plugin[0] != '\0' ? " in plugin " : "";
    pm_text_duration(limit, sizeof limit, facts->wall_ms);
    if (facts->used_ms >= 0) pm_text_duration(used, sizeof used, facts->used_ms);
    switch (overdue) {
    case PM_OVERDUE_STARVED:
        pm_error_set(err, PM_TRANSIENT,
                     "not finished within limits.wall_time, %s: the machine was too slow, the worker process got %s of "
                     "processor time",
                     limit, used);
        pm_error_hint(err, "run fewer workers than there are processors to use, or raise limits.wall_time");
        break;
    case PM_OVERDUE_FETCHED:
        pm_error_set(err, PM_TRANSIENT, "not finished within limits.wall_time, %s: it waited for the network%s%s",
                     limit, in, plugin);
        pm_error_hint(err, "fetch.timeout and fetch.retries say how long a plugin may wait for an answer");
        break;
    case PM_OVERDUE_SLEPT:
        if (attempt < 2) {
            pm_error_set(err, PM_TRANSIENT,
                         "not finished within limits.wall_time, %s: the worker process waited%s%s and used %s of "
                         "processor time",
                         limit, in, plugin, used);
            pm_error_hint(err, "it is tried once more: then the limit counts");
        } else {
            pm_error_set(err, PM_LIMIT,
                         "not finished within limits.wall_time, %s, more than once: the worker process waited%s%s and "
                         "used %s of processor time",
                         limit, in, plugin, used);
            pm_error_hint(err, "no picture takes so long without using a processor: the code that ran waits for "
                               "something that never comes");
        }
        break;
    case PM_OVERDUE_WORKED:
    case PM_OVERDUE_NOT:
        pm_error_set(err, PM_LIMIT, "not finished within limits.wall_time, %s, of which it used %s of processor time",
                     limit, used);
        pm_error_hint(err, "the worker process was ended%s%s", in, plugin);
        break;
    }
}
