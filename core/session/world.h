/* SPDX-License-Identifier: Apache-2.0
 *
 * Which trigger, source and stores a pipeline asks for: the one place that knows all kinds of each.
 */
#ifndef PM_SESSION_WORLD_H
#define PM_SESSION_WORLD_H

#include "session/job.h"

/* Opens source and stores for world->pipeline; world->loop is set. PM_BAD_CONFIG with the place of what cannot be had.
 */
PmStatus pm_world_open(PmJobWorld *world, const PmRunOptions *options, PmError *err);
void pm_world_close(PmJobWorld *world);

/* The pipeline's own trigger, or Lambda's. New. */
PmTrigger *pm_world_trigger(const PmJobWorld *world, const PmRunOptions *options, const PmTriggerSink *sink,
                            PmError *err);

#endif
