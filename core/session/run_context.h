/* SPDX-License-Identifier: Apache-2.0
 *
 * What a pipeline names, opened by the connectors' tables: trigger, source, stores, notifier.
 */
#ifndef PM_SESSION_RUN_CONTEXT_H
#define PM_SESSION_RUN_CONTEXT_H

#include "session/job.h"

/* Opens all but the trigger for run->context, whose loop, pipeline and digest are set. PM_BAD_CONFIG with the place
 * of what cannot be had. */
PmStatus pm_run_context_open(PmRunContext *run, const PmSessionOptions *options, PmError *err);
void pm_run_context_close(PmRunContext *run);

/* The pipeline's own trigger, that of the environment, or the one that the options bring. New. */
PmTrigger *pm_run_context_trigger(PmRunContext *run, const PmSessionOptions *options, const PmTriggerSink *sink,
                                  PmError *err);

#endif
