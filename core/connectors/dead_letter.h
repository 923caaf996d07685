/* SPDX-License-Identifier: Apache-2.0
 *
 * What was set aside since it can never work, for people: why, and of what.
 */
#ifndef PM_CONNECTORS_DEAD_LETTER_H
#define PM_CONNECTORS_DEAD_LETTER_H

#include <stdint.h>

/* Why it is dead as pixmill said; PM_REDRIVEN when the queue's own redrive policy brought it there. */
#define PM_REDRIVEN "redrive_policy"

typedef struct PmDeadLetter {
    const char *id, *reason, *message, *source, *where; /* "" when unknown */
    int64_t sent_ms;                                    /* since 1970 UTC */
    int receive_count;
} PmDeadLetter; /* borrowed for the call */

typedef void PmDeadLetterSeen(void *data, const PmDeadLetter *message);

#endif
