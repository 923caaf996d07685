/* SPDX-License-Identifier: Apache-2.0
 *
 * The `failed` folder of a pipeline's folder trigger, for people: what lies there and why, and back to work with it.
 */
#ifndef PM_CONNECTORS_FILE_DEAD_FILES_H
#define PM_CONNECTORS_FILE_DEAD_FILES_H

#include "connectors/dead_letter.h"
#include "pipeline/pipeline.h"

/* Reports each file that has a reason beside it, at most max: id is its path below the folder. PM_BAD_CONFIG: the
 * trigger keeps files where they are. */
PmStatus pm_dead_files_list(const PmPipeline *pipeline, size_t max, PmDeadLetterSeen *seen, void *data, PmError *err);

/* Moves files back to where they came from, then removes their reasons; a name that is taken there gets a number.
 * reason NULL: all, at most max; what failed after the call began stays. `seen` is called after each. *left is how many
 * stayed. */
PmStatus pm_dead_files_redrive(const PmPipeline *pipeline, const char *reason, size_t max, PmDeadLetterSeen *seen,
                               void *data, size_t *left, PmError *err);

#endif
