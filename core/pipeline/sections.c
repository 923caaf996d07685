/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/sections.h"

#include <string.h>

const char *const pm_on_reject_names[] = {"quarantine", "drop", "blur", "placeholder", "flag", NULL};

static const char *const isolations[] = {"shared", "per-job", NULL};
static const char *const tiers[] = {"none", "T1", "T2", "T3", NULL};
static const char *const formats[] = {"jpeg", "png", "webp", "gif", "tiff", "avif", "heif", "jxl", "svg", "pdf", NULL};

#define BYTES_MAX 1099511627776.0 /* 1 TiB: far beyond any use, so that sums never overflow */
#define DAY_MS    86400000.0

static const PmParam top[] = {
    PM_PARAM_INT(PmTopConfig, version, "version", .flags = PM_REQUIRED, .min = 1, .max = 1,
                 .doc = "Version of the file's format. Always 1."),
    PM_PARAM_STRING(PmTopConfig, name, "name", .min = 1, .max = 64,
                    .doc = "Name of the pipeline in logs and metrics. Default: the file's name without its ending."),
    PM_PARAM_STRING(
        PmTopConfig, listen, "listen", .max = 100,
        .doc = "Address and port on which `pixmill run` answers /livez, /readyz, /metrics and /status by "
               "HTTP, to anyone who connects: `127.0.0.1:9464`, `[::1]:9464`, `:9464` for every address of the "
               "host. Default: nothing listens. `--listen` comes first."),
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
    PM_PARAM_DURATION(
        PmLimits, cpu_time, "cpu_time", .def = "5s", .min = 100, .max = DAY_MS,
        .doc = "Processor time for one image; as much again for each 4 megapixels that are written, and where an "
               "animation's frames are decoded for each 16 of them, up to `wall_time`."),
    PM_PARAM_DURATION(PmLimits, wall_time, "wall_time", .def = "15s", .min = 100, .max = DAY_MS / 2,
                      .doc =
                          "Time for one image; then its process is ended. Below 12 hours, the longest that SQS waits."),
    PM_PARAM_INT(PmLimits, output_side, "output_side", .def = "16384", .min = 1, .max = 1000000, .unit = "px",
                 .doc = "Longest side of a rendition."),
    PM_PARAM_LIST(PmLimits, formats, "formats", .def = "[jpeg, png, webp, gif, tiff, avif, heif, jxl]", .min = 1,
                  .max = 10, .choices = formats,
                  .doc =
                      "Source formats let in, recognized by their content. svg and pdf only when they are named here."),
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

const PmTopKey pm_top_keys[PM_TOP_KEYS] = {
    {PM_KEY_TRIGGER, false},    {PM_KEY_SOURCE, false}, {PM_KEY_LIMITS, true},   {PM_KEY_ON_ERROR, false},
    {PM_KEY_SANDBOX, true},     {NULL, false},          {PM_KEY_FETCH, false},   {PM_KEY_NOTIFY, false},
    {PM_KEY_QUARANTINE, false}, {PM_KEY_STEPS, true},   {PM_KEY_OUTPUTS, false}, /* of which the worker reads a part of
                                                                                    each */
};

const PmSection pm_sections[] = {
    PM_SECTION("", PmTopConfig, top, "The pipeline itself."),
    PM_SECTION(PM_KEY_LIMITS, PmLimits, limits,
               "What an image may cost. Beyond a limit it is set aside with the reason."),
    PM_SECTION(PM_KEY_ON_ERROR, PmOnError, on_error, "What happens when a job fails and may work later."),
    PM_SECTION(PM_KEY_SANDBOX, PmSandboxConfig, sandbox, "How well the worker processes must be locked in."),
    PM_SECTION(PM_KEY_FETCH, PmFetchConfig, fetch, "What plugins that ask an HTTP endpoint may do."),
    {NULL, NULL, NULL, 0, 0},
};

const PmSection *pm_section(const char *path)
{
    for (const PmSection *section = pm_sections; section->path != NULL; section++)
        if (strcmp(section->path, path) == 0) return section;
    return NULL;
}
