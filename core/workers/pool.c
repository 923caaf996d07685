/* SPDX-License-Identifier: Apache-2.0 */
#include "workers/pool.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "workers/count.h"
#include "workers/formats.h"
#include "workers/process.h"
#include "workers/said.h"
#include "workers/worker.h"

enum {
    MESSAGES_A_TURN = 8,
    CROWDED_MS = 10000,
    RESTART_MIN_MS = 100,
    RESTART_MAX_MS = 10000,
    RESTART_KILLED_MAX_MS = 1600,
    RESTARTS_IN_A_ROW = 5
};

struct PmPool {
    PmLoop *loop;
    const PmPipeline *pipeline;
    char *text;
    size_t text_size;
    PmPoolOptions options;
    char *worker, *plugin_dirs;
    PmPoolSink sink;
    int sock;
    pid_t pid;
    PmWatch *watch;
    PmOutbox outbox; /* for LOAD; a SPAWN that cannot go is asked for again by its worker */
    PmTimer *restart;
    PmProgress *loading; /* where the zygote is while it loads the pipeline */
    bool ready, ending;
    bool was_ready;    /* once, ever */
    int tier;          /* of the sandbox, when it was ready last */
    unsigned failures; /* starts in a row that never got ready */
    PmWorker *workers;
    PmFetcher *fetcher; /* NULL until a plugin asks */
    size_t count;
    json_t *declared;  /* READY's facts of steps, see said.h */
    json_t *endpoints; /* likewise, those to be signed */
    PmLogGate log_gate;
    int64_t crowded_ms; /* when it was told last; 0: never */
};

PmLoop *pm_pool_loop(const PmPool *pool)
{
    return pool->loop;
}

const PmPipeline *pm_pool_pipeline(const PmPool *pool)
{
    return pool->pipeline;
}

PmLogGate *pm_pool_log_gate(PmPool *pool)
{
    return &pool->log_gate;
}

const json_t *pm_pool_declared(const PmPool *pool)
{
    return pool->declared;
}

const json_t *pm_pool_endpoints(const PmPool *pool)
{
    return pool->endpoints;
}

void pm_pool_tell_crowded(PmPool *pool)
{
    int64_t now = pm_clock_mono_ms();
    if (pool->crowded_ms != 0 && now - pool->crowded_ms < CROWDED_MS) return;
    pool->crowded_ms = now;
    pm_log(PM_LOG_WARN, "worker.crowded", "msg",
           "jobs wait: programs of this user have too many descriptors on their way through sockets, more than "
           "RLIMIT_NOFILE allows us",
           NULL);
}

/* --- the zygote --- */

PmFetcher *pm_pool_fetcher(PmPool *pool, PmError *err)
{
    if (pool->fetcher == NULL)
        pool->fetcher =
            pm_fetcher_new(pool->loop, pool->pipeline, pool->options.find_signer, pool->options.find_signer_data, err);
    return pool->fetcher;
}

static void start(void *data);

/* The zygote is gone: so are its children, by their parent-death signal. Returns how it ended. */
static int stop_zygote(PmPool *pool)
{
    pm_loop_unwatch(pool->watch);
    pool->watch = NULL;
    pm_outbox_close(&pool->outbox);
    if (pool->sock >= 0) close(pool->sock);
    pool->sock = -1;
    int how = pm_process_end(pool->pid);
    pool->pid = 0;
    pool->ready = false;
    return how;
}

