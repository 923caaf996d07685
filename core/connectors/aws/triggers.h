/* SPDX-License-Identifier: Apache-2.0
 *
 * Upload events from a queue, and those that AWS Lambda invokes us with.
 */
#ifndef PM_CONNECTORS_AWS_TRIGGERS_H
#define PM_CONNECTORS_AWS_TRIGGERS_H

#include "connectors/aws/aws_session.h"
#include "connectors/metrics.h"
#include "connectors/trigger.h"

/* Upload events in an SQS queue, as the pipeline's trigger.sqs says. once: `drained` when the queue is empty. session
 * and pipeline outlive it. New. */
PmTrigger *pm_trigger_sqs_new(PmLoop *loop, PmAwsSession *session, const PmPipeline *pipeline, bool once,
                              const PmTriggerSink *sink, PmError *err);

/* Invocations of AWS Lambda, from the Runtime API at `host` ("address:port"). An invocation is answered when all its
 * events are settled, or shortly before its deadline. New. */
PmTrigger *pm_trigger_lambda_new(PmLoop *loop, PmAwsSession *session, const PmPipeline *pipeline, const char *host,
                                 PmMetrics *metrics, const PmTriggerSink *sink, PmError *err);

#endif
