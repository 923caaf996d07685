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
#include "base/log.h"
#include "base/text.h"
#include "workers/formats.h"
#include "workers/said.h"
#include "workers/slot.h"

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

static const char *const purposes[PM_SLOT_ROOMS] = {[PM_SLOT_ROOM_OUTPUT] = "output", [PM_SLOT_ROOM_BODY] = "body"};

/* --- rooms --- */

/* A fresh memory file for the child to write to; while it has one for that purpose it gets no other. */
static void give_room(PmSlot *slot, int room)
{
    PmError err = {0};
    if (slot->rooms[room] >= 0) return;
    json_t *body = json_pack("{ss}", "for", purposes[room]);
    slot->rooms[room] = pm_memfd_open("pixmill-room", &err);
    if (slot->rooms[room] < 0 ||
        pm_outbox_send(&slot->outbox, PM_MSG_ROOM, body, &slot->rooms[room], 1, &err) != PM_OK) {
        /* Its job ends as it ends when the worker is lost. */
        pm_log(PM_LOG_WARN, "worker.room", PM_JOB_NAMES(&slot->names), "msg", err.message, NULL);
        pm_slot_retire(slot);
        pm_slot_kill(slot);
    }
    json_decref(body);
}

/* Takes what is in the room back, for good; false: the protocol was broken, and the child is ended. */
static bool take_room(PmSlot *slot, int room, const json_t *size, int64_t max, PmMapping *out)
{
    PmError err = {0};
    json_int_t bytes = json_integer_value(size);
    int fd = slot->rooms[room];
    slot->rooms[room] = -1;
    if (fd < 0 || bytes < 0 || bytes > max)
        pm_slot_break(slot, "%lld bytes in a room, where %lld may be", (long long)bytes, fd < 0 ? 0LL : (long long)max);
    else if (pm_memfd_take(fd, (size_t)bytes, out, &err) != PM_OK)
        pm_slot_break(slot, "%s", err.message);
    if (fd >= 0) close(fd);
    return slot->violation.status == PM_OK;
}

/* --- renditions --- */

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

static int32_t side_at(const json_t *body, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(body, key));
    return value > 0 && value <= INT32_MAX ? (int32_t)value : 0;
}

/* False: the child may not say that, or says it wrongly, and was ended. out->facts is new. */
static bool read_output(PmSlot *slot, const json_t *body, PmSlotOutput now, PmPoolOutput *out, PmSlotOutput *was)
{
    const char *name = json_string_value(json_object_get(body, "format"));
    const PmFileFormat *format = pm_file_format(name);
    *was = PM_OUTPUT_TOLD;
    *out = (PmPoolOutput){.output = slot->planned == NULL ? take_output(slot, body, now, was) : NULL,
                          .width = side_at(body, "width"),
                          .height = side_at(body, "height"),
                          .pages = side_at(body, "pages"),
                          .source = json_is_true(json_object_get(body, "source"))};
    if (out->output == NULL || out->width == 0 || out->height == 0 || out->pages == 0 || name == NULL) {
        pm_slot_break(slot, "an output that was not asked for, or not complete");
        return false;
    }
    if (format == NULL) {
        char shown[64];
        pm_text_escape(shown, sizeof shown, name);
        pm_slot_break(slot, "\"%s\" is not a format that pixmill stores", shown);
        return false;
    }
    out->format = format->name;
    out->mime = format->mime;
    out->extension = format->extension;
    out->facts = pm_said_step_facts(json_object_get(body, "facts"), pm_pool_declared(slot->pool));
    return true;
}

static void on_begins(PmSlot *slot, const json_t *body)
{
    PmPoolOutput out;
    PmSlotOutput was;
    if (!read_output(slot, body, PM_OUTPUT_BEGUN, &out, &was)) return;
    bool *begun = &slot->begun[out.output - pm_pool_pipeline(slot->pool)->outputs];
    if (was != PM_OUTPUT_OPEN || out.source) {
        pm_slot_break(slot, "a BEGINS that was not asked for");
    } else {
        give_room(slot, PM_SLOT_ROOM_OUTPUT);
        if (!*begun && slot->sink.begins != NULL) slot->sink.begins(slot->sink.data, &out);
        *begun = true;
    }
    json_decref((json_t *)out.facts);
}

