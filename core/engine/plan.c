/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/plan.h"

#include <stdlib.h>

#include "engine/onepass.h"

enum { WISH_MAX = 10 * 1000 * 1000 }; /* libvips' longest side */

PmPlan pm_plan_preset(const PmShape *in)
{
    return (PmPlan){.out = *in, .need_width = in->width, .need_height = in->height};
}

int64_t pm_shape_bytes(const PmShape *shape)
{
    /* VipsBandFormat: uchar, char, ushort, short, uint, int, float, complex, double, dpcomplex */
    static const int sizes[] = {1, 1, 2, 2, 4, 4, 4, 8, 8, 16};
    size_t i = (size_t)shape->band_format;
    int64_t sample = i < sizeof sizes / sizeof sizes[0] ? sizes[i] : 1;
    return (int64_t)shape->width * shape->height * shape->pages * shape->bands * sample;
}

bool pm_route_step_acts(const PmRouteStep *step)
{
    return step->runs != PM_RUNS_NO && !(step->flags & PM_SKIP);
}

/* ------------------------------------------------------------------ forward */

/* A step that sees only the first page: the runner cuts before it. Inspectors are handed a copy, and cut nothing. */
static bool cuts_pages(const PmRouteStep *step)
{
    return step->kind != PM_STEP_INSPECT && pm_route_step_acts(step) && step->need_pages == 1;
}

/* Scales, and makes of a larger picture the same as of this one: `nearest` takes other pixels. */
static bool mixes(const PmResample *resample)
{
    return resample->width > 0 && resample->kernel != PM_KERNEL_NEAREST;
}

static int32_t clamp_need(int32_t need, int32_t side)
{
    return need < 0 ? 0 : need > side ? side : need;
}

static PmStatus ask_step(PmRouteStep *step, const PmPlanner *planner, PmShape *shape, bool first_pass, PmError *err)
{
    if (step->runs == PM_RUNS_NO) return PM_OK;
    if (first_pass) step->full_in = *shape;
    /* The picture may have been cut to one page since pass one, or start from a fork: only the size counts. */
    shape->source_width = step->full_in.width;
    shape->source_height = step->full_in.height;
    for (int again = 0;; again++) {
        PmPlan plan = pm_plan_preset(shape);
        PmStatus status = planner->ask(planner->data, step, shape, &plan, err);
        if (status != PM_OK) return status;
        step->flags = plan.flags;
        step->resample = plan.resample;
        step->need_pages = plan.need_pages;
        if (first_pass) {
            step->need_width = clamp_need(plan.need_width, shape->width);
            step->need_height = clamp_need(plan.need_height, shape->height);
            /* One that asks for what it was offered, as is preset, may not know what to do with any other size. */
            bool own = mixes(&plan.resample) || plan.need_width != shape->width || plan.need_height != shape->height;
            step->wish_width = own ? clamp_need(plan.need_width, WISH_MAX) : 0;
            step->wish_height = own ? clamp_need(plan.need_height, WISH_MAX) : 0;
        }
        step->format = plan.format;
        step->extension = plan.extension;
        step->mime = plan.mime;
        step->in = *shape;
        step->out = step->kind == PM_STEP_INSPECT || (plan.flags & PM_SKIP) ? *shape : plan.out;
        if (!cuts_pages(step) || shape->pages == 1 || again > 0) break;
        shape->pages = 1;
    }
    *shape = step->out;
    if (first_pass) step->full_out = *shape;
    return PM_OK;
}

static PmStatus forward(PmRouteStep *steps, size_t count, const PmPlanner *planner, PmShape *shape, bool first_pass,
                        PmError *err)
{
    for (size_t i = 0; i < count; i++) {
        PmStatus status = ask_step(&steps[i], planner, shape, first_pass, err);
        if (status != PM_OK) return status;
    }
    return PM_OK;
}

/* ------------------------------------------------------------------ backward */

