/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/operations.h"

#include <string.h>

static const PmAwsOperation operations[] = {
    {"s3", "GetObject", "s3:GetObject", "s3:GetObjectVersion", true, NULL},
    {"s3", "HeadObject", "s3:GetObject", "s3:GetObjectVersion", true, NULL},
    {"s3", "GetObjectTagging", "s3:GetObjectTagging", "s3:GetObjectVersionTagging", false, "Tagging"},
    {"s3", "PutObject", "s3:PutObject", NULL, true, NULL},
    {"s3", "CreateMultipartUpload", "s3:PutObject", NULL, false, "InitiateMultipartUploadResult"},
    {"s3", "UploadPart", "s3:PutObject", NULL, true, NULL},
    {"s3", "CompleteMultipartUpload", "s3:PutObject", NULL, false, "CompleteMultipartUploadResult"},
    {"s3", "AbortMultipartUpload", "s3:AbortMultipartUpload", NULL, false, NULL},
    {"s3", "CopyObject", "s3:PutObject", NULL, false, NULL},
    {"s3", "DeleteObject", "s3:DeleteObject", "s3:DeleteObjectVersion", false, NULL},
    {"s3", "ListObjectsV2", "s3:ListBucket", NULL, false, "ListBucketResult"},
    {"sqs", "ReceiveMessage", "sqs:ReceiveMessage", NULL, false, NULL},
    {"sqs", "SendMessage", "sqs:SendMessage", NULL, false, NULL},
    {"sqs", "DeleteMessageBatch", "sqs:DeleteMessage", NULL, false, NULL},
    {"sqs", "ChangeMessageVisibilityBatch", "sqs:ChangeMessageVisibility", NULL, false, NULL},
    {"sqs", "GetQueueAttributes", "sqs:GetQueueAttributes", NULL, false, NULL},
    {"sqs", "GetQueueUrl", "sqs:GetQueueUrl", NULL, false, NULL},
};

const PmAwsOperation *pm_aws_operation_at(size_t i)
{
    return i < sizeof operations / sizeof operations[0] ? &operations[i] : NULL;
}

const PmAwsOperation *pm_aws_operation(const char *service, const char *name)
{
    const PmAwsOperation *operation;
    for (size_t i = 0; (operation = pm_aws_operation_at(i)) != NULL; i++)
        if (strcmp(operation->name, name) == 0 && strcmp(operation->service, service) == 0) return operation;
    return NULL;
}
