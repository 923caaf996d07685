/* SPDX-License-Identifier: Apache-2.0
 *
 * What a pipeline needs of AWS, tried.
 */
#ifndef PM_CONNECTORS_AWS_DOCTOR_H
#define PM_CONNECTORS_AWS_DOCTOR_H

#include "connectors/doctor.h"

void pm_s3_doctor(PmDoctor *doctor);  /* source and places */
void pm_sqs_doctor(PmDoctor *doctor); /* queue, its dead-letter queue, notifications */
/* A call that a plugin makes, "aws://SERVICE/OPERATION". */
void pm_aws_call_doctor(PmDoctor *doctor, const char *url);

#endif
