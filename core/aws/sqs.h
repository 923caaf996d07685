/* SPDX-License-Identifier: Apache-2.0
 *
 * Amazon SQS over its JSON protocol: receive, delete, change visibility, send, queue attributes. Hides JSON, batching
 * rules and the emulators' dialects. No jobs: leases and heartbeats are the caller's. Source: Amazon SQS API Reference.
 */
#ifndef PM_AWS_SQS_H
#define PM_AWS_SQS_H

#include "aws/client.h"

typedef struct PmSqs PmSqs;
typedef struct PmSqsCall PmSqsCall;

enum { PM_SQS_BATCH_MAX = 10, PM_SQS_BODY_MAX = 1024 * 1024, PM_SQS_VISIBILITY_MAX_S = 12 * 3600 };

typedef struct PmSqsOptions {
    const char *queue_url;
    const char *region;       /* NULL: read from the queue URL, else us-east-1 */
    const char *endpoint_url; /* NULL: AWS_ENDPOINT_URL_SQS, AWS_ENDPOINT_URL, else the queue URL's own host */
} PmSqsOptions;

/* New. PM_BAD_CONFIG: the queue URL is none. */
PmSqs *pm_sqs_new(PmLoop *loop, PmAwsClient *client, const PmSqsOptions *options, PmError *err);
void pm_sqs_free(PmSqs *sqs); /* cancels what is under way */
/* Whether a queue is FIFO, by its URL, ARN or name: only such may, and must, end in ".fifo". False for NULL. */
bool pm_sqs_is_fifo(const char *name);
const char *pm_sqs_queue_url(const PmSqs *sqs);
const char *pm_sqs_region(const PmSqs *sqs);

typedef struct PmSqsMessage {
    const char *id, *receipt_handle, *body; /* borrowed for the callback */
    size_t body_size;
    const char *group_id;           /* "" when none; standard queues may carry one too */
    const char *dead_letter_reason; /* message attribute pixmill.reason, or "" */
    int receive_count;              /* ApproximateReceiveCount; 0 unknown */
    int64_t sent_ms, first_received_ms;
    bool damaged;              /* MD5OfBody does not match the body */
    const struct json_t *json; /* the whole message, attributes included */
} PmSqsMessage;

typedef struct PmSqsReceived {
    const PmError *err; /* NULL: fine */
    const PmSqsMessage *messages;
    size_t count;
} PmSqsReceived;
typedef void PmSqsReceivedDone(void *data, const PmSqsReceived *received);

/* Long poll: up to max (1..10) messages within wait_s (0..20) seconds; visibility_s < 0: the queue's own. */
PmSqsCall *pm_sqs_receive(PmSqs *sqs, int max, int wait_s, int visibility_s, PmSqsReceivedDone *done, void *data,
                          PmError *err);

/* One entry of a batch: which message, and for change_visibility how long from now. */
typedef struct PmSqsEntry {
    const char *receipt_handle;
    int visibility_s;
} PmSqsEntry;

typedef enum PmSqsFate {
    PM_SQS_DONE,
    PM_SQS_LOST,  /* the lease is gone: MessageNotInflight, ReceiptHandleIsInvalid */
    PM_SQS_AGAIN, /* not the sender's fault: worth another try */
    PM_SQS_REFUSED
} PmSqsFate;

typedef struct PmSqsBatchResult {
    const PmError *err;     /* the whole call failed; NULL: see fates */
    const PmSqsFate *fates; /* as the entries went in */
    size_t count;
} PmSqsBatchResult;
typedef void PmSqsBatchDone(void *data, const PmSqsBatchResult *result);

/* 1 to 10 entries. Entries that failed through the service's fault are sent again, up to 3 times. */
PmSqsCall *pm_sqs_delete(PmSqs *sqs, const PmSqsEntry *entries, size_t count, PmSqsBatchDone *done, void *data,
                         PmError *err);
PmSqsCall *pm_sqs_change_visibility(PmSqs *sqs, const PmSqsEntry *entries, size_t count, PmSqsBatchDone *done,
                                    void *data, PmError *err);

typedef struct PmSqsSend {
    const char *queue_url; /* NULL: the queue itself */
    const char *body;
    const PmNameValue *attributes; /* strings; at most 10; empty ones are left out */
    size_t attribute_count;
    const char *group_id, *deduplication_id; /* FIFO queues, else NULL */
} PmSqsSend;
typedef void PmSqsDone(void *data, const PmError *err); /* err NULL: fine */
PmSqsCall *pm_sqs_send(PmSqs *sqs, const PmSqsSend *message, PmSqsDone *done, void *data, PmError *err);

typedef struct PmSqsAttributes {
    const PmError *err;
    int visibility_timeout_s;
    int64_t messages, in_flight, delayed, retention_s;
    int64_t server_ms; /* the service's clock when it answered, to the second; 0 unknown */
    bool fifo;
    int max_receive_count;       /* 0: no redrive policy */
    const char *dead_letter_arn; /* "" none */
    const char *arn;
} PmSqsAttributes;
typedef void PmSqsAttributesDone(void *data, const PmSqsAttributes *attributes);
PmSqsCall *pm_sqs_attributes(PmSqs *sqs, const char *queue_url, PmSqsAttributesDone *done, void *data, PmError *err);

typedef void PmSqsUrlDone(void *data, const char *queue_url, const PmError *err);
/* Queue URL of an ARN (arn:aws:sqs:region:account:name), asked of the service. */
PmSqsCall *pm_sqs_url_of(PmSqs *sqs, const char *arn, PmSqsUrlDone *done, void *data, PmError *err);
void pm_sqs_cancel(PmSqsCall *call); /* NULL is fine */

#endif
