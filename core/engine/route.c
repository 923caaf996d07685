/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "engine/copy.h"
#include "engine/exif_facts.h"
#include "engine/internal.h"
#include "engine/limits.h"

/* Plugin facts have a dot in their name and may yet be set; all others are known from the start. */
PmRuns pm_run_when(const PmWhen *when, const PmFacts *facts, char *why, size_t why_size)
{
    if (when == NULL) return PM_RUNS_YES;
    bool open = false;
    const char *name;
    int line, column;
    for (size_t i = 0; (name = pm_when_fact(when, i, &line, &column)) != NULL; i++)
        open = open || (strchr(name, '.') != NULL && pm_facts_get(facts, name) == NULL);
    if (open) return PM_RUNS_MAYBE;
    return pm_when_matches(when, facts, why, why_size) ? PM_RUNS_YES : PM_RUNS_NO;
}

static PmStatus ask(void *data, const PmRouteStep *step, const PmShape *in, PmPlan *plan, PmError *err)
{
    PmRun *run = data;
    return pm_call_plan(&run->job, step->step, in, plan, err);
}

static PmShape load(void *data, int32_t width, int32_t height, int32_t pages, bool fine)
{
    PmRun *run = data;
    run->load = pm_load_choose(run->format, &run->route.source, width, height, pages, fine);
    pm_load_bound(&run->load, &run->route.source, &run->engine->pipeline->limits);
    return pm_load_shape(run->format, &run->route.source, &run->load);
}

static const char *copy(void *data, const char *format)
{
    const PmRun *run = data;
    return pm_copy_refuses(run, format);
}

static bool wanted(const PmJobInput *input, const char *output)
{
    if (input->outputs == NULL) return true;
    for (const char *const *name = input->outputs; *name != NULL; name++)
        if (strcmp(*name, output) == 0) return true;
    return false;
}

static PmRouteStep *route_steps(const PmRun *run, const PmInstances *instances)
{
    PmRouteStep *steps = pm_arena_alloc(run->job.arena, (instances->count + 1) * sizeof *steps);
    for (size_t i = 0; i < instances->count; i++) {
        const PmInstance *instance = &instances->items[i];
        steps[i].step = instance;
        steps[i].kind = instance->kind;
        steps[i].runs = pm_run_when(instance->step->when, run->facts, steps[i].why, sizeof steps[i].why);
    }
    return steps;
}

/* Of a document the pages are no frames. */
static bool is_animation(PmFormat format, int32_t pages)
{
    return pages > 1 && format != PM_FORMAT_TIFF && format != PM_FORMAT_PDF;
}

/* Of the file as it is; of a source that is only described, as a photo would be. */
static const char *colorspace(const PmRun *run)
{
    VipsInterpretation space = run->has_source ? run->source.header->Type : run->route.source.interpretation;
    switch (space) {
    case VIPS_INTERPRETATION_B_W:
    case VIPS_INTERPRETATION_GREY16:
        return "gray";
    case VIPS_INTERPRETATION_sRGB:
    case VIPS_INTERPRETATION_RGB:
    case VIPS_INTERPRETATION_RGB16:
    case VIPS_INTERPRETATION_scRGB:
        return "rgb";
    case VIPS_INTERPRETATION_CMYK:
        return "cmyk";
    case VIPS_INTERPRETATION_LAB:
    case VIPS_INTERPRETATION_LABQ:
    case VIPS_INTERPRETATION_LABS:
        return "lab";
    default:
        return "other";
    }
}

/* Of a source that is only described nothing is known. */
static bool set_exif_facts(const PmRun *run)
{
    PmFacts *facts = run->facts;
    char camera[PM_EXIF_FACT_SIZE] = "unknown", taken[PM_EXIF_FACT_SIZE] = "unknown";
    if (run->has_source) {
        pm_exif_camera(run->source.header, camera);
        pm_exif_taken(run->source.header, taken);
    }
    bool known = strcmp(taken, "unknown") != 0;
    return pm_facts_set(facts, "camera", camera) && pm_facts_set(facts, "taken", taken) &&
           pm_facts_setf(facts, "taken_year", "%.*s", known ? 4 : 7, taken) &&
           pm_facts_setf(facts, "taken_month", "%.*s", known ? 2 : 7, known ? taken + 5 : taken);
}

