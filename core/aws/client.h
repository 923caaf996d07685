/* SPDX-License-Identifier: Apache-2.0
 *
 * One signed call to an AWS service, retried as AWS's "standard" mode says: three attempts, full jitter, a token
 * bucket for each endpoint; the clock offset learnt, expired credentials refreshed once. Hides signing,
 * credentials and retries from the protocols (s3.h, sqs.h, sts.h), which build requests and read answers.
 */
#ifndef PM_AWS_CLIENT_H
#define PM_AWS_CLIENT_H

#include "aws/body_digests.h"
#include "aws/credentials.h"
#include "aws/sigv4.h"
#include "net/http.h"

typedef struct PmAwsClient PmAwsClient;
typedef struct PmAwsCall PmAwsCall;

/* New. All borrowed and outliving it. `credentials` NULL: calls are not signed (STS web identity). */
PmAwsClient *pm_aws_client_new(PmLoop *loop, PmHttp *http, PmCredentials *credentials);
/* From now on large bodies are hashed on its thread (borrowed; it may be freed before the client, which then sends no
 * more of them). Without one they are hashed in pm_aws_send. */
void pm_aws_client_use_helper(PmAwsClient *client, PmHelper *helper);
void pm_aws_client_free(PmAwsClient *client); /* cancels what is under way */

typedef enum PmAwsProtocol { PM_AWS_S3, PM_AWS_JSON, PM_AWS_QUERY } PmAwsProtocol; /* how errors are written */

typedef struct PmAwsRequest {
    PmAwsProtocol protocol;
    const char *service, *region; /* for signing */
    const char *method;
    const char *origin;       /* "https://bucket.s3.eu-west-1.amazonaws.com", no path, no slash at the end */
    const char *path;         /* wire form: percent-encoded, begins with '/' */
    const PmNameValue *query; /* decoded */
    size_t query_count;
    const PmNameValue *headers; /* without Host and x-amz-date */
    size_t header_count;
    const void *body; /* borrowed until the call is done */
    size_t body_size;
    bool has_body;
    PmBodyChecksum checksum;  /* goes along as S3 takes it */
    int body_fd;              /* > 0: where a 2xx answer's body goes; truncated before each attempt */
    PmHttpReceived *received; /* called with the bytes as they arrive, and at each attempt; or NULL */
    void *received_data;
    size_t response_max; /* bytes of a 2xx; of an error's body 64 KiB are read, whatever its length */
    PmHttpLane lane;
    /* Of one attempt, as in PmHttpRequest; timeout_ms 0: 60 s. After one that ended in silence the next has a fresh
     * connection, and twice as long for its first byte: it may be the service that is slow. */
    int64_t timeout_ms, bytes_per_s, first_byte_timeout_ms, stall_timeout_ms;
    int64_t poll_ms; /* so much later the first byte may come because the call asks for it (a long poll) */
    bool any_speed;
    int attempts_max;     /* 0: 3 */
    bool length_is_final; /* an answer above response_max is not asked for again */
    bool error_in_ok;     /* a 200 may carry an <Error> body (S3: all but GetObject) */
} PmAwsRequest;

typedef struct PmAwsResponse {
    const PmHttpResponse *http; /* the last attempt's */
    PmStatus status;   /* PM_OK: 2xx. PM_TRANSIENT: worth a later retry. PM_BAD_INPUT: the service refused this request.
                          PM_BAD_CONFIG: credentials, permissions, missing bucket or queue. PM_LIMIT: what was to be
                          written to body_fd is too long */
    char code[128];    /* the service's error code ("NoSuchKey"), namespaces taken off; "" when none */
    char message[512]; /* the service's, or the transport's words */
    char request_id[128];
    int attempts;
    bool uncertain; /* an earlier attempt's answer was lost: it may have been carried out */
} PmAwsResponse;

typedef void PmAwsDone(void *data, const PmAwsResponse *response);

/* Starts a call; `done` comes exactly once, never from here, unless cancelled. Everything but the body is copied. NULL
 * and err set when it cannot start. PM_BAD_CONFIG: libcrypto computes no such checksum. */
PmAwsCall *pm_aws_send(PmAwsClient *client, const PmAwsRequest *request, PmAwsDone *done, void *data, PmError *err);
void pm_aws_cancel(PmAwsCall *call);

/* The error a response stands for, with the operation's name before it: "s3 PutObject: 403 AccessDenied: ...". */
PmStatus pm_aws_error(const PmAwsResponse *response, const char *operation, PmError *err);

#endif
