/* SPDX-License-Identifier: Apache-2.0
 *
 * What plugins may ask of us, and the one way to call them: whatever a plugin does wrong ends in an error that
 * names it, its step and its line.
 */
#ifndef PM_ENGINE_HOST_H
#define PM_ENGINE_HOST_H

#include <vips/vips.h>

#include "engine/engine.h"
#include "engine/regions.h"
#include "engine/steps.h"

/* The job at hand; during create(), the check of one step. */
struct PmJob {
    const PmPipeline *pipeline;
    const PmAsset *assets;
    PmArena *arena;              /* strings handed to plugins; until the job ends */
    PmFacts *facts;              /* of the job, or of the output at work */
    const PmRegionSet **regions; /* likewise; NULL where there is no picture: while creating and explaining */
    size_t region_count;         /* added so far, by all steps */
    const PmView *view;          /* of the picture that the step at work was given; NULL in plan() */
    PmFrame *frame;              /* in apply(): where set_frame() puts it; width 0: not called */
    const PmSink *sink;          /* NULL while explaining; while creating it has only a log, or is NULL */
    PmProgress *progress;        /* may be NULL */
    int64_t deadline_ms;         /* 0: none */
    const PmInstance *at;        /* the step at work */
    PmError failure;             /* what the call under way said with fail() */
};

/* Says in the progress page where the job is. `step` NULL: between steps. */
void pm_job_at(PmJob *job, const char *plugin, const char *step, int line);

/* Each calls the plugin and turns its answer into ours. err names step, plugin and line. */
PmStatus pm_call_create(PmJob *job, PmInstance *instance, bool fetch, PmErrorList *errors);
PmStatus pm_call_plan(PmJob *job, const PmInstance *instance, const PmShape *in, PmPlan *plan, PmError *err);
/* `shape` is what the step was asked to plan. */
PmStatus pm_call_apply(PmJob *job, const PmInstance *instance, const PmShape *shape, VipsImage *in, VipsImage **out,
                       PmError *err);
PmStatus pm_call_inspect(PmJob *job, const PmInstance *instance, const PmShape *shape, VipsImage *in, PmVerdict *out,
                         PmError *err);
PmStatus pm_call_encode(PmJob *job, const PmInstance *instance, const PmShape *shape, VipsImage *in, VipsTarget *out,
                        PmError *err);

/* An error in what a plugin promised or gave back. Returns PM_BUG. */
PmStatus pm_plugin_bug(const PmJob *job, const PmInstance *instance, PmError *err, const char *fmt, ...)
    PM_PRINTF(4, 5);

/* Gives an error the step's name, plugin and place. */
void pm_error_step(PmError *err, const PmPipeline *pipeline, const PmStep *step);

/* Sets "<step name>.<fact>". */
bool pm_job_set_fact(PmJob *job, const PmInstance *instance, const char *fact, const char *value);

#endif
