/* SPDX-License-Identifier: Apache-2.0
 *
 * The dead-letter queue of a pipeline's trigger, for people: what lies there and why, and back to work with it.
 */
#ifndef PM_CONNECTORS_AWS_DEAD_LETTERS_H
#define PM_CONNECTORS_AWS_DEAD_LETTERS_H

#include "connectors/dead_letter.h"
#include "pipeline/pipeline.h"

/* Reports each message once, at most max. They are hidden from others for a moment and visible again at the end.
 * Blocks. PM_BAD_CONFIG: the pipeline has no SQS trigger, or no dead-letter queue. */
PmStatus pm_dead_letters_list(const PmPipeline *pipeline, size_t max, PmDeadLetterSeen *seen, void *data, PmError *err);

/* Sends messages back to the trigger's queue, then takes them from this one: reason NULL: all, at most max. Those that
 * were sent after this began have failed again, and stay. `seen` is
 * told after each. *left is how many of those that were looked at stayed. Blocks. */
PmStatus pm_dead_letters_redrive(const PmPipeline *pipeline, const char *reason, size_t max, PmDeadLetterSeen *seen,
                                 void *data, size_t *left, PmError *err);

#endif
