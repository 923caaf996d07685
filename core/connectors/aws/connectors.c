/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/aws/connectors.h"

#include <stdlib.h>

#include "connectors/aws/dead_letters.h"
#include "connectors/aws/doctor.h"
#include "connectors/aws/iam_policy.h"
#include "connectors/aws/notifier_sqs.h"
#include "connectors/aws/stores.h"
#include "connectors/aws/triggers.h"

/* --- what they share --- */

static void *open_cloud(PmContext *context, PmError *err)
{
    PmAwsSession *session = pm_aws_session_new(context->loop, pm_aws_config(context->pipeline), err);
    if (session != NULL && context->helper != NULL) pm_aws_session_use_helper(session, context->helper);
    return session;
}

static void close_cloud(void *part)
{
    pm_aws_session_free(part);
}

static const PmFamily aws = {.open = open_cloud, .close = close_cloud};

PmAwsSession *pm_aws_session_of(PmContext *context, PmError *err)
{
    return pm_context_part(context, &aws, err);
}

/* --- S3 --- */

static PmSource *open_source(PmContext *context, PmError *err)
{
    static const PmS3Source anywhere = {0}; /* a queue without source.s3: objects of any bucket, as `aws` says */
    const PmS3Source *config = pm_s3_source(context->pipeline);
    PmAwsSession *session = pm_aws_session_of(context, err);
    return session != NULL ? pm_source_s3_new(session, config != NULL ? config : &anywhere, err) : NULL;
}

static PmStore *open_store(PmContext *context, PmError *err)
{
    PmAwsSession *session = pm_aws_session_of(context, err);
    return session != NULL ? pm_store_s3_new(context->loop, session, pm_s3_source(context->pipeline), err) : NULL;
}

/* --- SQS --- */

static PmTrigger *open_queue(PmContext *context, const PmTriggerSink *sink, PmError *err)
{
    PmAwsSession *session = pm_aws_session_of(context, err);
    return session != NULL ? pm_trigger_sqs_new(context->loop, session, context->pipeline, context->once, sink, err)
                           : NULL;
}

static PmNotifier *open_notifier(PmContext *context, PmError *err)
{
    PmAwsSession *session = pm_aws_session_of(context, err);
    return session != NULL ? pm_notifier_sqs_new(session, &context->pipeline->notify, err) : NULL;
}

/* --- Lambda --- */

static const char *lambda_host(void)
{
    const char *host = getenv("AWS_LAMBDA_RUNTIME_API");
    return host != NULL && host[0] != '\0' ? host : NULL;
}

static PmTrigger *open_lambda(PmContext *context, const PmTriggerSink *sink, PmError *err)
{
    const PmPipeline *pipeline = context->pipeline;
    if (context->host == NULL) {
        pm_error_at(err, PM_BAD_CONFIG, pipeline->file, pipeline->trigger.line, pipeline->trigger.column,
                    "trigger: lambda works only inside AWS Lambda, which sets AWS_LAMBDA_RUNTIME_API");
        pm_error_hint(err,
                      "put trigger: sqs beside it to run the same file as a worker, or use `pixmill apply` on files");
        return NULL;
    }
    if (pm_s3_source(pipeline) == NULL) {
        pm_error_at(err, PM_BAD_CONFIG, pipeline->file, 1, 1,
                    "in AWS Lambda, source: s3 must say which buckets events may name");
        pm_error_hint(err, "source: { s3: { buckets: [uploads] } }");
        return NULL;
    }
    PmAwsSession *session = pm_aws_session_of(context, err);
    return session != NULL
               ? pm_trigger_lambda_new(context->loop, session, pipeline, context->host, context->metrics, sink, err)
               : NULL;
}

static const PmDeadLetterOps dead_letters = {.one = "message",
                                             .many = "messages",
                                             .back = "in the queue",
                                             .list = pm_dead_letters_list,
                                             .redrive = pm_dead_letters_redrive};

const PmConnector pm_connector_s3 = {.kind = &pm_kind_s3,
                                     .open_source = open_source,
                                     .open_store = open_store,
                                     .doctor = pm_s3_doctor,
                                     .iam = pm_s3_iam};

const PmConnector pm_connector_sqs = {.kind = &pm_kind_sqs,
                                      .open_trigger = open_queue,
                                      .open_notifier = open_notifier,
                                      .dead_letters = &dead_letters,
                                      .doctor = pm_sqs_doctor,
                                      .iam = pm_sqs_iam};

const PmConnector pm_connector_lambda = {
    .kind = &pm_kind_lambda, .open_trigger = open_lambda, .host = lambda_host, .iam = pm_lambda_iam};
