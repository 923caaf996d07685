/* SPDX-License-Identifier: Apache-2.0
 *
 * S3, SQS and Lambda, for the registry.
 */
#ifndef PM_CONNECTORS_AWS_CONNECTORS_H
#define PM_CONNECTORS_AWS_CONNECTORS_H

#include "connectors/aws/settings.h"
#include "connectors/connector.h"

extern const PmConnector pm_connector_s3, pm_connector_sqs, pm_connector_lambda;

#endif
