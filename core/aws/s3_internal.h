/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by s3.c (operations), s3_address.c (hosts and regions), s3_put.c and s3_multipart.c. Not for others.
 */
#ifndef PM_AWS_S3_INTERNAL_H
#define PM_AWS_S3_INTERNAL_H

#include "aws/s3.h"

enum { PM_S3_REGIONS_MAX = 64, PM_S3_HEADERS_MAX = 44, PM_S3_ANSWER_MAX = 8 * 1024 * 1024 };

typedef struct PmS3Region {
    char bucket[256], region[64];
} PmS3Region;

struct PmS3 {
    PmLoop *loop;
    PmAwsClient *client;
    char region[64];
    char *endpoint; /* NULL: AWS's own; without a slash at the end */
    PmAddressing addressing;
    PmChecksum checksum;
    bool fips, dualstack;
    size_t multipart_threshold, part_size;
    PmS3Region regions[PM_S3_REGIONS_MAX];
    size_t region_next;
    PmS3Call *calls;
};

/* A request before it has an address: sent again as it is when the bucket turns out to live elsewhere. */
typedef struct PmS3Request {
    const char *operation; /* "PutObject" */
    const char *method;
    char *bucket, *key;   /* owned */
    PmNameValue query[8]; /* names constant, values owned */
    size_t query_count;
    PmNameValue headers[PM_S3_HEADERS_MAX]; /* both owned */
    size_t header_count;
    const void *body;
    size_t body_size;
    bool has_body, error_in_ok, missing_is_fine, check_length, parse_xml;
    bool slow_answer; /* the service works first, and sends white space meanwhile: copy, complete */
    int body_fd;
    size_t response_max;
} PmS3Request;

struct PmS3Call {
    PmS3 *s3;
    PmS3Call *previous, *next;
    PmS3Request request;
    PmAwsCall *call;
    bool redirected;
    char *owned_body; /* freed with the call */
    PmS3Done *done;
    void *data;
    /* A call that runs others (multipart) frees its state with this. */
    void (*cancel)(void *state);
    void *state;
};

PmS3Call *pm_s3_call_new(PmS3 *s3, const char *operation, const char *method, const char *bucket, const char *key,
                         PmS3Done *done, void *data, PmError *err);
void pm_s3_call_free(PmS3Call *call);
bool pm_s3_add_header(PmS3Request *request, const char *name, const char *value); /* NULL value: nothing to add */
bool pm_s3_add_query(PmS3Request *request, const char *name, const char *value);
/* Sends it; on failure frees the call, sets err and returns NULL. */
PmS3Call *pm_s3_start(PmS3Call *call, PmError *err);

/* Region of a bucket as far as known, and what a redirect taught. */
const char *pm_s3_region_of(const PmS3 *s3, const char *bucket);
bool pm_s3_learn_region(PmS3 *s3, const char *bucket, const char *region);

/* Headers of a put (all but conditions and checksums); PM_BAD_CONFIG as pm_s3_put says. */
PmStatus pm_s3_put_headers(PmS3Request *request, const PmS3Put *put, PmError *err);
bool pm_s3_put_checksum(PmS3Request *request, PmChecksum kind, const void *bytes, size_t size);
PmS3Call *pm_s3_put_multipart(PmS3 *s3, const PmS3Put *put, PmS3Done *done, void *data, PmError *err);

#endif