/* Renditions are kept until they are stored. */
static bool within_total(PmSlot *slot, int64_t bytes)
{
    int64_t memory = pm_pool_pipeline(slot->pool)->limits.memory, max = memory <= 0 ? OUTPUT_BYTES_MAX
                                                                        : memory < TOTAL_BYTES_MIN / 2 ? TOTAL_BYTES_MIN
                                                                                                       : 2 * memory;
    slot->made_bytes += bytes;
    if (slot->made_bytes <= max) return true;
    char text[32];
    pm_text_bytes(text, sizeof text, max);
    pm_error_set(&slot->violation, PM_LIMIT, "the renditions of this image are larger than %s together", text);
    pm_error_hint(&slot->violation, "that is twice limits.memory");
    pm_slot_retire(slot);
    pm_slot_kill(slot);
    return false;
}

static void on_output(PmSlot *slot, const json_t *body)
{
    PmPoolOutput out;
    PmSlotOutput was;
    if (!read_output(slot, body, PM_OUTPUT_TOLD, &out, &was)) return;
    if (!is_wanted_still(was))
        pm_slot_break(slot, "an OUTPUT that was not asked for");
    else if (out.source ||
             (take_room(slot, PM_SLOT_ROOM_OUTPUT, json_object_get(body, "size"), OUTPUT_BYTES_MAX, &out.bytes) &&
              within_total(slot, (int64_t)out.bytes.size)))
        slot->sink.output(slot->sink.data, &out);
    else
        pm_memfd_unmap(&out.bytes);
    json_decref((json_t *)out.facts);
}

static void on_skipped(PmSlot *slot, const json_t *body)
{
    PmSlotOutput was = PM_OUTPUT_OPEN;
    const PmOutput *output = take_output(slot, body, PM_OUTPUT_TOLD, &was);
    const char *reason = json_string_value(json_object_get(body, "reason"));
    /* Only a condition leaves an output out: else a message would end with nothing made. */
    if (output == NULL || slot->planned != NULL || (is_wanted_still(was) && output->when == NULL))
        pm_slot_break(slot, "a SKIPPED that was not asked for");
    else if (is_wanted_still(was))
        slot->sink.skipped(slot->sink.data, output->name, reason != NULL ? reason : "");
}

/* --- the end of a job --- */

static void on_done(PmSlot *slot, const json_t *body)
{
    const PmPipeline *pipeline = pm_pool_pipeline(slot->pool);
    const json_t *error = json_object_get(body, "error");
    if (error == NULL && !all_told(slot)) {
        pm_slot_break(slot, "DONE before every output was told");
        return;
    }
    json_t *facts = pm_said_facts(json_object_get(body, "facts"), pm_pool_declared(slot->pool),
                                  json_object_get(slot->request, "facts"));
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
    pm_slot_done(slot, &report, NULL);
    json_decref(facts);
    json_decref(verdicts);
    json_decref(warnings);
    json_decref(timings);
}

static void on_planned(PmSlot *slot, const json_t *body)
{
    PmPoolReport report = {0};
    const json_t *error = json_object_get(body, "error");
    if (error != NULL) pm_error_from_json(error, &report.error);
    if (error != NULL && report.error.status == PM_OK) report.error.status = PM_BUG;
    pm_slot_done(slot, &report, json_object_get(body, "plan"));
}

/* --- log --- */

static void on_log(PmSlot *slot, const json_t *body)
{
    json_int_t level = json_integer_value(json_object_get(body, "level"));
    const char *said = json_string_value(json_object_get(body, "text"));
    const char *plugin =
        pm_said_plugin(pm_pool_pipeline(slot->pool), json_string_value(json_object_get(body, "plugin")));
    char text[LINE_BYTES_MAX];
    if (++slot->lines > LINES_MAX) {
        pm_slot_break(slot, "more than %d log lines in one job", LINES_MAX);
        return;
    }
    if (level < PM_LOG_ERROR || level > PM_LOG_DEBUG) level = PM_LOG_DEBUG;
    if (!pm_log_enabled((int)level) || !pm_log_gate_admits(pm_pool_log_gate(slot->pool), &slot->log)) return;
    pm_text_copy(text, sizeof text, said != NULL ? said : "");
    pm_log((int)level, "plugin.log", PM_JOB_NAMES(&slot->names), "plugin", plugin, "msg", text, NULL);
}

/* --- fetch --- */

static void on_fetched(void *data, const json_t *fetched, int body_fd)
{
    PmSlot *slot = data;
    PmError err = {0};
    slot->fetching = NULL;
    slot->fetched_ms += pm_clock_mono_ms() - slot->fetching_since_ms;
    if (pm_outbox_send(&slot->outbox, PM_MSG_FETCHED, fetched, &body_fd, body_fd >= 0 ? 1 : 0, &err) != PM_OK)
        pm_slot_break(slot, "%s", err.message);
}

