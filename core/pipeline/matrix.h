/* SPDX-License-Identifier: Apache-2.0
 *
 * `for: { size: [320, 640], format: [avif, webp] }` of an output: one output for each combination of the values. Hides
 * counting, naming and filling in. What the rest of the reader sees are outputs as if they had been written out.
 */
#ifndef PM_PIPELINE_MATRIX_H
#define PM_PIPELINE_MATRIX_H

#include "pipeline/read.h"

/* An output to be read. */
typedef struct PmOutputSource {
    const PmNode *key;  /* names it, where the file's key stands */
    const PmNode *node; /* its mapping, with the values filled in; NULL: nothing that could be read, and reported */
    const char *where;  /* "outputs.photo-320-avif (for on line 4: size 320, format avif)" */
    const char *matrix; /* the file's key, where there is a `for`; else NULL */
} PmOutputSource;

/* The outputs below `outputs` (a mapping) in the file's order: *sources, of the pipeline's arena. At most
 * PM_OUTPUTS_MAX; more are an error, and none then. */
size_t pm_matrix_expand(const PmReading *r, const PmNode *outputs, const PmOutputSource **sources);

#endif
