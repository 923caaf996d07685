/* SPDX-License-Identifier: Apache-2.0
 *
 * What the end of a child, or of its time, means for the job that it was at.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "pipeline/decode_memory.h"
#include "pipeline/sniff.h"
#include "workers/said.h"
#include "workers/usage.h"
#include "workers/worker.h"

/* --- out of time --- */

static void end_overdue(PmWorker *worker, PmOverdue overdue)
{
    worker->overdue = overdue;
    pm_worker_kill(worker);
}

static int64_t wanted_ms(const PmWorker *worker)
{
    int64_t used = pm_usage_cpu_ms(worker->pid), starved = pm_usage_starved_ms(worker->pid);
    return used < 0 && starved < 0 ? -1 : (used > 0 ? used : 0) + (starved > 0 ? starved : 0);
}

static void on_looked(void *data)
{
    PmWorker *worker = data;
    PmOverdueFacts *facts = &worker->overdue_facts;
    int64_t now = wanted_ms(worker);
    worker->deadline = NULL;
    facts->late_ms = pm_clock_mono_ms() - worker->due_ms - PM_OVERDUE_LOOK_MS;
    facts->held = pm_usage_is_held(worker->pid);
    facts->wants_ms = now < 0 || worker->wanted_ms_before < 0 ? -1 : now - worker->wanted_ms_before;
    end_overdue(worker, pm_overdue_judge(facts));
}

void pm_worker_on_deadline(void *data)
{
    PmWorker *worker = data;
    int64_t now = pm_clock_mono_ms(), used = pm_usage_cpu_ms(worker->pid);
    worker->deadline = NULL;
    worker->overdue_facts = (PmOverdueFacts){
        .wall_ms = pm_pool_pipeline(worker->pool)->limits.wall_time,
        .used_ms = used < 0 || worker->cpu_ms_before < 0 ? -1 : used - worker->cpu_ms_before,
        .fetched_ms = worker->fetched_ms + (worker->fetching != NULL ? now - worker->fetching_since_ms : 0),
        .late_ms = now - worker->due_ms,
        .held = pm_usage_is_held(worker->pid),
        .wants_ms = -1};
    PmOverdue known = pm_overdue_at_once(&worker->overdue_facts);
    worker->wanted_ms_before = known == PM_OVERDUE_NOT ? wanted_ms(worker) : -1;
    /* Meanwhile it may still end well. */
    if (known == PM_OVERDUE_NOT)
        worker->deadline = pm_loop_after(pm_pool_loop(worker->pool), PM_OVERDUE_LOOK_MS, on_looked, worker);
    if (worker->deadline == NULL) end_overdue(worker, known != PM_OVERDUE_NOT ? known : PM_OVERDUE_STARVED);
}

/* --- the end of a process --- */

static void place_error(const PmWorker *worker, const PmProgress *at, PmError *err)
{
    const PmPipeline *pipeline = pm_pool_pipeline(worker->pool);
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

/* The `effort` of the step at work, which the operator has chosen, as the file has it; or NULL. */
static const char *effort_at_work(const PmPipeline *pipeline, const PmProgress *at)
{
    const PmStep *step = pm_said_step(pipeline, at->step);
    bool has_params = step != NULL && step->params != NULL && step->params->kind == PM_NODE_MAPPING;
    const PmNode *effort = has_params ? pm_node_get(step->params, "effort") : NULL;
    return effort != NULL && effort->kind == PM_NODE_SCALAR ? pm_node_quoted(effort) : NULL;
}

/* What to set where a job worked for too long. */
static void hint_at_work(const char *effort, bool by_cpu_time, PmError *err)
{
    if (effort != NULL)
        pm_error_hint(err, "lower `effort`, which is %.20s here, or raise %slimits.wall_time", effort,
                      by_cpu_time ? "limits.cpu_time and " : "");
    else if (by_cpu_time)
        pm_error_hint(err, "raise limits.cpu_time, or give encoders less effort; as much again is given for each 4 "
                           "megapixels written and each 16 frames decoded, up to limits.wall_time");
}

/* Of the job's picture; PM_FORMAT_UNKNOWN also where it has none. */
static PmFormat format_at_work(const PmWorker *worker)
{
    enum { LOOK_BYTES = 4096 };
    char bytes[LOOK_BYTES];
    ssize_t n = worker->source_fd >= 0 ? pread(worker->source_fd, bytes, sizeof bytes, 0) : -1;
    return n > 0 ? pm_sniff(bytes, (size_t)n) : PM_FORMAT_UNKNOWN;
}

void pm_worker_report_death(PmWorker *worker, int code, int signo)
{
    PmPoolReport report = {0};
    PmProgress at = worker->progress != NULL ? pm_progress_read(worker->progress) : (PmProgress){0};
    const PmPipeline *pipeline = pm_pool_pipeline(worker->pool);
    /* The page is the child's to write: only a plugin of the pipeline can be blamed. */
    const char *plugin = pm_said_plugin(pipeline, at.fault_plugin[0] != '\0' ? at.fault_plugin : at.plugin);
    char tag[160] = "", limit[32];
    bool again = false;
    if (worker->violation.status != PM_OK) {
        report.error = worker->violation;
    } else if (worker->overdue != PM_OVERDUE_NOT) {
        pm_overdue_error(worker->overdue, &worker->overdue_facts, plugin != NULL ? plugin : "", worker->attempt,
                         &report.error);
        const char *effort = worker->overdue == PM_OVERDUE_WORKED ? effort_at_work(pipeline, &at) : NULL;
        if (effort != NULL) report.error.hint[0] = '\0'; /* it says who worked, and this says why */
        hint_at_work(effort, false, &report.error);
    } else if (signo == SIGXCPU) {
        pm_text_duration(limit, sizeof limit, pipeline->limits.cpu_time);
        pm_error_set(&report.error, PM_LIMIT, "took more processor time than limits.cpu_time, %s", limit);
        hint_at_work(effort_at_work(pipeline, &at), true, &report.error);
    } else if (signo != 0 && at.out_of_memory != 0) {
        pm_text_bytes(limit, sizeof limit, pipeline->limits.memory);
        pm_error_set(&report.error, PM_LIMIT, "needs more memory than limits.memory, %s", limit);
        pm_decode_memory_hint(format_at_work(worker), false, 0, 0, pipeline->limits.memory, &report.error);
        again = pm_worker_once_more(worker, &report.error);
    } else if (signo == SIGKILL) {
        /* Not by us, and a plugin cannot: no fault of the image that is known. */
        pm_error_set(&report.error, PM_TRANSIENT, "the worker process was killed from outside (SIGKILL)");
        pm_error_hint(&report.error, "the kernel does that when the machine or the container is out of memory");
    } else {
        crashed(&report, &at, plugin, code, signo, tag, sizeof tag);
        again = pm_worker_once_more(worker, &report.error);
    }
    if (again) return;
    place_error(worker, &at, &report.error);
    pm_worker_end_job(worker, &report, NULL);
}
