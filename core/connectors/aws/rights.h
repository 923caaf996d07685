/* SPDX-License-Identifier: Apache-2.0
 *
 * The IAM policy that a pipeline needs, worked out of its file alone. Pure: it asks nobody.
 */
#ifndef PM_CONNECTORS_AWS_RIGHTS_H
#define PM_CONNECTORS_AWS_RIGHTS_H

#include "pipeline/pipeline.h"

typedef enum PmRightsFor { PM_RIGHTS_CONTAINER = 1, PM_RIGHTS_LAMBDA = 2, PM_RIGHTS_BOTH = 3 } PmRightsFor;

typedef struct PmRightsOptions {
    PmRightsFor target;
    const char *dead_letter_arn; /* of the queue's redrive policy, which the file does not name; NULL: unknown */
    const char *function;        /* name of the Lambda function; NULL: the pipeline's */
} PmRightsOptions;

/* A policy in the making: connectors add what they need (connector.h, rights). */
typedef struct PmPolicy {
    const PmPipeline *pipeline;
    const PmRightsOptions *options;
    json_t *statements;
    const char *wide;
} PmPolicy;

void pm_s3_rights(PmPolicy *policy);
void pm_sqs_rights(PmPolicy *policy);
void pm_lambda_rights(PmPolicy *policy);

/* What all connectors need, as {"Version", "Statement": [{Sid, Effect, Action, Resource, Condition?}..]}. New
 * reference. *wide is set when a resource could not be named: which (static), else NULL. */
json_t *pm_rights_policy(const PmPipeline *pipeline, const PmRightsOptions *options, const char **wide);

#endif
