/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/aws/queue_message.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "net/uri.h"

enum { SHORT_MESSAGE = 200, SHORT_SOURCE = 400, SHORT_ATTRIBUTES = 5, BEGINNING = 2048 };

static bool is_wanted(const PmQueueMessageRules *config, const PmObjectEvent *record)
{
    if (config->events.count == 0) return record->created;
    for (size_t i = 0; i < config->events.count; i++)
        if (pm_text_glob(config->events.items[i], record->name)) return record->created;
    return false;
}

bool pm_queue_message_allows(const PmPipeline *pipeline, const char *bucket, const char *key, PmError *err)
{
    const PmS3Source *source = pm_s3_source(pipeline);
    if (source == NULL) return true;
    bool known = source->buckets.count == 0;
    for (size_t i = 0; i < source->buckets.count && !known; i++) known = strcmp(source->buckets.items[i], bucket) == 0;
    if (!known) {
        pm_error_set(err, PM_BAD_INPUT, "the event is about bucket \"%s\", which is not in source.s3.buckets", bucket);
        return false;
    }
    if (source->prefix == NULL || strncmp(key, source->prefix, strlen(source->prefix)) == 0) return true;
    pm_error_set(err, PM_BAD_INPUT, "the event is about key \"%.200s\", which is not below source.s3.prefix \"%.200s\"",
                 key, source->prefix);
    return false;
}

static bool is_older(const PmObjectEvent *a, const PmObjectEvent *b)
{
    if (a->sequencer != NULL && b->sequencer != NULL) return pm_sequencer_compare(a->sequencer, b->sequencer) < 0;
    return a->time_ms <= b->time_ms; /* records come in the order of events */
}

/* A later record of the same key speaks for it. */
static bool is_superseded(const PmEvents *events, size_t at, const bool *chosen)
{
    const PmObjectEvent *one = &events->items[at];
    for (size_t i = 0; i < events->count; i++) {
        const PmObjectEvent *other = &events->items[i];
        if (i == at || !chosen[i] || strcmp(other->key, one->key) != 0 || strcmp(other->bucket, one->bucket) != 0)
            continue;
        if (i > at ? is_older(one, other) : !is_older(other, one)) return true;
    }
    return false;
}

/* Takes the strings. */
static PmObject take(PmObjectEvent *record)
{
    PmObject object = {.bucket = record->bucket,
                       .key = record->key,
                       .version_id = record->version_id,
                       .etag = record->etag,
                       .sequencer = record->sequencer,
                       .size = record->size,
                       .time_ms = record->time_ms};
    record->bucket = record->key = record->version_id = record->etag = record->sequencer = NULL;
    return object;
}

PmQueueMessageRules pm_queue_message_rules(const PmPipeline *pipeline, bool in_lambda)
{
    const PmSqsTrigger *sqs = pm_sqs_trigger(pipeline);
    PmQueueMessageRules rules = {.pipeline = pipeline};
    if (sqs != NULL) {
        rules.events = sqs->events;
        rules.key_encoding = (PmKeyEncoding)sqs->key_encoding;
    }
    if (in_lambda && pm_lambda_trigger(pipeline)->events.count > 0) rules.events = pm_lambda_trigger(pipeline)->events;
    return rules;
}

bool pm_queue_message_read(const PmQueueMessageRules *rules, const char *body, size_t size, PmEvent *event)
{
    PmEvents events = {0};
    bool chosen[PM_EVENT_RECORDS_MAX] = {0};
    if (pm_events_parse(body, size, rules->key_encoding, &events, &event->error) != PM_OK) {
        if (event->error.status != PM_TRANSIENT) return true;
        event->error = (PmError){0}; /* no memory to read it: that is not the message's fault */
        return false;
    }
    event->objects = calloc(events.count + 1, sizeof *event->objects);
    if (event->objects == NULL) {
        pm_events_finish(&events);
        return false;
    }
    for (size_t i = 0; i < events.count; i++)
        chosen[i] =
            is_wanted(rules, &events.items[i]) &&
            pm_queue_message_allows(rules->pipeline, events.items[i].bucket, events.items[i].key, &event->error);
    for (size_t i = 0; i < events.count; i++)
        if (chosen[i]) chosen[i] = !is_superseded(&events, i, chosen);
    for (size_t i = 0; i < events.count; i++)
        if (chosen[i]) event->objects[event->count++] = take(&events.items[i]);
    pm_events_finish(&events);
    return true;
}

const char *pm_dead_letter_reason(const PmFate *fate)
{
    if (fate->tag != NULL) return fate->tag;
    return fate->reason != NULL ? pm_status_name(fate->reason->status) : "unknown";
}

bool pm_dead_letter_fits(const char *body)
{
    return strlen(body) + sizeof(PmDeadLetterMessage) <= PM_SQS_BODY_MAX;
}

/* Without what SQS refuses in an attribute: only characters of XML 1.0 may stand there. Source: "SendMessage" (Amazon
 * SQS API Reference). */
