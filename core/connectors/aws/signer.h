/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls of plugins to AWS, "aws://SERVICE/OPERATION", signed with the session's credentials for its region.
 */
#ifndef PM_CONNECTORS_AWS_SIGNER_H
#define PM_CONNECTORS_AWS_SIGNER_H

#include "aws/plugin_calls.h"
#include "connectors/aws/aws_session.h"
#include "connectors/signers.h"

extern const PmSignerKind pm_signer_aws;

/* session outlives it. New. PM_BAD_CONFIG: no region is set; calls would leave for one that nobody has chosen. */
PmSigner *pm_signer_aws_new(PmAwsSession *session, PmError *err);

/* The request of a call; `headers` (2) and `origin` belong to the caller and outlive pm_aws_send. */
PmStatus pm_signer_aws_request(PmAwsSession *session, const PmAwsPluginCall *call, const void *body, size_t size,
                               PmNameValue headers[2], char *origin, size_t origin_size, PmAwsRequest *out,
                               PmError *err);

#endif
