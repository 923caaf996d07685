/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/aws/dead_letters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/text.h"
#include "connectors/aws/blocking_call.h"
#include "connectors/aws/settings.h"

enum { HIDE_S = 120, WAIT_S = 1, EMPTY_POLLS = 2, CLOCKS_AGREE_MS = 3000 };

/* A letter that is put back at the end: its handle, and its id to know it again. */
typedef struct Held {
    char *id, *handle;
} Held;

typedef struct Visit {
    const PmPipeline *pipeline;
    PmBlockingCall blocking;
    PmSqs *dead, *work;
    bool fifo;
    const char *reason; /* redrive only these; NULL: all */
    bool redrives;
    int64_t begun_ms; /* by the service's clock, which letters are dated by */
    size_t max, seen_count;
    Held *held;
    size_t held_count, held_room;
    PmDeadLetterSeen *seen;
    void *data;
    PmError *err;
    /* of the receive under way: copies, since a callback cannot ask */
    json_t *batch;
} Visit;

/* By our own clock, which knows milliseconds, unless it is wrong. */
static int64_t begun_at(int64_t server_ms)
{
    int64_t now = pm_clock_wall_ms();
    bool agree = server_ms == 0 || (now > server_ms - CLOCKS_AGREE_MS && now < server_ms + CLOCKS_AGREE_MS);
    return agree ? now : server_ms + 999;
}

static PmStatus open_visit(Visit *visit)
{
    const PmPipeline *p = visit->pipeline;
    const PmSqsTrigger *config = pm_sqs_trigger(p);
    PmQueueFacts facts;
    char url[1200];
    if (pm_blocking_open(&visit->blocking, pm_aws_config(p), visit->err) != PM_OK) return visit->err->status;
    visit->work = pm_aws_session_sqs(visit->blocking.session, config->queue_url, config->region, config->endpoint_url,
                                     visit->err);
    if (visit->work == NULL) return visit->err->status;
    if (pm_blocking_queue(&visit->blocking, visit->work, NULL, &facts) != PM_OK) {
        *visit->err = visit->blocking.err;
        return visit->err->status;
    }
    visit->fifo = facts.fifo;
    visit->begun_ms = begun_at(facts.server_ms);
    if (config->dead_letter_url != NULL && config->dead_letter_url[0] != '\0') {
        pm_text_copy(url, sizeof url, config->dead_letter_url);
    } else if (facts.dead_letter_arn[0] == '\0') {
        return pm_error_set(visit->err, PM_BAD_CONFIG, "the queue %s has no dead-letter queue", config->queue_url);
    } else if (pm_blocking_queue_url(&visit->blocking, visit->work, facts.dead_letter_arn) != PM_OK) {
        *visit->err = visit->blocking.err;
        return visit->err->status;
    } else {
        pm_text_copy(url, sizeof url, visit->blocking.key);
    }
    visit->dead = pm_aws_session_sqs(visit->blocking.session, url, config->region, config->endpoint_url, visit->err);
    return visit->err->status;
}

static const char *attribute(const json_t *message, const char *name)
{
    const char *value = json_string_value(
        json_object_get(json_object_get(json_object_get(message, "MessageAttributes"), name), "StringValue"));
    return value != NULL ? value : "";
}

static void on_message(void *data, const PmSqsMessage *message)
{
    Visit *visit = data;
    json_t *copy = json_pack("{ss ss ss ss sI si sO}", "id", message->id, "handle", message->receipt_handle, "body",
                             message->body, "group", message->group_id, "sent_ms", (json_int_t)message->sent_ms,
                             "received", message->receive_count, "message", message->json);
    if (copy != NULL) json_array_append_new(visit->batch, copy);
}

static const char *text_of(const json_t *copy, const char *name)
{
    const char *text = json_string_value(json_object_get(copy, name));
    return text != NULL ? text : "";
}

static PmDeadLetter dead_letter_of(const json_t *copy)
{
    const json_t *message = json_object_get(copy, "message");
    PmDeadLetter dead_letter = {.id = text_of(copy, "id"),
                                .reason = attribute(message, "pixmill.reason"),
                                .message = attribute(message, "pixmill.message"),
                                .source = attribute(message, "pixmill.source"),
                                .where = attribute(message, "pixmill.where"),
                                .sent_ms = json_integer_value(json_object_get(copy, "sent_ms")),
                                .receive_count = (int)json_integer_value(json_object_get(copy, "received"))};
    if (dead_letter.reason[0] == '\0') dead_letter.reason = PM_REDRIVEN;
    return dead_letter;
}

/* Kept hidden until the end. A letter that comes again, as it may, only brings its new handle. */
static bool hold(Visit *visit, const char *id, const char *handle, bool *again)
{
    for (size_t i = 0; i < visit->held_count; i++) {
        if (strcmp(visit->held[i].id, id) != 0) continue;
        char *newer = strdup(handle);
        if (newer == NULL) return false;
        free(visit->held[i].handle);
        visit->held[i].handle = newer;
        *again = true;
        return true;
    }
    if (visit->held_count == visit->held_room) {
        size_t room = visit->held_room > 0 ? visit->held_room * 2 : 64;
        Held *more = realloc(visit->held, room * sizeof *more);
        if (more == NULL) return false;
        visit->held = more;
        visit->held_room = room;
    }
    Held *held = &visit->held[visit->held_count];
    *held = (Held){strdup(id), strdup(handle)};
    visit->held_count++;
    return held->id != NULL && held->handle != NULL;
}

