/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/aws/invocation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "connectors/record.h"
#include "net/uri.h"

enum { TASKS_MAX = 10000, RESULT_STRING_MAX = 1000 };

const char *pm_invocation_name(PmInvocationKind kind)
{
    static const char *const names[] = {[PM_INVOKED_SQS] = "sqs",
                                        [PM_INVOKED_EVENT] = "event",
                                        [PM_INVOKED_BATCH_OPERATIONS] = "batch-operations",
                                        [PM_INVOKED_OBJECT] = "object",
                                        [PM_INVOKED_OBJECTS] = "objects"};
    return names[kind];
}

const char *pm_invocation_error_type(PmStatus status)
{
    static const char *const names[] = {[PM_OK] = "Pixmill.Bug",
                                        [PM_BAD_INPUT] = "Pixmill.BadInput",
                                        [PM_LIMIT] = "Pixmill.Limit",
                                        [PM_REJECTED] = "Pixmill.Rejected",
                                        [PM_TRANSIENT] = "Pixmill.Transient",
                                        [PM_BAD_CONFIG] = "Pixmill.BadConfig",
                                        [PM_BUG] = "Pixmill.Bug"};
    return names[status];
}

static const char *text_at(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static char *copy(const char *text)
{
    return strdup(text != NULL ? text : "");
}

/* --- what is asked for --- */

static bool new_tasks(PmInvocation *out, size_t count)
{
    out->tasks = calloc(count + 1, sizeof *out->tasks);
    if (out->tasks == NULL) return false;
    out->count = count;
    for (size_t i = 0; i < count; i++) out->tasks[i].event.attempt = 1;
    return true;
}

static void name_task(PmTask *task, const char *id)
{
    task->id = copy(id);
    pm_text_copy(task->event.id, sizeof task->event.id, id != NULL ? id : "");
}

/* A message in the form that a queue delivers, too. */
static bool take_message(const PmQueueMessageRules *rules, PmTask *task, const char *id, const char *body, size_t size,
                         const char *source)
{
    name_task(task, id);
    task->source = copy(source);
    task->body = strndup(body, size);
    return task->id != NULL && task->body != NULL && task->source != NULL &&
           pm_queue_message_read(rules, body, size, &task->event);
}

static bool read_sqs(const PmQueueMessageRules *rules, const json_t *records, PmInvocation *out)
{
    out->kind = PM_INVOKED_SQS;
    if (!new_tasks(out, json_array_size(records))) return false;
    for (size_t i = 0; i < out->count; i++) {
        const json_t *record = json_array_get(records, i), *attributes = json_object_get(record, "attributes");
        const char *arn = text_at(record, "eventSourceARN"), *body = text_at(record, "body");
        const char *receives = text_at(attributes, "ApproximateReceiveCount");
        const char *sent = text_at(attributes, "SentTimestamp");
        PmTask *task = &out->tasks[i];
        if (body == NULL) body = "";
        if (!take_message(rules, task, text_at(record, "messageId"), body, strlen(body), arn)) return false;
        long attempt = receives != NULL ? strtol(receives, NULL, 10) : 1;
        task->event.sent_ms = sent != NULL ? strtoll(sent, NULL, 10) : 0;
        task->event.attempt = attempt > 1 && attempt < INT32_MAX ? (int)attempt : 1;
        if (pm_sqs_is_fifo(arn)) {
            out->fifo = true;
            task->group_id = copy(text_at(attributes, "MessageGroupId"));
            if (task->group_id == NULL) return false;
        }
    }
    return true;
}

static bool read_sns(const PmQueueMessageRules *rules, const json_t *records, PmInvocation *out)
{
    out->kind = PM_INVOKED_EVENT;
    if (!new_tasks(out, json_array_size(records))) return false;
    for (size_t i = 0; i < out->count; i++) {
        const json_t *sns = json_object_get(json_array_get(records, i), "Sns");
        const char *body = text_at(sns, "Message");
        if (body == NULL) body = "";
        if (!take_message(rules, &out->tasks[i], text_at(sns, "MessageId"), body, strlen(body), "sns")) return false;
    }
    return true;
}

/* Uploads as S3 or EventBridge tell them: the body is the message. */
static bool read_event(const PmQueueMessageRules *rules, const char *body, size_t size, PmInvocation *out)
{
    out->kind = PM_INVOKED_EVENT;
    return new_tasks(out, 1) && take_message(rules, &out->tasks[0], "event", body, size, "s3");
}

/* An object by name. bucket and key are borrowed; NULL: missing. */
static bool take_object(const PmQueueMessageRules *rules, PmTask *task, const char *id, const char *bucket,
                        const char *key, const char *version_id, const char *etag)
{
    char label[1400];
    name_task(task, id);
    task->event.objects = calloc(1, sizeof *task->event.objects);
    if (task->id == NULL || task->event.objects == NULL) return false;
    PmObject *object = task->event.objects;
    task->event.about = object;
    *object = (PmObject){.bucket = copy(bucket), .key = copy(key), .size = -1};
    if (object->bucket == NULL || object->key == NULL) return false;
    if (version_id != NULL && version_id[0] != '\0' && (object->version_id = strdup(version_id)) == NULL) return false;
    if (etag != NULL && etag[0] != '\0' && (object->etag = strdup(etag)) == NULL) return false;
    PmError *err = &task->event.error;
    if (bucket == NULL || bucket[0] == '\0' || strlen(bucket) > 255 || strchr(bucket, '/') != NULL)
        pm_error_set(err, PM_BAD_INPUT, "no bucket is named");
    else if (key == NULL || !pm_object_key_valid(key))
        pm_error_set(err, PM_BAD_INPUT, "no key is named that is 1 to 1,024 bytes of UTF-8 without control characters");
    else if (pm_queue_message_allows(rules->pipeline, bucket, key, err))
        task->event.count = 1;
    if (task->event.id[0] == '\0') {
        pm_object_label(object, label, sizeof label);
        pm_text_copy(task->event.id, sizeof task->event.id, label);
    }
    return true;
}

/* "bucket" of "arn:aws:s3:::bucket" */
static const char *bucket_of_arn(const char *arn)
{
    const char *colon = arn != NULL ? strrchr(arn, ':') : NULL;
    return colon != NULL ? colon + 1 : NULL;
}

/* Keys are percent-encoded as in forms, as in S3's own events. */
static char *batch_key(const char *encoded, bool *no_memory)
{
    PmBuffer key;
    pm_buffer_init(&key, PM_EVENT_KEY_MAX);
    if (encoded == NULL || !pm_uri_decode(&key, encoded, strlen(encoded), true)) {
        *no_memory = key.no_memory;
        pm_buffer_finish(&key);
        return NULL;
    }
    char *text = pm_buffer_steal(&key);
    *no_memory = text == NULL;
    return text;
}

static bool read_batch_operations(const PmQueueMessageRules *rules, const json_t *root, const json_t *tasks,
                                  PmInvocation *out)
{
    out->kind = PM_INVOKED_BATCH_OPERATIONS;
    out->batch = json_pack("{s:O?, s:O?}", "invocationSchemaVersion", json_object_get(root, "invocationSchemaVersion"),
                           "invocationId", json_object_get(root, "invocationId"));
    if (out->batch == NULL || !new_tasks(out, json_array_size(tasks))) return false;
    for (size_t i = 0; i < out->count; i++) {
        const json_t *task = json_array_get(tasks, i);
        const char *bucket = text_at(task, "s3Bucket"); /* schema 2.0 */
        if (bucket == NULL) bucket = bucket_of_arn(text_at(task, "s3BucketArn"));
        bool no_memory = false;
        char *key = batch_key(text_at(task, "s3Key"), &no_memory);
        bool ok = !no_memory && take_object(rules, &out->tasks[i], text_at(task, "taskId"), bucket, key,
                                            text_at(task, "s3VersionId"), NULL);
        free(key);
        if (!ok) return false;
    }
    return true;
}

static bool read_object(const PmQueueMessageRules *rules, const json_t *object, PmTask *task)
{
    return take_object(rules, task, "", text_at(object, "bucket"), text_at(object, "key"),
                       text_at(object, "version_id"), text_at(object, "etag"));
}

static bool read_objects(const PmQueueMessageRules *rules, const json_t *list, PmInvocation *out)
{
    out->kind = PM_INVOKED_OBJECTS;
    if (!new_tasks(out, json_array_size(list))) return false;
    for (size_t i = 0; i < out->count; i++)
        if (!read_object(rules, json_array_get(list, i), &out->tasks[i])) return false;
    return true;
}

static bool is_object_list(const json_t *root)
{
    size_t i;
    const json_t *item;
    if (!json_is_array(root) || json_array_size(root) == 0) return false;
    json_array_foreach(root, i, item) if (json_object_get(item, "bucket") == NULL ||
                                          json_object_get(item, "key") == NULL) return false;
    return true;
}

static bool read_root(const PmQueueMessageRules *rules, const json_t *root, const char *body, size_t size,
                      PmInvocation *out, PmError *err)
{
    const json_t *records = json_object_get(root, "Records"), *first = json_array_get(records, 0);
    const json_t *tasks = json_object_get(root, "tasks");
    if (json_array_size(records) > TASKS_MAX || json_array_size(tasks) > TASKS_MAX ||
        json_array_size(root) > TASKS_MAX) {
        pm_error_set(err, PM_BAD_INPUT, "the invocation has more than %d parts", (int)TASKS_MAX);
        return true;
    }
    const char *source = text_at(first, "eventSource");
    if (source != NULL && strcmp(source, "aws:sqs") == 0) return read_sqs(rules, records, out);
    source = text_at(first, "EventSource");
    if (source != NULL && strcmp(source, "aws:sns") == 0) return read_sns(rules, records, out);
    if (records != NULL || json_object_get(root, "detail-type") != NULL || json_object_get(root, "Event") != NULL)
        return read_event(rules, body, size, out);
    if (tasks != NULL && json_object_get(root, "invocationSchemaVersion") != NULL)
        return read_batch_operations(rules, root, tasks, out);
    if (json_object_get(root, "bucket") != NULL && json_object_get(root, "key") != NULL) {
        out->kind = PM_INVOKED_OBJECT;
        return new_tasks(out, 1) && read_object(rules, root, &out->tasks[0]);
    }
    if (is_object_list(root)) return read_objects(rules, root, out);
    pm_error_set(err, PM_BAD_INPUT,
                 "the invocation is none that pixmill knows: SQS, S3, SNS, EventBridge, S3 Batch Operations, "
                 "{\"bucket\", \"key\"} or a list of these");
    return true;
}

PmStatus pm_invocation_read(const PmQueueMessageRules *rules, const char *body, size_t size, PmInvocation *out,
                            PmError *err)
{
    json_error_t at;
    *out = (PmInvocation){0};
    bool no_memory = false;
    json_t *root = pm_json_read(body, size, 0, &at, &no_memory);
    if (root == NULL && !no_memory)
        pm_error_set(err, PM_BAD_INPUT, "the invocation is not JSON: %s (line %d, column %d)", at.text, at.line,
                     at.column);
    else if (no_memory || !read_root(rules, root, body, size, out, err))
        pm_error_set(err, PM_TRANSIENT, "out of memory");
    json_decref(root);
    if (err->status != PM_OK) pm_invocation_finish(out);
    return err->status;
}

void pm_invocation_finish(PmInvocation *invocation)
{
    for (size_t i = 0; i < invocation->count; i++) {
        PmTask *task = &invocation->tasks[i];
        size_t objects = task->event.about != NULL ? 1 : task->event.count;
        for (size_t k = 0; k < objects; k++) pm_object_finish(&task->event.objects[k]);
        free(task->event.objects);
        free(task->id);
        free(task->body);
        free(task->group_id);
        free(task->source);
        json_decref(task->results);
    }
    free(invocation->tasks);
    json_decref(invocation->batch);
    *invocation = (PmInvocation){0};
}

/* --- what is answered --- */

/* ok false: something is left out of it, since there was no memory. Takes it. */
static json_t *whole(json_t *answer, bool ok)
{
    if (ok) return answer;
    json_decref(answer);
    return NULL;
}

/* A message that it does not name is deleted from the queue. */
static json_t *answer_sqs(const PmInvocation *invocation)
{
    json_t *failures = json_array();
    bool ok = failures != NULL;
    for (size_t i = 0; i < invocation->count; i++)
        if (invocation->tasks[i].state != PM_TASK_DONE)
            ok = ok &&
                 json_array_append_new(failures, json_pack("{ss}", "itemIdentifier", invocation->tasks[i].id)) == 0;
    failures = whole(failures, ok);
    return failures != NULL ? json_pack("{so}", "batchItemFailures", failures) : NULL;
}

/* The record of an object that was asked for; made up when it was never worked on. */
static json_t *record_of(const PmTask *task)
{
    json_t *record = json_array_get(task->results, 0);
    if (record != NULL) return json_incref(record);
    PmJobResult result = {.object = task->event.about, .error = &task->error, .fate = PM_FATE_DEAD, .attempt = 1};
    return pm_record_of(&result);
}

static json_t *answer_objects(const PmInvocation *invocation)
{
    json_t *results = json_array();
    bool ok = results != NULL;
    for (size_t i = 0; i < invocation->count; i++)
        ok = ok && json_array_append_new(results, record_of(&invocation->tasks[i])) == 0;
    results = whole(results, ok);
    return results != NULL ? json_pack("{so}", "results", results) : NULL;
}

static json_t *answer_event(const PmInvocation *invocation)
{
    json_t *results = json_array();
    bool ok = results != NULL;
    for (size_t i = 0; i < invocation->count; i++)
        if (invocation->tasks[i].results != NULL)
            ok = ok && json_array_extend(results, invocation->tasks[i].results) == 0;
    results = whole(results, ok);
    return results != NULL ? json_pack("{so}", "results", results) : NULL;
}

/* Where the renditions went, or why there are none: it stands in the job's completion report. */
static void result_string(const PmTask *task, char *out, size_t size)
{
    const json_t *record = json_array_get(task->results, 0), *outputs = json_object_get(record, "outputs");
    const char *skipped = text_at(record, "skipped");
    size_t i, used = 0;
    const json_t *output;
    out[0] = '\0';
    if (task->state != PM_TASK_DONE || skipped != NULL) {
        pm_text_utf8(out, size, task->state != PM_TASK_DONE ? task->error.message : skipped);
        return;
    }
    json_array_foreach(outputs, i, output)
    {
        const char *location = text_at(output, "location");
        size_t n = location != NULL ? strlen(location) : 0;
        if (n == 0 || used + n + 2 > size) continue;
        if (used > 0) out[used++] = ' ';
        memcpy(out + used, location, n + 1);
        used += n;
    }
}

static json_t *answer_batch_operations(const PmInvocation *invocation)
{
    json_t *answer = json_copy(invocation->batch), *results = json_array();
    bool ok = answer != NULL && results != NULL && json_object_size(answer) == json_object_size(invocation->batch);
    for (size_t i = 0; i < invocation->count; i++) {
        const PmTask *task = &invocation->tasks[i];
        /* Who names an object wants it done: one that is not there has failed, for good. */
        bool gone = text_at(json_array_get(task->results, 0), "skipped") != NULL;
        const char *code = task->state == PM_TASK_DONE ? gone ? "PermanentFailure" : "Succeeded"
                           : task->passes              ? "TemporaryFailure"
                                                       : "PermanentFailure";
        char text[RESULT_STRING_MAX];
        result_string(task, text, sizeof text);
        ok = ok && json_array_append_new(results, json_pack("{ssssss}", "taskId", task->id, "resultCode", code,
                                                            "resultString", text)) == 0;
    }
    ok = ok && json_object_set_new(answer, "treatMissingKeysAs", json_string("PermanentFailure")) == 0;
    ok = ok && json_object_set(answer, "results", results) == 0;
    json_decref(results);
    return whole(answer, ok);
}

static const PmTask *first_failed(const PmInvocation *invocation, size_t *count)
{
    const PmTask *first = NULL;
    *count = 0;
    for (size_t i = 0; i < invocation->count; i++) {
        if (invocation->tasks[i].state == PM_TASK_DONE) continue;
        if (first == NULL) first = &invocation->tasks[i];
        (*count)++;
    }
    return first;
}

/* NULL with *err clear: out of memory. */
static json_t *make_answer(const PmInvocation *invocation, bool report, const char **type, PmError *err)
{
    size_t failed;
    const PmTask *first = first_failed(invocation, &failed);
    switch (invocation->kind) {
    case PM_INVOKED_SQS:
        if (report || first == NULL) return answer_sqs(invocation);
        pm_error_set(err, first->error.status, "%zu of %zu messages failed; %s: %.600s", failed, invocation->count,
                     first->id, first->error.message);
        *type = "Pixmill.BatchFailed";
        return NULL;
    case PM_INVOKED_BATCH_OPERATIONS:
        return answer_batch_operations(invocation);
    case PM_INVOKED_OBJECTS:
        return answer_objects(invocation);
    case PM_INVOKED_EVENT:
        if (first == NULL) return answer_event(invocation);
        break;
    case PM_INVOKED_OBJECT:
        /* What an inspector decided is an answer, not a failure. */
        if (first == NULL || first->error.status == PM_REJECTED) return record_of(&invocation->tasks[0]);
        break;
    }
    *err = first->error;
    *type = first->late ? "Pixmill.Deadline" : pm_invocation_error_type(first->error.status);
    return NULL;
}

json_t *pm_invocation_answer(const PmInvocation *invocation, bool report, const char **type, PmError *err)
{
    bool unrecorded = false;
    for (size_t i = 0; i < invocation->count; i++) unrecorded = unrecorded || invocation->tasks[i].unrecorded;
    json_t *answer = unrecorded ? NULL : make_answer(invocation, report, type, err);
    if (answer != NULL || err->status != PM_OK) return answer;
    pm_error_set(err, PM_TRANSIENT, "out of memory");
    *type = pm_invocation_error_type(PM_TRANSIENT);
    return NULL;
}
