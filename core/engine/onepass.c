/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/onepass.h"

#include <stdlib.h>

#include "base/clock.h"
#include "engine/internal.h"
#include "engine/order.h"
#include "engine/resample/resampler.h"

/* From 3 on the averages before the kernel cannot be told from the kernel alone (docs/decisions/one-pass.md). */
static const double gap = 3;

enum { RESULTS_FREE = 32 << 20 /* bytes of renditions that are held whatever the picture's size */ };

/* ------------------------------------------------------------------ what it can do */

/* Samples as the resampler takes them. NULL, or why it does not. */
static const char *source_of(const PmShape *shape, PmResampleSource *source)
{
    bool deep = shape->band_format == VIPS_FORMAT_USHORT;
    bool wide =
        shape->interpretation == VIPS_INTERPRETATION_RGB16 || shape->interpretation == VIPS_INTERPRETATION_GREY16;
    *source = (PmResampleSource){
        .width = shape->width, .height = shape->height, .bands = shape->bands, .deep = deep, .alpha = shape->has_alpha};
    if (!deep && shape->band_format != VIPS_FORMAT_UCHAR) return "its samples have neither 8 nor 16 bits";
    if (deep != wide) return "its samples are not those of its colour space"; /* which tells what opaque is */
    if (shape->bands > PM_RESAMPLE_BANDS_MAX || (shape->has_alpha && shape->bands % 2 != 0))
        return "it has more channels than colour and transparency";
    return NULL;
}

static const char *resample_of(const PmResample *box, const PmShape *in, const PmShape *out)
{
    if (box->width <= 0) return "the first step that changes the picture does more than crop and scale";
    if (box->kernel == PM_KERNEL_NEAREST) return "kernel nearest takes pixels as they are";
    if (box->width < out->width || box->height < out->height) return "it is enlarged";
    if (out->pages != in->pages) return "its step takes another number of pages than there are";
    return NULL;
}

/* NULL, or why the output cannot be made by one pass. */
static const char *why_not(const PmRoute *route, PmRouteOutput *output)
{
    PmResampleSource source;
    const char *why = source_of(&route->trunk_end, &source);
    if (why != NULL) return why;
    for (size_t i = 0; i < output->count; i++) {
        const PmRouteStep *step = &output->steps[i];
        if (!pm_route_step_acts(step)) continue;
        if (step->kind == PM_STEP_ENCODE) break;
        if (step->kind == PM_STEP_INSPECT) return "an inspector sees the picture before it is scaled";
        if (step->runs != PM_RUNS_YES) return "whether its first step runs depends on a fact that is not known yet";
        output->resample = (int)i;
        if (step->in.pages != route->trunk_end.pages) return "it takes fewer pages than there are";
        return resample_of(&step->resample, &step->in, &step->out);
    }
    return "it is not scaled";
}

static bool same_target(const PmResampleTarget *a, const PmResampleTarget *b)
{
    return a->width == b->width && a->height == b->height && a->box.kernel == b->box.kernel &&
           !(a->box.left < b->box.left) && !(a->box.left > b->box.left) && !(a->box.top < b->box.top) &&
           !(a->box.top > b->box.top) && !(a->box.width < b->box.width) && !(a->box.width > b->box.width) &&
           !(a->box.height < b->box.height) && !(a->box.height > b->box.height);
}

/* Adds a target, or finds the equal one. Its index. */
static size_t add_target(PmResampleTarget *targets, size_t *count, const PmResample *box, const PmShape *out)
{
    PmResampleTarget target = {.box = *box, .width = out->width, .height = out->height, .gap = gap};
    for (size_t i = 0; i < *count; i++)
        if (same_target(&targets[i], &target)) return i;
    targets[*count] = target;
    return (*count)++;
}

/* ------------------------------------------------------------------ planning */

/* Bytes of the distinct results, and of the resampler that makes them. False: no memory. */
static bool count_bytes(const PmRoute *route, int64_t *results, int64_t *own)
{
    PmResampleTarget *targets = calloc(route->output_count + 1, sizeof *targets);
    if (targets == NULL) return false;
    size_t count = 0;
    *results = *own = 0;
    for (size_t i = 0; i < route->output_count; i++) {
        const PmRouteOutput *output = &route->outputs[i];
        if (output->runs == PM_RUNS_NO) continue;
        const PmRouteStep *step = &output->steps[output->resample];
        size_t before = count;
        add_target(targets, &count, &step->resample, &step->out);
        if (count > before) *results += pm_shape_bytes(&step->out);
    }
    PmResampleSource source;
    if (source_of(&route->trunk_end, &source) == NULL && pm_resample_valid(&source, targets, count))
        *own = pm_resample_bytes(&source, targets, count);
    free(targets);
    return true;
}

