/* SPDX-License-Identifier: Apache-2.0
 *
 * What a child says about a job, made safe: only members that are known, of their types, under names that the pipeline
 * file and the plugins declared before any picture was read. Nothing else of a child's words becomes a key of a record,
 * the name of a metric, or part of a path.
 */
#ifndef PM_WORKERS_SAID_H
#define PM_WORKERS_SAID_H

#include "pipeline/pipeline.h"

/* The facts of steps that READY declares, as an object with the names as keys. New. */
json_t *pm_said_declared(const json_t *ready);

/* The endpoints that READY declares and somebody has to sign, 64 at most, as an object with the URLs as keys. New. */
json_t *pm_said_endpoints(const json_t *ready);

/* "step.fact" of declared names. New. */
json_t *pm_said_step_facts(const json_t *said, const json_t *declared);
/* The same, `own` (what the child was given) and what it found in the picture's header. New. */
json_t *pm_said_facts(const json_t *said, const json_t *declared, const json_t *own);
json_t *pm_said_verdicts(const json_t *said, const PmPipeline *pipeline); /* new */
json_t *pm_said_warnings(const json_t *said, const PmPipeline *pipeline); /* new */
json_t *pm_said_timings(const json_t *said, const PmPipeline *pipeline);  /* new */

/* An error's text is the child's; its place and the plugin are looked up. PM_BUG for a status that ends no job. */
void pm_said_error(const json_t *said, const PmPipeline *pipeline, PmError *err);

/* A step by its path ("outputs.thumb.steps[0]"); NULL: there is none. */
const PmStep *pm_said_step(const PmPipeline *pipeline, const char *path);
/* The name of a plugin of the pipeline, from the pipeline; "convert" is always one. NULL: it is none. */
const char *pm_said_plugin(const PmPipeline *pipeline, const char *name);

/* Whether a step of the pipeline may refuse a picture in that way. */
bool pm_said_may_reject(const PmPipeline *pipeline, PmOnReject how);

#endif