typedef struct Demand {
    int32_t width, height;           /* px */
    int32_t pages;                   /* 1, or 0 for all */
    int32_t wish_width, wish_height; /* what would be made use of, were the source any size; 0: the full size only */
    bool fine;                       /* more pixels than are made of them */
} Demand;

static int32_t larger(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

static Demand merge(Demand a, Demand b)
{
    bool wish = a.wish_width > 0 && b.wish_width > 0;
    return (Demand){larger(a.width, b.width),
                    larger(a.height, b.height),
                    a.pages == 1 && b.pages == 1 ? 1 : 0,
                    wish ? larger(a.wish_width, b.wish_width) : 0,
                    wish ? larger(a.wish_height, b.wish_height) : 0,
                    a.fine || b.fine};
}

/* What is needed of a step's input side when `want` of its output side is. */
static int32_t pass_through(int32_t want, int32_t in, int32_t out)
{
    if (in == out || out <= 0) return want < in ? want : in;
    int64_t scaled = ((int64_t)want * in + out - 1) / out;
    return scaled < in ? (int32_t)scaled : in;
}

/* It asks for clearly more than what it scales its input to; what it cuts off or adds does not count. */
static bool asks_for_more(const PmRouteStep *step)
{
    const double clearly = 1.5;
    const PmResample *box = &step->resample;
    double width = step->full_out.width, height = step->full_out.height;
    if (box->width <= 0) return step->need_width > clearly * width || step->need_height > clearly * height;
    width *= step->full_in.width / box->width;
    height *= step->full_in.height / box->height;
    return step->need_width > clearly * width && step->need_height > clearly * height;
}

static Demand demand_of_step(const PmRouteStep *step, Demand after)
{
    if (!pm_route_step_acts(step)) return after;
    PmShape in = step->full_in, out = step->full_out;
    if (step->kind == PM_STEP_INSPECT) {
        Demand own = {step->need_width,
                      step->need_height,
                      step->need_pages == 1 ? 1 : 0,
                      larger(1, step->need_width),
                      larger(1, step->need_height),
                      false};
        return merge(own, after);
    }
    /* Left out, it leaves later steps a picture that they have not been asked about. */
    if (step->runs == PM_RUNS_MAYBE) return (Demand){in.width, in.height, after.pages, 0, 0, false};
    /* One page after it need not be the first page before it. */
    bool chooses_pages = out.pages != in.pages;
    Demand need = {.width = pass_through(after.width, in.width, out.width),
                   .height = pass_through(after.height, in.height, out.height),
                   .pages = step->need_pages == 1 ? 1
                            : chooses_pages       ? 0
                                                  : after.pages,
                   .fine = after.fine};
    if (step->need_width > 0) need.width = step->need_width;
    if (step->need_height > 0) need.height = step->need_height;
    if (step->need_width > 0 || step->need_height > 0) need.fine = asks_for_more(step);
    bool passes = step->need_width == 0 && step->need_height == 0 && in.width == out.width && in.height == out.height;
    need.wish_width = passes ? after.wish_width : step->wish_width;
    need.wish_height = passes ? after.wish_height : step->wish_height;
    return need;
}

static Demand backward(const PmRouteStep *steps, size_t count, Demand demand)
{
    for (size_t i = count; i > 0; i--) demand = demand_of_step(&steps[i - 1], demand);
    return demand;
}

/* An encoder writes every pixel it is given. */
static void demand_of_output(PmRouteOutput *output, const PmShape *end)
{
    Demand demand = backward(output->steps, output->count, (Demand){end->width, end->height, 0, 0, 0, false});
    output->wish_width = demand.wish_width;
    output->wish_height = demand.wish_height;
    output->demand_width = demand.width;
    output->demand_height = demand.height;
    output->demand_pages = demand.pages;
    output->demand_fine = demand.fine;
}

static void demand_of_trunk(PmRoute *route)
{
    Demand demand = {0, 0, 1, 1, 1, false};
    for (size_t i = 0; i < route->output_count; i++) {
        const PmRouteOutput *output = &route->outputs[i];
        if (output->runs == PM_RUNS_NO) continue;
        demand = merge(demand, (Demand){output->demand_width, output->demand_height, output->demand_pages,
                                        output->wish_width, output->wish_height, output->demand_fine});
    }
    demand = backward(route->trunk, route->trunk_count, demand);
    route->demand_width = demand.width;
    route->demand_height = demand.height;
    route->demand_pages = demand.pages;
    route->demand_fine = demand.fine;
    route->wish_width = demand.wish_width;
    route->wish_height = demand.wish_height;
}

/* ------------------------------------------------------------------ copies */

static bool same_pixels(const PmShape *a, const PmShape *b)
{
    return a->width == b->width && a->height == b->height && a->pages == b->pages && a->bands == b->bands &&
           a->band_format == b->band_format && a->interpretation == b->interpretation && a->has_alpha == b->has_alpha;
}

/* Whether the steps leave pixels alone. *acts: at least one of them changes metadata. Without any, writing the picture
 * anew is what the output is there for. */
static bool leave_pixels(const PmRouteStep *steps, size_t count, bool of_output, bool *acts)
{
    for (size_t i = 0; i < count; i++) {
        const PmRouteStep *step = &steps[i];
        if (!pm_route_step_acts(step)) continue;
        if (step->kind == PM_STEP_INSPECT) {
            /* The trunk's inspectors are given pixels of the trunk; for an output's own there would be none. */
            if (of_output && !(step->flags & PM_NO_PIXELS)) return false;
            continue;
        }
        if (step->runs != PM_RUNS_YES || !(step->flags & PM_NO_PIXELS) || !same_pixels(&step->full_in, &step->full_out))
            return false;
        *acts = true;
    }
    return true;
}

/* Whether the source's coding of the pixels can be the output's, in full size: see PmRouteOutput.copied. */
static void choose_copy(PmRoute *route, PmRouteOutput *output, const PmPlanner *planner)
{
    bool acts = false;
    const PmRouteStep *encoder = output->count > 0 ? &output->steps[output->count - 1] : NULL;
    if (output->runs != PM_RUNS_YES || planner->copy == NULL || encoder == NULL || encoder->kind != PM_STEP_ENCODE ||
        !leave_pixels(route->trunk, route->trunk_count, false, &acts) ||
        !leave_pixels(output->steps, output->count - 1, true, &acts) || !acts)
        return;
    if (!(encoder->flags & PM_NO_PIXELS))
        output->not_copied = "the encoder has settings for how pixels are written";
    else
        output->not_copied = planner->copy(planner->data, encoder->format);
    output->copied = output->not_copied == NULL;
    if (!output->copied) return;
    output->runs = PM_RUNS_NO;
    route->copies++;
}

/* ------------------------------------------------------------------ forks */

/* All of its input in the input's own proportions, as far as whole pixels can tell. Those of the full size count: the
 * decoder rounds. */
static bool only_scales(const PmRouteStep *step)
{
    const PmResample *resample = &step->resample;
    const PmShape *whole = &step->full_in, *out = &step->out;
    if (!mixes(resample) || resample->left > 0 || resample->top > 0) return false;
    if (resample->width < step->in.width || resample->height < step->in.height) return false;
    int64_t off = (int64_t)out->width * whole->height - (int64_t)out->height * whole->width;
    return 2 * llabs(off) <= larger(whole->width, whole->height);
}

/* The first step that acts, if it makes nothing but a smaller picture of its input. */
static int find_fork(const PmRouteOutput *output)
{
    for (size_t i = 0; i < output->count; i++) {
        const PmRouteStep *step = &output->steps[i];
        if (!pm_route_step_acts(step)) continue;
        bool scales = step->kind == PM_STEP_APPLY && step->runs == PM_RUNS_YES && only_scales(step);
        return scales ? (int)i : PM_NO_FORK;
    }
    return PM_NO_FORK;
}

static int64_t area(const PmShape *shape)
{
    return (int64_t)shape->width * shape->height;
}

static int64_t fork_area(const PmRouteOutput *output)
{
    return output->fork != PM_NO_FORK ? area(&output->steps[output->fork].out) : 0;
}

/* Same proportions, as far as whole pixels can tell. */
static bool same_picture(const PmShape *whole, const PmShape *fork)
{
    int64_t off = (int64_t)fork->width * whole->height - (int64_t)fork->height * whole->width;
    return llabs(off) <= larger(whole->width, whole->height);
}

static bool serves(const PmRoute *route, const PmRouteOutput *giver, const PmRouteOutput *taker)
{
    if (giver->runs == PM_RUNS_NO || giver->fork == PM_NO_FORK) return false;
    const PmShape *fork = &giver->steps[giver->fork].out;
    if (fork->width < taker->demand_width || fork->height < taker->demand_height) return false;
    if (fork->pages < route->trunk_end.pages && taker->demand_pages != 1) return false;
    return area(fork) < area(&route->trunk_end) && same_picture(&route->trunk_end, fork);
}

static PmShape start_of(const PmRoute *route, const PmRouteOutput *output)
{
    PmShape shape = route->trunk_end;
    if (output->from != PM_FROM_TRUNK) {
        const PmRouteOutput *giver = &route->outputs[output->from];
        shape = giver->steps[giver->fork].out;
    }
    if (output->demand_pages == 1) shape.pages = 1;
    return shape;
}

static PmStatus plan_output(PmRoute *route, PmRouteOutput *output, const PmPlanner *planner, PmError *err)
{
    PmShape shape = start_of(route, output);
    PmStatus status = forward(output->steps, output->count, planner, &shape, false, err);
    output->fork = find_fork(output);
    return status;
}

/* Largest fork first, so that no output can start from one that starts from it. Equal ones in the file's order. */
static PmStatus choose_forks(PmRoute *route, const PmPlanner *planner, PmError *err)
{
    for (size_t i = 0; route->one_pass && i < route->output_count; i++) {
        route->outputs[i].fork = PM_NO_FORK;
        route->trunk_users += route->outputs[i].runs != PM_RUNS_NO;
    }
    if (route->one_pass) return PM_OK;
    size_t *order = calloc(route->output_count + 1, sizeof *order);
    if (order == NULL) return pm_error_set(err, PM_TRANSIENT, "no memory");
    size_t count = 0;
    PmStatus status = PM_OK;
    for (size_t i = 0; i < route->output_count; i++) {
        if (route->outputs[i].runs == PM_RUNS_NO) continue;
        size_t at = count++;
        int64_t mine = fork_area(&route->outputs[i]);
        for (; at > 0 && fork_area(&route->outputs[order[at - 1]]) < mine; at--) order[at] = order[at - 1];
        order[at] = i;
    }
    for (size_t i = 0; i < count && status == PM_OK; i++) {
        PmRouteOutput *output = &route->outputs[order[i]];
        int best = PM_FROM_TRUNK;
        for (size_t j = 0; j < i; j++) {
            const PmRouteOutput *giver = &route->outputs[order[j]];
            if (!serves(route, giver, output)) continue;
            if (best == PM_FROM_TRUNK || fork_area(giver) < fork_area(&route->outputs[best])) best = (int)order[j];
        }
        output->from = best;
        if (best == PM_FROM_TRUNK) {
            route->trunk_users++;
            continue;
        }
        route->outputs[best].fork_users++;
        status = plan_output(route, output, planner, err);
    }
    free(order);
    return status;
}

/* An inspector reads what later steps read again. */
static bool holds_input(const PmRouteStep *step)
{
    if (!pm_route_step_acts(step)) return false;
    return (step->flags & PM_RANDOM) || (step->kind == PM_STEP_INSPECT && !(step->flags & PM_NO_PIXELS));
}

/* What an output holds from its last inspector on, until all other outputs have been inspected, too. */
static int64_t waiting_bytes(const PmRouteOutput *output)
{
    for (size_t i = output->inspected; i > 0; i--)
        if (holds_input(&output->steps[i - 1])) return pm_shape_bytes(&output->steps[i - 1].in);
    return 0;
}

static size_t count_inspected(const PmRouteOutput *output)
{
    for (size_t i = output->count; i > 0; i--)
        if (output->steps[i - 1].kind == PM_STEP_INSPECT && output->steps[i - 1].runs != PM_RUNS_NO) return i;
    return 0;
}

/* Pictures that several read are held until the last of them is done, those that were inspected until their output is
 * made; a step that reads at random holds its input while it runs. */
static int64_t estimate_memory(const PmRoute *route)
{
    int64_t shared = route->share_trunk ? pm_shape_bytes(&route->trunk_end) : 0, passing = 0;
    for (size_t i = 0; i < route->trunk_count; i++) {
        const PmRouteStep *step = &route->trunk[i];
        int64_t bytes = pm_route_step_acts(step) && (step->flags & PM_RANDOM) ? pm_shape_bytes(&step->in) : 0;
        if (bytes > passing) passing = bytes;
    }
    for (size_t i = 0; i < route->output_count; i++) {
        const PmRouteOutput *output = &route->outputs[i];
        if (output->runs == PM_RUNS_NO) continue;
        if (output->fork_users > 0) shared += pm_shape_bytes(&output->steps[output->fork].out);
        shared += waiting_bytes(output);
        int64_t own = 0;
        for (size_t j = 0; j < output->count; j++) {
            const PmRouteStep *step = &output->steps[j];
            if (pm_route_step_acts(step) && (step->flags & PM_RANDOM)) own += pm_shape_bytes(&step->in);
        }
        if (own > passing) passing = own;
    }
    return shared + passing;
}

PmStatus pm_route_plan(PmRoute *route, const PmPlanner *planner, PmError *err)
{
    route->trunk_users = 0;
    route->copies = 0;
    PmShape trunk = route->source;
    PmStatus status = forward(route->trunk, route->trunk_count, planner, &trunk, true, err);
    for (size_t i = 0; i < route->output_count && status == PM_OK; i++) {
        PmRouteOutput *output = &route->outputs[i];
        output->from = PM_FROM_TRUNK;
        output->fork = PM_NO_FORK;
        output->fork_users = 0;
        output->inspected = 0;
        output->copied = false;
        output->not_copied = NULL;
        if (output->runs == PM_RUNS_NO) continue;
        output->inspected = count_inspected(output);
        PmShape shape = trunk;
        status = forward(output->steps, output->count, planner, &shape, true, err);
        if (status == PM_OK) demand_of_output(output, &shape);
        if (status == PM_OK) choose_copy(route, output, planner);
    }
    if (status != PM_OK) return status;

    demand_of_trunk(route);
    bool wanted = route->demand_width > 0 || route->demand_height > 0; /* else as its header was read */
    route->loaded = planner->load(planner->data, wanted ? larger(route->demand_width, route->wish_width) : 0,
                                  wanted ? larger(route->demand_height, route->wish_height) : 0, route->demand_pages,
                                  route->demand_fine);
    route->trunk_end = route->loaded;
    status = forward(route->trunk, route->trunk_count, planner, &route->trunk_end, false, err);
    for (size_t i = 0; i < route->output_count && status == PM_OK; i++)
        if (route->outputs[i].runs != PM_RUNS_NO) status = plan_output(route, &route->outputs[i], planner, err);
    if (status == PM_OK && !pm_onepass_choose(route)) status = pm_error_set(err, PM_TRANSIENT, "no memory");
    if (status == PM_OK) status = choose_forks(route, planner, err);
    route->share_trunk = route->trunk_users > 1 && !route->one_pass;
    int64_t pass = 0;
    if (status == PM_OK && route->one_pass && !pm_onepass_bytes(route, &pass))
        status = pm_error_set(err, PM_TRANSIENT, "no memory");
    if (status == PM_OK) route->memory_bytes = estimate_memory(route) + pass;
    return status;
}