static void on_fetch(PmSlot *slot, const json_t *request)
{
    PmError err = {0};
    PmMapping body = {0};
    const json_t *size = json_object_get(request, "size");
    if (slot->fetching != NULL || slot->planned != NULL) {
        pm_slot_break(slot, "a FETCH where none may come");
        return;
    }
    if (json_integer_value(size) != 0 && !take_room(slot, PM_SLOT_ROOM_BODY, size, FETCH_BODY_MAX, &body)) return;
    PmFetcher *fetcher = pm_pool_fetcher(slot->pool, &err);
    slot->fetching_since_ms = pm_clock_mono_ms();
    if (fetcher != NULL)
        slot->fetching = pm_fetch_start(fetcher, request, body, &slot->names, on_fetched, slot);
    else
        pm_memfd_unmap(&body);
    if (slot->fetching == NULL) pm_slot_break(slot, "a FETCH that there is no memory for");
}

/* --- messages --- */

/* Its body, which may lie in a room. NULL: it does not, and the child was ended. New. */
static json_t *whole_body(PmSlot *slot, const PmMessage *message)
{
    const json_t *size = json_object_get(message->body, "in_room");
    PmMapping text = {0};
    if (size == NULL) return json_incref(message->body);
    int64_t max = slot->planned != NULL ? PM_IPC_BODY_MAX
                                        : SAID_BYTES_BESIDES + SAID_BYTES_PER_OUTPUT *
                                                                   (int64_t)pm_pool_pipeline(slot->pool)->output_count;
    if (message->type == PM_MSG_LOG || message->type == PM_MSG_FETCH || message->type == PM_MSG_ROOM) {
        pm_slot_break(slot, "a %s that is larger than a packet", pm_message_name(message->type));
        return NULL;
    }
    if (!take_room(slot, PM_SLOT_ROOM_BODY, size, max - slot->said_bytes, &text)) return NULL;
    slot->said_bytes += (int64_t)text.size;
    json_t *body = json_loadb(text.bytes != NULL ? text.bytes : "", text.size, JSON_REJECT_DUPLICATES, NULL);
    pm_memfd_unmap(&text);
    if (json_is_object(body)) return body;
    json_decref(body);
    pm_slot_break(slot, "%s: its body is not a JSON object", pm_message_name(message->type));
    return NULL;
}

static void on_message(PmSlot *slot, const PmMessage *message)
{
    size_t max = MESSAGES_BESIDES + MESSAGES_PER_OUTPUT * pm_pool_pipeline(slot->pool)->output_count;
    slot->messages++;
    if (!slot->has_job || slot->state != PM_SLOT_BUSY) {
        pm_slot_break(slot, "%s without a job", pm_message_name(message->type));
        return;
    }
    if (slot->messages > max) {
        pm_slot_break(slot, "more than %zu messages in one job", max);
        return;
    }
    json_t *body = whole_body(slot, message);
    if (body == NULL) return;
    if (message->type == PM_MSG_LOG)
        on_log(slot, body);
    else if (message->type == PM_MSG_BEGINS)
        on_begins(slot, body);
    else if (message->type == PM_MSG_OUTPUT)
        on_output(slot, body);
    else if (message->type == PM_MSG_SKIPPED)
        on_skipped(slot, body);
    else if (message->type == PM_MSG_FETCH)
        on_fetch(slot, body);
    else if (message->type == PM_MSG_ROOM)
        give_room(slot, PM_SLOT_ROOM_BODY);
    else if (message->type == PM_MSG_DONE && slot->planned == NULL)
        on_done(slot, body);
    else if (message->type == PM_MSG_PLANNED && slot->planned != NULL)
        on_planned(slot, body);
    else
        pm_slot_break(slot, "an unexpected %s", pm_message_name(message->type));
    json_decref(body);
}

void pm_slot_on_child(void *data, int fd, unsigned events)
{
    (void)events;
    PmSlot *slot = data;
    PmMessage message = {0};
    PmError err = {0};
    bool got = false;
    PmStatus status = pm_ipc_receive_plain(fd, MSG_DONTWAIT, &message, &got, &err);
    if (status == PM_BUG || status == PM_LIMIT) {
        pm_slot_break(slot, "%s", err.message);
    } else if (status != PM_OK) {
        /* Gone: EXITED says how. A child that closed its channel but lives is helped along. */
        pm_slot_retire(slot);
        pm_slot_kill(slot);
    } else if (got) {
        on_message(slot, &message);
        pm_message_finish(&message);
    }
}
