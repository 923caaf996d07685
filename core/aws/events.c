/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/events.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/json.h"
#include "base/text.h"
#include "net/uri.h"

enum { FIELD_MAX = 1024 };

void pm_events_finish(PmEvents *events)
{
    if (events == NULL) return;
    for (size_t i = 0; i < events->count; i++) {
        PmObjectEvent *event = &events->items[i];
        free(event->bucket);
        free(event->key);
        free(event->version_id);
        free(event->etag);
        free(event->sequencer);
        free(event->region);
    }
    free(events->items);
    *events = (PmEvents){0};
}

bool pm_object_key_valid(const char *key)
{
    size_t n = strlen(key);
    if (n == 0 || n > PM_EVENT_KEY_MAX || !pm_text_is_utf8(key, n)) return false;
    for (const unsigned char *p = (const unsigned char *)key; *p != '\0'; p++)
        if (*p < 0x20 || *p == 0x7F) return false;
    return true;
}

int pm_sequencer_compare(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b), longest = n > m ? n : m;
    for (size_t i = 0; i < longest; i++) {
        int x = i < n ? (unsigned char)a[i] : '0';
        int y = i < m ? (unsigned char)b[i] : '0';
        if (x >= 'a' && x <= 'z') x -= 'a' - 'A';
        if (y >= 'a' && y <= 'z') y -= 'a' - 'A';
        if (x != y) return x < y ? -1 : 1;
    }
    return 0;
}

/* Nesting is checked before the parser recurses into it. */
static bool too_deep(const char *body, size_t size)
{
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < size; i++) {
        char c = body[i];
        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            if (++depth > PM_EVENT_DEPTH_MAX) return true;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return false;
}

static json_t *parse_json(const char *body, size_t size, PmError *err)
{
    if (size > PM_EVENT_BODY_MAX) {
        pm_error_set(err, PM_BAD_INPUT, "the message is larger than 1 MiB");
        return NULL;
    }
    if (too_deep(body, size)) {
        pm_error_set(err, PM_BAD_INPUT, "the message nests deeper than %d levels", (int)PM_EVENT_DEPTH_MAX);
        return NULL;
    }
    json_error_t at;
    bool no_memory = false;
    json_t *json = pm_json_read(body, size, 0, &at, &no_memory);
    if (no_memory)
        pm_error_set(err, PM_TRANSIENT, "out of memory");
    else if (json == NULL)
        pm_error_set(err, PM_BAD_INPUT, "the message is not JSON: %s (line %d, column %d)", at.text, at.line,
                     at.column);
    return json;
}

static const char *text_at(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* *no_memory is set when there is none for it; else NULL means that there is no such field. */
static char *copy_field(const json_t *object, const char *key, bool *no_memory)
{
    const char *text = text_at(object, key);
    if (text == NULL || text[0] == '\0' || strlen(text) > FIELD_MAX) return NULL;
    char *copy = strdup(text);
    *no_memory = *no_memory || copy == NULL;
    return copy;
}

/* Some senders quote the ETag as HTTP does. */
static char *copy_etag(const json_t *object, const char *key, bool *no_memory)
{
    char *etag = copy_field(object, key, no_memory);
    size_t n = etag != NULL ? strlen(etag) : 0;
    if (n >= 2 && etag[0] == '"' && etag[n - 1] == '"') {
        memmove(etag, etag + 1, n - 2);
        etag[n - 2] = '\0';
    }
    return etag;
}

static int64_t parse_time(const char *text)
{
    struct tm tm = {0};
    if (text == NULL || strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) == NULL) return 0;
    return (int64_t)timegm(&tm) * 1000;
}

static bool is_created(const char *name)
{
    return strncmp(name, "ObjectCreated", strlen("ObjectCreated")) == 0 || strcmp(name, "ObjectRestore:Completed") == 0;
}

