/* SPDX-License-Identifier: Apache-2.0
 *
 * The pipeline file, read: sections as structs with defaults filled in, steps as names with their YAML. Plugin
 * parameters stay nodes: the engine binds them with each plugin's table. Broker and worker read the same text
 * with this module; neither needs what the other acts on.
 */
#ifndef PM_PIPELINE_PIPELINE_H
#define PM_PIPELINE_PIPELINE_H

#include "pipeline/bind.h"
#include "pipeline/template.h"
#include "pipeline/tree.h"
#include "pipeline/when.h"

typedef struct PmLimits {
    int64_t file_size; /* bytes */
    int64_t pixels;    /* counting frames */
    int64_t frames;
    int64_t side;        /* px */
    int64_t aspect;      /* n:1 */
    int64_t icc;         /* bytes */
    int64_t metadata;    /* bytes, decompressed */
    int64_t memory;      /* bytes of address space for a child beyond its start */
    int64_t cpu_time;    /* ms */
    int64_t wall_time;   /* ms */
    int64_t output_side; /* px */
    PmList formats;      /* source formats let in; svg and pdf only when named */
} PmLimits;

typedef enum PmOnReject {
    PM_ON_REJECT_QUARANTINE,
    PM_ON_REJECT_DROP,
    PM_ON_REJECT_BLUR,
    PM_ON_REJECT_PLACEHOLDER,
    PM_ON_REJECT_FLAG
} PmOnReject;

typedef struct PmStep {
    const char *plugin;   /* the YAML key */
    const char *name;     /* `name:`, else the plugin's */
    const char *path;     /* "steps[0]", "outputs.thumb.steps[1]" */
    const char *where;    /* crumb: "steps: nsfw-hook", "outputs.thumb: resize" */
    const PmNode *params; /* a mapping, or NULL for none; another kind of node was reported as an error */
    const PmWhen *when;   /* NULL: always */
    PmOnReject on_reject;
    bool has_on_reject;
    int line, column; /* of the plugin key */
} PmStep;

typedef enum PmPlaceKind { PM_PLACE_NONE, PM_PLACE_FILE, PM_PLACE_S3 } PmPlaceKind;

/* `to:` and `quarantine:` */
typedef struct PmPlace {
    PmPlaceKind kind;
    PmTemplate *key;    /* file: path; s3: key */
    const void *config; /* PmFilePlace or PmS3Place */
    int line, column;
} PmPlace;

typedef struct PmFilePlace {
    const char *path;
} PmFilePlace;
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

typedef struct PmOutput {
    const char *name;
    const char *where; /* "outputs.thumb" */
    const PmWhen *when;
    PmStep *steps;
    size_t step_count;
    PmPlace to;
    int line, column;
} PmOutput;

typedef enum PmTriggerKind {
    PM_TRIGGER_NONE,
    PM_TRIGGER_DIRECTORY,
    PM_TRIGGER_SQS,
    PM_TRIGGER_LAMBDA /* and no other: the file runs in AWS Lambda only */
} PmTriggerKind;
typedef enum PmSettle { PM_SETTLE_MOVE, PM_SETTLE_KEEP } PmSettle;

typedef struct PmDirectoryTrigger {
    const char *path;          /* as written; resolve with pm_pipeline_path */
    bool watch;                /* after what is there, wait for more */
    int32_t settle;            /* PmSettle */
    const char *done, *failed; /* folders for settle: move; default <path>/done and <path>/failed */
    bool recursive;
    const char *seen;    /* settle: keep: the list of finished files; default <path>/.pixmill-<name>.seen */
    const char *pattern; /* glob over the path relative to `path`, or NULL */
} PmDirectoryTrigger;

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

/* `aws:`, what all AWS parts share */
typedef struct PmAwsConfig {
    const char *region, *profile, *endpoint_url, *ca_bundle;
    bool path_style, fips, dualstack;
} PmAwsConfig;

/* `fetch:`, what plugins may ask for */
typedef struct PmFetchConfig {
    bool link_local;
    int64_t timeout;      /* ms */
    int64_t response_max; /* bytes */
    int64_t retries;
} PmFetchConfig;

