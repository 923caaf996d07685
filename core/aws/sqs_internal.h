/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by sqs.c, sqs_batch.c and sqs_queue.c. Not for others.
 */
#ifndef PM_AWS_SQS_INTERNAL_H
#define PM_AWS_SQS_INTERNAL_H

#include <jansson.h>

#include "aws/sqs.h"

struct PmSqs {
    PmLoop *loop;
    PmAwsClient *client;
    char *origin, *queue_url; /* owned */
    char region[64];
    PmSqsCall *calls;
};

/* Comes when a call's HTTP exchange is over; frees the call (pm_sqs_cancel) or sends it again. */
typedef void PmSqsAnswer(PmSqsCall *call, const PmError *err, const PmAwsResponse *response);

struct PmSqsCall {
    PmSqs *sqs;
    PmSqsCall *previous, *next;
    const char *operation;
    json_t *request, *answer;
    char *body;
    PmAwsCall *call;
    PmTimer *timer;
    PmSqsAnswer *answered;
    void (*done)(void); /* the caller's callback, cast back by who set it */
    void *data;
    /* batches */
    PmSqsFate fates[PM_SQS_BATCH_MAX];
    size_t count;
    int round;
};

/* New, linked into sqs. Takes `request`. */
/* The object with that member more, whose reference is taken; NULL, and nothing left, when there is no memory for it: a
 * request goes out whole or not at all. */
json_t *pm_sqs_with(json_t *object, const char *name, json_t *value);

PmSqsCall *pm_sqs_call_new(PmSqs *sqs, const char *operation, json_t *request, PmSqsAnswer *answered, void *data,
                           PmError *err);
/* Sends call->request; false and err set when it cannot start (the call stays). */
bool pm_sqs_call_send(PmSqsCall *call, int64_t timeout_ms, PmError *err);
/* The same, and the call freed when it cannot start. */
PmSqsCall *pm_sqs_call_start(PmSqsCall *call, int64_t timeout_ms, PmError *err);

#endif
