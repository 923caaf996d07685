/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/sections.h"

#include <string.h>

const char *const pm_on_reject_names[] = {"quarantine", "drop", "blur", "placeholder", "flag", NULL};

static const char *const isolations[] = {"shared", "per-job", NULL};
static const char *const settles[] = {"move", "keep", NULL};
static const char *const tiers[] = {"none", "T1", "T2", "T3", NULL};
static const char *const formats[] = {"jpeg", "png", "webp", "gif", "tiff", "avif", "heif", "jxl", "svg", "pdf", NULL};

#define BYTES_MAX 1099511627776.0 /* 1 TiB: far beyond any use, so that sums never overflow */
#define DAY_MS    86400000.0

static const PmParam top[] = {
    PM_PARAM_INT(PmTopConfig, version, "version", .flags = PM_REQUIRED, .min = 1, .max = 1,
                 .doc = "Version of the file's format. Always 1."),
    PM_PARAM_STRING(PmTopConfig, name, "name", .min = 1, .max = 64,
                    .doc = "Name of the pipeline in logs and metrics. Default: the file's name without its ending."),
    PM_PARAM_INT(PmTopConfig, workers, "workers", .def = "0", .min = 0, .max = 1024,
                 .doc =
                     "How many images are worked on at the same time, each in a process of its own. 0: one per core."),
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
                 .doc = "Most pixels of a source, all its frames counted."),
    PM_PARAM_INT(PmLimits, frames, "frames", .def = "256", .min = 1, .max = 100000,
                 .doc = "Most frames or pages of a source."),
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
    PM_PARAM_BOOL(PmDirectoryTrigger, recursive, "recursive", .def = "false",
                  .doc = "Take files of folders below, too."),
    PM_PARAM_STRING(PmDirectoryTrigger, pattern, "pattern", .min = 1, .max = 1000,
                    .doc = "Take only files whose path below the folder matches, such as \"*.jpg\" or \"**.png\"."),
};

static const PmParam sqs[] = {
    PM_PARAM_STRING(PmSqsTrigger, queue_url, "queue_url", .flags = PM_REQUIRED, .min = 8, .max = 1000,
                    .doc = "URL of the queue that upload events arrive in."),
};

static const PmParam source_s3[] = {
    PM_PARAM_LIST(PmS3Source, buckets, "buckets", .flags = PM_REQUIRED, .min = 1, .max = 100,
                  .doc = "Buckets that events may name; any other is refused."),
    PM_PARAM_STRING(PmS3Source, prefix, "prefix", .max = 1000, .doc = "Keys must begin with this."),
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
    SECTION("trigger.directory", PmDirectoryTrigger, directory, "Images arrive as files in a folder."),
    SECTION("trigger.sqs", PmSqsTrigger, sqs, "Images arrive as S3 events in an SQS queue."),
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