/* It ended before it was ready, most likely in a plugin's create(). */
static void tell_failed(PmPool *pool, int how, const char *why)
{
    PmProgress at = pool->loading != NULL ? pm_progress_read(pool->loading) : (PmProgress){0};
    PmError err = {0};
    char plugin[64], end[80];
    pm_text_utf8(plugin, sizeof plugin, at.fault_plugin[0] != '\0' ? at.fault_plugin : at.plugin);
    const char *name = WIFSIGNALED(how) ? sigabbrev_np(WTERMSIG(how)) : NULL;
    if (WIFSIGNALED(how) && WTERMSIG(how) != SIGKILL)
        snprintf(end, sizeof end, "died of SIG%s", name != NULL ? name : "?");
    else if (WIFEXITED(how))
        snprintf(end, sizeof end, "ended with exit(%d)", WEXITSTATUS(how));
    else
        snprintf(end, sizeof end, "was lost");
    if (plugin[0] != '\0')
        pm_error_set(&err, PM_BUG, "pixmill-worker %s while it set up plugin %s", end, plugin);
    else
        pm_error_set(&err, PM_BUG, "pixmill-worker %s before it was ready: %s", end, why);
    pm_text_copy(err.plugin, sizeof err.plugin, plugin);
    pool->sink.failed(pool->sink.data, &err);
}

static void start_later(PmPool *pool, int64_t max_ms, const char *why)
{
    int64_t delay = pool->failures < RESTARTS_IN_A_ROW ? RESTART_MIN_MS << (pool->failures * 2) : max_ms;
    pm_log(PM_LOG_WARN, "worker.lost", "msg", why, NULL);
    pool->restart = pm_loop_after(pool->loop, delay > max_ms ? max_ms : delay, start, pool);
}

