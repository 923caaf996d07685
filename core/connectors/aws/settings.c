/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/aws/settings.h"

#include <string.h>

static const char *const key_encodings[] = {"auto", "form", "raw", NULL};
static const char *const encryptions[] = {"bucket", "AES256", "aws:kms", NULL};
static const char *const checksums[] = {"crc32", "md5", "none", NULL};

static const PmParam aws[] = {
    PM_PARAM_STRING(PmAwsConfig, region, "region", .max = 63,
                    .doc = "Default: AWS_REGION, AWS_DEFAULT_REGION, the profile's."),
    PM_PARAM_STRING(PmAwsConfig, profile, "profile", .max = 120,
                    .doc = "Profile of ~/.aws/config and ~/.aws/credentials. Default: AWS_PROFILE."),
    PM_PARAM_STRING(PmAwsConfig, endpoint_url, "endpoint_url", .max = 1000,
                    .doc =
                        "For services other than AWS's own. Default: AWS_ENDPOINT_URL_S3 and _SQS, AWS_ENDPOINT_URL."),
    PM_PARAM_BOOL(PmAwsConfig, path_style, "path_style", .def = "false",
                  .doc = "Put the bucket into the path, not the host name: for stores that know no virtual hosts."),
    PM_PARAM_STRING(PmAwsConfig, ca_bundle, "ca_bundle", .max = 1000,
                    .doc = "File with the certificates to trust. Default: AWS_CA_BUNDLE, the system's."),
    PM_PARAM_BOOL(PmAwsConfig, fips, "fips", .def = "false", .doc = "Use S3's FIPS endpoints."),
    PM_PARAM_BOOL(PmAwsConfig, dualstack, "dualstack", .def = "false", .doc = "Use S3's IPv4 and IPv6 endpoints."),
};

static const PmParam sqs[] = {
    PM_PARAM_STRING(PmSqsTrigger, queue_url, "queue_url", .flags = PM_REQUIRED, .min = 8, .max = 1000,
                    .doc = "URL of the queue that upload events arrive in."),
    PM_PARAM_STRING(
        PmSqsTrigger, dead_letter_url, "dead_letter_url", .min = 8, .max = 1000,
        .doc = "Queue for messages that can never work, with the reason as attributes. Default: the target of the "
               "queue's own redrive policy."),
    PM_PARAM_DURATION(PmSqsTrigger, wait_time, "wait_time", .def = "20s", .min = 0, .max = 20000,
                      .doc = "How long a poll waits for messages."),
    PM_PARAM_LIST(PmSqsTrigger, events, "events", .def = "[\"ObjectCreated:*\"]", .min = 1, .max = 20,
                  .doc = "Names of events to act on, as patterns; others are taken off the queue and nothing is done."),
    PM_PARAM_ENUM(
        PmSqsTrigger, key_encoding, "key_encoding", .def = "auto", .choices = key_encodings,
        .doc = "How keys are written in events. auto goes by the sender: form as AWS does, raw as radosgw does."),
    PM_PARAM_STRING(PmSqsTrigger, region, "region", .max = 63, .doc = "Default: read from the queue URL."),
    PM_PARAM_STRING(PmSqsTrigger, endpoint_url, "endpoint_url", .max = 1000,
                    .doc = "For a service other than AWS's own. Default: aws.endpoint_url, AWS_ENDPOINT_URL_SQS, "
                           "AWS_ENDPOINT_URL, the "
                           "queue URL's host."),
};

static const PmParam lambda[] = {
    PM_PARAM_BOOL(PmLambdaTrigger, report_batch_item_failures, "report_batch_item_failures", .def = "true",
                  .doc = "Answer a batch of SQS messages with those that failed; the event source mapping must have "
                         "ReportBatchItemFailures. false: one failed message fails the whole invocation."),
    PM_PARAM_DURATION(PmLambdaTrigger, reserve, "reserve", .def = "1s", .min = 50, .max = 60000,
                      .doc = "Time kept at the end of an invocation to answer; what is not finished by then is given "
                             "back as failed."),
    PM_PARAM_STRING(PmLambdaTrigger, dead_letter_url, "dead_letter_url", .min = 8, .max = 1000,
                    .doc = "Queue for SQS messages that can never work, with the reason as attributes. Default: "
                           "trigger.sqs.dead_letter_url, else they fail and the queue's redrive policy takes them."),
    PM_PARAM_LIST(
        PmLambdaTrigger, events, "events", .max = 20,
        .doc = "Names of events to act on, as patterns. Default: trigger.sqs.events, else [\"ObjectCreated:*\"]."),
    PM_PARAM_STRING(PmLambdaTrigger, metrics_namespace, "metrics_namespace", .def = "pixmill", .min = 1, .max = 255,
                    .doc = "CloudWatch namespace of the metrics."),
};

