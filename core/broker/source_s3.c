/* SPDX-License-Identifier: Apache-2.0
 *
 * Sources in S3: fetched pinned to the version, or else to the ETag, that the event names. What was deleted or replaced
 * since is gone: a newer event will speak of its successor.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/crash_point.h"
#include "base/ipc.h"
#include "base/text.h"
#include "broker/cloud.h"
#include "broker/source.h"
#include "broker/stamp_s3.h"

typedef struct S3Source {
    PmSource base;
    PmS3 *s3;
} S3Source;

struct PmSourceCall {
    PmS3Call *call;
    int fd;
    PmSourceDone *done;
    void *data;
};

static void finish(PmSourceCall *call, PmFetched *fetched)
{
    PmSourceDone *done = call->done;
    void *data = call->data;
    if (fetched->outcome != PM_FETCHED) close(call->fd);
    fetched->fd = fetched->outcome == PM_FETCHED ? call->fd : -1;
    free(call);
    done(data, fetched);
}

/* True when the store says that the ETag is the MD5 of the bytes: one part, and not encrypted with a key of KMS or the
 * customer's. Source: "Checking object integrity" (Amazon S3 User Guide). */
static bool etag_is_md5(const PmS3Object *object)
{
    const char *sse = pm_http_header(object->http, "x-amz-server-side-encryption");
    if (pm_http_header(object->http, "x-amz-server-side-encryption-customer-algorithm") != NULL) return false;
    if (sse != NULL && strcmp(sse, "AES256") != 0) return false;
    return strlen(object->etag) == 32 && strspn(object->etag, "0123456789abcdef") == 32;
}

/* Whether what came is what was uploaded. */
static bool is_intact(int fd, const PmS3Object *object)
{
    unsigned char digest[16];
    char text[33];
    size_t size = object->http->body_size;
    if (!etag_is_md5(object)) return true;
    void *bytes = size > 0 ? mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0) : NULL;
    if (bytes == MAP_FAILED) return true;
    /* No MD5 in FIPS mode. */
    bool known = EVP_Digest(bytes != NULL ? bytes : "", size, digest, NULL, EVP_md5(), NULL) == 1;
    if (bytes != NULL) munmap(bytes, size);
    for (size_t i = 0; known && i < sizeof digest; i++) snprintf(text + 2 * i, 3, "%02x", digest[i]);
    return !known || strcmp(text, object->etag) == 0;
}

static void on_got(void *data, const PmS3Result *result)
{
    PmSourceCall *call = data;
    PmFetched fetched = {.outcome = PM_FETCHED};
    PmError err = {0};
    PM_CRASH_POINT("s3.got_source");
    call->call = NULL;
    if (result->outcome == PM_S3_MISSING || result->outcome == PM_S3_PRECONDITION) {
        fetched.outcome = PM_FETCH_GONE;
    } else if (result->outcome != PM_S3_OK) {
        fetched.outcome = PM_FETCH_FAILED;
        err = *result->err;
        if (err.status == PM_LIMIT) {
            pm_error_clear(&err);
            pm_error_set(&err, PM_LIMIT, "the object is larger than limits.file_size allows");
        }
    } else if (!is_intact(call->fd, &result->object)) {
        fetched.outcome = PM_FETCH_FAILED;
        pm_error_set(&err, PM_TRANSIENT, "the bytes that arrived do not have the MD5 that the object's ETag is");
    } else if (pm_memfd_seal(call->fd, &err) != PM_OK) {
        fetched.outcome = PM_FETCH_FAILED;
    } else {
        fetched.size = (int64_t)result->object.http->body_size;
        fetched.etag = result->object.etag;
        fetched.version_id = result->object.version_id;
        fetched.ours = pm_stamp_s3_present(&result->object);
    }
    fetched.err = fetched.outcome == PM_FETCH_FAILED ? &err : NULL;
    finish(call, &fetched);
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
    *call = (PmSourceCall){.fd = pm_memfd_open("source", err), .done = done, .data = data};
    PmS3Get request = {.bucket = object->bucket,
                       .key = object->key,
                       .version_id = object->version_id,
                       .if_match = object->version_id == NULL ? object->etag : NULL,
                       .body_fd = call->fd,
                       .size_max = (size_t)max};
    if (call->fd >= 0) call->call = pm_s3_get(source->s3, &request, on_got, call, err);
    if (call->call != NULL) return call;
    if (call->fd >= 0) close(call->fd);
    free(call);
    return NULL;
}

static void cancel(PmSource *base, PmSourceCall *call)
{
    (void)base;
    if (call == NULL) return;
    pm_s3_cancel(call->call);
    close(call->fd);
    free(call);
}

static void free_source(PmSource *base)
{
    free(base);
}

PmSource *pm_source_s3_new(PmCloud *cloud, const PmS3Source *config, PmError *err)
{
    static const PmSourceOps ops = {.get = get, .cancel = cancel, .free = free_source};
    S3Source *source = calloc(1, sizeof *source);
    if (source != NULL) source->s3 = pm_cloud_s3_of_source(cloud, config, err);
    if (source == NULL || source->s3 == NULL) {
        free(source);
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    source->base.ops = &ops;
    return &source->base;
}
