/* SPDX-License-Identifier: Apache-2.0
 *
 * Sources in S3: fetched pinned to the version, or else to the ETag, that the event names. What was deleted or replaced
 * since is gone: a newer event will speak of its successor.
 *
 * A version can still be fetched after the object was deleted, when its newest version is a delete marker. So the
 * current version is asked for first, if it is still the event's; only when there is a newer one is the event's asked
 * for by its id. In the common case that is one request, as before.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/crash_point.h"
#include "base/ipc.h"
#include "base/text.h"
#include "connectors/aws/aws_session.h"
#include "connectors/aws/stamp_s3.h"
#include "connectors/aws/stores.h"
#include "connectors/digests.h"
#include "connectors/source.h"

typedef struct S3Source {
    PmSource base;
    PmS3 *s3;
    const PmS3Source *config;
} S3Source;

struct PmSourceCall {
    S3Source *source;
    const PmObject *object; /* borrowed from the caller */
    PmS3Call *call;
    int fd;
    size_t max;
    PmDigests *digests; /* of what has arrived */
    bool by_version;    /* by the version's id; else the current one, if it has the event's ETag */
    PmSourceDone *done;
    void *data;
};

static void finish(PmSourceCall *call, PmFetched *fetched)
{
    PmSourceDone *done = call->done;
    void *data = call->data;
    if (fetched->outcome != PM_FETCHED) close(call->fd);
    fetched->fd = fetched->outcome == PM_FETCHED ? call->fd : -1;
    PmDigests *digests = call->digests;
    free(call);
    done(data, fetched);
    pm_digests_free(digests);
}

static bool looks_like_md5(const char *etag)
{
    return strlen(etag) == 32 && strspn(etag, "0123456789abcdef") == 32;
}

/* True when the store says that the ETag is the MD5 of the bytes: one part, and not encrypted with a key of KMS or the
 * customer's. Source: "Checking object integrity" (Amazon S3 User Guide). */
static bool etag_is_md5(const PmS3Object *object)
{
    const char *sse = pm_http_header(object->http, "x-amz-server-side-encryption");
    if (pm_http_header(object->http, "x-amz-server-side-encryption-customer-algorithm") != NULL) return false;
    if (sse != NULL && strcmp(sse, "AES256") != 0) return false;
    return looks_like_md5(object->etag);
}

/* Whether what came is what was uploaded. */
static bool is_intact(const PmSourceCall *call, const PmS3Object *object)
{
    const char *md5 = etag_is_md5(object) ? pm_digests_md5(call->digests) : NULL;
    return md5 == NULL || strcmp(md5, object->etag) == 0;
}

static void on_received(void *data, const void *bytes, size_t size)
{
    const PmSourceCall *call = data;
    if (size > 0)
        pm_digests_add(call->digests, bytes, size);
    else
        pm_digests_restart(call->digests);
}

/* "Tue, 24 Nov 2026 21:00:00 GMT"; 0 when it is none. */
static int64_t modified_ms(const PmS3Object *object)
{
    const char *text = pm_http_header(object->http, "last-modified");
    struct tm tm = {0};
    if (text == NULL || strptime(text, "%a, %d %b %Y %H:%M:%S", &tm) == NULL) return 0;
    time_t seconds = timegm(&tm);
    return seconds > 0 ? (int64_t)seconds * 1000 : 0;
}

static bool differ(const char *asked, const char *answered)
{
    return asked != NULL && answered[0] != '\0' && strcmp(asked, answered) != 0;
}

/* Whether this is what the event speaks of, and all of it. What a proxy, a cache or a broken connection makes of an
 * object is worth another try: never the image's fault. */
static PmStatus check(const PmSourceCall *call, const PmS3Object *answer, PmError *err)
{
    const PmObject *asked = call->object;
    size_t size = answer->http->body_size;
    if (call->by_version ? differ(asked->version_id, answer->version_id) : differ(asked->etag, answer->etag))
        return pm_error_set(err, PM_TRANSIENT, "asked for %s %.100s, and %.100s came",
                            call->by_version ? "version" : "ETag", call->by_version ? asked->version_id : asked->etag,
                            call->by_version ? answer->version_id : answer->etag);
    /* More than the event's is not a sign of damage: some senders name no size, and write 0. */
    if (asked->size > 0 && size < (size_t)asked->size)
        return pm_error_set(err, PM_TRANSIENT, "%zu bytes arrived of the %lld that the event names", size,
                            (long long)asked->size);
    if (!is_intact(call, answer))
        return pm_error_set(err, PM_TRANSIENT, "the bytes that arrived do not have the MD5 that the object's ETag is");
    return pm_memfd_seal(call->fd, err);
}

static bool ask(PmSourceCall *call, PmError *err);

/* There is a newer version, or one of the same bytes, or no right to the current one: then the event's by its id. */
static bool wants_version(const PmSourceCall *call, const PmS3Result *result)
{
    const PmObject *asked = call->object;
    if (call->by_version || asked->version_id == NULL) return false;
    if (result->outcome == PM_S3_OK) {
        const char *version = result->object.version_id;
        return differ(asked->version_id, version) || (asked->etag == NULL && version[0] == '\0');
    }
    return result->outcome == PM_S3_PRECONDITION ||
           (result->outcome == PM_S3_FAILED &&
            (result->err->status == PM_BAD_CONFIG || (result->err->status == PM_LIMIT && asked->etag == NULL)));
}