static const PmParam notify_sqs[] = {
    PM_PARAM_STRING(PmSqsNotify, queue_url, "queue_url", .flags = PM_REQUIRED, .min = 8, .max = 1000,
                    .doc = "Queue that the records are sent to."),
};

static const PmParam source_s3[] = {
    PM_PARAM_LIST(PmS3Source, buckets, "buckets", .flags = PM_REQUIRED, .min = 1, .max = 100,
                  .doc = "Buckets that events may name; any other is refused."),
    PM_PARAM_STRING(PmS3Source, prefix, "prefix", .max = 1000, .doc = "Keys must begin with this."),
    PM_PARAM_STRING(PmS3Source, region, "region", .max = 63,
                    .doc = "Default: aws.region; a wrong one is corrected by S3 itself."),
    PM_PARAM_STRING(PmS3Source, endpoint_url, "endpoint_url", .max = 1000, .doc = "Default: aws.endpoint_url."),
    PM_PARAM_BOOL(PmS3Source, path_style, "path_style", .def = "false", .doc = "As aws.path_style, for the sources."),
};

static const PmParam place_s3[] = {
    PM_PARAM_STRING(PmS3Place, bucket, "bucket", .flags = PM_REQUIRED, .min = 3, .max = 255,
                    .doc = "Bucket to write to."),
    PM_PARAM_STRING(PmS3Place, key, "key", .flags = PM_REQUIRED, .min = 1, .max = 1024,
                    .doc = "Key with {facts}, such as \"processed/{dir}/{stem}_thumb.{ext}\"."),
    PM_PARAM_STRING(PmS3Place, cache_control, "cache_control", .max = 1000,
                    .doc = "Cache-Control header, such as \"public, max-age=31536000\"."),
    PM_PARAM_STRING(PmS3Place, content_disposition, "content_disposition", .max = 1000,
                    .doc = "Content-Disposition header."),
    PM_PARAM_LIST(PmS3Place, metadata, "metadata", .flags = PM_PAIRS, .max = 50,
                  .doc = "User metadata: { name: value }, 2 KiB in all."),
    PM_PARAM_LIST(PmS3Place, tags, "tags", .flags = PM_PAIRS, .max = 10,
                  .doc = "Object tags: { name: value }, 10 at most."),
    PM_PARAM_STRING(PmS3Place, storage_class, "storage_class", .max = 60,
                    .doc = "Such as STANDARD_IA. Default: the bucket's."),
    PM_PARAM_ENUM(PmS3Place, sse, "sse", .def = "bucket", .choices = encryptions,
                  .doc = "Encryption at rest: bucket leaves it to the bucket's default."),
    PM_PARAM_STRING(PmS3Place, kms_key_id, "kms_key_id", .max = 2048, .doc = "KMS key for sse: \"aws:kms\"."),
    PM_PARAM_BOOL(PmS3Place, bucket_key, "bucket_key", .def = "false",
                  .doc = "Use an S3 bucket key with aws:kms, for fewer KMS calls."),
    PM_PARAM_STRING(PmS3Place, acl, "acl", .max = 60,
                    .doc = "Canned ACL. None by default: buckets that own their objects refuse any."),
    PM_PARAM_ENUM(PmS3Place, checksum, "checksum", .def = "crc32", .choices = checksums,
                  .doc = "Checksum that the store verifies. md5 for stores that do not know crc32."),
    PM_PARAM_BOOL(PmS3Place, copy_metadata, "copy_metadata", .def = "false",
                  .doc = "Take the source's user metadata along."),
    PM_PARAM_BOOL(PmS3Place, copy_tags, "copy_tags", .def = "false", .doc = "Take the source's tags along."),
    PM_PARAM_STRING(PmS3Place, region, "region", .max = 63,
                    .doc = "Default: aws.region; a wrong one is corrected by S3 itself."),
    PM_PARAM_STRING(PmS3Place, endpoint_url, "endpoint_url", .max = 1000, .doc = "Default: aws.endpoint_url."),
    PM_PARAM_BOOL(PmS3Place, path_style, "path_style", .def = "false", .doc = "As aws.path_style, for this place."),
};

