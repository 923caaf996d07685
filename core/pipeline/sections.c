/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/sections.h"

#include <string.h>

const char *const pm_on_reject_names[] = {"quarantine", "drop", "blur", "placeholder", "flag", NULL};

static const char *const isolations[] = {"shared", "per-job", NULL};
static const char *const settles[] = {"move", "keep", NULL};
static const char *const tiers[] = {"none", "T1", "T2", "T3", NULL};
static const char *const formats[] = {"jpeg", "png", "webp", "gif", "tiff", "avif", "heif", "jxl", "svg", "pdf", NULL};

static const char *const key_encodings[] = {"auto", "form", "raw", NULL};
static const char *const encryptions[] = {"bucket", "AES256", "aws:kms", NULL};
static const char *const checksums[] = {"crc32", "md5", "none", NULL};

#define BYTES_MAX 1099511627776.0 /* 1 TiB: far beyond any use, so that sums never overflow */
#define DAY_MS    86400000.0

static const PmParam top[] = {
    PM_PARAM_INT(PmTopConfig, version, "version", .flags = PM_REQUIRED, .min = 1, .max = 1,
                 .doc = "Version of the file's format. Always 1."),
    PM_PARAM_STRING(PmTopConfig, name, "name", .min = 1, .max = 64,
                    .doc = "Name of the pipeline in logs and metrics. Default: the file's name without its ending."),
    PM_PARAM_INT(PmTopConfig, workers, "workers", .def = "0", .min = 0, .max = 1024,
                 .doc = "How many images are worked on at the same time, each in a process of its own. 0: one per "
                        "processor that may be used (CPU affinity, the control group's quota), as far as its memory "
                        "has room for `limits.memory` each."),
    PM_PARAM_ENUM(
        PmTopConfig, isolation, "isolation", .def = "shared", .choices = isolations,
        .doc =
            "shared: a worker process does many jobs, one after the other. per-job: every job gets a fresh process."),
    PM_PARAM_INT(PmTopConfig, jobs_per_child, "jobs_per_child", .def = "64", .min = 1, .max = 1000000,
                 .doc = "After how many jobs a worker process is replaced."),
};

static const PmParam limits[] = {
    PM_PARAM_BYTES(PmLimits, file_size, "file_size", .def = "50MiB", .min = 1, .max = BYTES_MAX,
                   .doc = "Largest source file."),
    PM_PARAM_INT(PmLimits, pixels, "pixels", .def = "50M", .min = 1, .max = 4e9, .unit = "px",
                 .doc = "Most pixels that are decoded, of all frames where more than the first is needed."),
    PM_PARAM_INT(PmLimits, frames, "frames", .def = "256", .min = 1, .max = 9999,
                 .doc =
                     "Most frames of an animation where more than the first is needed. No file may have more than 16 "
                     "times as many, or pages."),
    PM_PARAM_INT(PmLimits, side, "side", .def = "16384", .min = 1, .max = 1000000, .unit = "px",
                 .doc = "Longest side of a source."),
    PM_PARAM_INT(PmLimits, aspect, "aspect", .def = "200", .min = 1, .max = 1000000,
                 .doc = "How many times longer than the other a side of a source may be."),
    PM_PARAM_BYTES(PmLimits, icc, "icc", .def = "4MiB", .min = 1, .max = BYTES_MAX,
                   .doc = "Largest ICC profile, decompressed."),
    PM_PARAM_BYTES(PmLimits, metadata, "metadata", .def = "8MiB", .min = 1, .max = BYTES_MAX,
                   .doc = "Most metadata of a source in all, decompressed."),
    PM_PARAM_BYTES(PmLimits, memory, "memory", .def = "512MiB", .min = 64.0 * 1048576, .max = BYTES_MAX,
                   .doc = "Address space that a worker process may take beyond what it starts with."),
    PM_PARAM_DURATION(PmLimits, cpu_time, "cpu_time", .def = "5s", .min = 100, .max = DAY_MS,
                      .doc = "Processor time for one image."),
    PM_PARAM_DURATION(PmLimits, wall_time, "wall_time", .def = "15s", .min = 100, .max = DAY_MS / 2,
                      .doc =
                          "Time for one image; then its process is ended. Below 12 hours, the longest that SQS waits."),
    PM_PARAM_INT(PmLimits, output_side, "output_side", .def = "16384", .min = 1, .max = 1000000, .unit = "px",
                 .doc = "Longest side of a rendition."),
    PM_PARAM_LIST(PmLimits, formats, "formats", .def = "[jpeg, png, webp, gif, tiff, avif, heif, jxl]", .min = 1,
                  .max = 10, .choices = formats,
                  .doc = "Source formats let in, told by their content. svg and pdf only when they are named here."),
};

static const PmParam on_error[] = {
    PM_PARAM_INT(PmOnError, retries, "retries", .def = "3", .min = 0, .max = 100,
                 .doc = "How often a job is tried again after a failure that may pass. A crash is tried again once."),
    PM_PARAM_DURATION(PmOnError, backoff, "backoff", .def = "1s", .min = 0, .max = 3600000,
                      .doc = "Wait before the first retry; doubles each time, with jitter."),
};

static const PmParam sandbox[] = {
    PM_PARAM_ENUM(PmSandboxConfig, minimum, "minimum", .def = "T1", .choices = tiers,
                  .doc = "Weakest sandbox to run with; below it pixmill refuses to start. T1: a process of its own "
                         "with limits. T2: also "
                         "seccomp and Landlock. T3: also namespaces."),
};

