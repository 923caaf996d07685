/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/slot.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"

enum {
    OUTPUT_BYTES_MAX = 1 << 30,
    FETCH_BODY_MAX = 16 * 1024 * 1024,
    RESPAWN_MS = 1000,
    EXIT_MS = 3000,  /* for a child to end by itself when it is told to */
    REAP_MS = 10000, /* for the zygote to tell of one that was killed */
    LAST_WORDS = 16  /* batches read of a child that is gone: more than its socket can hold */
};

bool pm_slot_init(PmSlot *slot, PmPool *pool)
{
    *slot = (PmSlot){.pool = pool, .sock = -1, .pidfd = -1};
    slot->outputs = calloc(pm_pool_pipeline(pool)->output_count + 1, sizeof *slot->outputs);
    return slot->outputs != NULL;
}

static void kill_child(PmSlot *slot)
{
    if (slot->pidfd >= 0) syscall(SYS_pidfd_send_signal, slot->pidfd, SIGKILL, NULL, 0);
}

static void close_child(PmSlot *slot)
{
    pm_loop_unwatch(slot->watch);
    slot->watch = NULL;
    if (slot->sock >= 0) close(slot->sock);
    if (slot->pidfd >= 0) close(slot->pidfd);
    slot->sock = slot->pidfd = -1;
    pm_progress_unmap(slot->progress);
    slot->progress = NULL;
    pm_loop_cancel(slot->grace);
    slot->grace = NULL;
    slot->gone = false;
    slot->state = PM_SLOT_EMPTY;
}

void pm_slot_finish(PmSlot *slot)
{
    kill_child(slot);
    pm_loop_cancel(slot->deadline);
    slot->deadline = NULL;
    slot->has_job = false;
    close_child(slot);
    free(slot->outputs);
    slot->outputs = NULL;
}

bool pm_slot_is_idle(const PmSlot *slot)
{
    return slot->state == PM_SLOT_IDLE && !slot->has_job;
}

/* --- ending a job --- */

static void end_job(PmSlot *slot, const PmPoolReport *report, const json_t *plan)
{
    pm_fetch_cancel(slot->fetching);
    slot->fetching = NULL;
    pm_loop_cancel(slot->deadline);
    slot->deadline = NULL;
    if (!slot->has_job) return;
    slot->has_job = false;
    PmPoolJobSink sink = slot->sink;
    PmPoolPlanned *planned = slot->planned;
    slot->planned = NULL;
    if (planned != NULL)
        planned(slot->planned_data, plan, report->error.status != PM_OK ? &report->error : NULL);
    else
        sink.done(sink.data, report);
}

static const char *signal_text(int signo)
{
    const char *name = sigabbrev_np(signo);
    return name != NULL ? name : "?";
}

/* The step's place in the file, from its path: a child's word for a line is not taken. */
static const PmStep *find_step(const PmPipeline *pipeline, const char *path)
{
    for (size_t i = 0; i < pipeline->step_count; i++)
        if (strcmp(pipeline->steps[i].path, path) == 0) return &pipeline->steps[i];
    for (size_t o = 0; o < pipeline->output_count; o++)
        for (size_t i = 0; i < pipeline->outputs[o].step_count; i++)
            if (strcmp(pipeline->outputs[o].steps[i].path, path) == 0) return &pipeline->outputs[o].steps[i];
    return NULL;
}

static void place_error(const PmSlot *slot, const PmProgress *at, PmError *err)
{
    const PmPipeline *pipeline = pm_pool_pipeline(slot->pool);
    const PmStep *step = find_step(pipeline, at->step);
    char plugin[64];
    pm_text_utf8(plugin, sizeof plugin, at->fault_plugin[0] != '\0' ? at->fault_plugin : at->plugin);
    pm_text_copy(err->plugin, sizeof err->plugin, plugin);
    if (step == NULL) return;
    pm_text_copy(err->step, sizeof err->step, step->path);
    pm_text_copy(err->where, sizeof err->where, step->where);
    pm_error_place(err, pipeline->file, step->line, step->column);
}