/* First into the one queue, then out of the other: at worst it is in both. */
static PmStatus redrive(Visit *visit, const json_t *copy)
{
    char id[160];
    const char *handle = text_of(copy, "handle"), *group = text_of(copy, "group");
    snprintf(id, sizeof id, "%.100s-%lld", text_of(copy, "id"),
             (long long)json_integer_value(json_object_get(copy, "received")));
    PmSqsSend send = {.body = text_of(copy, "body"),
                      .group_id = visit->fifo ? (group[0] != '\0' ? group : "pixmill") : NULL,
                      .deduplication_id = visit->fifo ? id : NULL};
    PM_CRASH_POINT("redrive.next");
    if (pm_blocking_send(&visit->blocking, visit->work, &send) == PM_OK) {
        PM_CRASH_POINT("redrive.sent");
        pm_blocking_end_messages(&visit->blocking, visit->dead, &handle, 1, -1);
        PM_CRASH_POINT("redrive.deleted");
    }
    if (visit->blocking.err.status != PM_OK) *visit->err = visit->blocking.err;
    return visit->err->status;
}

static PmStatus look_at(Visit *visit, const json_t *copy)
{
    PmDeadLetter dead_letter = dead_letter_of(copy);
    /* What was sent after the command began has failed again: beside a worker, this would never end. */
    bool wanted = visit->redrives && visit->seen_count < visit->max && dead_letter.sent_ms <= visit->begun_ms &&
                  (visit->reason == NULL || strcmp(visit->reason, dead_letter.reason) == 0);
    bool again = false;
    if (wanted && redrive(visit, copy) != PM_OK) return visit->err->status;
    if (!wanted && !hold(visit, dead_letter.id, text_of(copy, "handle"), &again))
        return pm_error_set(visit->err, PM_TRANSIENT, "out of memory");
    if (again || (visit->redrives && !wanted)) return PM_OK;
    visit->seen_count++;
    visit->seen(visit->data, &dead_letter);
    return PM_OK;
}

static void walk(Visit *visit)
{
    int empty = 0;
    while (empty < EMPTY_POLLS && visit->seen_count < visit->max && visit->err->status == PM_OK) {
        size_t count = 0, held = visit->held_count, seen = visit->seen_count;
        visit->batch = json_array();
        if (pm_blocking_receive(&visit->blocking, visit->dead, PM_SQS_BATCH_MAX, WAIT_S, HIDE_S, on_message, visit,
                                &count) != PM_OK)
            *visit->err = visit->blocking.err;
        for (size_t i = 0; i < json_array_size(visit->batch) && visit->err->status == PM_OK; i++)
            look_at(visit, json_array_get(visit->batch, i));
        json_decref(visit->batch);
        empty = held == visit->held_count && seen == visit->seen_count ? empty + 1 : 0;
    }
}

static void put_back(Visit *visit)
{
    for (size_t i = 0; i < visit->held_count; i += PM_SQS_BATCH_MAX) {
        const char *handles[PM_SQS_BATCH_MAX];
        size_t n = 0;
        for (size_t k = i; k < visit->held_count && n < PM_SQS_BATCH_MAX; k++)
            if (visit->held[k].handle != NULL) handles[n++] = visit->held[k].handle;
        if (n > 0) pm_blocking_end_messages(&visit->blocking, visit->dead, handles, n, 0);
    }
    for (size_t i = 0; i < visit->held_count; i++) {
        free(visit->held[i].id);
        free(visit->held[i].handle);
    }
    free(visit->held);
}

static PmStatus run_visit(Visit *visit)
{
    if (open_visit(visit) == PM_OK) {
        walk(visit);
        put_back(visit);
    }
    pm_sqs_free(visit->dead);
    pm_sqs_free(visit->work);
    if (visit->blocking.loop != NULL) pm_blocking_close(&visit->blocking);
    return visit->err->status;
}

PmStatus pm_dead_letters_list(const PmPipeline *pipeline, size_t max, PmDeadLetterSeen *seen, void *data, PmError *err)
{
    Visit visit = {.pipeline = pipeline, .max = max, .seen = seen, .data = data, .err = err};
    return run_visit(&visit);
}

PmStatus pm_dead_letters_redrive(const PmPipeline *pipeline, const char *reason, size_t max, PmDeadLetterSeen *seen,
                                 void *data, size_t *left, PmError *err)
{
    Visit visit = {
        .pipeline = pipeline, .reason = reason, .redrives = true, .max = max, .seen = seen, .data = data, .err = err};
    PmStatus status = run_visit(&visit);
    *left = visit.held_count;
    return status;
}