/* `notify:`, a record of each finished source */
typedef struct PmNotifyConfig {
    const char *queue_url; /* NULL: none */
    PmTemplate *path;      /* NULL: none */
    int line, column;
} PmNotifyConfig;

typedef struct PmTriggerConfig {
    PmTriggerKind kind;
    const void *config;            /* PmDirectoryTrigger or PmSqsTrigger; NULL with PM_TRIGGER_LAMBDA */
    const PmLambdaTrigger *lambda; /* with its defaults when not written; NULL only for PM_READ_WORKER */
    int line, column;
} PmTriggerConfig;

typedef enum PmSourceKind { PM_SOURCE_TRIGGER, PM_SOURCE_FILE, PM_SOURCE_S3 } PmSourceKind;
typedef struct PmS3Source {
    PmList buckets;
    const char *prefix;
    const char *region, *endpoint_url; /* NULL: as `aws` says */
    bool path_style;
} PmS3Source;
typedef struct PmSourceConfig {
    PmSourceKind kind; /* PM_SOURCE_TRIGGER: what the trigger delivers */
    const void *config;
    int line, column;
} PmSourceConfig;

typedef enum PmIsolation { PM_ISOLATION_SHARED, PM_ISOLATION_PER_JOB } PmIsolation;

/* `on_error:` */
typedef struct PmOnError {
    int64_t retries; /* attempts after the first for transient failures and bugs */
    int64_t backoff; /* ms before the first retry; doubles, with jitter */
} PmOnError;

/* `workers:`, `isolation:`, `sandbox:` */
typedef struct PmWorkerConfig {
    int64_t count;     /* 0: as many as fit, see workers/count.h */
    int32_t isolation; /* PmIsolation */
    int64_t jobs_per_child;
    int32_t sandbox_minimum; /* 1..3: tier below which we do not start; 0: none */
} PmWorkerConfig;

typedef struct PmPipeline {
    PmTree *tree;
    PmArena *arena;
    json_t *variables; /* names of those that the worker's part uses */
    const char *file;  /* as the operator named it */
    const char *dir;   /* folder of the file, absolute: relative paths start here */
    const char *name;
    PmTriggerConfig trigger;
    PmSourceConfig source;
    PmLimits limits;
    PmOnError on_error;
    PmWorkerConfig worker;
    PmAwsConfig aws;
    PmFetchConfig fetch;
    PmNotifyConfig notify;
    PmPlace quarantine; /* PM_PLACE_NONE when not written */
    PmStep *steps;
    size_t step_count;
    PmOutput *outputs;
    size_t output_count;
} PmPipeline;

typedef enum PmReader { PM_READ_ALL, PM_READ_WORKER } PmReader;

/* New. Reads `text` (borrowed). `dir` is the absolute folder of the file. PM_READ_WORKER expands variables only
 * below limits, steps and outputs.*.{when,steps}, where all it needs was handed over; the rest keeps its ${..}
 * and its values are not checked. All errors go to `errors`; the result is NULL only when there is nothing
 * to go on with, so that a caller can collect the engine's errors too. Valid only when no error was added. */
PmPipeline *pm_pipeline_read(const char *file, const char *dir, const char *text, size_t size, PmReader reader,
                             PmEnvLookup *lookup, void *data, PmErrorList *errors);
void pm_pipeline_free(PmPipeline *pipeline);

/* Reads a file into memory, at most PM_TREE_TEXT_MAX bytes. Caller frees *text. *dir (caller frees) is the
 * absolute folder. Errors: cannot open (with the reason), too large, not a regular file, NUL bytes. */
PmStatus pm_pipeline_load_text(const char *file, char **text, size_t *size, char **dir, PmError *err);

/* Names of the variables that the worker's part uses: a new array of strings. */
json_t *pm_pipeline_worker_variables(const PmPipeline *pipeline);

/* Checks every fact named in key templates and `when` against pixmill's own and `plugin_facts` (array of
 * "step.name" strings, or NULL), with did you mean. A fact set by a step is known only after that step. */
void pm_pipeline_check_facts(const PmPipeline *pipeline, const json_t *plugin_facts, PmErrorList *errors);

/* Absolute path of `path` as written in the file: new string. */
char *pm_pipeline_path(const PmPipeline *pipeline, const char *path);

#endif
