/* SPDX-License-Identifier: Apache-2.0
 *
 * Amazon S3 and what speaks like it: get, head, put (multipart above a threshold), copy, delete, list, presign. Hides
 * addressing (virtual host or path style), region redirects, checksums and XML. No jobs, no policy: what a 412 means is
 * the caller's business. Source: Amazon S3 API Reference.
 */
#ifndef PM_AWS_S3_H
#define PM_AWS_S3_H

#include "aws/client.h"

typedef struct PmS3 PmS3;
typedef struct PmS3Call PmS3Call;

typedef enum PmAddressing { PM_ADDRESSING_AUTO, PM_ADDRESSING_PATH, PM_ADDRESSING_VIRTUAL } PmAddressing;
typedef enum PmChecksum { PM_CHECKSUM_CRC32, PM_CHECKSUM_MD5, PM_CHECKSUM_NONE } PmChecksum;

typedef struct PmS3Options {
    const char *region;       /* NULL: us-east-1; corrected by the service's own redirect */
    const char *endpoint_url; /* NULL: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, else AWS's */
    PmAddressing addressing;
    PmChecksum checksum; /* what a put carries so that the store can check what it received */
    bool fips, dualstack;
    size_t multipart_threshold; /* bytes; 0: 64 MiB */
    size_t part_size;           /* bytes; 0: 16 MiB; at least 5 MiB */
} PmS3Options;

/* New; strings are copied, client and loop borrowed. PM_BAD_CONFIG: the endpoint is not an http or https URL. */
PmS3 *pm_s3_new(PmLoop *loop, PmAwsClient *client, const PmS3Options *options, PmError *err);
void pm_s3_free(PmS3 *s3); /* cancels what is under way */

typedef struct PmS3Object {
    const char *etag;       /* without quotes, or "" */
    const char *version_id; /* or "" */
    const char *content_type, *cache_control, *content_disposition, *content_encoding, *content_language, *expires;
    int64_t size;               /* bytes; -1 unknown */
    const PmHttpResponse *http; /* the rest: pm_s3_metadata */
} PmS3Object;

/* One user metadata value ("src-etag" for x-amz-meta-src-etag), RFC 2047 encoded words as they are; NULL when absent.
 */
const char *pm_s3_metadata(const PmS3Object *object, const char *name);
/* The i-th user metadata pair, or NULL. */
const char *pm_s3_metadata_at(const PmS3Object *object, size_t i, const char **name);

typedef enum PmS3Outcome {
    PM_S3_OK,
    PM_S3_MISSING,      /* S3 itself says that there is no such key or version, or a delete marker in its place */
    PM_S3_PRECONDITION, /* S3 itself says that If-Match or If-None-Match did not hold (412) */
    PM_S3_CONFLICT,     /* 409: another write of the same key is under way */
    PM_S3_FAILED        /* see err. PM_TRANSIENT also for what only a proxy or load balancer can have answered */
} PmS3Outcome;

typedef struct PmS3Result {
    PmS3Outcome outcome;
    PmS3Object object;  /* with PM_S3_OK */
    const PmError *err; /* with anything else: what went wrong, ready to show */
    bool uncertain;     /* an earlier attempt's answer was lost: a 412 may be our own write */
    int attempts;
    const struct PmXml *xml; /* list: the parsed answer */
    const char *code;        /* the service's error code, or "" */
    const char *argument;    /* the argument or header that the error names, or "" */
} PmS3Result;

/* Comes exactly once, never from the starting call; everything in it borrowed for the call. */
typedef void PmS3Done(void *data, const PmS3Result *result);

typedef struct PmS3Get {
    const char *bucket, *key;
    const char *version_id;   /* NULL: the current one */
    const char *if_match;     /* ETag without quotes, or NULL */
    int body_fd;              /* where the bytes go */
    PmHttpReceived *received; /* called with the bytes as they arrive, and at each attempt; or NULL */
    void *received_data;
    size_t size_max; /* bytes; more: PM_LIMIT */
} PmS3Get;
/* The byte count is compared with Content-Length; fewer is PM_TRANSIENT. */
PmS3Call *pm_s3_get(PmS3 *s3, const PmS3Get *get, PmS3Done *done, void *data, PmError *err);

PmS3Call *pm_s3_head(PmS3 *s3, const char *bucket, const char *key, const char *version_id, PmS3Done *done, void *data,
                     PmError *err);

typedef struct PmS3Put {
    const char *bucket, *key;
    const void *bytes; /* borrowed until done */
    size_t size;
    const char *content_type, *cache_control, *content_disposition, *content_encoding; /* or NULL */
    const PmNameValue *metadata; /* names without x-amz-meta-; values that are not ASCII are sent as RFC 2047 words */
    size_t metadata_count;
    const PmNameValue *tags;
    size_t tag_count;
    const char *storage_class, *sse, *kms_key_id, *acl; /* or NULL; sse "AES256" or "aws:kms" */
    bool bucket_key;
    bool if_none_match;   /* only when there is no such key */
    const char *if_match; /* only over this ETag, without quotes */
    bool bare_etag;       /* send it without quotes, too: some stores compare the header as it is */
} PmS3Put;
/* PM_BAD_CONFIG: more than 2 KiB of metadata, more than 10 tags, or a control character in a header. */
PmS3Call *pm_s3_put(PmS3 *s3, const PmS3Put *put, PmS3Done *done, void *data, PmError *err);

/* Copies within the service; metadata and tags go along. */
PmS3Call *pm_s3_copy(PmS3 *s3, const char *from_bucket, const char *from_key, const char *from_version,
                     const char *bucket, const char *key, PmS3Done *done, void *data, PmError *err);
PmS3Call *pm_s3_delete(PmS3 *s3, const char *bucket, const char *key, PmS3Done *done, void *data, PmError *err);
/* ListObjectsV2, one page of up to 1,000: result->xml holds Contents/Key..., IsTruncated, NextContinuationToken. */
PmS3Call *pm_s3_list(PmS3 *s3, const char *bucket, const char *prefix, const char *continuation, PmS3Done *done,
                     void *data, PmError *err);
/* GET ?tagging: result->xml holds TagSet/Tag/{Key,Value}. */
PmS3Call *pm_s3_get_tags(PmS3 *s3, const char *bucket, const char *key, const char *version_id, PmS3Done *done,
                         void *data, PmError *err);
void pm_s3_cancel(PmS3Call *call); /* NULL is fine */

/* A URL that anyone may use for expires_s seconds; `method` GET or PUT. Appended to out. */
PmStatus pm_s3_presign(PmS3 *s3, const char *method, const char *bucket, const char *key, int64_t expires_s,
                       int64_t now_s, const PmSigningCredentials *credentials, PmBuffer *out, PmError *err);

/* --- for tests --- */

/* "https://bucket.s3.eu-west-1.amazonaws.com" and "/key" as they would be asked for. */
void pm_s3_address(const PmS3 *s3, const char *bucket, const char *key, PmBuffer *origin, PmBuffer *path);
/* Names as AWS allows them: 3 to 63 of a-z 0-9 . -, and what others allow besides (A-Z, _, up to 255). */
bool pm_s3_bucket_valid(const char *bucket);

#endif
