/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sink.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

void pm_worker_sink_init(PmWorkerSink *sink, int sock)
{
    *sink = (PmWorkerSink){.lock = PTHREAD_MUTEX_INITIALIZER};
    pm_channel_init(&sink->channel, sock);
}

static void set_in_job(PmWorkerSink *sink, bool in_job)
{
    pthread_mutex_lock(&sink->lock);
    sink->in_job = in_job;
    sink->log_lines = 0;
    pthread_mutex_unlock(&sink->lock);
}

void pm_worker_sink_begin_job(PmWorkerSink *sink)
{
    set_in_job(sink, true);
}

void pm_worker_sink_hush(PmWorkerSink *sink)
{
    set_in_job(sink, false);
}

void pm_worker_sink_end_job(PmWorkerSink *sink)
{
    for (size_t i = 0; i < sink->body_count; i++) {
        free(sink->bodies[i]);
        free(sink->types[i]);
    }
    sink->body_count = 0;
}

/* A JSON string of any text, or NULL for none. */
static json_t *text_or_null(const char *text)
{
    if (text == NULL) return NULL;
    char clean[PM_FACT_VALUE_MAX];
    pm_text_utf8(clean, sizeof clean, text);
    return json_string(clean);
}

static void put(json_t *object, const char *key, json_t *value)
{
    if (value != NULL) json_object_set_new(object, key, value);
}

void pm_worker_sink_log(PmWorkerSink *sink, int level, const char *plugin, const char *step, const char *text)
{
    pthread_mutex_lock(&sink->lock);
    size_t line = sink->in_job ? ++sink->log_lines : SIZE_MAX;
    if (line <= PM_SINK_LOG_LINES_MAX) {
        json_t *body = json_pack("{si}", "level", level);
        put(body, "plugin", text_or_null(plugin));
        put(body, "step", text_or_null(step));
        put(body, "text",
            text_or_null(line == PM_SINK_LOG_LINES_MAX ? "further log lines of this job are dropped" : text));
        /* A lost line is not a reason to fail the job. */
        (void)pm_ipc_send(sink->channel.sock, PM_MSG_LOG, body, NULL, 0, NULL);
        json_decref(body);
    }
    pthread_mutex_unlock(&sink->lock);
}

static void log_line(void *data, int level, const char *plugin, const char *step, const char *text)
{
    pm_worker_sink_log(data, level, plugin, step, text);
}

/* Those of steps and of the source's header: the broker knows the others itself. New. */
static json_t *facts_to_tell(const PmFacts *facts)
{
    json_t *all = pm_facts_to_json(facts), *value;
    const char *name;
    void *next;
    json_object_foreach_safe(all, next, name, value)
    {
        if (!pm_fact_from_worker(name, json_string_value(value))) json_object_del(all, name);
    }
    return all;
}

/* New. */
static json_t *describe(const PmRendition *r)
{
    json_t *body = json_pack("{sisisi}", "width", r->width, "height", r->height, "pages", r->pages);
    put(body, "output", text_or_null(r->output));
    put(body, "format", text_or_null(r->format));
    put(body, "facts", facts_to_tell(r->facts));
    return body;
}

static PmStatus begins(void *data, const PmRendition *r, PmError *err)
{
    PmWorkerSink *sink = data;
    json_t *body = describe(r);
    PmStatus status = pm_channel_send(&sink->channel, PM_MSG_BEGINS, body, err);
    json_decref(body);
    return status;
}

static PmStatus file(void *data, int *fd, PmError *err)
{
    PmWorkerSink *sink = data;
    return pm_channel_room(&sink->channel, PM_ROOM_OUTPUT, fd, err);
}

static PmStatus rendition(void *data, const PmRendition *r, PmError *err)
{
    PmWorkerSink *sink = data;
    /* The bytes are in the room already. */
    if (r->bytes != NULL) pm_channel_leave_room(&sink->channel, PM_ROOM_OUTPUT);
    json_t *body = describe(r);
    put(body, "size", json_integer((json_int_t)r->size));
    put(body, "source", json_boolean(r->bytes == NULL));
    PmStatus status = pm_channel_send(&sink->channel, PM_MSG_OUTPUT, body, err);
    json_decref(body);
    return status;
}