bool pm_onepass_choose(PmRoute *route)
{
    bool all = route->one_pass_off == NULL, any = false;
    for (size_t i = 0; i < route->output_count; i++) {
        PmRouteOutput *output = &route->outputs[i];
        output->resample = PM_NO_FORK;
        output->not_one_pass = NULL;
        if (output->runs == PM_RUNS_NO) continue;
        any = true;
        output->not_one_pass = route->one_pass_off != NULL ? route->one_pass_off : why_not(route, output);
        all = all && output->not_one_pass == NULL;
    }
    int64_t results = 0, own = 0, most = pm_shape_bytes(&route->trunk_end);
    if (most < RESULTS_FREE) most = RESULTS_FREE;
    if (all && any && !count_bytes(route, &results, &own)) return false;
    const char *others = !all             ? "another output needs the picture itself, so it is held in memory anyway"
                         : results > most ? "all results together take more memory than the picture"
                                          : NULL;
    route->one_pass = any && others == NULL;
    for (size_t i = 0; i < route->output_count; i++) {
        PmRouteOutput *output = &route->outputs[i];
        if (output->runs != PM_RUNS_NO && output->not_one_pass == NULL) output->not_one_pass = others;
    }
    return true;
}

bool pm_onepass_bytes(const PmRoute *route, int64_t *bytes)
{
    int64_t results, own;
    if (!count_bytes(route, &results, &own)) return false;
    *bytes = results + own;
    return true;
}

/* ------------------------------------------------------------------ the pass */

typedef struct Pass {
    PmResampleSource source;
    int32_t pages;
    PmResampleTarget *targets;
    VipsImage **results; /* of each target */
    void **pixels;       /* of the page at hand */
    size_t count;
    size_t *target_of; /* of each output */
    PmShape *full;     /* of each output: what its step would have made of a full decode */
} Pass;

static bool pass_init(Pass *pass, size_t outputs)
{
    pass->targets = calloc(outputs + 1, sizeof *pass->targets);
    pass->results = calloc(outputs + 1, sizeof(VipsImage *));
    pass->pixels = calloc(outputs + 1, sizeof(void *));
    pass->target_of = calloc(outputs + 1, sizeof *pass->target_of);
    pass->full = calloc(outputs + 1, sizeof *pass->full);
    return pass->targets != NULL && pass->results != NULL && pass->pixels != NULL && pass->target_of != NULL &&
           pass->full != NULL;
}

static void pass_finish(Pass *pass)
{
    for (size_t i = 0; pass->results != NULL && i < pass->count; i++) g_clear_object(&pass->results[i]);
    free(pass->targets);
    free((void *)pass->results);
    free((void *)pass->pixels);
    free(pass->target_of);
    free(pass->full);
}

static const PmInstance *instance_of(const PmRun *run, size_t output)
{
    return &run->engine->outputs[output].items[run->route.outputs[output].resample];
}

/* Asks once more, of the picture as it was decoded. *can: as planned, the pass can serve the output. */
static PmStatus add_output(PmRun *run, Pass *pass, size_t index, bool *can, PmError *err)
{
    const PmRouteOutput *route = &run->route.outputs[index];
    const PmInstance *instance = instance_of(run, index);
    PmPlan plan;
    PmStatus status = pm_run_begin_output(run, index, err);
    if (status != PM_OK) return status;
    pm_run_at_output(run, &run->outputs[index]);
    status = pm_run_full_size(run, instance, &route->steps[route->resample], &run->trunk, &pass->full[index], err);
    if (status == PM_OK) status = pm_run_ask(run, instance, &run->trunk, &plan, err);
    pm_run_at_trunk(run);
    if (status != PM_OK) return status;
    *can = *can && !(plan.flags & PM_SKIP) && (plan.need_pages != 1 || pass->pages == 1) &&
           resample_of(&plan.resample, &run->trunk.shape, &plan.out) == NULL;
    if (*can) pass->target_of[index] = add_target(pass->targets, &pass->count, &plan.resample, &plan.out);
    return PM_OK;
}

/* An image of that size in memory with the metadata of `like`, its pixels yet to be written. New; NULL with libvips'
 * message set. */
static VipsImage *result_new(VipsImage *like, int32_t width, int32_t height, int32_t pages)
{
    VipsImage *image = vips_image_new_memory();
    if (vips_image_pipelinev(image, VIPS_DEMAND_STYLE_ANY, like, NULL) != 0) goto failed;
    image->Xsize = width;
    image->Ysize = height * pages;
    image->Xoffset = 0;
    image->Yoffset = 0;
    if (vips_image_write_prepare(image) != 0) goto failed;
    pm_picture_set_pages(image, height, pages);
    return image;
failed:
    g_object_unref(image);
    return NULL;
}

static bool make_results(const PmRun *run, Pass *pass)
{
    for (size_t i = 0; i < pass->count; i++) {
        pass->results[i] = result_new(run->trunk.strip, pass->targets[i].width, pass->targets[i].height, pass->pages);
        if (pass->results[i] == NULL) return false;
    }
    return true;
}

