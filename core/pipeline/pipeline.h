/* SPDX-License-Identifier: Apache-2.0
 *
 * The pipeline file, read: sections as structs with defaults filled in, steps as names with their YAML. Plugin
 * parameters stay nodes: the engine binds them with each plugin's table. Broker and worker read the same text
 * with this module; neither needs what the other acts on.
 */
#ifndef PM_PIPELINE_PIPELINE_H
#define PM_PIPELINE_PIPELINE_H

#include "pipeline/kind.h"
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
    const PmNode *params; /* a mapping, a single value, or NULL for none; a list was reported as an error */
    const PmWhen *when;   /* NULL: always */
    PmOnReject on_reject;
    bool has_on_reject;
    int line, column; /* of the plugin key */
} PmStep;

/* Where the value of a parameter is written; NULL when it is not. */
const PmNode *pm_step_param(const PmStep *step, const char *param);

/* `to:`, `quarantine:` and `notify:` */
typedef struct PmPlace {
    const PmKind *kind; /* NULL: not written, or in the wrong way */
    PmTemplate *key;    /* the setting that kind->key names; NULL: this section of the kind has none */
    const void *config; /* of kind->place or kind->notify */
    int line, column;
    int key_line, key_column; /* of the key's value */
} PmPlace;

typedef struct PmOutput {
    const char *name;
    const char *where;  /* "outputs.thumb"; of a matrix with the combination behind it, in brackets */
    const PmNode *node; /* as it is written, the values of a matrix filled in; NULL after an error */
    const char *matrix; /* "photo", where `for` made photo-320-avif and others of it; else NULL */
    const PmWhen *when;
    PmStep *steps;
    size_t step_count;
    PmPlace to;
    int line, column;
} PmOutput;

/* `fetch:`, what plugins may ask for */
typedef struct PmFetchConfig {
    bool link_local;
    int64_t timeout;      /* ms */
    int64_t response_max; /* bytes */
    int64_t retries;
} PmFetchConfig;

/* `trigger:` and `source:` */
typedef struct PmRole {
    const PmKind *kind; /* NULL: not written. A source is then what the trigger delivers */
    const void *config; /* of kind->trigger or kind->source */
    int line, column;
} PmRole;

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

/* Settings that the kinds of a family have in common. */
enum { PM_SHARED_MAX = 4 };
typedef struct PmShared {
    const PmSection *section; /* NULL: none, and none after it */
    const void *config;
} PmShared;

typedef struct PmPipeline {
    PmTree *tree;
    PmArena *arena;
    json_t *variables; /* names of those that the worker's part uses */
    const char *file;  /* as the operator named it */
    const char *dir;   /* folder of the file, absolute: relative paths start here */
    const char *name;
    const char *listen; /* address:port of the listener; NULL: there is none */
    PmRole trigger;
    PmRole hosted; /* the trigger that counts where the environment has it; kind NULL: there is none to be had */
    PmRole source;
    PmLimits limits;
    PmOnError on_error;
    PmWorkerConfig worker;
    PmFetchConfig fetch;
    PmShared shared[PM_SHARED_MAX]; /* one for each such section of the kinds */
    PmPlace notify;                 /* a record of each finished source */
    PmPlace quarantine;
    PmStep *steps;
    size_t step_count;
    PmOutput *outputs;
    size_t output_count;
} PmPipeline;

/* New. Reads `text` (borrowed). `dir` is the absolute folder of the file. kinds: what it may be connected to, ended by
 * NULL. kinds NULL reads the worker's part alone: variables are expanded only below limits, steps, sandbox and
 * outputs.*.{for,when,steps}, where all it needs was handed over; the rest keeps its ${..} and its values are not
 * checked. All errors go to `errors`; the result is NULL only when there is nothing to go on with, so that a caller can
 * collect the engine's errors too. Valid only when no error was added. */
PmPipeline *pm_pipeline_read(const char *file, const char *dir, const char *text, size_t size,
                             const PmKind *const *kinds, PmEnvLookup *lookup, void *data, PmErrorList *errors);
void pm_pipeline_free(PmPipeline *pipeline);

/* Reads a file into memory, at most PM_TREE_TEXT_MAX bytes. Caller frees *text. *dir (caller frees) is the
 * absolute folder. Errors: cannot open (with the reason), too large, not a regular file, NUL bytes. */
PmStatus pm_pipeline_load_text(const char *file, char **text, size_t *size, char **dir, PmError *err);

/* Names of the variables that the worker's part uses: a new array of strings. */
json_t *pm_pipeline_worker_variables(const PmPipeline *pipeline);

/* Checks every fact named in key templates and `when` against pixmill's own and `plugin_facts` (array of
 * "step.name" strings, or NULL), with did you mean. A fact set by a step is known only after that step. */
void pm_pipeline_check_facts(const PmPipeline *pipeline, const json_t *plugin_facts, PmErrorList *errors);

/* The settings of a trigger that stands in the file, or counts where the environment has it; else NULL. */
const void *pm_pipeline_trigger(const PmPipeline *pipeline, const PmKind *kind);
/* What the kinds of a family share; NULL when none of them was handed to the reader. */
const void *pm_pipeline_shared(const PmPipeline *pipeline, const PmSection *section);
/* The text of a setting of that name that kinds share; NULL: there is none, or it is not written. */
const char *pm_pipeline_shared_text(const PmPipeline *pipeline, const char *name);

/* Everything that is written to under a key: outputs, then quarantine, then the records of `notify`. */
typedef struct PmPlaceUse {
    const PmPlace *place;
    const char *where;  /* "outputs.thumb", "quarantine", "notify" */
    const char *output; /* what {output} stands for; "" for others */
} PmPlaceUse;
/* The i-th of them; false beyond the last. */
bool pm_pipeline_place(const PmPipeline *pipeline, size_t i, PmPlaceUse *use);

/* What is to be said of the places that outputs write to, once it is known what they write: `writes` holds for each
 * output's name the formats that its encoder can give, [] when that depends on more than can be tried out; NULL: not
 * known. Outputs that can overwrite each other are errors; an ending that is not the format's, a name that is the same
 * for every image, and a folder to watch that is not there are warnings. */
void pm_pipeline_check_places(const PmPipeline *pipeline, const json_t *writes, PmErrorList *errors);
void pm_pipeline_warn_places(const PmPipeline *pipeline, const json_t *writes, PmErrorList *warnings);

/* Absolute path of `path` as written in the file: new string. */
char *pm_pipeline_path(const PmPipeline *pipeline, const char *path);
/* The same without ".", ".." and doubled slashes, lexically: no link is followed, nothing needs to exist. */
char *pm_pipeline_clean_path(const PmPipeline *pipeline, const char *path);

/* True for "~/x" and "$HOME/x", which only a shell would fill in; what to write is in `instead`. */
bool pm_pipeline_shell_path(const char *text, char *instead, size_t size);

#endif