static void clean(char *out, size_t size, const char *text)
{
    pm_text_utf8(out, size, text);
    for (char *p = out; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20) *p = ' ';
        /* U+FFFE and U+FFFF */
        if (strncmp(p, "\xEF\xBF\xBE", 3) == 0 || strncmp(p, "\xEF\xBF\xBF", 3) == 0) memset(p, '?', 3);
    }
}

void pm_dead_letter_make(PmDeadLetterMessage *dead, const char *dead_letter_url, const PmPipeline *pipeline,
                         const PmEvent *event, const PmFate *fate, PmDeadLetterForm form, const char *body,
                         const char *source, const char *queue, const char *group_id)
{
    static const PmError unknown = {0};
    const PmError *why = fate->reason != NULL ? fate->reason : &unknown;
    bool whole = form == PM_DEAD_LETTER_WHOLE;
    snprintf(dead->attempts, sizeof dead->attempts, "%d", event->attempt);
    clean(dead->message, whole ? sizeof dead->message : SHORT_MESSAGE, why->message);
    clean(dead->where, sizeof dead->where, why->where);
    clean(dead->step, sizeof dead->step, why->step);
    clean(dead->plugin, sizeof dead->plugin, why->plugin);
    clean(dead->short_source, whole ? sizeof dead->short_source : SHORT_SOURCE, source);
    const PmNameValue attributes[] = {{"pixmill.reason", pm_dead_letter_reason(fate)},
                                      {"pixmill.status", pm_status_name(why->status)},
                                      {"pixmill.message", dead->message},
                                      {"pixmill.source", dead->short_source},
                                      {"pixmill.attempts", dead->attempts},
                                      {"pixmill.where", dead->where},
                                      {"pixmill.step", dead->step},
                                      {"pixmill.plugin", dead->plugin},
                                      {"pixmill.pipeline", pipeline->name},
                                      {"pixmill.queue", queue}};
    _Static_assert(sizeof attributes == sizeof dead->attributes, "as many as a message may have");
    memcpy(dead->attributes, attributes, sizeof attributes);
    dead->send = (PmSqsSend){.queue_url = dead_letter_url,
                             .body = body,
                             .attributes = dead->attributes,
                             .attribute_count = whole ? sizeof attributes / sizeof attributes[0] : SHORT_ATTRIBUTES};
    if (!pm_sqs_is_fifo(dead_letter_url)) return;
    dead->send.group_id = group_id != NULL && group_id[0] != '\0' ? group_id : "pixmill";
    dead->send.deduplication_id = event->id;
}

/* --- claims --- */

static json_t *claim_record(const PmPipeline *pipeline, const PmObject *object)
{
    const PmSqsTrigger *sqs = pm_sqs_trigger(pipeline);
    char when[25];
    PmBuffer key;
    pm_buffer_init(&key, 4 * PM_EVENT_KEY_MAX);
    pm_buffer_adds(&key, "");
    /* Read back by the rules that the body was read with. */
    if (sqs != NULL && sqs->key_encoding == PM_KEY_ENCODING_RAW)
        pm_buffer_adds(&key, object->key);
    else
        pm_uri_encode(&key, object->key, true);
    pm_clock_iso8601(object->time_ms, when);
    json_t *named = json_pack("{ss*}", "key", key.failed ? NULL : key.data);
    pm_buffer_finish(&key);
    if (object->size >= 0) json_object_set_new(named, "size", json_integer(object->size));
    if (object->etag != NULL) json_object_set_new(named, "eTag", json_string(object->etag));
    if (object->version_id != NULL) json_object_set_new(named, "versionId", json_string(object->version_id));
    if (object->sequencer != NULL) json_object_set_new(named, "sequencer", json_string(object->sequencer));
    return json_pack("{ss ss ss ss s{s{ss} so}}", "eventVersion", "2.1", "eventSource", "aws:s3", "eventTime", when,
                     "eventName", "ObjectCreated:Put", "s3", "bucket", "name", object->bucket, "object", named);
}

char *pm_dead_letter_claim(const PmPipeline *pipeline, const PmEvent *event, const char *body)
{
    unsigned char digest[32];
    char hex[65] = "", beginning[BEGINNING];
    size_t size = strlen(body);
    if (EVP_Digest(body, size, digest, NULL, EVP_sha256(), NULL) == 1)
        for (size_t i = 0; i < sizeof digest; i++) snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    clean(beginning, sizeof beginning, body);
    json_t *claim = json_pack("{s{ss sI ss ss}}", "pixmill", "message", event->id, "body_size", (json_int_t)size,
                              "body_sha256", hex, "body_beginning", beginning);
    json_t *records = json_array();
    for (size_t i = 0; i < event->count; i++)
        if (event->objects[i].bucket != NULL && event->objects[i].key != NULL)
            json_array_append_new(records, claim_record(pipeline, &event->objects[i]));
    if (json_array_size(records) > 0)
        json_object_set_new(claim, "Records", records);
    else
        json_decref(records);
    char *text = pm_json_text(claim, JSON_COMPACT | JSON_ENSURE_ASCII);
    json_decref(claim);
    return text;
}
