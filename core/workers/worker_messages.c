/* SPDX-License-Identifier: Apache-2.0
 *
 * What a child says: an attacker's words. Every message has a number of times that it may come in a job, every size a
 * maximum; one packet a turn of the loop is read, so that no child keeps the others, or a heartbeat, waiting.
 */
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "workers/formats.h"
#include "workers/said.h"
#include "workers/worker.h"

enum {
    OUTPUT_BYTES_MAX = 1 << 30,
    TOTAL_BYTES_MIN = 256 * 1024 * 1024, /* of all renditions of a job, whatever limits.memory says */
    FETCH_BODY_MAX = 16 * 1024 * 1024,
    SAID_BYTES_BESIDES = 512 * 1024, /* of bodies that are too large for a packet, in a job: JSON to be parsed */
    SAID_BYTES_PER_OUTPUT = 64 * 1024,
    MESSAGES_PER_OUTPUT = 8,
    MESSAGES_BESIDES = 400, /* log lines, requests and their rooms, the end */
    LINES_MAX = 100,        /* PM_SINK_LOG_LINES_MAX: a worker that keeps to it says so in its last line */
    LINE_BYTES_MAX = 1024
};

static const char *const purposes[PM_WORKER_ROOMS] = {
    [PM_WORKER_ROOM_OUTPUT] = "output", [PM_WORKER_ROOM_BODY] = "body"};

/* --- rooms --- */

/* A fresh memory file for the child to write to; while it has one for that purpose it gets no other. */
static void give_room(PmWorker *worker, int room)
{
    PmError err = {0};
    if (worker->rooms[room] >= 0) return;
    json_t *body = json_pack("{ss}", "for", purposes[room]);
    worker->rooms[room] = pm_memfd_open("pixmill-room", &err);
    if (worker->rooms[room] < 0 ||
        pm_outbox_send(&worker->outbox, PM_MSG_ROOM, body, &worker->rooms[room], 1, &err) != PM_OK) {
        /* Its job ends as it ends when the worker is lost. */
        pm_log(PM_LOG_WARN, "worker.room", PM_JOB_NAMES(&worker->names), "msg", err.message, NULL);
        pm_worker_retire(worker);
        pm_worker_kill(worker);
    }
    json_decref(body);
}

/* Takes what is in the room back, for good; false: the protocol was broken, and the child is ended. */
static bool take_room(PmWorker *worker, int room, const json_t *size, int64_t max, PmMapping *out)
{
    PmError err = {0};
    json_int_t bytes = json_integer_value(size);
    int fd = worker->rooms[room];
    worker->rooms[room] = -1;
    if (fd < 0 || bytes < 0 || bytes > max)
        pm_worker_break(worker, "%lld bytes in a room, where %lld may be", (long long)bytes,
                        fd < 0 ? 0LL : (long long)max);
    else if (pm_memfd_take(fd, (size_t)bytes, out, &err) != PM_OK)
        pm_worker_break(worker, "%s", err.message);
    if (fd >= 0) close(fd);
    return worker->violation.status == PM_OK;
}

/* --- renditions --- */

/* The pipeline's output that a message is about; NULL: none that the child may still speak of. *was: what it said of it
 * before, which becomes `now`. */
static const PmOutput *take_output(PmWorker *worker, const json_t *body, PmWorkerOutput now, PmWorkerOutput *was)
{
    const PmPipeline *pipeline = pm_pool_pipeline(worker->pool);
    const char *name = json_string_value(json_object_get(body, "output"));
    for (size_t i = 0; name != NULL && i < pipeline->output_count; i++) {
        if (strcmp(pipeline->outputs[i].name, name) != 0) continue;
        *was = worker->outputs[i];
        worker->outputs[i] = now;
        return *was != PM_OUTPUT_REPORTED ? &pipeline->outputs[i] : NULL;
    }
    return NULL;
}

static bool is_wanted_still(PmWorkerOutput state)
{
    return state == PM_OUTPUT_OPEN || state == PM_OUTPUT_BEGUN;
}

static bool all_told(const PmWorker *worker)
{
    for (size_t i = 0; i < pm_pool_pipeline(worker->pool)->output_count; i++)
        if (is_wanted_still(worker->outputs[i])) return false;
    return true;
}

static int32_t side_at(const json_t *body, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(body, key));
    return value > 0 && value <= INT32_MAX ? (int32_t)value : 0;
}