static const PmSection shared = PM_SECTION("aws", PmAwsConfig, aws, "What everything that talks to AWS shares.");

/* --- loops --- */

static void check_place(const PmPipeline *pipeline, const PmS3Source *source, const PmPlaceUse *use,
                        PmErrorList *errors)
{
    const PmS3Place *target = use->place->config;
    const char *prefix = source->prefix != NULL ? source->prefix : "";
    for (size_t i = 0; i < source->buckets.count; i++) {
        if (strcmp(source->buckets.items[i], target->bucket) != 0) continue;
        if (!pm_template_reaches(use->place->key, NULL, use->output, prefix)) continue;
        PmError *err = pm_error_list_addf(
            errors, PM_BAD_CONFIG, pipeline->file, use->place->line, use->place->column, use->where,
            "can write to s3://%s/%s, where the sources come from: it would feed itself", target->bucket, prefix);
        if (err != NULL)
            pm_error_hint(
                err, "write to another bucket, or give source.s3.prefix and the key prefixes that exclude each other");
        return;
    }
}

static void check_s3(const PmPipeline *pipeline, PmErrorList *errors)
{
    PmPlaceUse use;
    const PmS3Source *source = pm_s3_source(pipeline);
    for (size_t i = 0; source != NULL && pm_pipeline_place(pipeline, i, &use); i++)
        if (use.place->kind == &pm_kind_s3) check_place(pipeline, source, &use, errors);
}

static void add_address(const PmPlace *place, const char *key, PmBuffer *out)
{
    pm_buffer_addf(out, "s3://%s/%s", ((const PmS3Place *)place->config)->bucket, key);
}

/* --- what they are --- */

#define ALLOW_LIST "with the buckets that events may name"

const PmKind pm_kind_s3 = {
    .name = "s3",
    .source = PM_SECTION("source.s3", PmS3Source, source_s3, "Sources are objects in S3: the allow-list."),
    .place = PM_SECTION("outputs.*.to.s3", PmS3Place, place_s3, "The rendition becomes an object in S3."),
    .quarantine_doc = "Rejected sources become objects in S3.",
    .shared = &shared,
    .objects = "objects of S3",
    .key = "key",
    .key_kind = PM_TEMPLATE_KEY,
    .address = add_address,
    .check = check_s3,
};

const PmKind pm_kind_sqs = {
    .name = "sqs",
    .trigger = PM_SECTION("trigger.sqs", PmSqsTrigger, sqs, "Images arrive as S3 events in an SQS queue."),
    .notify = PM_SECTION("notify.sqs", PmSqsNotify, notify_sqs, "A record of each finished source, as a message."),
    .shared = &shared,
    .delivers = "s3",
    .needs_source = ALLOW_LIST,
    .source_hint = "source: { s3: { buckets: [my-uploads] } }",
};

const PmKind pm_kind_lambda = {
    .name = "lambda",
    .trigger =
        PM_SECTION("trigger.lambda", PmLambdaTrigger, lambda,
                   "When pixmill serves AWS Lambda's Runtime API: alone, or beside trigger.sqs. Everything has a "
                   "default."),
    .shared = &shared,
    .delivers = "s3",
    .needs_source = ALLOW_LIST,
    .source_hint = "source: { s3: { buckets: [my-uploads] } }",
    .beside = "sqs",
};

const PmAwsConfig *pm_aws_config(const PmPipeline *pipeline)
{
    return pm_pipeline_shared(pipeline, &shared);
}

const PmS3Source *pm_s3_source(const PmPipeline *pipeline)
{
    return pipeline->source.kind == &pm_kind_s3 ? pipeline->source.config : NULL;
}

const PmSqsTrigger *pm_sqs_trigger(const PmPipeline *pipeline)
{
    return pm_pipeline_trigger(pipeline, &pm_kind_sqs);
}

const PmLambdaTrigger *pm_lambda_trigger(const PmPipeline *pipeline)
{
    return pm_pipeline_trigger(pipeline, &pm_kind_lambda);
}