static PmStatus skipped(void *data, const char *output, const char *reason, PmError *err)
{
    PmWorkerSink *sink = data;
    json_t *body = json_object();
    put(body, "output", text_or_null(output));
    put(body, "reason", text_or_null(reason));
    PmStatus status = pm_channel_send(&sink->channel, PM_MSG_SKIPPED, body, err);
    json_decref(body);
    return status;
}

/* --- fetch --- */

static PmStatus send_fetch(PmWorkerSink *sink, const char *url, const PmRequest *request, PmError *err)
{
    if (request->body_size > PM_SINK_BODY_MAX)
        return pm_error_set(err, PM_LIMIT, "a request body of %zu bytes is above %d", request->body_size,
                            PM_SINK_BODY_MAX);
    if (request->body_size > 0 &&
        pm_channel_write(&sink->channel, PM_ROOM_BODY, request->body, request->body_size, err) != PM_OK)
        return err->status;
    const char *method = request->method != NULL ? request->method : request->body_size > 0 ? "POST" : "GET";
    json_t *body =
        json_pack("{sI sI}", "timeout_ms", (json_int_t)request->timeout_ms, "size", (json_int_t)request->body_size);
    put(body, "url", text_or_null(url));
    put(body, "method", text_or_null(method));
    put(body, "content_type", text_or_null(request->content_type));
    PmStatus status = pm_channel_send(&sink->channel, PM_MSG_FETCH, body, err);
    json_decref(body);
    return status;
}

/* Copies the answer's body, with the NUL that plugins are promised; it is freed when the job ends. */
static PmStatus keep_response(PmWorkerSink *sink, PmMessage *message, PmResponse *response, PmError *err)
{
    PmMapping map = {0};
    if (message->fd_count > 0 && pm_memfd_map(message->fds[0], PM_SINK_BODY_MAX, &map, err) != PM_OK)
        return err->status;
    const char *type = json_string_value(json_object_get(message->body, "content_type"));
    char *copy = malloc(map.size + 1);
    char *type_copy = strdup(type != NULL ? type : "");
    if (copy == NULL || type_copy == NULL) {
        free(copy);
        free(type_copy);
        pm_memfd_unmap(&map);
        return pm_error_set(err, PM_LIMIT, "no memory for a response of %zu bytes", map.size);
    }
    if (map.size > 0) memcpy(copy, map.bytes, map.size);
    copy[map.size] = '\0';
    response->status = (int32_t)json_integer_value(json_object_get(message->body, "status"));
    response->content_type = type != NULL ? type_copy : NULL;
    response->body = copy;
    response->body_size = map.size;
    sink->bodies[sink->body_count] = copy;
    sink->types[sink->body_count++] = type_copy;
    pm_memfd_unmap(&map);
    return PM_OK;
}

static PmStatus fetch(void *data, const char *url, const PmRequest *request, PmResponse *response, PmError *err)
{
    PmWorkerSink *sink = data;
    if (sink->body_count >= PM_SINK_BODIES_MAX)
        return pm_error_set(err, PM_LIMIT, "more than %d requests in one job", PM_SINK_BODIES_MAX);
    PmStatus status = send_fetch(sink, url, request, err);
    if (status != PM_OK) return status;
    /* Blocks; the broker ends it by an answer, or us by the job's deadline. */
    PmMessage message;
    if ((status = pm_channel_receive(&sink->channel, &message, err)) != PM_OK) return status;
    const json_t *why = json_object_get(message.body, "error");
    if (message.type != PM_MSG_FETCHED)
        status = pm_error_set(err, PM_BUG, "%s came where FETCHED was due", pm_message_name(message.type));
    else if (why != NULL)
        pm_error_from_json(why, err), status = err->status;
    else
        status = keep_response(sink, &message, response, err);
    pm_message_finish(&message);
    return status;
}

PmSink pm_worker_sink_for_engine(PmWorkerSink *sink)
{
    return (PmSink){.data = sink,
                    .rendition = rendition,
                    .file = file,
                    .begins = begins,
                    .skipped = skipped,
                    .fetch = fetch,
                    .log = log_line};
}