/* False: the child may not say that, or says it wrongly, and was ended. out->facts is new. */
static bool read_output(PmWorker *worker, const json_t *body, PmWorkerOutput now, PmPoolOutput *out,
                        PmWorkerOutput *was)
{
    const char *name = json_string_value(json_object_get(body, "format"));
    const PmFileFormat *format = pm_file_format(name);
    *was = PM_OUTPUT_REPORTED;
    *out = (PmPoolOutput){.output = worker->planned == NULL ? take_output(worker, body, now, was) : NULL,
                          .width = side_at(body, "width"),
                          .height = side_at(body, "height"),
                          .pages = side_at(body, "pages"),
                          .source = json_is_true(json_object_get(body, "source"))};
    if (out->output == NULL || out->width == 0 || out->height == 0 || out->pages == 0 || name == NULL) {
        pm_worker_break(worker, "an output that was not asked for, or not complete");
        return false;
    }
    if (format == NULL) {
        char shown[64];
        pm_text_escape(shown, sizeof shown, name);
        pm_worker_break(worker, "\"%s\" is not a format that pixmill stores", shown);
        return false;
    }
    out->format = format->name;
    out->mime = format->mime;
    out->extension = format->extension;
    out->facts = pm_said_step_facts(json_object_get(body, "facts"), pm_pool_declared(worker->pool));
    return true;
}

static void on_begins(PmWorker *worker, const json_t *body)
{
    PmPoolOutput out;
    PmWorkerOutput was;
    if (!read_output(worker, body, PM_OUTPUT_BEGUN, &out, &was)) return;
    bool *begun = &worker->begun[out.output - pm_pool_pipeline(worker->pool)->outputs];
    if (was != PM_OUTPUT_OPEN || out.source) {
        pm_worker_break(worker, "a BEGINS that was not asked for");
    } else {
        give_room(worker, PM_WORKER_ROOM_OUTPUT);
        if (!*begun && worker->sink.begins != NULL) worker->sink.begins(worker->sink.data, &out);
        *begun = true;
    }
    json_decref((json_t *)out.facts);
}

/* Renditions are kept until they are stored. */
static bool within_total(PmWorker *worker, int64_t bytes)
{
    int64_t memory = pm_pool_pipeline(worker->pool)->limits.memory, max = memory <= 0 ? OUTPUT_BYTES_MAX
                                                                          : memory < TOTAL_BYTES_MIN / 2
                                                                              ? TOTAL_BYTES_MIN
                                                                              : 2 * memory;
    worker->made_bytes += bytes;
    if (worker->made_bytes <= max) return true;
    char text[32];
    pm_text_bytes(text, sizeof text, max);
    pm_error_set(&worker->violation, PM_LIMIT, "the renditions of this image are larger than %s together", text);
    pm_error_hint(&worker->violation, "that is twice limits.memory");
    pm_worker_retire(worker);
    pm_worker_kill(worker);
    return false;
}

static void on_output(PmWorker *worker, const json_t *body)
{
    PmPoolOutput out;
    PmWorkerOutput was;
    if (!read_output(worker, body, PM_OUTPUT_REPORTED, &out, &was)) return;
    if (!is_wanted_still(was)) {
        pm_worker_break(worker, "an OUTPUT that was not asked for");
    } else if (out.source ||
               (take_room(worker, PM_WORKER_ROOM_OUTPUT, json_object_get(body, "size"), OUTPUT_BYTES_MAX, &out.bytes) &&
                within_total(worker, (int64_t)out.bytes.size))) {
        /* Before the next BEGINS asks for it, so that the child need not wait. */
        if (!all_told(worker)) give_room(worker, PM_WORKER_ROOM_OUTPUT);
        worker->sink.output(worker->sink.data, &out);
    } else {
        pm_memfd_unmap(&out.bytes);
    }
    json_decref((json_t *)out.facts);
}

static void on_skipped(PmWorker *worker, const json_t *body)
{
    PmWorkerOutput was = PM_OUTPUT_OPEN;
    const PmOutput *output = take_output(worker, body, PM_OUTPUT_REPORTED, &was);
    const char *reason = json_string_value(json_object_get(body, "reason"));
    /* Only a condition leaves an output out: else a message would end with nothing made. */
    if (output == NULL || worker->planned != NULL || (is_wanted_still(was) && output->when == NULL))
        pm_worker_break(worker, "a SKIPPED that was not asked for");
    else if (is_wanted_still(was))
        worker->sink.skipped(worker->sink.data, output->name, reason != NULL ? reason : "");
}

