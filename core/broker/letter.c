/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/letter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static bool is_wanted(const PmLetterRules *config, const PmObjectEvent *record)
{
    if (config->events.count == 0) return record->created;
    for (size_t i = 0; i < config->events.count; i++)
        if (pm_text_glob(config->events.items[i], record->name)) return record->created;
    return false;
}

bool pm_letter_allows(const PmPipeline *pipeline, const char *bucket, const char *key, PmError *err)
{
    if (pipeline->source.kind != PM_SOURCE_S3) return true;
    const PmS3Source *source = pipeline->source.config;
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

PmLetterRules pm_letter_rules(const PmPipeline *pipeline, bool in_lambda)
{
    const PmSqsTrigger *sqs = pipeline->trigger.kind == PM_TRIGGER_SQS ? pipeline->trigger.config : NULL;
    PmLetterRules rules = {.pipeline = pipeline};
    if (sqs != NULL) {
        rules.events = sqs->events;
        rules.key_encoding = (PmKeyEncoding)sqs->key_encoding;
    }
    if (in_lambda && pipeline->trigger.lambda->events.count > 0) rules.events = pipeline->trigger.lambda->events;
    return rules;
}

bool pm_letter_read(const PmLetterRules *rules, const char *body, size_t size, PmEvent *event)
{
    PmEvents events = {0};
    bool chosen[PM_EVENT_RECORDS_MAX] = {0};
    if (pm_events_parse(body, size, rules->key_encoding, &events, &event->error) != PM_OK) return true;
    event->objects = calloc(events.count + 1, sizeof *event->objects);
    if (event->objects == NULL) {
        pm_events_finish(&events);
        return false;
    }
    for (size_t i = 0; i < events.count; i++)
        chosen[i] = is_wanted(rules, &events.items[i]) &&
                    pm_letter_allows(rules->pipeline, events.items[i].bucket, events.items[i].key, &event->error);
    for (size_t i = 0; i < events.count; i++)
        if (chosen[i]) chosen[i] = !is_superseded(&events, i, chosen);
    for (size_t i = 0; i < events.count; i++)
        if (chosen[i]) event->objects[event->count++] = take(&events.items[i]);
    pm_events_finish(&events);
    return true;
}

const char *pm_letter_reason(const PmFate *fate)
{
    if (fate->tag != NULL) return fate->tag;
    return fate->reason != NULL ? pm_status_name(fate->reason->status) : "unknown";
}

void pm_letter_bury(PmDeadLetter *dead, const char *dead_letter_url, const PmPipeline *pipeline, const PmEvent *event,
                    const PmFate *fate, const char *body, const char *source, const char *queue, const char *group_id)
{
    static const PmError unknown = {0};
    const PmError *why = fate->reason != NULL ? fate->reason : &unknown;
    snprintf(dead->attempts, sizeof dead->attempts, "%d", event->attempt);
    pm_text_utf8(dead->message, sizeof dead->message, why->message);
    pm_text_utf8(dead->where, sizeof dead->where, why->where);
    const PmNameValue attributes[] = {{"pixmill.reason", pm_letter_reason(fate)},
                                      {"pixmill.status", pm_status_name(why->status)},
                                      {"pixmill.message", dead->message},
                                      {"pixmill.where", dead->where},
                                      {"pixmill.step", why->step},
                                      {"pixmill.plugin", why->plugin},
                                      {"pixmill.source", source},
                                      {"pixmill.attempts", dead->attempts},
                                      {"pixmill.pipeline", pipeline->name},
                                      {"pixmill.queue", queue}};
    _Static_assert(sizeof attributes == sizeof dead->attributes, "as many as a message may have");
    memcpy(dead->attributes, attributes, sizeof attributes);
    dead->send = (PmSqsSend){.queue_url = dead_letter_url,
                             .body = body,
                             .attributes = dead->attributes,
                             .attribute_count = sizeof attributes / sizeof attributes[0]};
    if (!pm_sqs_is_fifo(dead_letter_url)) return;
    dead->send.group_id = group_id != NULL && group_id[0] != '\0' ? group_id : "pixmill";
    dead->send.deduplication_id = event->id;
}
