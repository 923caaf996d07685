/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by s3.c (operations), s3_answer.c (what answers mean), s3_address.c (hosts and regions), s3_put.c and
 * s3_multipart.c. Not for others.
 */
#ifndef PM_AWS_S3_INTERNAL_H
#define PM_AWS_S3_INTERNAL_H

#include "aws/operations.h"
#include "aws/s3.h"

#ifdef PIXMILL_CRASH_POINTS /* so that the proof passes the points of an upload in parts with some megabytes */
#define PM_S3_MULTIPART ((size_t)4 << 20)
#else
#define PM_S3_MULTIPART ((size_t)64 << 20)
#endif

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
    bool closing; /* pm_s3_free is at work: nothing new is sent */
};

/* A request before it has an address: sent again as it is when the bucket turns out to live elsewhere. */
typedef struct PmS3Request {
    const char *operation; /* "PutObject" */
    const PmAwsOperation *known;
    const char *method;
    char *bucket, *key;   /* owned */
    PmNameValue query[8]; /* names constant, values owned */
    size_t query_count;
    PmNameValue headers[PM_S3_HEADERS_MAX]; /* both owned */
    size_t header_count;
    bool no_memory; /* for one of its headers or parameters: it is not sent */
    const void *body;
    size_t body_size;
    PmBodyChecksum checksum;
    bool has_body, error_in_ok, check_length, parse_xml;
    bool slow_answer;  /* the service works first, and sends white space meanwhile: copy, complete */
    bool asked_by_get; /* a HEAD that has become a GET: pm_s3_ask_by_get */
    int body_fd;
    PmHttpReceived *received;
    void *received_data;
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
    /* A call that runs others (multipart) ends them with this when it is cancelled. */
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

/* What an answer means, for the caller's callback; strings of it last as long as the response and this. */
typedef struct PmS3Answer {
    PmS3Result result;
    char etag[256], argument[128];
    struct PmXml *xml; /* owned by the caller that asked for the answer */
} PmS3Answer;
void pm_s3_answer(const PmS3Request *request, const PmAwsResponse *response, PmS3Answer *answer, PmError *err);

/* The answer to a HEAD has no body, so a 404 names no reason. Where not even a header tells that S3 wrote it, the
 * request is changed to a GET of the first byte, whose error has one; true when it is to be sent again. */
bool pm_s3_ask_by_get(PmS3Call *call, const PmAwsResponse *response);

/* Region of a bucket as far as known, and what a redirect taught. */
const char *pm_s3_region_of(const PmS3 *s3, const char *bucket);
bool pm_s3_learn_region(PmS3 *s3, const char *bucket, const char *region);

/* Headers of a put (all but conditions and checksums); PM_BAD_CONFIG as pm_s3_put says. */
PmStatus pm_s3_put_headers(PmS3Request *request, const PmS3Put *put, PmError *err);
PmS3Call *pm_s3_put_multipart(PmS3 *s3, const PmS3Put *put, PmS3Done *done, void *data, PmError *err);

#endif
