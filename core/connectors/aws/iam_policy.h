/* SPDX-License-Identifier: Apache-2.0
 *
 * The IAM policy that a pipeline needs, worked out of its file alone. Pure: it asks nobody.
 */
#ifndef PM_CONNECTORS_AWS_IAM_POLICY_H
#define PM_CONNECTORS_AWS_IAM_POLICY_H

#include "pipeline/pipeline.h"

typedef enum PmIamTarget { PM_IAM_CONTAINER = 1, PM_IAM_LAMBDA = 2, PM_IAM_BOTH = 3 } PmIamTarget;

typedef struct PmIamOptions {
    PmIamTarget target;
    const char *dead_letter_arn; /* of the queue's redrive policy, which the file does not name; NULL: unknown */
    const char *function;        /* name of the Lambda function; NULL: the pipeline's */
    const json_t *ready;         /* what workers say of the pipeline: the calls that its plugins make; NULL: none */
} PmIamOptions;

/* A policy in the making: connectors add what they need (connector.h, iam). */
typedef struct PmIamPolicy {
    const PmPipeline *pipeline;
    const PmIamOptions *options;
    json_t *statements;
    const char *wide;
} PmIamPolicy;

void pm_s3_iam(PmIamPolicy *policy);
void pm_sqs_iam(PmIamPolicy *policy);
void pm_lambda_iam(PmIamPolicy *policy);

/* What all connectors need, as {"Version", "Statement": [{Sid, Effect, Action, Resource, Condition?}..]}. New
 * reference. *wide is set when a resource could not be named: which (static), else NULL. */
json_t *pm_iam_policy(const PmPipeline *pipeline, const PmIamOptions *options, const char **wide);

#endif