/* `outside`: what ended it came from outside, which an end by SIGKILL always does. */
static void lost_zygote_to(PmPool *pool, bool outside, const char *why)
{
    if (pool->ending) return;
    bool was_ready = pool->ready;
    int how = stop_zygote(pool);
    for (size_t i = 0; i < pool->count; i++) pm_worker_lost(&pool->workers[i]);
    pool->failures = was_ready ? 1 : pool->failures + 1;
    /* What cannot start once is the operator's to mend; what did start is tried again, and what was killed from
     * outside: that one for ever once it has worked, however fast the kills come. */
    bool killed = outside || (WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
    bool too_often = pool->failures >= RESTARTS_IN_A_ROW && !(killed && pool->was_ready);
    if ((!pool->was_ready && (!killed || pool->options.check)) || too_often) {
        tell_failed(pool, how, why);
        return;
    }
    start_later(pool, killed ? RESTART_KILLED_MAX_MS : RESTART_MAX_MS, why);
}

static void lost_zygote(PmPool *pool, const char *why)
{
    lost_zygote_to(pool, false, why);
}

void pm_pool_restart(PmPool *pool, const char *why)
{
    if (pool->sock >= 0) lost_zygote(pool, why);
}

void pm_pool_give_up(PmPool *pool, const PmError *err)
{
    if (pool->ending) return;
    pool->ending = true;
    pool->sink.failed(pool->sink.data, err);
}

/* Our ends never block: a worker that stops reading is treated as lost. */
static bool never_block(int sock)
{
    return fcntl(sock, F_SETFL, O_NONBLOCK) == 0;
}

bool pm_pool_spawn(PmPool *pool, PmWorker *worker)
{
    int pair[2] = {-1, -1}, fds[4] = {-1, -1, -1, -1};
    PmError err = {0};
    PmProgress *progress = NULL;
    fds[1] = pool->sock >= 0 ? pm_progress_new(&progress, &err) : -1;
    if (fds[1] >= 0) fds[2] = pm_worker_prepare(worker, progress, &err);
    if (fds[2] < 0) pm_progress_unmap(progress);
    if (fds[2] >= 0 && pm_ipc_pair(pair, &err) == PM_OK && never_block(pair[0])) {
        json_t *body = json_pack("{sI}", "worker", (json_int_t)(worker - pool->workers));
        fds[0] = pair[1];
        fds[3] = worker->words.fd;
        pm_ipc_send(pool->sock, PM_MSG_SPAWN, body, fds, 4, &err);
        json_decref(body);
    }
    for (size_t i = 1; i < 3; i++)
        if (fds[i] >= 0) close(fds[i]);
    if (pair[1] >= 0) close(pair[1]);
    if (fds[0] >= 0 && err.status == PM_OK) {
        pm_worker_open(worker, pair[0]);
        return true;
    }
    if (pair[0] >= 0) close(pair[0]);
    if (fds[2] >= 0) pm_worker_unprepare(worker);
    if (err.status != PM_OK) pm_log(PM_LOG_WARN, "worker.spawn", "msg", err.message, NULL);
    return false;
}

static PmWorker *slot_of(PmPool *pool, const json_t *body)
{
    json_int_t i = json_integer_value(json_object_get(body, "worker"));
    return json_is_integer(json_object_get(body, "worker")) && i >= 0 && (size_t)i < pool->count ? &pool->workers[i]
                                                                                                 : NULL;
}

static void refuse(PmPool *pool, const PmErrorList *errors)
{
    pool->ending = true;
    stop_zygote(pool);
    pool->sink.refused(pool->sink.data, errors);
}

static void on_refused(PmPool *pool, const json_t *body)
{
    PmErrorList errors = {0};
    const json_t *list = json_object_get(body, "errors");
    for (size_t i = 0; i < json_array_size(list); i++) {
        PmError err;
        pm_error_from_json(json_array_get(list, i), &err);
        pm_error_list_add(&errors, &err);
    }
    /* A process that helps it to start was killed, or there was no memory: nothing that an operator could mend in the
     * pipeline. */
    bool outside = errors.count > 0;
    for (size_t i = 0; i < errors.count; i++) outside = outside && errors.items[i].status == PM_TRANSIENT;
    bool patient = pool->failures + 1 < RESTARTS_IN_A_ROW;
    bool again = pool->was_ready ? outside || patient : outside && patient;
    if (again && !pool->options.check)
        lost_zygote_to(pool, outside, errors.count > 0 ? errors.items[0].message : "it gave no reason");
    else
        refuse(pool, &errors);
    pm_error_list_finish(&errors);
}

/* "none", "T1" .. "T3" */
static int tier_of(const json_t *body)
{
    const char *tier = json_string_value(json_object_get(json_object_get(body, "sandbox"), "tier"));
    return tier != NULL && tier[0] == 'T' ? tier[1] - '0' : 0;
}

static void on_ready(PmPool *pool, const json_t *body)
{
    /* What tries the sandbox out can be killed from outside as well: the tier that the run began with stays. */
    if (pool->was_ready && tier_of(body) < pool->tier) {
        char why[96];
        snprintf(why, sizeof why, "its sandbox reached tier %d of %d", tier_of(body), pool->tier);
        lost_zygote(pool, why);
        return;
    }
    pool->tier = tier_of(body);
    PmErrorList errors = {0};
    pm_file_formats_check(body, &errors);
    if (errors.count > 0) refuse(pool, &errors);
    bool refused = errors.count > 0;
    pm_error_list_finish(&errors);
    if (refused) return;
    json_decref(pool->declared);
    pool->declared = pm_said_declared(body);
    json_decref(pool->endpoints);
    pool->endpoints = pm_said_endpoints(body);
    pool->ready = pool->was_ready = true;
    pool->failures = 0;
    pool->sink.ready(pool->sink.data, body);
    for (size_t i = 0; !pool->options.check && i < pool->count; i++) pm_worker_start(&pool->workers[i]);
}

/* The zygote runs plugins' create(): its lines are counted as well. */
static void on_log(PmPool *pool, const json_t *body)
{
    json_int_t level = json_integer_value(json_object_get(body, "level"));
    if (level < PM_LOG_ERROR || level > PM_LOG_DEBUG) level = PM_LOG_DEBUG;
    if (!pm_log_enabled((int)level) || !pm_log_gate_admits(&pool->log_gate, NULL)) return;
    const char *plugin = pm_said_plugin(pool->pipeline, json_string_value(json_object_get(body, "plugin")));
    const PmStep *step = pm_said_step(pool->pipeline, json_string_value(json_object_get(body, "step")));
    pm_log((int)level, plugin != NULL ? "plugin.log" : "worker.log", "plugin", plugin, "step",
           step != NULL ? step->path : NULL, "msg", json_string_value(json_object_get(body, "text")), NULL);
}

static void on_message(PmPool *pool, PmMessage *message)
{
    PmWorker *worker = slot_of(pool, message->body);
    switch (message->type) {
    case PM_MSG_READY:
        on_ready(pool, message->body);
        break;
    case PM_MSG_ERRORS:
        on_refused(pool, message->body);
        break;
    case PM_MSG_SPAWNED:
        if (worker != NULL) pm_worker_spawned(worker, message);
        break;
    case PM_MSG_EXITED:
        if (worker != NULL) pm_worker_exited(worker, message->body);
        break;
    case PM_MSG_LOG:
        on_log(pool, message->body);
        break;
    default:
        pm_log(PM_LOG_WARN, "worker.unexpected", "message", pm_message_name(message->type), NULL);
    }
}

static void on_zygote(void *data, int fd, unsigned events)
{
    (void)events;
    PmPool *pool = data;
    for (int i = 0; i < MESSAGES_A_TURN && pool->sock == fd; i++) {
        PmMessage message = {0};
        PmError err = {0};
        bool got = false;
        if (pm_ipc_receive(fd, MSG_DONTWAIT, &message, &got, &err) != PM_OK) {
            lost_zygote(pool, err.message);
            return;
        }
        if (!got) return;
        on_message(pool, &message);
        pm_message_finish(&message);
    }
}

static json_t *load_body(const PmPool *pool)
{
    json_t *environment = json_object(), *names = pm_pipeline_worker_variables(pool->pipeline);
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i)), *value = getenv(name);
        if (value != NULL) json_object_set_new(environment, name, json_string(value));
    }
    json_decref(names);
    const PmWorkerConfig *worker = &pool->pipeline->worker;
    return json_pack("{ss ss so so sb sb sI}", "file", pool->pipeline->file, "dir", pool->pipeline->dir, "env",
                     environment, "plugin_dirs", pm_pool_plugin_dirs(&pool->options), "check",
                     pool->options.check ? 1 : 0, "fetch", 1, "jobs_per_child",
                     (json_int_t)(worker->isolation == PM_ISOLATION_PER_JOB ? 1 : worker->jobs_per_child));
}