static void *page_of(const Pass *pass, size_t target, int32_t page)
{
    VipsImage *image = pass->results[target];
    size_t row = (size_t)pass->targets[target].width * (size_t)pass->source.bands * (pass->source.deep ? 2 : 1);
    return image->data + row * (size_t)page * (size_t)pass->targets[target].height;
}

typedef struct Reading {
    Pass *pass;
    PmResampler *resampler;
} Reading;

/* The next rows of the picture, which may be of several pages. From a thread of libvips', one call after the other. */
static int on_rows(VipsRegion *region, VipsRect *area, void *data)
{
    const Reading *reading = data;
    Pass *pass = reading->pass;
    for (int32_t y = area->top, bottom = area->top + area->height; y < bottom;) {
        int32_t page = y / pass->source.height, end = (page + 1) * pass->source.height;
        if (y == page * pass->source.height) {
            for (size_t i = 0; i < pass->count; i++) pass->pixels[i] = page_of(pass, i, page);
            pm_resampler_begin(reading->resampler, pass->pixels);
        }
        int32_t rows = (end < bottom ? end : bottom) - y;
        const void *row = region->data + (size_t)(y - region->valid.top) * (size_t)region->bpl;
        pm_resampler_push(reading->resampler, row, (size_t)region->bpl, rows);
        y += rows;
    }
    return 0;
}

/* Every row of the picture, page by page, top to bottom. False with libvips' message set. By a sink, and not by a
 * region of this thread: vips_arrayjoin() hands out the buffer of a region that it has freed, which only libvips' own
 * threads keep for a while. */
static bool read_rows(Pass *pass, PmResampler *resampler, VipsImage *strip)
{
    Reading reading = {pass, resampler};
    return vips_sink_disc(strip, on_rows, &reading) == 0;
}

/* What the output would be after its step. */
static void hand_over(PmRun *run, const Pass *pass, size_t index, int64_t began, size_t sharers)
{
    PmRunOutput *output = &run->outputs[index];
    const PmInstance *instance = instance_of(run, index);
    output->picture = pm_picture_new(g_object_ref(pass->results[pass->target_of[index]]), true);
    output->picture.shape.source_width = pass->full[index].width;
    output->picture.shape.source_height = pass->full[index].height;
    output->picture.changed = true;
    const PmResample *box = &pass->targets[pass->target_of[index]].box;
    const PmFrame frame = {.left = box->left, .top = box->top, .width = box->width, .height = box->height};
    output->picture.view = pm_view_then(&run->trunk.view, &frame, &run->trunk.shape);
    output->started = true;
    output->steps_done = (size_t)run->route.outputs[index].resample + 1;
    run->last = instance;
    int64_t now = pm_clock_mono_us();
    pm_run_timed(run, instance, now - (now - began) / (int64_t)sharers);
}

static PmStatus pass_run(PmRun *run, Pass *pass, bool *done, PmError *err)
{
    bool can = source_of(&run->trunk.shape, &pass->source) == NULL;
    size_t running = 0;
    pass->pages = run->trunk.shape.pages;
    for (size_t i = 0; i < run->route.output_count; i++) {
        if (run->route.outputs[i].runs == PM_RUNS_NO) continue;
        running++;
        PmStatus status = add_output(run, pass, i, &can, err);
        if (status != PM_OK) return status;
    }
    if (!can || running == 0 || !pm_resample_valid(&pass->source, pass->targets, pass->count)) return PM_OK;
    int64_t began = pm_clock_mono_us();
    PmResampler *resampler = pm_resampler_new(&pass->source, pass->targets, pass->count, NULL);
    if (resampler == NULL) return pm_error_set(err, PM_LIMIT, "not enough memory within limits.memory: to scale it");
    pm_job_at(&run->job, run->last != NULL ? run->last->step->plugin : NULL, "pixels", 0);
    bool good = pm_picture_join(&run->trunk) && make_results(run, pass) && read_rows(pass, resampler, run->trunk.strip);
    pm_job_at(&run->job, NULL, NULL, 0);
    pm_resampler_free(resampler);
    if (!good) return pm_run_pixels_failed(run, err);
    for (size_t i = 0; i < run->route.output_count; i++)
        if (run->route.outputs[i].runs != PM_RUNS_NO) hand_over(run, pass, i, began, running);
    pm_order_forget(run);
    *done = true;
    return PM_OK;
}

PmStatus pm_onepass_run(PmRun *run, bool *done, PmError *err)
{
    Pass pass = {0};
    *done = false;
    PmStatus status = pass_init(&pass, run->route.output_count) ? pass_run(run, &pass, done, err)
                                                                : pm_error_set(err, PM_TRANSIENT, "no memory");
    pass_finish(&pass);
    return status;
}