/* What a child's death means for its job. */
static void report_death(PmSlot *slot, int code, int signo)
{
    PmPoolReport report = {0};
    PmProgress at = slot->progress != NULL ? pm_progress_read(slot->progress) : (PmProgress){0};
    const PmLimits *limits = &pm_pool_pipeline(slot->pool)->limits;
    char plugin[64], tag[160] = "", limit[32];
    pm_text_utf8(plugin, sizeof plugin,
                 at.fault_plugin[0] != '\0' ? at.fault_plugin
                 : at.plugin[0] != '\0'     ? at.plugin
                                            : "codec");
    bool named = at.fault_plugin[0] != '\0' || at.plugin[0] != '\0';
    if (slot->violation.status != PM_OK) {
        report.error = slot->violation;
    } else if (slot->timed_out) {
        pm_text_duration(limit, sizeof limit, limits->wall_time);
        pm_error_set(&report.error, PM_LIMIT, "not finished within limits.wall_time, %s", limit);
        pm_error_hint(&report.error, "the worker process was ended%s%s", named ? " in plugin " : "",
                      named ? plugin : "");
    } else if (signo == SIGXCPU) {
        pm_text_duration(limit, sizeof limit, limits->cpu_time);
        pm_error_set(&report.error, PM_LIMIT, "took more processor time than limits.cpu_time, %s", limit);
    } else if (signo != 0 && at.out_of_memory != 0) {
        pm_text_bytes(limit, sizeof limit, limits->memory);
        pm_error_set(&report.error, PM_LIMIT, "needs more memory than limits.memory, %s", limit);
    } else if (signo == SIGKILL) {
        /* Not by us, and a plugin cannot: no fault of the image that is known. */
        pm_error_set(&report.error, PM_TRANSIENT, "the worker process was killed from outside (SIGKILL)");
        pm_error_hint(&report.error, "the kernel does that when the machine or the container is out of memory");
    } else if (signo != 0) {
        pm_error_set(&report.error, PM_BUG, "the worker process died of SIG%s in %s%s", signal_text(signo),
                     named ? "plugin " : "the ", plugin);
        snprintf(tag, sizeof tag, "plugin_crash:%s:SIG%s", plugin, signal_text(signo));
        report.crash = tag;
    } else {
        pm_error_set(&report.error, PM_BUG, "the worker process ended with exit(%d) in the middle of a job, in %s%s",
                     code, named ? "plugin " : "the ", plugin);
        snprintf(tag, sizeof tag, "plugin_crash:%s:exit", plugin);
        report.crash = tag;
    }
    place_error(slot, &at, &report.error);
    end_job(slot, &report, NULL);
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

/* EXITED follows and ends the job. */
static void kill_and_wait(PmSlot *slot)
{
    kill_child(slot);
    pm_loop_cancel(slot->grace);
    slot->grace = pm_loop_after(pm_pool_loop(slot->pool), REAP_MS, on_overdue, slot);
}

static void on_lingering(void *data)
{
    PmSlot *slot = data;
    slot->grace = NULL;
    kill_and_wait(slot);
}

/* Ends a child that is of no use any more: it goes when its channel closes, or is helped along. */
static void retire(PmSlot *slot)
{
    slot->state = PM_SLOT_ENDING;
    pm_loop_unwatch(slot->watch);
    slot->watch = NULL;
    pm_fetch_cancel(slot->fetching);
    slot->fetching = NULL;
    if (slot->sock >= 0) close(slot->sock);
    slot->sock = -1;
    pm_loop_cancel(slot->grace);
    slot->grace = pm_loop_after(pm_pool_loop(slot->pool), EXIT_MS, on_lingering, slot);
}

static void break_protocol(PmSlot *slot, const char *fmt, const char *what)
{
    char message[200];
    snprintf(message, sizeof message, fmt, what);
    pm_error_set(&slot->violation, PM_BUG, "the worker process broke the protocol: %s", message);
    if (!slot->has_job) pm_log(PM_LOG_WARN, "worker.protocol", "msg", slot->violation.message, NULL);
    retire(slot);
    kill_and_wait(slot);
}

static void on_deadline(void *data)
{
    PmSlot *slot = data;
    slot->deadline = NULL;
    slot->timed_out = true;
    kill_and_wait(slot);
}

void pm_slot_lost(PmSlot *slot)
{
    kill_child(slot);
    if (slot->has_job && (slot->timed_out || slot->violation.status != PM_OK)) {
        report_death(slot, 0, SIGKILL);
    } else if (slot->has_job) {
        PmPoolReport report = {0};
        pm_error_set(&report.error, PM_TRANSIENT, "the worker process was lost");
        end_job(slot, &report, NULL);
    }
    close_child(slot);
}

void pm_slot_abandon(PmSlot *slot)
{
    slot->has_job = false;
    pm_loop_cancel(slot->deadline);
    slot->deadline = NULL;
    if (slot->state != PM_SLOT_BUSY) return;
    retire(slot);
    kill_and_wait(slot);
}

/* --- what the child says --- */

/* The pipeline's output that a message is about; NULL: none that the child may still speak of. *was: what it said of it
 * before, which becomes `now`. */
static const PmOutput *take_output(PmSlot *slot, const json_t *body, PmSlotOutput now, PmSlotOutput *was)
{
    const PmPipeline *pipeline = pm_pool_pipeline(slot->pool);
    const char *name = json_string_value(json_object_get(body, "output"));
    for (size_t i = 0; name != NULL && i < pipeline->output_count; i++) {
        if (strcmp(pipeline->outputs[i].name, name) != 0) continue;
        *was = slot->outputs[i];
        slot->outputs[i] = now;
        return *was != PM_OUTPUT_TOLD ? &pipeline->outputs[i] : NULL;
    }
    return NULL;
}

static bool is_wanted_still(PmSlotOutput state)
{
    return state == PM_OUTPUT_OPEN || state == PM_OUTPUT_BEGUN;
}

static bool all_told(const PmSlot *slot)
{
    for (size_t i = 0; i < pm_pool_pipeline(slot->pool)->output_count; i++)
        if (is_wanted_still(slot->outputs[i])) return false;
    return true;
}

static bool is_word(const char *text, const char *also)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    size_t n = text != NULL ? strlen(text) : 0;
    if (n == 0 || n > 100) return false;
    for (const char *p = text; *p != '\0'; p++)
        if (strchr(alphabet, *p) == NULL && strchr(also, *p) == NULL) return false;
    return true;
}

