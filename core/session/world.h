/* SPDX-License-Identifier: Apache-2.0
 *
 * What a pipeline names, opened by the connectors' tables: trigger, source, stores, notifier.
 */
#ifndef PM_SESSION_WORLD_H
#define PM_SESSION_WORLD_H

#include "session/job.h"

/* Opens all but the trigger for world->context, whose loop, pipeline and digest are set. PM_BAD_CONFIG with the place
 * of what cannot be had. */
PmStatus pm_world_open(PmJobWorld *world, const PmSessionOptions *options, PmError *err);
void pm_world_close(PmJobWorld *world);

/* The pipeline's own trigger, that of the environment, or the one that the options bring. New. */
PmTrigger *pm_world_trigger(PmJobWorld *world, const PmSessionOptions *options, const PmTriggerSink *sink,
                            PmError *err);

#endif