static bool set_source_facts(PmRun *run)
{
    const PmShape *shape = &run->route.source;
    PmFacts *facts = run->facts;
    return pm_facts_set(facts, "format", pm_format_name(run->format)) &&
           pm_facts_setf(facts, "width", "%d", shape->width) && pm_facts_setf(facts, "height", "%d", shape->height) &&
           pm_facts_setf(facts, "pages", "%d", shape->pages) &&
           pm_facts_set(facts, "shape",
                        shape->width > shape->height   ? "landscape"
                        : shape->width < shape->height ? "portrait"
                                                       : "square") &&
           pm_facts_setf(facts, "aspect", "%.3f", (double)shape->width / shape->height) &&
           pm_facts_setf(facts, "megapixels", "%.3f", (double)shape->width * shape->height / 1e6) &&
           pm_facts_set(facts, "animated", is_animation(run->format, shape->pages) ? "true" : "false") &&
           pm_facts_set(facts, "colorspace", colorspace(run)) && set_exif_facts(run) &&
           pm_facts_set(facts, "has_alpha", shape->has_alpha ? "true" : "false") &&
           pm_facts_set(facts, "has_profile", shape->has_profile ? "true" : "false") &&
           pm_facts_setf(facts, "orientation", "%d", shape->orientation) &&
           (run->input->size == 0 || pm_facts_setf(facts, "file_size", "%zu", run->input->size));
}

static PmStatus check_outputs(const PmRun *run, PmError *err)
{
    for (size_t i = 0; i < run->route.output_count; i++) {
        const PmRouteOutput *output = &run->route.outputs[i];
        if (output->runs == PM_RUNS_NO && !output->copied) continue;
        for (size_t j = 0; j < output->count; j++) {
            const PmRouteStep *step = &output->steps[j];
            if (!pm_route_step_acts(step)) continue;
            PmStatus status =
                pm_limits_check_output(&run->engine->pipeline->limits, step->out.width, step->out.height, err);
            if (status == PM_OK) continue;
            const PmInstance *instance = step->step;
            pm_error_step(err, run->engine->pipeline, instance->step);
            return status;
        }
    }
    return PM_OK;
}

PmStatus pm_run_plan(PmRun *run, PmError *err)
{
    const PmEngine *engine = run->engine;
    PmRoute *route = &run->route;
    if (!set_source_facts(run)) return pm_error_set(err, PM_BUG, "the job's facts are too many or too long");
    route->trunk = route_steps(run, &engine->trunk);
    route->trunk_count = engine->trunk.count;
    route->output_count = engine->pipeline->output_count;
    if (!engine->one_pass) route->one_pass_off = "PIXMILL_ENGINE=vips turns the one-pass engine off";
    route->outputs = pm_arena_alloc(run->job.arena, (route->output_count + 1) * sizeof *route->outputs);
    for (size_t i = 0; i < route->output_count; i++) {
        const PmOutput *from = &engine->pipeline->outputs[i];
        PmRouteOutput *output = &route->outputs[i];
        output->name = from->name;
        output->where = from->where;
        output->runs = wanted(run->input, from->name)
                           ? pm_run_when(from->when, run->facts, output->why, sizeof output->why)
                           : PM_RUNS_NO;
        output->steps = route_steps(run, &engine->outputs[i]);
        output->count = engine->outputs[i].count;
    }
    PmPlanner planner = {.data = run, .ask = ask, .load = load, .copy = copy};
    PmStatus status = pm_route_plan(route, &planner, err);
    if (status == PM_OK) status = check_outputs(run, err);
    if (status != PM_OK || !run->has_source || route->trunk_users == 0) return status;
    return pm_source_check(&run->source, &run->load, &route->loaded, &engine->pipeline->limits, err);
}
