/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of an object and of its event, from how the work on it ended. Hides the table of reliability: which
 * failures are worth another try.
 */
#ifndef PM_BROKER_FATE_H
#define PM_BROKER_FATE_H

#include "broker/trigger.h"

/* What a result means for its event. attempt: 1 the first time. redrives: the trigger puts aside by itself what fails
 * too often. inspected: the fate that an inspector's verdict asks for, taken for PM_REJECTED only. */
PmFateKind pm_fate_of(const PmPipeline *pipeline, PmStatus status, PmFateKind inspected, int attempt, bool redrives);

/* Of the fates of an event's objects the event shares the worst: is a worse than b? */
bool pm_fate_worse(PmFateKind a, PmFateKind b);

/* The pause before the next attempt, in ms: on_error.backoff, doubled with each attempt, an hour at most; of it a
 * random half is taken off, so that what failed together does not come back together. */
int64_t pm_fate_backoff_ms(const PmPipeline *pipeline, int attempt);

#endif
