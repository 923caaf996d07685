/* SPDX-License-Identifier: Apache-2.0 */
#include "workers/slot.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "workers/usage.h"

enum {
    RESPAWN_MS = 1000,
    EXIT_MS = 3000,   /* for a child to end by itself when it is told to */
    REAP_MS = 10000,  /* for the zygote to tell of one that was killed */
    LAST_WORDS = 1024 /* packets read of a child that is gone: more than its socket can hold */
};

bool pm_slot_init(PmSlot *slot, PmPool *pool)
{
    *slot = (PmSlot){.pool = pool,
                     .sock = -1,
                     .pidfd = -1,
                     .memory = -1,
                     .source_fd = -1,
                     .rooms = {-1, -1},
                     .words = {.fd = -1},
                     .outbox = {.sock = -1}};
    size_t count = pm_pool_pipeline(pool)->output_count + 1;
    slot->outputs = calloc(count, sizeof *slot->outputs);
    slot->begun = calloc(count, sizeof *slot->begun);
    return slot->outputs != NULL && slot->begun != NULL;
}

static void close_fd(int *fd)
{
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

static void kill_child(PmSlot *slot)
{
    if (slot->pidfd >= 0) syscall(SYS_pidfd_send_signal, slot->pidfd, SIGKILL, NULL, 0);
}

static void close_channel(PmSlot *slot)
{
    pm_loop_unwatch(slot->watch);
    slot->watch = NULL;
    pm_outbox_close(&slot->outbox);
    close_fd(&slot->sock);
    for (size_t i = 0; i < PM_SLOT_ROOMS; i++) close_fd(&slot->rooms[i]);
}

static void close_child(PmSlot *slot)
{
    close_channel(slot);
    pm_child_stderr_close(&slot->words);
    close_fd(&slot->pidfd);
    close_fd(&slot->memory);
    slot->pid = 0;
    pm_progress_unmap(slot->progress);
    slot->progress = NULL;
    pm_loop_cancel(slot->grace);
    slot->grace = NULL;
    slot->gone = false;
    slot->state = PM_SLOT_EMPTY;
}

static void stop_job(PmSlot *slot)
{
    pm_fetch_cancel(slot->fetching);
    slot->fetching = NULL;
    pm_loop_cancel(slot->deadline);
    slot->deadline = NULL;
}

static void forget_job(PmSlot *slot)
{
    stop_job(slot);
    if (slot->has_job) pm_child_stderr_end_job(&slot->words);
    slot->names = (PmJobNames){0};
    slot->has_job = slot->wants_fresh = slot->again = false;
    json_decref(slot->request);
    slot->request = NULL;
    close_fd(&slot->source_fd);
}

void pm_slot_finish(PmSlot *slot)
{
    kill_child(slot);
    forget_job(slot);
    close_child(slot);
    free(slot->outputs);
    free(slot->begun);
    slot->outputs = NULL;
    slot->begun = NULL;
}

bool pm_slot_is_idle(const PmSlot *slot)
{
    return slot->state == PM_SLOT_IDLE && !slot->has_job;
}

/* --- ending a job --- */

void pm_slot_end_job(PmSlot *slot, const PmPoolReport *report, const json_t *plan)
{
    bool had_job = slot->has_job;
    forget_job(slot);
    if (!had_job) return;
    PmPoolJobSink sink = slot->sink;
    PmPoolPlanned *planned = slot->planned;
    slot->planned = NULL;
    if (planned != NULL)
        planned(slot->planned_data, plan, report->error.status != PM_OK ? &report->error : NULL);
    else
        sink.done(sink.data, report);
}

static bool is_open(PmSlotOutput state)
{
    return state == PM_OUTPUT_OPEN || state == PM_OUTPUT_BEGUN;
}

/* A child that has done other jobs has holes in its memory, and less of it; when a codec cannot have what it needs, it
 * may say "too large", "damaged", or crash. So only a fresh child's word counts against a picture, and its fate does
 * not depend on the one before it. */
bool pm_slot_once_more(PmSlot *slot, const PmError *err)
{
    bool counts = err->status == PM_LIMIT || err->status == PM_BAD_INPUT ||
                  (err->status == PM_BUG && slot->attempt > 1); /* the first time it is tried again anyway */
    if (!counts || slot->jobs == 0 || slot->again || slot->planned != NULL) return false;
    size_t count = pm_pool_pipeline(slot->pool)->output_count, open = 0;
    json_t *names = json_array();
    for (size_t i = 0; i < count; i++) {
        if (!is_open(slot->outputs[i])) continue;
        open++;
        slot->outputs[i] = PM_OUTPUT_OPEN;
        json_array_append_new(names, json_string(pm_pool_pipeline(slot->pool)->outputs[i].name));
    }
    if (open > 0) json_object_set(slot->request, "outputs", names);
    json_decref(names);
    if (open == 0) return false;
    stop_job(slot);
    pm_log(PM_LOG_DEBUG, "worker.once_more", PM_JOB_NAMES(&slot->names), "msg", err->message, NULL);
    slot->wants_fresh = slot->again = true;
    return true;
}

/* Codecs and plugins leave memory behind; the limit of the next job counts it. */
static bool has_grown(const PmSlot *slot)
{
    int64_t now = pm_usage_mapped_bytes(slot->memory), limit = pm_pool_pipeline(slot->pool)->limits.memory;
    return limit > 0 && slot->born_bytes >= 0 && now - slot->born_bytes > limit / 4;
}

void pm_slot_after_job(PmSlot *slot)
{
    const PmWorkerConfig *config = &pm_pool_pipeline(slot->pool)->worker;
    slot->jobs++;
    if (slot->gone || slot->wants_fresh || config->isolation == PM_ISOLATION_PER_JOB ||
        slot->jobs >= config->jobs_per_child || has_grown(slot))
        pm_slot_retire(slot);
    else
        slot->state = PM_SLOT_IDLE;
}

void pm_slot_done(PmSlot *slot, const PmPoolReport *report, const json_t *plan)
{
    bool over = !pm_slot_once_more(slot, &report->error);
    pm_slot_after_job(slot);
    if (over) pm_slot_end_job(slot, report, plan);
    if (pm_slot_is_idle(slot)) pm_pool_tell_idle(slot->pool);
}

/* --- ending a child --- */

static void on_respawn(void *data)
{
    PmSlot *slot = data;
    slot->grace = NULL;
    pm_slot_start(slot);
}

static void respawn_later(PmSlot *slot)
{
    pm_loop_cancel(slot->grace);
    slot->grace = pm_loop_after(pm_pool_loop(slot->pool), RESPAWN_MS, on_respawn, slot);
}

void pm_slot_start(PmSlot *slot)
{
    if (!pm_pool_is_ready(slot->pool) || slot->state != PM_SLOT_EMPTY) return;
    if (!pm_pool_spawn(slot->pool, slot)) respawn_later(slot);
}

static void on_overdue(void *data)
{
    PmSlot *slot = data;
    slot->grace = NULL;
    pm_pool_restart(slot->pool, "pixmill-worker does not tell the end of a process that was killed");
}

void pm_slot_kill(PmSlot *slot)
{
    kill_child(slot);
    pm_loop_cancel(slot->grace);
    slot->grace = pm_loop_after(pm_pool_loop(slot->pool), REAP_MS, on_overdue, slot);
}

static void on_lingering(void *data)
{
    PmSlot *slot = data;
    slot->grace = NULL;
    pm_slot_kill(slot);
}

void pm_slot_retire(PmSlot *slot)
{
    slot->state = PM_SLOT_ENDING;
    pm_fetch_cancel(slot->fetching);
    slot->fetching = NULL;
    close_channel(slot);
    pm_loop_cancel(slot->grace);
    slot->grace = pm_loop_after(pm_pool_loop(slot->pool), EXIT_MS, on_lingering, slot);
}

void pm_slot_break(PmSlot *slot, const char *fmt, ...)
{
    char message[300];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    pm_error_set(&slot->violation, PM_BUG, "the worker process broke the protocol: %s", message);
    if (!slot->has_job) pm_log(PM_LOG_WARN, "worker.protocol", "msg", slot->violation.message, NULL);
    pm_slot_retire(slot);
    pm_slot_kill(slot);
}

void pm_slot_lost(PmSlot *slot)
{
    kill_child(slot);
    if (slot->has_job && !slot->wants_fresh && (slot->overdue != PM_OVERDUE_NOT || slot->violation.status != PM_OK)) {
        pm_slot_report_death(slot, 0, SIGKILL);
    } else if (slot->has_job) {
        PmPoolReport report = {0};
        pm_error_set(&report.error, PM_TRANSIENT, "the worker process was lost");
        pm_slot_end_job(slot, &report, NULL);
    }
    close_child(slot);
}

void pm_slot_abandon(PmSlot *slot)
{
    forget_job(slot);
    slot->planned = NULL;
    if (slot->state != PM_SLOT_BUSY) return;
    pm_slot_retire(slot);
    pm_slot_kill(slot);
}

static PmStatus begin(PmSlot *slot, PmError *err);

void pm_slot_exited(PmSlot *slot, const json_t *body)
{
    if (slot->state == PM_SLOT_EMPTY) return;
    int code = (int)json_integer_value(json_object_get(body, "code")),
        signo = (int)json_integer_value(json_object_get(body, "signal"));
    /* Its last words may come after the news of its end: a job that it finished is finished. */
    slot->gone = true;
    for (int i = 0; i < LAST_WORDS && slot->has_job && !slot->wants_fresh && slot->sock >= 0; i++) {
        size_t before = slot->messages;
        pm_slot_on_child(slot, slot->sock, PM_READABLE);
        if (slot->messages == before) break;
    }
    if (slot->has_job && !slot->wants_fresh) pm_slot_report_death(slot, code, signo);
    bool broke = slot->violation.status != PM_OK;
    close_child(slot);
    /* Should its successors do the same, that is not to keep us busy. */
    if (broke && !slot->has_job)
        respawn_later(slot);
    else
        pm_slot_start(slot);
}

/* --- starting --- */

static void on_sent(void *data, PmMessageType type)
{
    PmSlot *slot = data;
    if (type != slot->request_type || !slot->has_job) return;
    /* Only now: it may have had to wait for others' descriptors. */
    int64_t wall_ms = pm_pool_pipeline(slot->pool)->limits.wall_time;
    slot->due_ms = pm_clock_mono_ms() + wall_ms;
    slot->cpu_ms_before = pm_usage_cpu_ms(slot->pid);
    slot->deadline = pm_loop_after(pm_pool_loop(slot->pool), wall_ms, pm_slot_on_deadline, slot);
}

static void on_send_failed(void *data, const PmError *err)
{
    (void)err; /* it is gone: EXITED says how */
    PmSlot *slot = data;
    pm_slot_retire(slot);
    pm_slot_kill(slot);
}

static void on_crowded(void *data)
{
    const PmSlot *slot = data;
    pm_pool_tell_crowded(slot->pool);
}

int pm_slot_prepare(PmSlot *slot, PmProgress *progress, PmError *err)
{
    slot->log = (PmLogShare){0};
    int end = pm_child_stderr_open(&slot->words, pm_pool_loop(slot->pool), pm_pool_log_gate(slot->pool), &slot->log,
                                   progress, &slot->names, err);
    if (end >= 0) slot->progress = progress;
    return end;
}

void pm_slot_unprepare(PmSlot *slot)
{
    pm_child_stderr_close(&slot->words);
    pm_progress_unmap(slot->progress);
    slot->progress = NULL;
}

void pm_slot_open(PmSlot *slot, int sock)
{
    pm_loop_cancel(slot->grace);
    slot->grace = NULL;
    slot->sock = sock;
    slot->state = PM_SLOT_STARTING;
    slot->jobs = 0;
    slot->gone = false;
    slot->violation = (PmError){0};
    pm_outbox_open(&slot->outbox, pm_pool_loop(slot->pool), sock,
                   &(PmOutboxSink){.data = slot, .sent = on_sent, .failed = on_send_failed, .crowded = on_crowded});
    slot->watch = pm_loop_watch(pm_pool_loop(slot->pool), sock, PM_READABLE, pm_slot_on_child, slot);
    if (slot->watch == NULL) pm_slot_retire(slot);
}

/* The child is there. */
static void settle_in(PmSlot *slot, int pidfd, pid_t pid)
{
    slot->pidfd = pidfd;
    slot->pid = pid;
    if (slot->state == PM_SLOT_ENDING) { /* given up already */
        pm_slot_kill(slot);
        return;
    }
    slot->memory = pm_usage_open_memory(pid);
    slot->born_bytes = pm_usage_mapped_bytes(slot->memory);
    slot->state = PM_SLOT_IDLE;
    if (!slot->wants_fresh) {
        pm_pool_tell_idle(slot->pool);
        return;
    }
    PmError err = {0};
    slot->wants_fresh = false;
    if (begin(slot, &err) == PM_OK) return;
    PmPoolReport report = {.error = err};
    pm_slot_end_job(slot, &report, NULL);
}

void pm_slot_spawned(PmSlot *slot, PmMessage *message)
{
    const json_t *error = json_object_get(message->body, "error");
    int pidfd = pm_message_take_fd(message, 0);
    if (error == NULL && pidfd >= 0 && slot->pidfd < 0 &&
        (slot->state == PM_SLOT_STARTING || slot->state == PM_SLOT_ENDING)) {
        settle_in(slot, pidfd, (pid_t)json_integer_value(json_object_get(message->body, "pid")));
        return;
    }
    if (pidfd >= 0) close(pidfd);
    if (error == NULL || slot->pidfd >= 0 || slot->state == PM_SLOT_EMPTY) return;
    PmError err;
    pm_error_from_json(error, &err);
    close_child(slot);
    if (err.status == PM_BAD_CONFIG) { /* it will not go away */
        pm_pool_give_up(slot->pool, &err);
        return;
    }
    pm_log(PM_LOG_ERROR, "worker.spawn", "msg", err.message, NULL);
    respawn_later(slot);
}

static PmStatus begin(PmSlot *slot, PmError *err)
{
    slot->state = PM_SLOT_BUSY;
    slot->has_job = true;
    slot->overdue = PM_OVERDUE_NOT;
    slot->messages = slot->lines = 0;
    slot->fetched_ms = slot->made_bytes = slot->said_bytes = 0;
    if (pm_outbox_send(&slot->outbox, slot->request_type, slot->request, &slot->source_fd, slot->source_fd >= 0 ? 1 : 0,
                       err) == PM_OK)
        return PM_OK;
    pm_slot_retire(slot);
    pm_slot_kill(slot);
    return err->status;
}

/* Takes `request`. */
static PmStatus begin_first(PmSlot *slot, PmMessageType type, json_t *request, const PmJobNames *names, int source_fd,
                            PmError *err)
{
    forget_job(slot);
    if (names != NULL) slot->names = *names;
    slot->request_type = type;
    slot->request = request;
    if (request == NULL) return pm_error_set(err, PM_TRANSIENT, "out of memory");
    slot->source_fd = source_fd >= 0 ? fcntl(source_fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (source_fd >= 0 && slot->source_fd < 0)
        pm_error_set(err, PM_TRANSIENT, "no descriptor: %s", strerror(errno));
    else
        begin(slot, err);
    if (err->status != PM_OK) forget_job(slot);
    return err->status;
}

static bool is_wanted(const json_t *outputs, const char *name)
{
    size_t i;
    const json_t *wanted;
    if (outputs == NULL) return true;
    json_array_foreach((json_t *)outputs, i, wanted) if (strcmp(json_string_value(wanted), name) == 0) return true;
    return false;
}

PmStatus pm_slot_run(PmSlot *slot, const PmPoolJob *job, const PmPoolJobSink *sink, PmError *err)
{
    json_t *body = json_pack("{sO sI si}", "facts", job->facts, "wall_ms",
                             (json_int_t)pm_pool_pipeline(slot->pool)->limits.wall_time, "attempt", job->attempt);
    if (body != NULL && job->outputs != NULL) json_object_set(body, "outputs", (json_t *)job->outputs);
    slot->sink = *sink;
    slot->planned = NULL;
    slot->attempt = job->attempt;
    const PmPipeline *pipeline = pm_pool_pipeline(slot->pool);
    for (size_t i = 0; i < pipeline->output_count; i++) {
        slot->outputs[i] = is_wanted(job->outputs, pipeline->outputs[i].name) ? PM_OUTPUT_OPEN : PM_OUTPUT_UNWANTED;
        slot->begun[i] = false;
    }
    return begin_first(slot, PM_MSG_JOB, body, &job->names, job->source_fd, err);
}

PmStatus pm_slot_plan(PmSlot *slot, const json_t *body, int source_fd, PmPoolPlanned *planned, void *data, PmError *err)
{
    slot->planned = planned;
    slot->planned_data = data;
    return begin_first(slot, PM_MSG_PLAN, json_incref((json_t *)body), NULL, source_fd, err);
}
