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

/* Who signs calls to that URL, opened when it is asked for the first time; a PmFindSigner with `run` for its data. */
PmSigner *pm_run_context_signer(void *run, const char *url, PmError *err);
/* Opens them all, for what READY declares: PM_BAD_CONFIG at the place of each that cannot be called. */
void pm_run_context_open_signers(PmRunContext *run, const json_t *ready, PmErrorList *errors);

/* The pipeline's own trigger, that of the environment, or the one that the options bring. New. */
PmTrigger *pm_run_context_trigger(PmRunContext *run, const PmSessionOptions *options, const PmTriggerSink *sink,
                                  PmError *err);

#endif
