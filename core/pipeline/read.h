/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by pipeline.c, connections.c and steps.c while a file is being read. Not for others.
 */
#ifndef PM_PIPELINE_READ_H
#define PM_PIPELINE_READ_H

#include "pipeline/pipeline.h"

enum { PM_OUTPUTS_MAX = 64, PM_STEPS_MAX = 64, PM_CHOICES_MAX = 16 };

typedef struct PmReading {
    PmPipeline *pipeline;
    PmErrorList *errors;
    const PmKind *const *kinds; /* NULL: the worker's part alone */
} PmReading;

/* Adds an error at a node (NULL: the file's beginning); the entry to hang a hint on, or NULL. */
PmError *pm_read_error(const PmReading *r, const PmNode *at, const char *where, const char *fmt, ...) PM_PRINTF(4, 5);

/* Binds a section into a new config struct of the arena; NULL for one without settings. */
const void *pm_read_section(const PmReading *r, const PmSection *section, const PmNode *node, const char *where,
                            const char *const *also);

/* connections.c: `trigger`, `source`, `notify`, `quarantine` and what kinds share; loops among them. */
void pm_read_connections(const PmReading *r, const PmNode *root);
/* `to:` of an output. */
void pm_read_to(const PmReading *r, const PmNode *node, const PmOutput *output, PmPlace *place);
/* Text that lives as long as the pipeline. */
const char *pm_read_text(const PmReading *r, const char *fmt, ...) PM_PRINTF(2, 3);

/* True when node is a mapping; unknown keys are reported. */
bool pm_read_mapping(const PmReading *r, const PmNode *node, const char *where, const char *const *keys);

/* The one entry of a mapping that must have exactly one of these keys (NULL-terminated); NULL after an error. */
const PmPair *pm_read_choice(const PmReading *r, const PmNode *node, const char *where, const char *const *kinds);

void pm_read_steps(const PmReading *r, const PmNode *node, const char *path, const char *where, PmStep **steps,
                   size_t *count);

#endif
