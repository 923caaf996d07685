/* SPDX-License-Identifier: Apache-2.0
 *
 * `notify.sqs`: a record becomes a message.
 */
#ifndef PM_CONNECTORS_AWS_NOTIFIER_SQS_H
#define PM_CONNECTORS_AWS_NOTIFIER_SQS_H

#include "connectors/aws/aws_session.h"
#include "connectors/notifier.h"

/* place is of kind `sqs`; it and session outlive the notifier. New. */
PmNotifier *pm_notifier_sqs_new(PmAwsSession *session, const PmPlace *place, PmError *err);

#endif
