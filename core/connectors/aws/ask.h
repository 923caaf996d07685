/* SPDX-License-Identifier: Apache-2.0
 *
 * One question to AWS after the other, each waited for: what commands that are no service need. Hides the event loop.
 */
#ifndef PM_CONNECTORS_AWS_ASK_H
#define PM_CONNECTORS_AWS_ASK_H

#include "connectors/aws/cloud.h"

typedef struct PmAsk {
    PmLoop *loop;
    PmCloud *cloud;
    /* the last answer */
    PmError err; /* PM_OK: it went well */
    PmS3Outcome outcome;
    char code[128]; /* the service's error code, or "" */
    char key[1200]; /* list: the first key; queue URL of an ARN */
} PmAsk;

/* config outlives it; zeroed: everything from the environment. PM_OK or err. */
PmStatus pm_ask_open(PmAsk *ask, const PmAwsConfig *config, PmError *err);
void pm_ask_close(PmAsk *ask);
/* By what is open already, and stays so: not to be closed. */
void pm_ask_with(PmAsk *ask, PmLoop *loop, PmCloud *cloud);

/* Each waits for its answer and returns ask->err.status; a missing object, a failed precondition or a conflict are
 * outcomes with PM_OK. Who answers 403 to HEAD tells no code: ask->outcome is PM_S3_FAILED then. */
PmStatus pm_ask_credentials(PmAsk *ask); /* key: where they come from */
PmStatus pm_ask_list(PmAsk *ask, PmS3 *s3, const char *bucket, const char *prefix);
PmStatus pm_ask_head(PmAsk *ask, PmS3 *s3, const char *bucket, const char *key);
PmStatus pm_ask_put(PmAsk *ask, PmS3 *s3, const PmS3Put *put);
PmStatus pm_ask_remove(PmAsk *ask, PmS3 *s3, const char *bucket, const char *key);

typedef struct PmQueueFacts {
    int visibility_timeout_s, max_receive_count;
    int64_t messages, in_flight, delayed, retention_s, server_ms;
    bool fifo;
    char dead_letter_arn[512], arn[512];
} PmQueueFacts;
PmStatus pm_ask_queue(PmAsk *ask, PmSqs *sqs, const char *queue_url, PmQueueFacts *facts);
PmStatus pm_ask_queue_url(PmAsk *ask, PmSqs *sqs, const char *arn); /* key: the URL */

/* Calls `each` for every message received, with borrowed contents; *count how many. */
typedef void PmAskMessage(void *data, const PmSqsMessage *message);
PmStatus pm_ask_receive(PmAsk *ask, PmSqs *sqs, int max, int wait_s, int visibility_s, PmAskMessage *each, void *data,
                        size_t *count);
PmStatus pm_ask_send(PmAsk *ask, PmSqs *sqs, const PmSqsSend *message);
/* 1 to 10 messages, to be visible in visibility_s seconds; < 0: deleted. */
PmStatus pm_ask_end_messages(PmAsk *ask, PmSqs *sqs, const char *const *receipt_handles, size_t count,
                             int visibility_s);

#endif