static int32_t side_at(const json_t *body, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(body, key));
    return value > 0 && value <= INT32_MAX ? (int32_t)value : 0;
}

/* False: the child may not say that, or says it wrongly. */
static bool read_output(PmSlot *slot, const json_t *body, PmSlotOutput now, PmPoolOutput *out, PmSlotOutput *was)
{
    *out = (PmPoolOutput){.format = json_string_value(json_object_get(body, "format")),
                          .mime = json_string_value(json_object_get(body, "mime")),
                          .extension = json_string_value(json_object_get(body, "extension")),
                          .width = side_at(body, "width"),
                          .height = side_at(body, "height"),
                          .pages = side_at(body, "pages"),
                          .source = json_is_true(json_object_get(body, "source")),
                          .facts = json_object_get(body, "facts")};
    *was = PM_OUTPUT_TOLD;
    out->output = take_output(slot, body, now, was);
    return slot->planned == NULL && out->output != NULL && is_word(out->format, "-") && is_word(out->extension, "") &&
           is_word(out->mime, "/.+-") && out->width > 0 && out->height > 0 && out->pages > 0;
}

static void on_begins(PmSlot *slot, const json_t *body)
{
    PmPoolOutput out;
    PmSlotOutput was;
    if (!read_output(slot, body, PM_OUTPUT_BEGUN, &out, &was) || was != PM_OUTPUT_OPEN || out.source)
        break_protocol(slot, "%s", "a BEGINS that was not asked for, or not complete");
    else if (slot->sink.begins != NULL)
        slot->sink.begins(slot->sink.data, &out);
}

static void on_output(PmSlot *slot, PmMessage *message)
{
    PmPoolOutput out;
    PmSlotOutput was;
    PmError err = {0};
    int fd = pm_message_take_fd(message, 0);
    if (!read_output(slot, message->body, PM_OUTPUT_TOLD, &out, &was) || !is_wanted_still(was) ||
        (fd < 0) != out.source) {
        break_protocol(slot, "%s", "an OUTPUT that was not asked for, or not complete");
    } else if (!out.source && pm_memfd_map(fd, OUTPUT_BYTES_MAX, &out.bytes, &err) != PM_OK) {
        break_protocol(slot, "%s", err.message);
    } else {
        slot->sink.output(slot->sink.data, &out);
    }
    if (fd >= 0) close(fd);
}

static void on_skipped(PmSlot *slot, const json_t *body)
{
    PmSlotOutput was = PM_OUTPUT_OPEN;
    const PmOutput *output = take_output(slot, body, PM_OUTPUT_TOLD, &was);
    const char *reason = json_string_value(json_object_get(body, "reason"));
    if (output == NULL || slot->planned != NULL) {
        break_protocol(slot, "%s", "a SKIPPED that was not asked for");
        return;
    }
    if (is_wanted_still(was)) slot->sink.skipped(slot->sink.data, output->name, reason != NULL ? reason : "");
}

