/* SPDX-License-Identifier: Apache-2.0
 *
 * What the end of a child, or of its time, means for the job that it was at.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "workers/said.h"
#include "workers/slot.h"
#include "workers/usage.h"

/* --- out of time --- */

static void end_overdue(PmSlot *slot, PmOverdue overdue)
{
    slot->overdue = overdue;
    pm_slot_kill(slot);
}

static int64_t wanted_ms(const PmSlot *slot)
{
    int64_t used = pm_usage_cpu_ms(slot->pid), starved = pm_usage_starved_ms(slot->pid);
    return used < 0 && starved < 0 ? -1 : (used > 0 ? used : 0) + (starved > 0 ? starved : 0);
}

static void on_looked(void *data)
{
    PmSlot *slot = data;
    PmOverdueFacts *facts = &slot->overdue_facts;
    int64_t now = wanted_ms(slot);
    slot->deadline = NULL;
    facts->late_ms = pm_clock_mono_ms() - slot->due_ms - PM_OVERDUE_LOOK_MS;
    facts->held = pm_usage_is_held(slot->pid);
    facts->wants_ms = now < 0 || slot->wanted_ms_before < 0 ? -1 : now - slot->wanted_ms_before;
    end_overdue(slot, pm_overdue_judge(facts));
}

void pm_slot_on_deadline(void *data)
{
    PmSlot *slot = data;
    int64_t now = pm_clock_mono_ms(), used = pm_usage_cpu_ms(slot->pid);
    slot->deadline = NULL;
    slot->overdue_facts =
        (PmOverdueFacts){.wall_ms = pm_pool_pipeline(slot->pool)->limits.wall_time,
                         .used_ms = used < 0 || slot->cpu_ms_before < 0 ? -1 : used - slot->cpu_ms_before,
                         .fetched_ms = slot->fetched_ms + (slot->fetching != NULL ? now - slot->fetching_since_ms : 0),
                         .late_ms = now - slot->due_ms,
                         .held = pm_usage_is_held(slot->pid),
                         .wants_ms = -1};
    PmOverdue known = pm_overdue_at_once(&slot->overdue_facts);
    slot->wanted_ms_before = known == PM_OVERDUE_NOT ? wanted_ms(slot) : -1;
    /* Meanwhile it may still end well. */
    if (known == PM_OVERDUE_NOT)
        slot->deadline = pm_loop_after(pm_pool_loop(slot->pool), PM_OVERDUE_LOOK_MS, on_looked, slot);
    if (slot->deadline == NULL) end_overdue(slot, known != PM_OVERDUE_NOT ? known : PM_OVERDUE_STARVED);
}

/* --- the end of a process --- */

static void place_error(const PmSlot *slot, const PmProgress *at, PmError *err)
{
    const PmPipeline *pipeline = pm_pool_pipeline(slot->pool);
    /* The step's place in the file, from its path: a child's word for a line is not taken. */
    const PmStep *step = pm_said_step(pipeline, at->step);
    const char *plugin = pm_said_plugin(pipeline, at->fault_plugin[0] != '\0' ? at->fault_plugin : at->plugin);
    pm_text_copy(err->plugin, sizeof err->plugin, plugin != NULL ? plugin : "");
    if (step == NULL) return;
    pm_text_copy(err->step, sizeof err->step, step->path);
    pm_text_copy(err->where, sizeof err->where, step->where);
    pm_error_place(err, pipeline->file, step->line, step->column);
}

static const char *signal_text(int signo)
{
    const char *name = sigabbrev_np(signo);
    return name != NULL ? name : "?";
}

/* "socket"; the page is the child's to write. */
static bool is_call(const char *name)
{
    return name[0] != '\0' && name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

/* A plugin's fault, or a codec's. */
static void crashed(PmPoolReport *report, const PmProgress *at, const char *plugin, int code, int signo, char *tag,
                    size_t tag_size)
{
    const char *what = plugin != NULL ? "plugin " : "the ", *who = plugin != NULL ? plugin : "codec";
    if (signo != 0) {
        if (signo == SIGSYS && is_call(at->refused_call))
            pm_error_set(&report->error, PM_BUG,
                         "the worker process died of SIGSYS in %s%s: it called %s(), which no %s may", what, who,
                         at->refused_call, plugin != NULL ? "plugin" : "codec");
        else
            pm_error_set(&report->error, PM_BUG, "the worker process died of SIG%s in %s%s", signal_text(signo), what,
                         who);
        snprintf(tag, tag_size, "plugin_crash:%s:SIG%s", who, signal_text(signo));
    } else {
        pm_error_set(&report->error, PM_BUG, "the worker process ended with exit(%d) in the middle of a job, in %s%s",
                     code, what, who);
        snprintf(tag, tag_size, "plugin_crash:%s:exit", who);
    }
    report->crash = tag;
}

void pm_slot_report_death(PmSlot *slot, int code, int signo)
{
    PmPoolReport report = {0};
    PmProgress at = slot->progress != NULL ? pm_progress_read(slot->progress) : (PmProgress){0};
    const PmPipeline *pipeline = pm_pool_pipeline(slot->pool);
    /* The page is the child's to write: only a plugin of the pipeline can be blamed. */
    const char *plugin = pm_said_plugin(pipeline, at.fault_plugin[0] != '\0' ? at.fault_plugin : at.plugin);
    char tag[160] = "", limit[32];
    bool again = false;
    if (slot->violation.status != PM_OK) {
        report.error = slot->violation;
    } else if (slot->overdue != PM_OVERDUE_NOT) {
        pm_overdue_error(slot->overdue, &slot->overdue_facts, plugin != NULL ? plugin : "", slot->attempt,
                         &report.error);
    } else if (signo == SIGXCPU) {
        pm_text_duration(limit, sizeof limit, pipeline->limits.cpu_time);
        pm_error_set(&report.error, PM_LIMIT, "took more processor time than limits.cpu_time, %s", limit);
        pm_error_hint(&report.error,
                      "raise limits.cpu_time, or let encoders make less effort; an animation gets as much "
                      "again for each 16 frames, up to limits.wall_time");
    } else if (signo != 0 && at.out_of_memory != 0) {
        pm_text_bytes(limit, sizeof limit, pipeline->limits.memory);
        pm_error_set(&report.error, PM_LIMIT, "needs more memory than limits.memory, %s", limit);
        again = pm_slot_once_more(slot, &report.error);
    } else if (signo == SIGKILL) {
        /* Not by us, and a plugin cannot: no fault of the image that is known. */
        pm_error_set(&report.error, PM_TRANSIENT, "the worker process was killed from outside (SIGKILL)");
        pm_error_hint(&report.error, "the kernel does that when the machine or the container is out of memory");
    } else {
        crashed(&report, &at, plugin, code, signo, tag, sizeof tag);
        again = pm_slot_once_more(slot, &report.error);
    }
    if (again) return;
    place_error(slot, &at, &report.error);
    pm_slot_end_job(slot, &report, NULL);
}
