/* SPDX-License-Identifier: Apache-2.0
 *
 * The dead-letter queue of a pipeline's trigger, for people: what lies there and why, and back to work with it.
 */
#ifndef PM_BROKER_DEAD_LETTERS_H
#define PM_BROKER_DEAD_LETTERS_H

#include "pipeline/pipeline.h"

/* Why it is dead as pixmill said; PM_REDRIVEN when the queue's own redrive policy brought it there. */
#define PM_REDRIVEN "redrive_policy"

typedef struct PmDeadLetter {
    const char *id, *reason, *message, *source, *where; /* "" when not told */
    int64_t sent_ms;                                    /* since 1970 UTC */
    int receive_count;
} PmDeadLetter; /* borrowed for the call */

typedef void PmDeadLetterSeen(void *data, const PmDeadLetter *letter);

/* Tells each letter once, at most max. They are hidden from others for a moment and visible again at the end. Blocks.
 * PM_BAD_CONFIG: the pipeline has no SQS trigger, or no dead-letter queue. */
PmStatus pm_dead_letters_list(const PmPipeline *pipeline, size_t max, PmDeadLetterSeen *seen, void *data, PmError *err);

/* Sends letters back to the trigger's queue, then takes them from this one: reason NULL: all, at most max. Those that
 * were sent after this began have failed again, and stay. `seen` is
 * told after each. *left is how many of those that were looked at stayed. Blocks. */
PmStatus pm_dead_letters_redrive(const PmPipeline *pipeline, const char *reason, size_t max, PmDeadLetterSeen *seen,
                                 void *data, size_t *left, PmError *err);

#endif