static PmStatus decode_key(const char *raw, bool form, char **key, PmError *err)
{
    if (raw == NULL) return pm_error_set(err, PM_BAD_INPUT, "an event record names no object key");
    PmBuffer decoded;
    pm_buffer_init(&decoded, PM_EVENT_KEY_MAX);
    bool ok = form ? pm_uri_decode(&decoded, raw, strlen(raw), true) : pm_buffer_adds(&decoded, raw);
    bool no_memory = decoded.no_memory;
    char *text = pm_buffer_steal(&decoded);
    if (no_memory) {
        free(text);
        return pm_error_set(err, PM_TRANSIENT, "out of memory");
    }
    if (!ok || text == NULL || !pm_object_key_valid(text)) {
        free(text);
        return pm_error_set(err, PM_BAD_INPUT,
                            "the object key \"%.200s\" is not 1 to 1,024 bytes of %sUTF-8 without control characters",
                            raw, form ? "percent-encoded " : "");
    }
    *key = text;
    return PM_OK;
}

/* The last of a record's fields that are copied. */
static PmStatus take_bucket(const json_t *bucket, PmObjectEvent *event, bool *no_memory, PmError *err)
{
    event->bucket = copy_field(bucket, "name", no_memory);
    if (*no_memory) return pm_error_set(err, PM_TRANSIENT, "out of memory");
    if (event->bucket == NULL || strlen(event->bucket) > 255 || strchr(event->bucket, '/') != NULL)
        return pm_error_set(err, PM_BAD_INPUT, "an event record names no bucket");
    return PM_OK;
}

static void take_name(PmObjectEvent *event, const char *name)
{
    if (name == NULL) name = "";
    if (strncmp(name, "s3:", 3) == 0) name += 3;
    pm_text_copy(event->name, sizeof event->name, name);
    event->created = is_created(event->name);
}

/* One element of Records[]. */
static PmStatus read_record(const json_t *record, PmKeyEncoding encoding, PmObjectEvent *event, PmError *err)
{
    bool no_memory = false;
    const char *version = text_at(record, "eventVersion");
    if (version != NULL && strncmp(version, "2.", 2) != 0)
        return pm_error_set(err, PM_BAD_INPUT, "event version %.20s is not 2.x", version);
    const json_t *s3 = json_object_get(record, "s3"), *object = json_object_get(s3, "object");
    if (object == NULL) return pm_error_set(err, PM_BAD_INPUT, "an event record has no s3.object");

    /* radosgw writes keys as they are; AWS and MinIO encode them as forms do. */
    const char *source = text_at(record, "eventSource");
    bool form = encoding == PM_KEY_ENCODING_FORM ||
                (encoding == PM_KEY_ENCODING_AUTO && (source == NULL || strncmp(source, "ceph:", 5) != 0));
    take_name(event, text_at(record, "eventName"));
    event->time_ms = parse_time(text_at(record, "eventTime"));
    event->region = copy_field(record, "awsRegion", &no_memory);
    event->etag = copy_etag(object, "eTag", &no_memory);
    if (event->etag == NULL) event->etag = copy_etag(object, "etag", &no_memory); /* radosgw before 18 */
    event->version_id = copy_field(object, "versionId", &no_memory);
    event->sequencer = copy_field(object, "sequencer", &no_memory);
    const json_t *size = json_object_get(object, "size");
    event->size = json_is_integer(size) ? json_integer_value(size) : -1;
    PmStatus status = take_bucket(json_object_get(s3, "bucket"), event, &no_memory, err);
    return status == PM_OK ? decode_key(text_at(object, "key"), form, &event->key, err) : status;
}

