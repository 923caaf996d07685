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

static json_t *output_of(const PmOutputResult *result)
{
    static const char *const names[] = {"stored", "current", "stale", "failed"};
    json_t *output = json_object();
    add_text(output, "output", result->output);
    if (result->format != NULL) {
        add_text(output, "format", result->format);
        json_object_set_new(output, "width", json_integer(result->width));
        json_object_set_new(output, "height", json_integer(result->height));
        json_object_set_new(output, "pages", json_integer(result->pages));
    }
    json_object_set_new(output, "size", json_integer(result->size));
    if (result->source && result->format != NULL) json_object_set_new(output, "source", json_true());
    add_text(output, "location", result->location);
    json_object_set_new(output, "stored", json_string(names[result->stored]));
    return output;
}

static json_t *outputs_of(const PmJobResult *result)
{
    json_t *outputs = json_array();
    for (size_t i = 0; i < result->output_count; i++) json_array_append_new(outputs, output_of(&result->outputs[i]));
    return outputs;
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
    json_object_set_new(object, "outputs", outputs_of(result));
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
