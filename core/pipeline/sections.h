/* SPDX-License-Identifier: Apache-2.0
 *
 * The pipeline file's own keys, as tables of PmParam: what pipeline.c reads with and schema.c describes. A key that an
 * operator can write stands here, with a connector, or in a plugin, and nowhere else.
 */
#ifndef PM_PIPELINE_SECTIONS_H
#define PM_PIPELINE_SECTIONS_H

#include "pipeline/pipeline.h"

/* Ended by a NULL path. The first, "", holds the plain keys of the top level. */
extern const PmSection pm_sections[];

/* The section of that path; never NULL for a path in the table. */
const PmSection *pm_section(const char *path);

/* What the top level's plain keys fill in. */
typedef struct PmTopConfig {
    int64_t version;
    const char *name;
    int64_t workers;
    int32_t isolation;
    int64_t jobs_per_child;
} PmTopConfig;

/* `sandbox:` */
typedef struct PmSandboxConfig {
    int32_t minimum;
} PmSandboxConfig;

extern const char *const pm_on_reject_names[]; /* in the order of PmOnReject */

/* What a step may have beside its plugin. */
#define PM_STEP_NAME_DOC "Name of the step in facts, logs and messages."
#define PM_ON_REJECT_DOC                                                                                             \
    "What follows when the step rejects the picture. quarantine: set it aside. drop: forget it. blur, placeholder: " \
    "go "                                                                                                            \
    "on with it blurred, or with a flat picture of its size. flag: go on with it as it is."

#endif
