/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/letter.h"

#include <stdlib.h>
#include <string.h>

#include "aws/events.h"
#include "base/text.h"

static bool is_wanted(const PmSqsTrigger *config, const PmObjectEvent *record)
{
    if (config->events.count == 0) return record->created;
    for (size_t i = 0; i < config->events.count; i++)
        if (pm_text_glob(config->events.items[i], record->name)) return record->created;
    return false;
}

static bool is_allowed(const PmPipeline *pipeline, const PmObjectEvent *record, PmError *err)
{
    if (pipeline->source.kind != PM_SOURCE_S3) return true;
    const PmS3Source *source = pipeline->source.config;
    bool known = source->buckets.count == 0;
    for (size_t i = 0; i < source->buckets.count && !known; i++)
        known = strcmp(source->buckets.items[i], record->bucket) == 0;
    if (!known) {
        pm_error_set(err, PM_BAD_INPUT, "the event is about bucket \"%s\", which is not in source.s3.buckets",
                     record->bucket);
        return false;
    }
    if (source->prefix == NULL || strncmp(record->key, source->prefix, strlen(source->prefix)) == 0) return true;
    pm_error_set(err, PM_BAD_INPUT, "the event is about key \"%.200s\", which is not below source.s3.prefix \"%.200s\"",
                 record->key, source->prefix);
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

bool pm_letter_read(const PmPipeline *pipeline, const char *body, size_t size, PmEvent *event)
{
    const PmSqsTrigger *config = pipeline->trigger.config;
    PmEvents events = {0};
    bool chosen[PM_EVENT_RECORDS_MAX] = {0};
    if (pm_events_parse(body, size, (PmKeyEncoding)config->key_encoding, &events, &event->error) != PM_OK) return true;
    event->objects = calloc(events.count + 1, sizeof *event->objects);
    if (event->objects == NULL) {
        pm_events_finish(&events);
        return false;
    }
    for (size_t i = 0; i < events.count; i++)
        chosen[i] = is_wanted(config, &events.items[i]) && is_allowed(pipeline, &events.items[i], &event->error);
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
