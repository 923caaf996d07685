/* SPDX-License-Identifier: Apache-2.0
 *
 * A child: one job after the other, each with the engine that it was born with.
 */
#ifndef PM_WORKER_CHILD_H
#define PM_WORKER_CHILD_H

#include "engine/engine.h"

typedef struct PmChild {
    int sock;               /* the job channel */
    PmEngine *engine;       /* borrowed */
    const PmLimits *limits; /* borrowed */
    PmProgress *progress;   /* borrowed */
} PmChild;

enum { PM_CHILD_DONE = 0, PM_CHILD_PROTOCOL = 70, PM_CHILD_SANDBOX = 71 };

/* Does jobs until the broker closes the channel. Returns the exit code. */
int pm_child_run(const PmChild *child);

#endif
