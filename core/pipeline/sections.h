/* SPDX-License-Identifier: Apache-2.0
 *
 * The pipeline file's own keys, as tables of PmParam: what pipeline.c reads with and schema.c describes. A key that an
 * operator can write stands here, with a connector, or in a plugin, and nowhere else.
 */
#ifndef PM_PIPELINE_SECTIONS_H
#define PM_PIPELINE_SECTIONS_H

#include "pipeline/pipeline.h"

/* Keys that hold a mapping or a list. */
#define PM_KEY_TRIGGER    "trigger"
#define PM_KEY_SOURCE     "source"
#define PM_KEY_LIMITS     "limits"
#define PM_KEY_ON_ERROR   "on_error"
#define PM_KEY_SANDBOX    "sandbox"
#define PM_KEY_FETCH      "fetch"
#define PM_KEY_NOTIFY     "notify"
#define PM_KEY_QUARANTINE "quarantine"
#define PM_KEY_STEPS      "steps" /* of an output, too */
#define PM_KEY_OUTPUTS    "outputs"
/* of an output, and `when` of a step */
#define PM_KEY_FOR  "for"
#define PM_KEY_WHEN "when"
#define PM_KEY_TO   "to"

/* One such key of the top level. */
typedef struct PmTopKey {
    const char *name; /* NULL: here stand the sections that kinds share */
    bool worker;      /* the worker reads it, too */
} PmTopKey;

/* All of them, in the order in which a message lists what is allowed. */
enum { PM_TOP_KEYS = 11 };
extern const PmTopKey pm_top_keys[PM_TOP_KEYS];

/* Ended by a NULL path. The first, "", holds the plain keys of the top level. */
extern const PmSection pm_sections[];

/* The section of that path; never NULL for a path in the table. */
const PmSection *pm_section(const char *path);

/* What the top level's plain keys fill in. */
typedef struct PmTopConfig {
    int64_t version;
    const char *name;
    const char *listen;
    int64_t workers;
    int32_t isolation;
    int64_t jobs_per_child;
} PmTopConfig;

/* `sandbox:` */
typedef struct PmSandboxConfig {
    int32_t minimum;
} PmSandboxConfig;

extern const char *const pm_on_reject_names[]; /* in the order of PmOnReject */

/* What an output may have beside its steps. */
#define PM_FOR_DOC                                                                                                    \
    "Names and their values: one output for each combination, named `NAME-VALUE-VALUE`. `\"{name}\"` in steps, when " \
    "and to stands for the value."

/* What a step may have beside its plugin. */
#define PM_STEP_NAME_DOC "Name of the step in facts, logs and messages."
#define PM_ON_REJECT_DOC                                                                                             \
    "What follows when the step rejects the picture. quarantine: set it aside. drop: forget it. blur, placeholder: " \
    "go "                                                                                                            \
    "on with it blurred, or with a flat picture of its size. flag: go on with it as it is."

#endif
