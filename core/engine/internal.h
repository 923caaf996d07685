/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the engine know of each other: the engine and one run of it. Not for other folders.
 */
#ifndef PM_ENGINE_INTERNAL_H
#define PM_ENGINE_INTERNAL_H

#include "base/buffer.h"
#include "engine/engine.h"
#include "engine/host.h"
#include "engine/load.h"
#include "engine/picture.h"
#include "engine/plan.h"
#include "engine/steps.h"

struct PmEngine {
    const PmPipeline *pipeline; /* borrowed */
    PmRegistry *registry;
    PmArena *arena;
    PmAsset *assets;
    PmInstances trunk;
    PmInstances *outputs; /* pipeline->output_count of them */
    json_t *facts;        /* names that steps set */
    json_t *endpoints;    /* as in PmStepMaker */
    PmProgress *progress; /* borrowed; may be NULL */
    bool one_pass;        /* may be chosen; else libvips makes everything */
    char digest[65];
};

/* One output while a run goes on. */
typedef struct PmRunOutput {
    PmFacts *facts;             /* the job's and those its own steps set; NULL until the output starts */
    const PmRegionSet *regions; /* likewise */
    PmPicture fork;             /* held while others start from it */
    int32_t fork_source_width, fork_source_height; /* the source_width and _height of what the fork was made from */
    bool has_fork;
    int fork_users_left;
    PmPicture picture; /* after steps_done of its steps */
    bool started;
    size_t steps_done;
} PmRunOutput;

/* One job on its way. */
typedef struct PmRun {
    PmEngine *engine;
    const PmJobInput *input;
    const PmSink *sink;
    PmReport *report;
    PmJob job;
    PmFacts *facts;
    const PmRegionSet *regions; /* of the trunk's steps */
    PmSource source;
    bool has_source; /* false for a plan of a source that was only described */
    PmFormat format;
    PmRoute route;
    PmLoadOptions load;
    PmPicture trunk;
    size_t trunk_users_left;
    PmRunOutput *outputs;
    json_t *step_us;           /* {step name: microseconds spent in it} */
    struct PmOrderMark *marks; /* see order.h */
    const PmInstance *last;    /* the last step that made something lazily: its pixels are computed later */
} PmRun;

/* --- run.c --- */

/* False: no memory. pm_run_finish in either case. */
bool pm_run_init(PmRun *run, PmEngine *engine, const PmJobInput *input, const PmSink *sink, PmReport *report);
void pm_run_finish(PmRun *run);
/* Reads the header of the input. */
PmStatus pm_run_open(PmRun *run, PmError *err);

/* Whose facts and regions the steps that run next read and set. */
void pm_run_at_output(PmRun *run, PmRunOutput *output);
void pm_run_at_trunk(PmRun *run);
/* Gives the output its facts, if it has none yet. */
PmStatus pm_run_begin_output(PmRun *run, size_t index, PmError *err);

/* --- route.c: from pipeline and source to a route --- */

/* Fills run->facts, run->route and run->load for the shape in run->route.source. */
PmStatus pm_run_plan(PmRun *run, PmError *err);
/* Whether the `when` holds; `why` is filled when not. */
PmRuns pm_run_when(const PmWhen *when, const PmFacts *facts, char *why, size_t why_size);

/* --- execute.c: steps --- */

/* Runs steps [from, to) on the picture. */
PmStatus pm_run_steps(PmRun *run, const PmInstances *instances, const PmRouteStep *route, size_t from, size_t to,
                      PmPicture *picture, PmError *err);
/* The picture as steps are told of it: what plan() is asked, and what apply(), inspect() and encode() then get. */
PmShape pm_run_shape(const PmRun *run, const PmPicture *picture);
/* One step's plan for the picture as it is. */
PmStatus pm_run_ask(PmRun *run, const PmInstance *instance, const PmPicture *picture, PmPlan *plan, PmError *err);
/* The size that the step's result would have after a full decode. */
PmStatus pm_run_full_size(PmRun *run, const PmInstance *instance, const PmRouteStep *route, const PmPicture *picture,
                          PmShape *full, PmError *err);
/* Adds the time since `since_us` to the step's. */
void pm_run_timed(PmRun *run, const PmInstance *instance, int64_t since_us);
/* Computes the picture into memory. */
PmStatus pm_run_hold(PmRun *run, PmPicture *picture, PmError *err);
/* Turns libvips' message after pixels could not be computed into the right error: damaged source, no memory, or the
 * step at fault. */
PmStatus pm_run_pixels_failed(PmRun *run, PmError *err);

/* --- encode.c --- */

/* The output's last step, and the rendition to the sink. Lets the picture go as soon as it is written. */
PmStatus pm_run_encode(PmRun *run, size_t output, PmPicture *picture, PmError *err);

/* --- writes.c --- */

/* {output: [format..]}: one when it is the same for all images. New. */
json_t *pm_engine_writes(const PmEngine *engine);

/* --- digest.c --- */

/* SHA-256, hex, of all that decides what outputs look like. */
void pm_engine_digest(const PmEngine *engine, char out[65]);

#endif