static void after_job(PmSlot *slot)
{
    const PmWorkerConfig *config = &pm_pool_pipeline(slot->pool)->worker;
    slot->jobs++;
    if (slot->gone || config->isolation == PM_ISOLATION_PER_JOB || slot->jobs >= config->jobs_per_child)
        retire(slot);
    else
        slot->state = PM_SLOT_IDLE;
}

static void on_done(PmSlot *slot, const json_t *body, const json_t *plan)
{
    PmPoolReport report = {.facts = json_object_get(body, "facts"),
                           .verdicts = json_object_get(body, "verdicts"),
                           .warnings = json_object_get(body, "warnings"),
                           .timings = json_object_get(body, "timings")};
    const json_t *error = json_object_get(body, "error");
    const char *rejected = json_string_value(json_object_get(body, "rejected_as"));
    if (error != NULL) pm_error_from_json(error, &report.error);
    if (error != NULL && report.error.status == PM_OK) report.error.status = PM_BUG;
    report.rejected_as =
        rejected != NULL && strcmp(rejected, "drop") == 0 ? PM_ON_REJECT_DROP : PM_ON_REJECT_QUARANTINE;
    after_job(slot);
    end_job(slot, &report, plan);
    if (slot->state == PM_SLOT_IDLE) pm_pool_tell_idle(slot->pool);
}

void pm_slot_log(const json_t *body)
{
    int level = (int)json_integer_value(json_object_get(body, "level"));
    pm_log(level < PM_LOG_ERROR || level > PM_LOG_DEBUG ? PM_LOG_DEBUG : level, "plugin.log", "plugin",
           json_string_value(json_object_get(body, "plugin")), "msg", json_string_value(json_object_get(body, "text")),
           NULL);
}

static void on_fetched(void *data, const json_t *fetched, int body_fd)
{
    PmSlot *slot = data;
    PmError err = {0};
    slot->fetching = NULL;
    if (pm_ipc_send(slot->sock, PM_MSG_FETCHED, fetched, &body_fd, body_fd >= 0 ? 1 : 0, &err) != PM_OK)
        break_protocol(slot, "%s", err.message);
}

static void on_fetch(PmSlot *slot, PmMessage *message)
{
    PmError err = {0};
    PmMapping body = {0};
    PmFetcher *fetcher = pm_pool_fetcher(slot->pool, &err);
    int fd = pm_message_take_fd(message, 0);
    if (slot->fetching != NULL || slot->planned != NULL) {
        break_protocol(slot, "%s", "a FETCH where none may come");
    } else if (fd >= 0 && pm_memfd_map(fd, FETCH_BODY_MAX, &body, &err) != PM_OK) {
        break_protocol(slot, "%s", err.message);
    } else {
        if (fetcher != NULL)
            slot->fetching = pm_fetch_start(fetcher, message->body, body, on_fetched, slot);
        else
            pm_memfd_unmap(&body);
        if (slot->fetching == NULL) break_protocol(slot, "%s", "a FETCH that there is no memory for");
    }
    if (fd >= 0) close(fd);
}

static void on_message(PmSlot *slot, PmMessage *message)
{
    if (message->type == PM_MSG_LOG) {
        pm_slot_log(message->body);
    } else if (!slot->has_job) {
        break_protocol(slot, "%s without a job", pm_message_name(message->type));
    } else if (message->type == PM_MSG_BEGINS) {
        on_begins(slot, message->body);
    } else if (message->type == PM_MSG_OUTPUT) {
        on_output(slot, message);
    } else if (message->type == PM_MSG_SKIPPED) {
        on_skipped(slot, message->body);
    } else if (message->type == PM_MSG_FETCH) {
        on_fetch(slot, message);
    } else if (message->type == PM_MSG_DONE && slot->planned == NULL) {
        if (json_object_get(message->body, "error") == NULL && !all_told(slot))
            break_protocol(slot, "%s", "DONE before every output was told");
        else
            on_done(slot, message->body, NULL);
    } else if (message->type == PM_MSG_PLANNED && slot->planned != NULL) {
        on_done(slot, message->body, json_object_get(message->body, "plan"));
    } else {
        break_protocol(slot, "an unexpected %s", pm_message_name(message->type));
    }
}

