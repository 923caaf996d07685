/* SPDX-License-Identifier: Apache-2.0
 *
 * One question to AWS after the other, each waited for: what commands that are not a service need. Hides the event
 * loop.
 */
#ifndef PM_CONNECTORS_AWS_BLOCKING_CALL_H
#define PM_CONNECTORS_AWS_BLOCKING_CALL_H

#include "connectors/aws/aws_session.h"

typedef struct PmBlockingCall {
    PmLoop *loop;
    PmAwsSession *session;
    /* the last answer */
    PmError err; /* PM_OK: it went well */
    PmS3Outcome outcome;
    char code[128]; /* the service's error code, or "" */
    char key[1200]; /* list: the first key; queue URL of an ARN */
} PmBlockingCall;

/* config outlives it; zeroed: everything from the environment. PM_OK or err. */
PmStatus pm_blocking_open(PmBlockingCall *blocking, const PmAwsConfig *config, PmError *err);
void pm_blocking_close(PmBlockingCall *blocking);
/* By what is open already, and stays so: not to be closed. */
void pm_blocking_with(PmBlockingCall *blocking, PmLoop *loop, PmAwsSession *session);

/* Each waits for its answer and returns blocking->err.status; a missing object, a failed precondition or a conflict are
 * outcomes with PM_OK. Who answers 403 to HEAD tells no code: blocking->outcome is PM_S3_FAILED then. */
PmStatus pm_blocking_credentials(PmBlockingCall *blocking); /* key: where they come from */
PmStatus pm_blocking_list(PmBlockingCall *blocking, PmS3 *s3, const char *bucket, const char *prefix);
PmStatus pm_blocking_head(PmBlockingCall *blocking, PmS3 *s3, const char *bucket, const char *key);
PmStatus pm_blocking_put(PmBlockingCall *blocking, PmS3 *s3, const PmS3Put *put);
PmStatus pm_blocking_remove(PmBlockingCall *blocking, PmS3 *s3, const char *bucket, const char *key);

/* The call's probe; PM_OK too where the service refuses it for its bytes. */
struct PmAwsPluginCall;
PmStatus pm_blocking_plugin_call(PmBlockingCall *blocking, const struct PmAwsPluginCall *call);

typedef struct PmQueueFacts {
    int visibility_timeout_s, max_receive_count;
    int64_t messages, in_flight, delayed, retention_s, server_ms;
    bool fifo;
    char dead_letter_arn[512], arn[512];
} PmQueueFacts;
PmStatus pm_blocking_queue(PmBlockingCall *blocking, PmSqs *sqs, const char *queue_url, PmQueueFacts *facts);
PmStatus pm_blocking_queue_url(PmBlockingCall *blocking, PmSqs *sqs, const char *arn); /* key: the URL */

/* Calls `each` for every message received, with borrowed contents; *count how many. */
typedef void PmBlockingCallMessage(void *data, const PmSqsMessage *message);
PmStatus pm_blocking_receive(PmBlockingCall *blocking, PmSqs *sqs, int max, int wait_s, int visibility_s,
                             PmBlockingCallMessage *each, void *data, size_t *count);
PmStatus pm_blocking_send(PmBlockingCall *blocking, PmSqs *sqs, const PmSqsSend *message);
/* 1 to 10 messages, to be visible in visibility_s seconds; < 0: deleted. */
PmStatus pm_blocking_end_messages(PmBlockingCall *blocking, PmSqs *sqs, const char *const *receipt_handles,
                                  size_t count, int visibility_s);

#endif
