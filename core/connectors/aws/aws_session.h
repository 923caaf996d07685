/* SPDX-License-Identifier: Apache-2.0
 *
 * What every AWS part of one run shares: HTTP, credentials, clients per endpoint. Hides which settings win.
 */
#ifndef PM_CONNECTORS_AWS_AWS_SESSION_H
#define PM_CONNECTORS_AWS_AWS_SESSION_H

#include "aws/s3.h"
#include "aws/sqs.h"
#include "connectors/aws/settings.h"
#include "pipeline/pipeline.h"

typedef struct PmAwsSession PmAwsSession;

/* New; asks nobody yet. loop and config outlive it. */
PmAwsSession *pm_aws_session_new(PmLoop *loop, const PmAwsConfig *config, PmError *err);
/* For hashing large renditions; see pm_aws_client_use_helper. */
void pm_aws_session_use_helper(PmAwsSession *session, PmHelper *helper);
void pm_aws_session_free(PmAwsSession *session);

PmHttp *pm_aws_session_http(PmAwsSession *session);
PmCredentials *pm_aws_session_credentials(PmAwsSession *session);
PmAwsClient *pm_aws_session_client(PmAwsSession *session);
const PmAwsConfig *pm_aws_session_config(const PmAwsSession *session);
/* The one that was chosen; NULL: none was, and S3 and SQS, which correct it or name it in the queue's URL, begin with
 * us-east-1. */
const char *pm_aws_session_region(const PmAwsSession *session);

/* The S3 client of a place or source; made once for each set of settings. Belongs to the session. NULL and err set on
 * failure. */
PmS3 *pm_aws_session_s3(PmAwsSession *session, const char *region, const char *endpoint_url, bool path_style,
                        int checksum, PmError *err);
PmS3 *pm_aws_session_s3_of_place(PmAwsSession *session, const PmS3Place *place, PmError *err);
PmS3 *pm_aws_session_s3_of_source(PmAwsSession *session, const PmS3Source *source, PmError *err);

/* A queue. New; the caller frees it before the session. */
PmSqs *pm_aws_session_sqs(PmAwsSession *session, const char *queue_url, const char *region, const char *endpoint_url,
                          PmError *err);

/* Of the session: one for all that is in AWS, made when it is asked for the first time. */
struct PmContext;
PmAwsSession *pm_aws_session_of(struct PmContext *context, PmError *err);

#endif
