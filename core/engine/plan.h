/* SPDX-License-Identifier: Apache-2.0
 *
 * The route of a job: which steps run on what, how small the source may be decoded, what outputs share. Pure: works
 * on shapes and asks steps through a callback; touches no pixel and knows no plugin by name.
 *
 *   1. Shapes forward on the full-size header, through the trunk and every output.
 *   2. Demand backward: the smallest picture that serves every output, so the decoder can shrink.
 *   3. Shapes forward again on what the decoder will give. A step's source_width and source_height are the size its
 *      input had in the first pass.
 *   4. One pass over the source where all outputs begin with a resample (onepass.h). Else forks: an output whose first
 * step that does anything only resamples all of the trunk makes a smaller picture of it; outputs that need no more
 * start from that one.
 */
#ifndef PM_ENGINE_PLAN_H
#define PM_ENGINE_PLAN_H

#include "base/error.h"

typedef enum PmStepKind { PM_STEP_APPLY, PM_STEP_INSPECT, PM_STEP_ENCODE } PmStepKind;

/* Whether a step or output runs: its `when` may name facts that an inspector has yet to set. */
typedef enum PmRuns { PM_RUNS_YES = 0, PM_RUNS_NO, PM_RUNS_MAYBE } PmRuns;

typedef struct PmRouteStep {
    /* in */
    const void *step; /* the planner's own */
    PmStepKind kind;
    PmRuns runs;
    char why[128]; /* when it does not run */
    /* out; meaningless when it does not run */
    PmShape full_in, full_out; /* pass one */
    PmShape in, out;           /* last pass */
    uint32_t flags;
    PmResample resample;
    int32_t need_width, need_height, need_pages; /* as the step said for full_in; sides 0: whatever follows needs */
    int32_t wish_width,
        wish_height; /* the same, beyond full_in: what it would make use of; 0: it takes full_in as it is */
    const char *format, *extension, *mime; /* encoders */
} PmRouteStep;

enum { PM_FROM_TRUNK = -1, PM_NO_FORK = -1 };

typedef struct PmRouteOutput {
    /* in */
    const char *name;
    const char *where;
    PmRuns runs;
    char why[128];
    PmRouteStep *steps;
    size_t count;
    /* out */
    int32_t demand_width, demand_height, demand_pages; /* of its start, in full-size pixels; pages 0: all */
    bool demand_fine;                                  /* it asks for more pixels than it makes, for their quality */
    int32_t wish_width, wish_height;                   /* the same, beyond full size; 0: it takes full size as it is */
    int from;                                          /* PM_FROM_TRUNK, or the output whose fork it starts from */
    int fork;                                          /* index of the step that makes its fork, or PM_NO_FORK */
    int fork_users;                                    /* outputs that start from it, this one not counted */
    int resample;                                      /* index of its step that one pass carries out, or PM_NO_FORK */
    const char *not_one_pass; /* why libvips makes it; NULL: one pass over the source does (onepass.h) */
    /* Its steps change metadata alone, and so its pixels are not decoded: the source's own coding of them is copied
     * (copy.h). It takes no part in anything else here then: `runs` is PM_RUNS_NO. */
    bool copied;
    const char *not_copied; /* its steps change metadata alone, and yet: why it is not copied. NULL: they do more */
    size_t inspected; /* so many of its steps run before any output is made: up to its last inspector. 0: it has none */
} PmRouteOutput;

typedef struct PmRoute {
    /* in */
    PmShape source; /* full size, upright */
    PmRouteStep *trunk;
    size_t trunk_count;
    PmRouteOutput *outputs;
    size_t output_count;
    const char *one_pass_off; /* why one pass is not to be chosen, or NULL */
    /* out */
    int32_t demand_width, demand_height, demand_pages;
    bool demand_fine;
    int32_t wish_width, wish_height; /* beyond the demand; 0: none */
    PmShape loaded;
    PmShape trunk_end;    /* what the outputs get, pass two */
    size_t trunk_users;   /* outputs that start from the trunk */
    size_t copies;        /* outputs that are copied */
    bool one_pass;        /* all outputs are resampled in one pass: nothing is shared, and the trunk is not held */
    bool share_trunk;     /* held in memory, because more than one output starts from it */
    int64_t memory_bytes; /* pictures held at once, at most */
} PmRoute;

typedef struct PmPlanner {
    void *data;
    /* The plan of a step for `in`. `plan` is preset. */
    PmStatus (*ask)(void *data, const PmRouteStep *step, const PmShape *in, PmPlan *plan, PmError *err);
    /* What the decoder gives when at least width x height (upright, 0: all) and pages (1, or 0: all) are needed. They
     * exceed the source where every output would make use of a drawing that is rendered larger. `fine`: something asks
     * for more pixels than it makes, for their quality. */
    PmShape (*load)(void *data, int32_t width, int32_t height, int32_t pages, bool fine);
    /* NULL, or why the source's coded pixels cannot be copied into a file of that format. Asked once an output's steps
     * would allow it. */
    const char *(*copy)(void *data, const char *format);
} PmPlanner;

/* Fills in the `out` members. `ask`'s errors are passed on. */
PmStatus pm_route_plan(PmRoute *route, const PmPlanner *planner, PmError *err);

/* Presets a plan as the ABI says: out is the input, need_* the full input. */
PmPlan pm_plan_preset(const PmShape *in);

/* Bytes of a picture in memory. */
int64_t pm_shape_bytes(const PmShape *shape);

/* True for a step that runs and changes or reads the picture. */
bool pm_route_step_acts(const PmRouteStep *step);

#endif
