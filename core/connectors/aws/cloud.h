/* SPDX-License-Identifier: Apache-2.0
 *
 * What every AWS part of one run shares: HTTP, credentials, clients per endpoint. Hides which settings win.
 */
#ifndef PM_CONNECTORS_AWS_CLOUD_H
#define PM_CONNECTORS_AWS_CLOUD_H

#include "aws/s3.h"
#include "aws/sqs.h"
#include "connectors/aws/settings.h"
#include "pipeline/pipeline.h"

typedef struct PmCloud PmCloud;

/* New; asks nobody yet. loop and config outlive it. */
PmCloud *pm_cloud_new(PmLoop *loop, const PmAwsConfig *config, PmError *err);
void pm_cloud_free(PmCloud *cloud);

PmHttp *pm_cloud_http(PmCloud *cloud);
PmCredentials *pm_cloud_credentials(PmCloud *cloud);

/* The S3 client of a place or source; made once for each set of settings. Belongs to the cloud. NULL and err set on
 * failure. */
PmS3 *pm_cloud_s3(PmCloud *cloud, const char *region, const char *endpoint_url, bool path_style, int checksum,
                  PmError *err);
PmS3 *pm_cloud_s3_of_place(PmCloud *cloud, const PmS3Place *place, PmError *err);
PmS3 *pm_cloud_s3_of_source(PmCloud *cloud, const PmS3Source *source, PmError *err);

/* A queue. New; the caller frees it before the cloud. */
PmSqs *pm_cloud_sqs(PmCloud *cloud, const char *queue_url, const char *region, const char *endpoint_url, PmError *err);

/* Of the session: one for all that is in AWS, made when it is asked for the first time. */
struct PmContext;
PmCloud *pm_cloud_of(struct PmContext *context, PmError *err);

#endif