static void take(const PmSourceCall *call, const PmS3Object *object, PmFetched *fetched)
{
    fetched->size = (int64_t)object->http->body_size;
    fetched->sha256 = pm_digests_sha256(call->digests);
    fetched->etag = object->etag;
    fetched->version_id = object->version_id;
    fetched->modified_ms = modified_ms(object);
    fetched->ours = pm_stamp_s3_is_ours(object, call->object);
}

static void on_got(void *data, const PmS3Result *result)
{
    PmSourceCall *call = data;
    PmFetched fetched = {.outcome = PM_FETCHED};
    PmError err = {0};
    call->call = NULL;
    if (wants_version(call, result)) {
        call->by_version = true;
        if (ask(call, &err)) return;
    } else if (result->outcome == PM_S3_MISSING || result->outcome == PM_S3_PRECONDITION) {
        fetched.outcome = PM_FETCH_GONE;
    } else if (result->outcome == PM_S3_OK) {
        if (check(call, &result->object, &err) == PM_OK) take(call, &result->object, &fetched);
    } else if (result->err->status == PM_LIMIT) {
        pm_error_set(&err, PM_LIMIT, "the object is larger than limits.file_size allows");
    } else {
        err = *result->err;
    }
    if (err.status != PM_OK) {
        fetched.outcome = PM_FETCH_FAILED;
        fetched.err = &err;
    }
    finish(call, &fetched);
}

static bool ask(PmSourceCall *call, PmError *err)
{
    const PmObject *object = call->object;
    PmS3Get request = {.bucket = object->bucket,
                       .key = object->key,
                       .version_id = call->by_version ? object->version_id : NULL,
                       .if_match = call->by_version ? NULL : object->etag,
                       .body_fd = call->fd,
                       .received = on_received,
                       .received_data = call,
                       .size_max = call->max};
    call->call = pm_s3_get(call->source->s3, &request, on_got, call, err);
    return call->call != NULL;
}

static PmSourceCall *get(PmSource *base, const PmObject *object, int64_t max, PmSourceDone *done, void *data,
                         PmError *err)
{
    S3Source *source = (S3Source *)base;
    if (object->size > max) {
        char found[32], allowed[32];
        pm_text_bytes(found, sizeof found, object->size);
        pm_text_bytes(allowed, sizeof allowed, max);
        pm_error_set(err, PM_LIMIT, "the object has %s; limits.file_size allows %s", found, allowed);
        return NULL;
    }
    PmSourceCall *call = calloc(1, sizeof *call);
    if (call == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    *call = (PmSourceCall){.source = source,
                           .object = object,
                           .fd = pm_memfd_open("source", err),
                           .max = (size_t)max,
                           .done = done,
                           .data = data};
    /* A version that no event speaks of, as in S3 Batch Operations: somebody wants that very one, deleted or not. */
    call->by_version =
        object->version_id != NULL && object->etag == NULL && object->sequencer == NULL && object->time_ms == 0;
    /* The ETag of several parts is no digest, and not every event names one. */
    call->digests = pm_digests_new(object->etag == NULL || looks_like_md5(object->etag), base->sha256);
    if (call->digests == NULL) pm_error_set(err, PM_TRANSIENT, "out of memory");
    if (call->fd >= 0 && call->digests != NULL && ask(call, err)) return call;
    if (call->fd >= 0) close(call->fd);
    pm_digests_free(call->digests);
    free(call);
    return NULL;
}

static void cancel(PmSource *base, PmSourceCall *call)
{
    (void)base;
    if (call == NULL) return;
    pm_s3_cancel(call->call);
    pm_digests_free(call->digests);
    close(call->fd);
    free(call);
}

static void name(const PmSource *base, const PmObject *object, char *out, size_t size)
{
    (void)base;
    snprintf(out, size, "s3://%s", object->bucket != NULL ? object->bucket : "");
}

static bool names(const PmSource *base, const PmObject *object)
{
    const PmList *buckets = &((const S3Source *)base)->config->buckets;
    for (size_t i = 0; object->bucket != NULL && i < buckets->count; i++)
        if (strcmp(buckets->items[i], object->bucket) == 0) return true;
    return false;
}

static void free_source(PmSource *base)
{
    free(base);
}

PmSource *pm_source_s3_new(PmAwsSession *session, const PmS3Source *config, PmError *err)
{
    static const PmSourceOps ops = {.get = get, .cancel = cancel, .name = name, .names = names, .free = free_source};
    S3Source *source = calloc(1, sizeof *source);
    if (source != NULL) source->s3 = pm_aws_session_s3_of_source(session, config, err);
    if (source == NULL || source->s3 == NULL) {
        free(source);
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    source->base.ops = &ops;
    source->config = config;
    return &source->base;
}