static const PmParam directory[] = {
    PM_PARAM_STRING(PmDirectoryTrigger, path, "path", .flags = PM_REQUIRED, .min = 1, .max = 4000,
                    .doc = "Folder that images arrive in."),
    PM_PARAM_BOOL(PmDirectoryTrigger, watch, "watch", .def = "true",
                  .doc = "After what is there, wait for more. `run --once` does not wait."),
    PM_PARAM_ENUM(PmDirectoryTrigger, settle, "settle", .def = "move", .choices = settles,
                  .doc = "move: a file goes to `done` or `failed` when it is finished. keep: it stays where it is."),
    PM_PARAM_STRING(PmDirectoryTrigger, done, "done", .min = 1, .max = 4000,
                    .doc = "Folder for finished files. Default: done inside the folder itself."),
    PM_PARAM_STRING(
        PmDirectoryTrigger, failed, "failed", .min = 1, .max = 4000,
        .doc =
            "Folder for files that cannot work, each with a .reason.json. Default: failed inside the folder itself."),
    PM_PARAM_STRING(PmDirectoryTrigger, seen, "seen", .min = 1, .max = 4000,
                    .doc = "settle: keep: file that lists what is finished, so that a restart does not do it again. "
                           "Default: .pixmill-NAME.seen inside the folder itself, with the pipeline's name."),
    PM_PARAM_BOOL(PmDirectoryTrigger, recursive, "recursive", .def = "false",
                  .doc = "Take files of folders below, too."),
    PM_PARAM_STRING(PmDirectoryTrigger, pattern, "pattern", .min = 1, .max = 1000,
                    .doc = "Take only files whose path below the folder matches, such as \"*.jpg\" or \"**.png\"."),
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

static const PmParam fetch[] = {
    PM_PARAM_BOOL(PmFetchConfig, link_local, "link_local", .def = "false",
                  .doc = "Allow plugins' endpoints on link-local addresses, where clouds keep credentials."),
    PM_PARAM_DURATION(PmFetchConfig, timeout, "timeout", .def = "10s", .min = 10, .max = 600000,
                      .doc = "Longest exchange with an endpoint, each try for itself."),
    PM_PARAM_BYTES(PmFetchConfig, response_max, "response_max", .def = "1MiB", .min = 1, .max = 67108864,
                   .doc = "Largest answer taken."),
    PM_PARAM_INT(PmFetchConfig, retries, "retries", .def = "2", .min = 0, .max = 10,
                 .doc = "How often an exchange is tried again after a transport error or a 5xx."),
};

static const PmParam notify_file[] = {
    PM_PARAM_STRING(PmFilePlace, path, "path", .flags = PM_REQUIRED, .min = 1, .max = 4000,
                    .doc = "Path of the record with {facts} of the source, such as \"records/{dir}/{name}.json\"."),
};

static const PmParam notify_sqs[] = {
    PM_PARAM_STRING(PmNotifyConfig, queue_url, "queue_url", .flags = PM_REQUIRED, .min = 8, .max = 1000,
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

static const PmParam place_file[] = {
    PM_PARAM_STRING(PmFilePlace, path, "path", .flags = PM_REQUIRED, .min = 1, .max = 4000,
                    .doc =
                        "Path with {facts}, such as \"out/{dir}/{stem}_thumb.{ext}\"; relative to the pipeline file."),
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

#define SECTION(path_, Config, table, doc_)                                    \
    {                                                                          \
        path_, doc_, table, sizeof(table) / sizeof((table)[0]), sizeof(Config) \
    }

const PmSection pm_sections[] = {
    SECTION("", PmTopConfig, top, "The pipeline itself."),
    SECTION("limits", PmLimits, limits, "What an image may cost. Beyond a limit it is set aside with the reason."),
    SECTION("on_error", PmOnError, on_error, "What happens when a job fails and may work later."),
    SECTION("sandbox", PmSandboxConfig, sandbox, "How well the worker processes must be locked in."),
    SECTION("aws", PmAwsConfig, aws, "What everything that talks to AWS shares."),
    SECTION("fetch", PmFetchConfig, fetch, "What plugins that ask an HTTP endpoint may do."),
    SECTION("notify.file", PmFilePlace, notify_file, "A record of each finished source, as a JSON file."),
    SECTION("notify.sqs", PmNotifyConfig, notify_sqs, "A record of each finished source, as a message."),
    SECTION("trigger.directory", PmDirectoryTrigger, directory, "Images arrive as files in a folder."),
    SECTION("trigger.sqs", PmSqsTrigger, sqs, "Images arrive as S3 events in an SQS queue."),
    SECTION("trigger.lambda", PmLambdaTrigger, lambda,
            "When pixmill serves AWS Lambda's Runtime API: alone, or beside trigger.sqs. Everything has a default."),
    SECTION("source.s3", PmS3Source, source_s3, "Sources are objects in S3: the allow-list."),
    SECTION("outputs.*.to.file", PmFilePlace, place_file, "The rendition becomes a file."),
    SECTION("outputs.*.to.s3", PmS3Place, place_s3, "The rendition becomes an object in S3."),
    SECTION("quarantine.file", PmFilePlace, place_file, "Rejected sources become files."),
    SECTION("quarantine.s3", PmS3Place, place_s3, "Rejected sources become objects in S3."),
    {NULL, NULL, NULL, 0, 0},
};

const PmSection *pm_section(const char *path)
{
    for (const PmSection *section = pm_sections; section->path != NULL; section++)
        if (strcmp(section->path, path) == 0) return section;
    return NULL;
}