static PmStatus read_eventbridge(const json_t *root, PmKeyEncoding encoding, PmObjectEvent *event, PmError *err)
{
    bool no_memory = false;
    const json_t *detail = json_object_get(root, "detail"), *object = json_object_get(detail, "object");
    const char *type = text_at(root, "detail-type");
    const char *reason = text_at(detail, "reason");
    if (type == NULL || object == NULL)
        return pm_error_set(err, PM_BAD_INPUT, "the EventBridge event has no detail.object");
    if (strcmp(type, "Object Created") == 0) {
        snprintf(event->name, sizeof event->name, "ObjectCreated:%.40s",
                 reason == NULL                                   ? "Put"
                 : strcmp(reason, "CompleteMultipartUpload") == 0 ? reason
                 : strcmp(reason, "CopyObject") == 0              ? "Copy"
                 : strcmp(reason, "POST Object") == 0             ? "Post"
                                                                  : "Put");
        event->created = true;
    } else {
        pm_text_copy(event->name, sizeof event->name, type);
    }
    event->time_ms = parse_time(text_at(root, "time"));
    event->region = copy_field(root, "region", &no_memory);
    event->etag = copy_etag(object, "etag", &no_memory);
    event->version_id = copy_field(object, "version-id", &no_memory);
    event->sequencer = copy_field(object, "sequencer", &no_memory);
    const json_t *size = json_object_get(object, "size");
    event->size = json_is_integer(size) ? json_integer_value(size) : -1;
    PmStatus status = take_bucket(json_object_get(detail, "bucket"), event, &no_memory, err);
    bool form = encoding == PM_KEY_ENCODING_FORM; /* EventBridge does not encode keys */
    return status == PM_OK ? decode_key(text_at(object, "key"), form, &event->key, err) : status;
}

static PmStatus read_records(const json_t *records, PmKeyEncoding encoding, PmEvents *out, PmError *err)
{
    size_t count = json_array_size(records);
    if (!json_is_array(records)) return pm_error_set(err, PM_BAD_INPUT, "Records is not a list");
    if (count > PM_EVENT_RECORDS_MAX)
        return pm_error_set(err, PM_BAD_INPUT, "the message has %zu records; %d are allowed", count,
                            (int)PM_EVENT_RECORDS_MAX);
    out->items = calloc(count + 1, sizeof *out->items);
    if (out->items == NULL) return pm_error_set(err, PM_TRANSIENT, "out of memory");
    for (size_t i = 0; i < count; i++) {
        out->count = i + 1;
        PmStatus status = read_record(json_array_get(records, i), encoding, &out->items[i], err);
        if (status != PM_OK) return status;
    }
    return PM_OK;
}

static PmStatus read_root(const json_t *root, PmKeyEncoding encoding, bool wrapped, PmEvents *out, PmError *err);

/* SNS wraps the event as a string inside its own JSON. */
static PmStatus read_wrapped(const char *message, PmKeyEncoding encoding, PmEvents *out, PmError *err)
{
    json_t *inner = parse_json(message, strlen(message), err);
    PmStatus status = inner != NULL ? read_root(inner, encoding, true, out, err) : err->status;
    pm_error_context(err, "in the SNS notification");
    json_decref(inner);
    return status;
}

static PmStatus read_root(const json_t *root, PmKeyEncoding encoding, bool wrapped, PmEvents *out, PmError *err)
{
    const char *test = text_at(root, "Event"), *type = text_at(root, "Type"), *message = text_at(root, "Message");
    if (test != NULL && strcmp(test, "s3:TestEvent") == 0) {
        out->test = true;
        return PM_OK;
    }
    if (json_object_get(root, "Records") != NULL)
        return read_records(json_object_get(root, "Records"), encoding, out, err);
    if (type != NULL && strcmp(type, "Notification") == 0 && message != NULL && !wrapped)
        return read_wrapped(message, encoding, out, err);
    const char *source = text_at(root, "source");
    if (source != NULL && json_object_get(root, "detail") != NULL) {
        if (strcmp(source, "aws.s3") != 0)
            return pm_error_set(err, PM_BAD_INPUT, "the EventBridge event comes from %.60s, not aws.s3", source);
        out->items = calloc(1, sizeof *out->items);
        if (out->items == NULL) return pm_error_set(err, PM_TRANSIENT, "out of memory");
        out->count = 1;
        return read_eventbridge(root, encoding, &out->items[0], err);
    }
    return pm_error_set(err, PM_BAD_INPUT, "the message is no S3, SNS or EventBridge event");
}

PmStatus pm_events_parse(const char *body, size_t size, PmKeyEncoding encoding, PmEvents *out, PmError *err)
{
    *out = (PmEvents){0};
    json_t *root = parse_json(body, size, err);
    PmStatus status = root != NULL ? read_root(root, encoding, false, out, err) : PM_BAD_INPUT;
    json_decref(root);
    if (status != PM_OK) pm_events_finish(out);
    return status;
}
