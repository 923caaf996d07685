/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/record.h"

#include "base/text.h"

const char *pm_record_status(const PmJobResult *result)
{
    if (result->fate == PM_FATE_RETRY) return "retry";
    if (result->fate == PM_FATE_RELEASE) return "released";
    if (result->skipped != NULL) return "skipped";
    return result->error != NULL ? pm_status_name(result->error->status) : "ok";
}

static void add(json_t *object, const char *key, const json_t *value)
{
    if (value != NULL && !json_is_null(value)) json_object_set(object, key, (json_t *)value);
}

static void add_text(json_t *object, const char *key, const char *value)
{
    char clean[1200];
    if (value == NULL || value[0] == '\0') return;
    pm_text_utf8(clean, sizeof clean, value);
    json_object_set_new(object, key, json_string(clean));
}

json_t *pm_record_of(const PmJobResult *result)
{
    char label[1200];
    const PmObject *source = result->object;
    json_t *object = json_object();
    pm_object_label(source, label, sizeof label);
    add_text(object, "source", label);
    add_text(object, "status", pm_record_status(result));
    if (source->path == NULL) add_text(object, "message_id", result->event_id);
    if (source->bucket != NULL) {
        add_text(object, "bucket", source->bucket);
        add_text(object, "key", source->key);
        add_text(object, "etag", source->etag);
        add_text(object, "version_id", source->version_id);
        add_text(object, "sequencer", source->sequencer);
    }
    if (result->error != NULL) json_object_set_new(object, "error", pm_error_to_json(result->error));
    add_text(object, "skipped", result->skipped);
    add(object, "outputs", result->outputs);
    add(object, "not_made", result->not_made);
    add(object, "facts", result->facts);
    add(object, "verdicts", result->verdicts);
    add(object, "warnings", result->warnings);
    add(object, "timings", result->timings);
    json_object_set_new(object, "source_size", json_integer(result->source_size));
    json_object_set_new(object, "ms", json_integer(result->ms));
    json_object_set_new(object, "attempt", json_integer(result->attempt));
    return object;
}
