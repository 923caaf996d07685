/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/s3_internal.h"
#include "base/text.h"
#include "net/uri.h"

enum { METADATA_MAX_BYTES = 2048, TAGS_MAX = 10, TAGS_MAX_BYTES = 4096 };

static void base64(const unsigned char *bytes, size_t size, char *out)
{
    EVP_EncodeBlock((unsigned char *)out, bytes, (int)size);
}

static bool is_plain(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++)
        if (*p < 0x20 || *p > 0x7E) return false;
    return true;
}

static bool has_control(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++)
        if (*p < 0x20 || *p == 0x7F) return true;
    return false;
}

/* A value that is not plain ASCII, as RFC 2047 words of whole UTF-8 characters, each at most 75 characters long. */
static void encode_words(PmBuffer *out, const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        size_t n = left < 42 ? left : 42; /* 42 bytes are 56 characters of base64 */
        while (n < left && n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80) n--;
        if (n == 0) n = left < 42 ? left : 42;
        char encoded[64];
        base64((const unsigned char *)text, n, encoded);
        pm_buffer_addf(out, "%s=?UTF-8?B?%s?=", out->size > 0 ? " " : "", encoded);
        text += n;
        left -= n;
    }
}

static PmStatus add_metadata(PmS3Request *request, const PmS3Put *put, PmError *err)
{
    size_t total = 0;
    for (size_t i = 0; i < put->metadata_count; i++) {
        const char *name = put->metadata[i].name, *value = put->metadata[i].value;
        char header[256];
        int n = snprintf(header, sizeof header, "x-amz-meta-%s", name);
        if (n < 0 || (size_t)n >= sizeof header || name[0] == '\0' ||
            strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != strlen(name))
            return pm_error_set(err, PM_BAD_CONFIG, "\"%.80s\" is not a valid metadata name", name);
        if (has_control(value))
            return pm_error_set(err, PM_BAD_CONFIG, "metadata %.80s holds a control character", name);
        PmBuffer words;
        pm_buffer_init(&words, (size_t)METADATA_MAX_BYTES * 2);
        if (!is_plain(value)) encode_words(&words, value);
        const char *sent = words.size > 0 ? words.data : value;
        total += strlen(name) + strlen(sent);
        bool ok = !words.failed && pm_s3_add_header(request, header, sent);
        bool no_memory = words.no_memory || request->no_memory;
        pm_buffer_finish(&words);
        if (no_memory) return pm_error_set(err, PM_TRANSIENT, "out of memory");
        if (!ok || total > METADATA_MAX_BYTES)
            return pm_error_set(err, PM_BAD_CONFIG, "the metadata of an object may be 2 KiB in all");
    }
    return PM_OK;
}

static PmStatus add_tags(PmS3Request *request, const PmS3Put *put, PmError *err)
{
    if (put->tag_count == 0) return PM_OK;
    if (put->tag_count > TAGS_MAX)
        return pm_error_set(err, PM_BAD_CONFIG, "an object may have 10 tags, not %zu", put->tag_count);
    PmBuffer tags;
    pm_buffer_init(&tags, TAGS_MAX_BYTES);
    for (size_t i = 0; i < put->tag_count; i++) {
        if (i > 0) pm_buffer_adds(&tags, "&");
        pm_uri_encode(&tags, put->tags[i].name, false);
        pm_buffer_adds(&tags, "=");
        pm_uri_encode(&tags, put->tags[i].value, false);
    }
    bool ok = !tags.failed && pm_s3_add_header(request, "x-amz-tagging", tags.data);
    bool no_memory = tags.no_memory || request->no_memory;
    pm_buffer_finish(&tags);
    if (no_memory) return pm_error_set(err, PM_TRANSIENT, "out of memory");
    return ok ? PM_OK : pm_error_set(err, PM_BAD_CONFIG, "the tags are too long");
}

PmStatus pm_s3_put_headers(PmS3Request *request, const PmS3Put *put, PmError *err)
{
    const PmNameValue plain[] = {{"Content-Type", put->content_type},
                                 {"Cache-Control", put->cache_control},
                                 {"Content-Disposition", put->content_disposition},
                                 {"Content-Encoding", put->content_encoding},
                                 {"x-amz-storage-class", put->storage_class},
                                 {"x-amz-acl", put->acl},
                                 {"x-amz-server-side-encryption", put->sse},
                                 {"x-amz-server-side-encryption-aws-kms-key-id", put->kms_key_id},
                                 {"x-amz-server-side-encryption-bucket-key-enabled", put->bucket_key ? "true" : NULL}};
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        if (plain[i].value != NULL && has_control(plain[i].value))
            return pm_error_set(err, PM_BAD_CONFIG, "%s holds a control character", plain[i].name);
        if (!pm_s3_add_header(request, plain[i].name, plain[i].value))
            return pm_error_set(err, PM_TRANSIENT, "out of memory");
    }
    PmStatus status = add_metadata(request, put, err);
    return status == PM_OK ? add_tags(request, put, err) : status;
}

static bool add_conditions(PmS3Request *request, const PmS3Put *put)
{
    if (put->if_none_match) return pm_s3_add_header(request, "If-None-Match", "*");
    if (put->if_match == NULL) return true;
    char etag[300];
    snprintf(etag, sizeof etag, put->bare_etag ? "%.256s" : "\"%.256s\"", put->if_match);
    return pm_s3_add_header(request, "If-Match", etag);
}

PmS3Call *pm_s3_put(PmS3 *s3, const PmS3Put *put, PmS3Done *done, void *data, PmError *err)
{
    if (put->size > s3->multipart_threshold) return pm_s3_put_multipart(s3, put, done, data, err);
    PmS3Call *call = pm_s3_call_new(s3, "PutObject", "PUT", put->bucket, put->key, done, data, err);
    if (call == NULL) return NULL;
    PmS3Request *request = &call->request;
    request->body = put->bytes;
    request->body_size = put->size;
    request->has_body = true;
    request->checksum = s3->checksum == PM_CHECKSUM_MD5     ? PM_BODY_MD5
                        : s3->checksum == PM_CHECKSUM_CRC32 ? PM_BODY_CRC32
                                                            : PM_BODY_NO_CHECKSUM;
    if (pm_s3_put_headers(request, put, err) != PM_OK || !add_conditions(request, put)) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        pm_s3_call_free(call);
        return NULL;
    }
    return pm_s3_start(call, err);
}