/* --- the end of a job --- */

static void on_done(PmWorker *worker, const json_t *body)
{
    const PmPipeline *pipeline = pm_pool_pipeline(worker->pool);
    const json_t *error = json_object_get(body, "error");
    if (error == NULL && !all_told(worker)) {
        pm_worker_break(worker, "DONE before every output was reported");
        return;
    }
    json_t *facts = pm_said_facts(json_object_get(body, "facts"), pm_pool_declared(worker->pool),
                                  json_object_get(worker->request, "facts"));
    json_t *verdicts = pm_said_verdicts(json_object_get(body, "verdicts"), pipeline);
    json_t *warnings = pm_said_warnings(json_object_get(body, "warnings"), pipeline);
    json_t *timings = pm_said_timings(json_object_get(body, "timings"), pipeline);
    const char *rejected = json_string_value(json_object_get(body, "rejected_as"));
    PmPoolReport report = {.facts = facts,
                           .verdicts = verdicts,
                           .warnings = warnings,
                           .timings = timings,
                           .rejected_as = PM_ON_REJECT_QUARANTINE};
    if (error != NULL) pm_said_error(error, pipeline, &report.error);
    if (rejected != NULL && strcmp(rejected, "drop") == 0 && pm_said_may_reject(pipeline, PM_ON_REJECT_DROP))
        report.rejected_as = PM_ON_REJECT_DROP;
    pm_worker_done(worker, &report, NULL);
    json_decref(facts);
    json_decref(verdicts);
    json_decref(warnings);
    json_decref(timings);
}

static void on_planned(PmWorker *worker, const json_t *body)
{
    PmPoolReport report = {0};
    const json_t *error = json_object_get(body, "error");
    if (error != NULL) pm_error_from_json(error, &report.error);
    if (error != NULL && report.error.status == PM_OK) report.error.status = PM_BUG;
    pm_worker_done(worker, &report, json_object_get(body, "plan"));
}

/* --- log --- */

static void on_log(PmWorker *worker, const json_t *body)
{
    json_int_t level = json_integer_value(json_object_get(body, "level"));
    const char *said = json_string_value(json_object_get(body, "text"));
    const char *plugin =
        pm_said_plugin(pm_pool_pipeline(worker->pool), json_string_value(json_object_get(body, "plugin")));
    char text[LINE_BYTES_MAX];
    if (++worker->lines > LINES_MAX) {
        pm_worker_break(worker, "more than %d log lines in one job", LINES_MAX);
        return;
    }
    if (level < PM_LOG_ERROR || level > PM_LOG_DEBUG) level = PM_LOG_DEBUG;
    if (!pm_log_enabled((int)level) || !pm_log_gate_admits(pm_pool_log_gate(worker->pool), &worker->log)) return;
    pm_text_copy(text, sizeof text, said != NULL ? said : "");
    const PmStep *step = pm_said_step(pm_pool_pipeline(worker->pool), json_string_value(json_object_get(body, "step")));
    pm_log((int)level, "plugin.log", PM_JOB_NAMES(&worker->names), "plugin", plugin, "step",
           step != NULL ? step->path : NULL, "msg", text, NULL);
}

/* --- fetch --- */

static void on_fetched(void *data, const json_t *fetched, int body_fd)
{
    PmWorker *worker = data;
    PmError err = {0};
    worker->fetching = NULL;
    worker->fetched_ms += pm_clock_mono_ms() - worker->fetching_since_ms;
    if (pm_outbox_send(&worker->outbox, PM_MSG_FETCHED, fetched, &body_fd, body_fd >= 0 ? 1 : 0, &err) != PM_OK)
        pm_worker_break(worker, "%s", err.message);
}

