/* SPDX-License-Identifier: Apache-2.0
 *
 * Objects of S3 as sources and as renditions.
 */
#ifndef PM_CONNECTORS_AWS_STORES_H
#define PM_CONNECTORS_AWS_STORES_H

#include "connectors/aws/aws_session.h"
#include "connectors/source.h"
#include "connectors/store.h"

/* session and config outlive it. New. */
PmSource *pm_source_s3_new(PmAwsSession *session, const PmS3Source *config, PmError *err);

/* Never over a newer one, never twice the same. source: where sources are, for what is copied from them, or NULL. New.
 */
PmStore *pm_store_s3_new(PmLoop *loop, PmAwsSession *session, const PmS3Source *source, PmError *err);

#endif
