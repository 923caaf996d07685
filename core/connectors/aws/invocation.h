/* SPDX-License-Identifier: Apache-2.0
 *
 * What a Lambda invocation asks for, and what is answered: SQS batches, uploads told by S3, SNS or EventBridge, S3
 * Batch Operations, and objects named directly. Hides JSON. Pure: no Runtime API, no loop. Source: "Using Lambda with
 * Amazon SQS", "Invoking a Lambda function from Amazon S3 Batch Operations" (AWS docs).
 */
#ifndef PM_CONNECTORS_AWS_INVOCATION_H
#define PM_CONNECTORS_AWS_INVOCATION_H

#include "connectors/aws/queue_message.h"

typedef enum PmInvocationKind {
    PM_INVOKED_SQS,
    PM_INVOKED_EVENT, /* S3, SNS, EventBridge: nobody waits for an answer, only for success */
    PM_INVOKED_BATCH_OPERATIONS,
    PM_INVOKED_OBJECT, /* {bucket, key} */
    PM_INVOKED_OBJECTS /* a list of them */
} PmInvocationKind;

typedef enum PmTaskState { PM_TASK_WAITING, PM_TASK_AT_WORK, PM_TASK_DONE, PM_TASK_FAILED } PmTaskState;

/* One part of it that succeeds or fails as a whole: a message, an event, a batch task, an object. */
typedef struct PmTask {
    PmEvent event;  /* first */
    char *id;       /* owned; batch operations: taskId; SQS: messageId */
    char *body;     /* owned; SQS and events: the message, for a dead letter; else NULL */
    char *group_id; /* owned; SQS FIFO, else NULL */
    char *source;   /* owned; the queue's ARN, "s3", "sns"; for dead letters */
    PmTaskState state;
    bool passes;     /* FAILED: it may work another time */
    bool late;       /* FAILED: time was up */
    PmError error;   /* FAILED: why */
    json_t *results; /* records of its objects */
    bool unrecorded; /* there was no memory for one of them */
} PmTask;

typedef struct PmInvocation {
    PmInvocationKind kind;
    bool fifo; /* one task after the other; after a failure none */
    PmTask *tasks;
    size_t count;
    json_t *batch; /* batch operations: what the answer repeats */
} PmInvocation;

const char *pm_invocation_name(PmInvocationKind kind); /* "sqs" ... for logs */

/* PM_BAD_INPUT: it is none of these; PM_TRANSIENT: out of memory. Then *out is empty. A task whose message is bad has
 * event.error set. Owns all; pm_invocation_finish in any case. */
PmStatus pm_invocation_read(const PmQueueMessageRules *rules, const char *body, size_t size, PmInvocation *out,
                            PmError *err);
void pm_invocation_finish(PmInvocation *invocation);

/* The answer once every task is DONE or FAILED. New reference. NULL: the invocation fails, for *err, and *type is the
 * word for it ("Pixmill.Limit"; static). report: answer SQS with the failed messages instead of failing. */
json_t *pm_invocation_answer(const PmInvocation *invocation, bool report, const char **type, PmError *err);

/* "Pixmill.BadInput" for an error's status. */
const char *pm_invocation_error_type(PmStatus status);

#endif