static void on_child(void *data, int fd, unsigned events)
{
    (void)events;
    PmSlot *slot = data;
    for (int i = 0; i < 64 && slot->sock == fd; i++) {
        PmMessage message = {0};
        PmError err = {0};
        bool got = false;
        PmStatus status = pm_ipc_receive(fd, MSG_DONTWAIT, &message, &got, &err);
        if (status == PM_BUG || status == PM_LIMIT) {
            break_protocol(slot, "%s", err.message);
        } else if (status != PM_OK) {
            /* Gone: EXITED says how. A child that closed its channel but lives is helped along. */
            retire(slot);
            kill_and_wait(slot);
        } else if (!got) {
            return;
        } else {
            on_message(slot, &message);
            pm_message_finish(&message);
        }
    }
}

void pm_slot_exited(PmSlot *slot, const json_t *body)
{
    if (slot->state == PM_SLOT_EMPTY) return;
    int code = (int)json_integer_value(json_object_get(body, "code")),
        signo = (int)json_integer_value(json_object_get(body, "signal"));
    /* Its last words may come after the news of its end: a job that it finished is finished. */
    slot->gone = true;
    for (int i = 0; i < LAST_WORDS && slot->has_job && slot->sock >= 0; i++) on_child(slot, slot->sock, PM_READABLE);
    if (slot->has_job) report_death(slot, code, signo);
    close_child(slot);
    pm_slot_start(slot);
}

/* --- starting --- */

void pm_slot_open(PmSlot *slot, int sock, PmProgress *progress)
{
    pm_loop_cancel(slot->grace);
    slot->grace = NULL;
    slot->sock = sock;
    slot->progress = progress;
    slot->state = PM_SLOT_STARTING;
    slot->jobs = 0;
    slot->gone = slot->timed_out = false;
    slot->violation = (PmError){0};
    slot->watch = pm_loop_watch(pm_pool_loop(slot->pool), sock, PM_READABLE, on_child, slot);
    if (slot->watch == NULL) retire(slot);
}

void pm_slot_spawned(PmSlot *slot, PmMessage *message)
{
    const json_t *error = json_object_get(message->body, "error");
    int pidfd = pm_message_take_fd(message, 0);
    if (error == NULL && pidfd >= 0 && slot->pidfd < 0 &&
        (slot->state == PM_SLOT_STARTING || slot->state == PM_SLOT_ENDING)) {
        slot->pidfd = pidfd;
        if (slot->state == PM_SLOT_ENDING) { /* given up already */
            kill_and_wait(slot);
            return;
        }
        slot->state = PM_SLOT_IDLE;
        pm_pool_tell_idle(slot->pool);
        return;
    }
    if (pidfd >= 0) close(pidfd);
    if (error == NULL || slot->pidfd >= 0 || slot->state == PM_SLOT_EMPTY) return;
    PmError err;
    pm_error_from_json(error, &err);
    pm_log(PM_LOG_ERROR, "worker.spawn", "msg", err.message, NULL);
    close_child(slot);
    respawn_later(slot);
}

static PmStatus begin(PmSlot *slot, PmMessageType type, const json_t *body, int fd, PmError *err)
{
    if (pm_ipc_send(slot->sock, type, body, &fd, fd >= 0 ? 1 : 0, err) != PM_OK) {
        retire(slot);
        kill_and_wait(slot);
        return err->status;
    }
    slot->state = PM_SLOT_BUSY;
    slot->has_job = true;
    slot->timed_out = false;
    slot->deadline =
        pm_loop_after(pm_pool_loop(slot->pool), pm_pool_pipeline(slot->pool)->limits.wall_time, on_deadline, slot);
    return PM_OK;
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
    if (body == NULL) return pm_error_set(err, PM_TRANSIENT, "out of memory");
    if (job->outputs != NULL) json_object_set(body, "outputs", (json_t *)job->outputs);
    slot->sink = *sink;
    slot->planned = NULL;
    const PmPipeline *pipeline = pm_pool_pipeline(slot->pool);
    for (size_t i = 0; i < pipeline->output_count; i++)
        slot->outputs[i] = is_wanted(job->outputs, pipeline->outputs[i].name) ? PM_OUTPUT_OPEN : PM_OUTPUT_UNWANTED;
    PmStatus status = begin(slot, PM_MSG_JOB, body, job->source_fd, err);
    json_decref(body);
    return status;
}

PmStatus pm_slot_plan(PmSlot *slot, const json_t *body, int source_fd, PmPoolPlanned *planned, void *data, PmError *err)
{
    slot->planned = planned;
    slot->planned_data = data;
    return begin(slot, PM_MSG_PLAN, body, source_fd, err);
}
