/* SPDX-License-Identifier: Apache-2.0
 *
 * The operations of S3 and SQS that pixmill calls: which right each needs, and how an answer of the service itself is
 * told from one of a proxy or load balancer in front of it. One table, for the calls and for IAM policies: an operation
 * that is not in it cannot be called.
 * Source: "Actions, resources, and condition keys for Amazon S3" and "... for Amazon SQS" (Service Authorization
 * Reference).
 */
#ifndef PM_AWS_OPERATIONS_H
#define PM_AWS_OPERATIONS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct PmAwsOperation {
    const char *service, *name; /* "s3", "GetObject" */
    const char *action;         /* "s3:GetObject" */
    const char *versioned;      /* the action for a version that is named; NULL: the same */
    bool wants_etag;            /* every success carries an ETag */
    const char *root;           /* of the XML that every success has for a body, or NULL */
} PmAwsOperation;

/* NULL: pixmill calls no such operation. */
const PmAwsOperation *pm_aws_operation(const char *service, const char *name);

/* The i-th of all, or NULL beyond the last. */
const PmAwsOperation *pm_aws_operation_at(size_t i);

#endif
