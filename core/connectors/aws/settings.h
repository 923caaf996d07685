/* SPDX-License-Identifier: Apache-2.0
 *
 * What a pipeline file can say of S3, SQS and Lambda.
 */
#ifndef PM_CONNECTORS_AWS_SETTINGS_H
#define PM_CONNECTORS_AWS_SETTINGS_H

#include "pipeline/pipeline.h"

/* `aws:`, what all of them share */
typedef struct PmAwsConfig {
    const char *region, *profile, *endpoint_url, *ca_bundle;
    bool path_style, fips, dualstack;
} PmAwsConfig;

/* `trigger.sqs` */
typedef struct PmSqsTrigger {
    const char *queue_url, *region, *endpoint_url, *dead_letter_url;
    int64_t wait_time;    /* ms of a long poll */
    PmList events;        /* globs over event names */
    int32_t key_encoding; /* auto, form, raw */
} PmSqsTrigger;

/* `trigger.lambda`: what counts when pixmill serves the Lambda Runtime API, alone or beside `trigger.sqs` */
typedef struct PmLambdaTrigger {
    bool report_batch_item_failures;
    int64_t reserve;             /* ms kept at the end of an invocation */
    const char *dead_letter_url; /* NULL: trigger.sqs's, else none */
    PmList events;               /* globs over event names; none: trigger.sqs's, else all that create objects */
    const char *metrics_namespace;
} PmLambdaTrigger;

/* `source.s3` */
typedef struct PmS3Source {
    PmList buckets;
    const char *prefix;
    const char *region, *endpoint_url; /* NULL: as `aws` says */
    bool path_style;
} PmS3Source;

/* `to.s3`, `quarantine.s3` */
typedef struct PmS3Place {
    const char *bucket, *key, *cache_control, *content_disposition;
    PmList metadata, tags; /* "name=value" */
    const char *storage_class, *kms_key_id, *acl;
    int32_t sse;      /* 0 the bucket's own, 1 AES256, 2 aws:kms */
    int32_t checksum; /* PmChecksum's order: crc32, md5, none */
    bool bucket_key, copy_metadata, copy_tags;
    const char *region, *endpoint_url; /* NULL: as `aws` says */
    bool path_style;
} PmS3Place;

/* `notify.sqs` */
typedef struct PmSqsNotify {
    const char *queue_url;
} PmSqsNotify;

extern const PmKind pm_kind_s3, pm_kind_sqs, pm_kind_lambda;

/* `aws:` of the pipeline, with its defaults. */
const PmAwsConfig *pm_aws_config(const PmPipeline *pipeline);
/* `source.s3`, or NULL. */
const PmS3Source *pm_s3_source(const PmPipeline *pipeline);
/* `trigger.sqs`, or NULL. */
const PmSqsTrigger *pm_sqs_trigger(const PmPipeline *pipeline);
/* `trigger.lambda`; with its defaults when it is not written. */
const PmLambdaTrigger *pm_lambda_trigger(const PmPipeline *pipeline);

#endif
