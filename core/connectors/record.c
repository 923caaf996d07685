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

/* Takes the value. False: out of memory. */
static bool put(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value) == 0;
}

static bool add(json_t *object, const char *key, const json_t *value)
{
    return value == NULL || json_is_null(value) || json_object_set(object, key, (json_t *)value) == 0;
}

static bool add_text(json_t *object, const char *key, const char *value)
{
    char clean[1200];
    if (value == NULL || value[0] == '\0') return true;
    pm_text_utf8(clean, sizeof clean, value);
    return put(object, key, json_string(clean));
}

/* Half a record would say that things were not done. */
static json_t *whole(json_t *json, bool ok)
{
    if (ok) return json;
    json_decref(json);
    return NULL;
}

static json_t *output_of(const PmOutputResult *result)
{
    static const char *const names[] = {"stored", "current", "stale", "failed"};
    json_t *output = json_object();
    bool ok =
        output != NULL && add_text(output, "output", result->output) && add_text(output, "matrix", result->matrix);
    if (result->format != NULL)
        ok = ok && add_text(output, "format", result->format) && put(output, "width", json_integer(result->width)) &&
             put(output, "height", json_integer(result->height)) && put(output, "pages", json_integer(result->pages));
    ok = ok && put(output, "size", json_integer(result->size));
    if (result->source && result->format != NULL) ok = ok && put(output, "source", json_true());
    ok = ok && add_text(output, "location", result->location) &&
         put(output, "stored", json_string(names[result->stored]));
    return whole(output, ok);
}

static json_t *outputs_of(const PmJobResult *result)
{
    json_t *outputs = json_array();
    bool ok = outputs != NULL;
    for (size_t i = 0; ok && i < result->output_count; i++)
        ok = json_array_append_new(outputs, output_of(&result->outputs[i])) == 0;
    return whole(outputs, ok);
}

static bool add_source(json_t *object, const PmObject *source)
{
    return source->bucket == NULL ||
           (add_text(object, "bucket", source->bucket) && add_text(object, "key", source->key) &&
            add_text(object, "etag", source->etag) && add_text(object, "version_id", source->version_id) &&
            add_text(object, "sequencer", source->sequencer));
}

json_t *pm_record_of(const PmJobResult *result)
{
    char label[1200];
    const PmObject *source = result->object;
    json_t *object = json_object();
    pm_object_label(source, label, sizeof label);
    bool ok =
        object != NULL && add_text(object, "source", label) && add_text(object, "status", pm_record_status(result)) &&
        (source->path != NULL || add_text(object, "message_id", result->event_id)) && add_source(object, source) &&
        (result->error == NULL || put(object, "error", pm_error_to_json(result->error))) &&
        add_text(object, "skipped", result->skipped) && put(object, "outputs", outputs_of(result)) &&
        add(object, "not_made", result->not_made) && add(object, "facts", result->facts) &&
        add(object, "verdicts", result->verdicts) && add(object, "warnings", result->warnings) &&
        add(object, "timings", result->timings) && put(object, "source_size", json_integer(result->source_size)) &&
        put(object, "ms", json_integer(result->ms)) && put(object, "attempt", json_integer(result->attempt));
    return whole(object, ok);
}
