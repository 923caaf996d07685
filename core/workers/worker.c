/* SPDX-License-Identifier: Apache-2.0 */
#include "workers/worker.h"

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

bool pm_worker_init(PmWorker *worker, PmPool *pool)
{
    *worker = (PmWorker){.pool = pool,
                         .sock = -1,
                         .pidfd = -1,
                         .memory = -1,
                         .source_fd = -1,
                         .rooms = {-1, -1},
                         .words = {.fd = -1},
                         .outbox = {.sock = -1}};
    size_t count = pm_pool_pipeline(pool)->output_count + 1;
    worker->outputs = calloc(count, sizeof *worker->outputs);
    worker->begun = calloc(count, sizeof *worker->begun);
    return worker->outputs != NULL && worker->begun != NULL;
}

static void close_fd(int *fd)
{
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

static void kill_child(PmWorker *worker)
{
    if (worker->pidfd >= 0) syscall(SYS_pidfd_send_signal, worker->pidfd, SIGKILL, NULL, 0);
}

static void close_channel(PmWorker *worker)
{
    pm_loop_unwatch(worker->watch);
    worker->watch = NULL;
    pm_outbox_close(&worker->outbox);
    close_fd(&worker->sock);
    for (size_t i = 0; i < PM_WORKER_ROOMS; i++) close_fd(&worker->rooms[i]);
}

static void close_child(PmWorker *worker)
{
    close_channel(worker);
    pm_child_stderr_close(&worker->words);
    close_fd(&worker->pidfd);
    close_fd(&worker->memory);
    worker->pid = 0;
    pm_progress_unmap(worker->progress);
    worker->progress = NULL;
    pm_loop_cancel(worker->grace);
    worker->grace = NULL;
    worker->gone = false;
    worker->state = PM_WORKER_EMPTY;
}

static void stop_job(PmWorker *worker)
{
    pm_fetch_cancel(worker->fetching);
    worker->fetching = NULL;
    pm_loop_cancel(worker->deadline);
    worker->deadline = NULL;
}

static void forget_job(PmWorker *worker)
{
    stop_job(worker);
    if (worker->has_job) pm_child_stderr_end_job(&worker->words);
    worker->names = (PmJobNames){0};
    worker->has_job = worker->wants_fresh = worker->again = false;
    json_decref(worker->request);
    worker->request = NULL;
    close_fd(&worker->source_fd);
}

void pm_worker_finish(PmWorker *worker)
{
    kill_child(worker);
    forget_job(worker);
    close_child(worker);
    free(worker->outputs);
    free(worker->begun);
    worker->outputs = NULL;
    worker->begun = NULL;
}

bool pm_worker_is_idle(const PmWorker *worker)
{
    return worker->state == PM_WORKER_IDLE && !worker->has_job;
}

/* --- ending a job --- */

void pm_worker_end_job(PmWorker *worker, const PmPoolReport *report, const json_t *plan)
{
    bool had_job = worker->has_job;
    forget_job(worker);
    if (!had_job) return;
    PmPoolJobSink sink = worker->sink;
    PmPoolPlanned *planned = worker->planned;
    worker->planned = NULL;
    if (planned != NULL)
        planned(worker->planned_data, plan, report->error.status != PM_OK ? &report->error : NULL);
    else
        sink.done(sink.data, report);
}

static bool is_open(PmWorkerOutput state)
{
    return state == PM_OUTPUT_OPEN || state == PM_OUTPUT_BEGUN;
}

/* A child that has done other jobs has holes in its memory, and less of it; when a codec cannot have what it needs, it
 * may say "too large", "damaged", or crash. So only a fresh child's word counts against a picture, and its fate does
 * not depend on the one before it. */
bool pm_worker_once_more(PmWorker *worker, const PmError *err)
{
    bool counts = err->status == PM_LIMIT || err->status == PM_BAD_INPUT ||
                  (err->status == PM_BUG && worker->attempt > 1); /* the first time it is tried again anyway */
    if (!counts || worker->jobs == 0 || worker->again || worker->planned != NULL) return false;
    size_t count = pm_pool_pipeline(worker->pool)->output_count, open = 0;
    json_t *names = json_array();
    for (size_t i = 0; i < count; i++) {
        if (!is_open(worker->outputs[i])) continue;
        open++;
        worker->outputs[i] = PM_OUTPUT_OPEN;
        json_array_append_new(names, json_string(pm_pool_pipeline(worker->pool)->outputs[i].name));
    }
    if (open > 0) json_object_set(worker->request, "outputs", names);
    json_decref(names);
    if (open == 0) return false;
    stop_job(worker);
    pm_log(PM_LOG_DEBUG, "worker.once_more", PM_JOB_NAMES(&worker->names), "msg", err->message, NULL);
    worker->wants_fresh = worker->again = true;
    return true;
}

/* Codecs and plugins leave memory behind; the limit of the next job counts it. */
static bool has_grown(const PmWorker *worker)
{
    int64_t now = pm_usage_mapped_bytes(worker->memory), limit = pm_pool_pipeline(worker->pool)->limits.memory;
    return limit > 0 && worker->born_bytes >= 0 && now - worker->born_bytes > limit / 4;
}

void pm_worker_after_job(PmWorker *worker)
{
    const PmWorkerConfig *config = &pm_pool_pipeline(worker->pool)->worker;
    worker->jobs++;
    if (worker->gone || worker->wants_fresh || config->isolation == PM_ISOLATION_PER_JOB ||
        worker->jobs >= config->jobs_per_child || has_grown(worker))
        pm_worker_retire(worker);
    else
        worker->state = PM_WORKER_IDLE;
}

void pm_worker_done(PmWorker *worker, const PmPoolReport *report, const json_t *plan)
{
    bool over = !pm_worker_once_more(worker, &report->error);
    pm_worker_after_job(worker);
    if (over) pm_worker_end_job(worker, report, plan);
    if (pm_worker_is_idle(worker)) pm_pool_tell_idle(worker->pool);
}

/* --- ending a child --- */

static void on_respawn(void *data)
{
    PmWorker *worker = data;
    worker->grace = NULL;
    pm_worker_start(worker);
}

static void respawn_later(PmWorker *worker)
{
    pm_loop_cancel(worker->grace);
    worker->grace = pm_loop_after(pm_pool_loop(worker->pool), RESPAWN_MS, on_respawn, worker);
}

void pm_worker_start(PmWorker *worker)
{
    if (!pm_pool_is_ready(worker->pool) || worker->state != PM_WORKER_EMPTY) return;
    if (!pm_pool_spawn(worker->pool, worker)) respawn_later(worker);
}

static void on_overdue(void *data)
{
    PmWorker *worker = data;
    worker->grace = NULL;
    pm_pool_restart(worker->pool, "pixmill-worker does not report the end of a process that was killed");
}

void pm_worker_kill(PmWorker *worker)
{
    kill_child(worker);
    pm_loop_cancel(worker->grace);
    worker->grace = pm_loop_after(pm_pool_loop(worker->pool), REAP_MS, on_overdue, worker);
}

static void on_lingering(void *data)
{
    PmWorker *worker = data;
    worker->grace = NULL;
    pm_worker_kill(worker);
}

void pm_worker_retire(PmWorker *worker)
{
    worker->state = PM_WORKER_ENDING;
    pm_fetch_cancel(worker->fetching);
    worker->fetching = NULL;
    close_channel(worker);
    pm_loop_cancel(worker->grace);
    worker->grace = pm_loop_after(pm_pool_loop(worker->pool), EXIT_MS, on_lingering, worker);
}

void pm_worker_break(PmWorker *worker, const char *fmt, ...)
{
    char message[300];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    pm_error_set(&worker->violation, PM_BUG, "the worker process broke the protocol: %s", message);
    if (!worker->has_job) pm_log(PM_LOG_WARN, "worker.protocol", "msg", worker->violation.message, NULL);
    pm_worker_retire(worker);
    pm_worker_kill(worker);
}

void pm_worker_lost(PmWorker *worker)
{
    kill_child(worker);
    if (worker->has_job && !worker->wants_fresh &&
        (worker->overdue != PM_OVERDUE_NOT || worker->violation.status != PM_OK)) {
        pm_worker_report_death(worker, 0, SIGKILL);
    } else if (worker->has_job) {
        PmPoolReport report = {0};
        pm_error_set(&report.error, PM_TRANSIENT, "the worker process was lost");
        pm_worker_end_job(worker, &report, NULL);
    }
    close_child(worker);
}

void pm_worker_abandon(PmWorker *worker)
{
    forget_job(worker);
    worker->planned = NULL;
    if (worker->state != PM_WORKER_BUSY) return;
    pm_worker_retire(worker);
    pm_worker_kill(worker);
}

static PmStatus begin(PmWorker *worker, PmError *err);

void pm_worker_exited(PmWorker *worker, const json_t *body)
{
    if (worker->state == PM_WORKER_EMPTY) return;
    int code = (int)json_integer_value(json_object_get(body, "code")),
        signo = (int)json_integer_value(json_object_get(body, "signal"));
    /* Its last words may come after the news of its end: a job that it finished is finished. */
    worker->gone = true;
    for (int i = 0; i < LAST_WORDS && worker->has_job && !worker->wants_fresh && worker->sock >= 0; i++) {
        size_t before = worker->messages;
        pm_worker_on_child(worker, worker->sock, PM_READABLE);
        if (worker->messages == before) break;
    }
    if (worker->has_job && !worker->wants_fresh) pm_worker_report_death(worker, code, signo);
    bool broke = worker->violation.status != PM_OK;
    close_child(worker);
    /* Should its successors do the same, that is not to keep us busy. */
    if (broke && !worker->has_job)
        respawn_later(worker);
    else
        pm_worker_start(worker);
}

/* --- starting --- */

static void on_sent(void *data, PmMessageType type)
{
    PmWorker *worker = data;
    if (type != worker->request_type || !worker->has_job) return;
    /* Only now: it may have had to wait for others' descriptors. */
    int64_t wall_ms = pm_pool_pipeline(worker->pool)->limits.wall_time;
    worker->due_ms = pm_clock_mono_ms() + wall_ms;
    worker->cpu_ms_before = pm_usage_cpu_ms(worker->pid);
    worker->deadline = pm_loop_after(pm_pool_loop(worker->pool), wall_ms, pm_worker_on_deadline, worker);
}

static void on_send_failed(void *data, const PmError *err)
{
    (void)err; /* it is gone: EXITED says how */
    PmWorker *worker = data;
    pm_worker_retire(worker);
    pm_worker_kill(worker);
}

static void on_crowded(void *data)
{
    const PmWorker *worker = data;
    pm_pool_tell_crowded(worker->pool);
}

int pm_worker_prepare(PmWorker *worker, PmProgress *progress, PmError *err)
{
    worker->log = (PmLogShare){0};
    int end = pm_child_stderr_open(&worker->words, pm_pool_log_gate(worker->pool), &worker->log, progress,
                                   &worker->names, err);
    if (end >= 0) worker->progress = progress;
    return end;
}

void pm_worker_unprepare(PmWorker *worker)
{
    pm_child_stderr_close(&worker->words);
    pm_progress_unmap(worker->progress);
    worker->progress = NULL;
}

void pm_worker_open(PmWorker *worker, int sock)
{
    pm_loop_cancel(worker->grace);
    worker->grace = NULL;
    worker->sock = sock;
    worker->state = PM_WORKER_STARTING;
    worker->jobs = 0;
    worker->gone = false;
    worker->violation = (PmError){0};
    pm_outbox_open(&worker->outbox, pm_pool_loop(worker->pool), sock,
                   &(PmOutboxSink){.data = worker, .sent = on_sent, .failed = on_send_failed, .crowded = on_crowded});
    worker->watch = pm_loop_watch(pm_pool_loop(worker->pool), sock, PM_READABLE, pm_worker_on_child, worker);
    if (worker->watch == NULL) pm_worker_retire(worker);
}

/* The child is there. */
static void settle_in(PmWorker *worker, int pidfd, pid_t pid)
{
    worker->pidfd = pidfd;
    worker->pid = pid;
    if (worker->state == PM_WORKER_ENDING) { /* given up already */
        pm_worker_kill(worker);
        return;
    }
    worker->memory = pm_usage_open_memory(pid);
    worker->born_bytes = pm_usage_mapped_bytes(worker->memory);
    worker->state = PM_WORKER_IDLE;
    if (!worker->wants_fresh) {
        pm_pool_tell_idle(worker->pool);
        return;
    }
    PmError err = {0};
    worker->wants_fresh = false;
    if (begin(worker, &err) == PM_OK) return;
    PmPoolReport report = {.error = err};
    pm_worker_end_job(worker, &report, NULL);
}

void pm_worker_spawned(PmWorker *worker, PmMessage *message)
{
    const json_t *error = json_object_get(message->body, "error");
    int pidfd = pm_message_take_fd(message, 0);
    if (error == NULL && pidfd >= 0 && worker->pidfd < 0 &&
        (worker->state == PM_WORKER_STARTING || worker->state == PM_WORKER_ENDING)) {
        settle_in(worker, pidfd, (pid_t)json_integer_value(json_object_get(message->body, "pid")));
        return;
    }
    if (pidfd >= 0) close(pidfd);
    if (error == NULL || worker->pidfd >= 0 || worker->state == PM_WORKER_EMPTY) return;
    PmError err;
    pm_error_from_json(error, &err);
    close_child(worker);
    if (err.status == PM_BAD_CONFIG) { /* it will not go away */
        pm_pool_give_up(worker->pool, &err);
        return;
    }
    pm_log(PM_LOG_ERROR, "worker.spawn", "msg", err.message, NULL);
    respawn_later(worker);
}

static PmStatus begin(PmWorker *worker, PmError *err)
{
    worker->state = PM_WORKER_BUSY;
    worker->has_job = true;
    worker->overdue = PM_OVERDUE_NOT;
    worker->messages = worker->lines = 0;
    worker->fetched_ms = worker->made_bytes = worker->said_bytes = 0;
    if (pm_outbox_send(&worker->outbox, worker->request_type, worker->request, &worker->source_fd,
                       worker->source_fd >= 0 ? 1 : 0, err) == PM_OK)
        return PM_OK;
    pm_worker_retire(worker);
    pm_worker_kill(worker);
    return err->status;
}

/* Takes `request`. */
static PmStatus begin_first(PmWorker *worker, PmMessageType type, json_t *request, const PmJobNames *names,
                            int source_fd, PmError *err)
{
    forget_job(worker);
    if (names != NULL) worker->names = *names;
    worker->request_type = type;
    worker->request = request;
    if (request == NULL) return pm_error_set(err, PM_TRANSIENT, "out of memory");
    worker->source_fd = source_fd >= 0 ? fcntl(source_fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (source_fd >= 0 && worker->source_fd < 0)
        pm_error_set(err, PM_TRANSIENT, "no descriptor: %s", strerror(errno));
    else
        begin(worker, err);
    if (err->status != PM_OK) forget_job(worker);
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

PmStatus pm_worker_run(PmWorker *worker, const PmPoolJob *job, const PmPoolJobSink *sink, PmError *err)
{
    json_t *body = json_pack("{sO sI si}", "facts", job->facts, "wall_ms",
                             (json_int_t)pm_pool_pipeline(worker->pool)->limits.wall_time, "attempt", job->attempt);
    if (body != NULL && job->outputs != NULL && json_object_set(body, "outputs", (json_t *)job->outputs) != 0) {
        json_decref(body);
        body = NULL;
    }
    worker->sink = *sink;
    worker->planned = NULL;
    worker->attempt = job->attempt;
    const PmPipeline *pipeline = pm_pool_pipeline(worker->pool);
    for (size_t i = 0; i < pipeline->output_count; i++) {
        worker->outputs[i] = is_wanted(job->outputs, pipeline->outputs[i].name) ? PM_OUTPUT_OPEN : PM_OUTPUT_UNWANTED;
        worker->begun[i] = false;
    }
    return begin_first(worker, PM_MSG_JOB, body, &job->names, job->source_fd, err);
}

PmStatus pm_worker_plan(PmWorker *worker, const json_t *body, int source_fd, PmPoolPlanned *planned, void *data,
                        PmError *err)
{
    worker->planned = planned;
    worker->planned_data = data;
    return begin_first(worker, PM_MSG_PLAN, json_incref((json_t *)body), NULL, source_fd, err);
}