static void on_fetch(PmWorker *worker, const json_t *request)
{
    PmError err = {0};
    PmMapping body = {0};
    const json_t *size = json_object_get(request, "size");
    if (worker->fetching != NULL || worker->planned != NULL) {
        pm_worker_break(worker, "a FETCH where none may come");
        return;
    }
    if (json_integer_value(size) != 0 && !take_room(worker, PM_WORKER_ROOM_BODY, size, FETCH_BODY_MAX, &body)) return;
    PmFetcher *fetcher = pm_pool_fetcher(worker->pool, &err);
    worker->fetching_since_ms = pm_clock_mono_ms();
    if (fetcher != NULL)
        worker->fetching =
            pm_fetch_start(fetcher, request, body, pm_pool_endpoints(worker->pool), &worker->names, on_fetched, worker);
    else
        pm_memfd_unmap(&body);
    if (worker->fetching == NULL) pm_worker_break(worker, "a FETCH that there is no memory for");
}

/* --- messages --- */

/* Its body, which may lie in a room. NULL: it does not, and the child was ended. New. */
static json_t *whole_body(PmWorker *worker, const PmMessage *message)
{
    const json_t *size = json_object_get(message->body, "in_room");
    PmMapping text = {0};
    if (size == NULL) return json_incref(message->body);
    int64_t max =
        worker->planned != NULL
            ? PM_IPC_BODY_MAX
            : SAID_BYTES_BESIDES + SAID_BYTES_PER_OUTPUT * (int64_t)pm_pool_pipeline(worker->pool)->output_count;
    if (message->type == PM_MSG_LOG || message->type == PM_MSG_FETCH || message->type == PM_MSG_ROOM) {
        pm_worker_break(worker, "a %s that is larger than a packet", pm_message_name(message->type));
        return NULL;
    }
    if (!take_room(worker, PM_WORKER_ROOM_BODY, size, max - worker->said_bytes, &text)) return NULL;
    worker->said_bytes += (int64_t)text.size;
    bool no_memory = false;
    json_t *body =
        pm_json_read(text.bytes != NULL ? text.bytes : "", text.size, JSON_REJECT_DUPLICATES, NULL, &no_memory);
    pm_memfd_unmap(&text);
    if (json_is_object(body)) return body;
    if (no_memory) { /* ours: nothing that the child did */
        pm_worker_retire(worker);
        pm_worker_kill(worker);
        return NULL;
    }
    json_decref(body);
    pm_worker_break(worker, "%s: its body is not a JSON object", pm_message_name(message->type));
    return NULL;
}

static void on_message(PmWorker *worker, const PmMessage *message)
{
    size_t max = MESSAGES_BESIDES + MESSAGES_PER_OUTPUT * pm_pool_pipeline(worker->pool)->output_count;
    worker->messages++;
    if (!worker->has_job || worker->state != PM_WORKER_BUSY) {
        pm_worker_break(worker, "%s without a job", pm_message_name(message->type));
        return;
    }
    if (worker->messages > max) {
        pm_worker_break(worker, "more than %zu messages in one job", max);
        return;
    }
    json_t *body = whole_body(worker, message);
    if (body == NULL) return;
    if (message->type == PM_MSG_LOG)
        on_log(worker, body);
    else if (message->type == PM_MSG_BEGINS)
        on_begins(worker, body);
    else if (message->type == PM_MSG_OUTPUT)
        on_output(worker, body);
    else if (message->type == PM_MSG_SKIPPED)
        on_skipped(worker, body);
    else if (message->type == PM_MSG_FETCH)
        on_fetch(worker, body);
    else if (message->type == PM_MSG_ROOM)
        give_room(worker, PM_WORKER_ROOM_BODY);
    else if (message->type == PM_MSG_DONE && worker->planned == NULL)
        on_done(worker, body);
    else if (message->type == PM_MSG_PLANNED && worker->planned != NULL)
        on_planned(worker, body);
    else
        pm_worker_break(worker, "an unexpected %s", pm_message_name(message->type));
    json_decref(body);
}

void pm_worker_on_child(void *data, int fd, unsigned events)
{
    (void)events;
    PmWorker *worker = data;
    PmMessage message = {0};
    PmError err = {0};
    bool got = false;
    PmStatus status = pm_ipc_receive_plain(fd, MSG_DONTWAIT, &message, &got, &err);
    if (status == PM_BUG || status == PM_LIMIT) {
        pm_worker_break(worker, "%s", err.message);
    } else if (status != PM_OK) {
        /* Gone: EXITED says how. A child that closed its channel but lives is helped along. */
        pm_worker_retire(worker);
        pm_worker_kill(worker);
    } else if (got) {
        on_message(worker, &message);
        pm_message_finish(&message);
    }
}
