/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of an object and of its event, from how the work on it ended. Hides the table of reliability: which
 * failures are worth another try.
 */
#ifndef PM_SESSION_FATE_H
#define PM_SESSION_FATE_H

#include "connectors/trigger.h"

/* How the work on one object ended, and where. */
typedef struct PmEnding {
    PmStatus status;
    PmFateKind inspected; /* the fate that an inspector's verdict asks for, taken for PM_REJECTED only */
    int attempt;          /* 1 the first time */
    bool last;            /* its trigger will not deliver it again: what would be retried is dead, with the reason */
    bool redrives, stays; /* of the trigger */
    bool unavailable;     /* a source or a store failed, not the image */
    bool ends;            /* the run is to end some time (`--once`) */
} PmEnding;

PmFateKind pm_fate_of(const PmPipeline *pipeline, const PmEnding *ending);

/* Of the fates of an event's objects the event shares the worst: is a worse than b? */
bool pm_fate_worse(PmFateKind a, PmFateKind b);

/* The pause before the next attempt, in ms: on_error.backoff, doubled with each attempt, an hour at most; of it a
 * random half is taken off, so that what failed together does not come back together. */
int64_t pm_fate_backoff_ms(const PmPipeline *pipeline, int attempt);
/* The same for any first pause: doubled that often, max_ms at most. */
int64_t pm_pause_ms(int64_t first_ms, int64_t doublings, int64_t max_ms);

#endif