static void on_load_sent(void *data, PmMessageType type)
{
    (void)data, (void)type;
}

static void on_load_failed(void *data, const PmError *err)
{
    lost_zygote(data, err->message);
}

static void on_crowded(void *data)
{
    pm_pool_tell_crowded(data);
}

static void start(void *data)
{
    PmPool *pool = data;
    PmError err = {0};
    pool->restart = NULL;
    if (pm_process_start(&pool->options, &pool->sock, &pool->pid, &err) != PM_OK) {
        if (pool->was_ready && err.status == PM_TRANSIENT && ++pool->failures < RESTARTS_IN_A_ROW)
            start_later(pool, RESTART_MAX_MS, err.message);
        else
            pool->sink.failed(pool->sink.data, &err);
        return;
    }
    pm_progress_unmap(pool->loading);
    pool->loading = NULL;
    pool->watch = pm_loop_watch(pool->loop, pool->sock, PM_READABLE, on_zygote, pool);
    PmOutboxSink sink = {.data = pool, .sent = on_load_sent, .failed = on_load_failed, .crowded = on_crowded};
    pm_outbox_open(&pool->outbox, pool->loop, pool->sock, &sink);
    int fds[2] = {pm_memfd_new("pipeline", pool->text, pool->text_size, &err), pm_progress_new(&pool->loading, &err)};
    json_t *body = load_body(pool);
    if (pool->watch == NULL || fds[0] < 0 || fds[1] < 0 || body == NULL || !never_block(pool->sock)) {
        pm_error_set(&err, PM_TRANSIENT, "the pipeline cannot be handed to pixmill-worker");
        pool->sink.failed(pool->sink.data, &err);
    } else if (pm_outbox_send(&pool->outbox, PM_MSG_LOAD, body, fds, 2, &err) != PM_OK) {
        lost_zygote(pool, err.message);
    }
    for (size_t i = 0; i < 2; i++)
        if (fds[i] >= 0) close(fds[i]);
    json_decref(body);
}

/* --- life --- */

PmPool *pm_pool_new(PmLoop *loop, const PmPipeline *pipeline, const char *text, size_t size,
                    const PmPoolOptions *options, const PmPoolSink *sink, PmError *err)
{
    PmPool *pool = calloc(1, sizeof *pool);
    if (pool == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    *pool =
        (PmPool){.loop = loop, .pipeline = pipeline, .text_size = size, .options = *options, .sink = *sink, .sock = -1};
    pm_log_gate_init(&pool->log_gate, loop);
    pool->count = pm_workers_count(options->workers, &pipeline->worker, &pipeline->limits);
    pool->text = malloc(size + 1);
    pool->workers = calloc(pool->count, sizeof *pool->workers);
    if (options->worker != NULL) pool->options.worker = pool->worker = strdup(options->worker);
    if (options->plugin_dirs != NULL) pool->options.plugin_dirs = pool->plugin_dirs = strdup(options->plugin_dirs);
    bool ok = pool->text != NULL && pool->workers != NULL;
    for (size_t i = 0; pool->workers != NULL && i < pool->count; i++)
        ok = pm_worker_init(&pool->workers[i], pool) && ok;
    if (ok) {
        memcpy(pool->text, text, size);
        pool->text[size] = '\0';
        pool->restart = pm_loop_after(loop, 0, start, pool);
    }
    if (pool->restart != NULL) return pool;
    pm_pool_free(pool);
    pm_error_set(err, PM_TRANSIENT, "out of memory");
    return NULL;
}

void pm_pool_free(PmPool *pool)
{
    if (pool == NULL) return;
    pool->ending = true;
    pm_loop_cancel(pool->restart);
    for (size_t i = 0; pool->workers != NULL && i < pool->count; i++) pm_worker_finish(&pool->workers[i]);
    stop_zygote(pool);
    pm_progress_unmap(pool->loading);
    pm_fetcher_free(pool->fetcher);
    pm_log_gate_finish(&pool->log_gate);
    json_decref(pool->declared);
    json_decref(pool->endpoints);
    free(pool->workers);
    free(pool->text);
    free(pool->worker);
    free(pool->plugin_dirs);
    free(pool);
}

size_t pm_pool_size(const PmPool *pool)
{
    return pool->count;
}

size_t pm_pool_idle(const PmPool *pool)
{
    size_t n = 0;
    for (size_t i = 0; i < pool->count; i++) n += pm_worker_is_idle(&pool->workers[i]);
    return n;
}

void pm_pool_tell_idle(PmPool *pool)
{
    if (pool->sink.idle != NULL) pool->sink.idle(pool->sink.data);
}

bool pm_pool_is_ready(const PmPool *pool)
{
    return pool->ready && !pool->ending;
}

static PmWorker *idle_slot(PmPool *pool, PmError *err)
{
    for (size_t i = 0; i < pool->count; i++)
        if (pm_worker_is_idle(&pool->workers[i])) return &pool->workers[i];
    pm_error_set(err, PM_TRANSIENT, "no worker is free");
    return NULL;
}

PmWorkerJob *pm_pool_run(PmPool *pool, const PmPoolJob *job, const PmPoolJobSink *sink, PmError *err)
{
    PmWorker *worker = idle_slot(pool, err);
    return worker != NULL && pm_worker_run(worker, job, sink, err) == PM_OK ? (PmWorkerJob *)worker : NULL;
}

void pm_pool_abandon(PmWorkerJob *lease)
{
    if (lease != NULL) pm_worker_abandon((PmWorker *)lease);
}

PmStatus pm_pool_plan(PmPool *pool, const json_t *body, int source_fd, PmPoolPlanned *planned, void *data, PmError *err)
{
    PmWorker *worker = idle_slot(pool, err);
    return worker != NULL ? pm_worker_plan(worker, body, source_fd, planned, data, err) : err->status;
}
