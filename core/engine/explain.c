/* SPDX-License-Identifier: Apache-2.0
 *
 * The plan as JSON. Everything in it comes from the route that a run would take.
 */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "engine/flags.h"
#include "engine/internal.h"
#include "engine/limits.h"
#include "engine/resample.h"

static json_t *shape_json(const PmShape *shape)
{
    return json_pack("{si si si si ss ss sb sb}", "width", shape->width, "height", shape->height, "pages", shape->pages,
                     "bands", shape->bands, "samples", vips_enum_nick(VIPS_TYPE_BAND_FORMAT, shape->band_format),
                     "colours", vips_enum_nick(VIPS_TYPE_INTERPRETATION, shape->interpretation), "alpha",
                     shape->has_alpha, "profile", shape->has_profile);
}

static json_t *flags_json(uint32_t flags)
{
#define ROW(flag_, name_) {flag_, name_},
    static const struct {
        uint32_t flag;
        const char *name;
    } names[] = {PM_PLAN_FLAGS(ROW)};
#undef ROW
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (flags & names[i].flag) json_array_append_new(list, json_string(names[i].name));
    return list;
}

static json_t *resample_json(const PmResample *resample)
{
    return json_pack("{sf sf sf sf ss}", "left", resample->left, "top", resample->top, "width", resample->width,
                     "height", resample->height, "kernel", pm_kernel_name(resample->kernel));
}

/* What the runner makes of the step's flags, in words. */
static const char *why_step(const PmRouteStep *step)
{
    if (step->runs == PM_RUNS_MAYBE) return "whether it runs depends on a fact that an inspector sets";
    if (step->flags & PM_SKIP) return "changes nothing for this input and is left out";
    if (step->kind == PM_STEP_INSPECT && !(step->flags & PM_NO_PIXELS))
        return "reads pixels that later steps read again: the picture is held in memory";
    if (step->flags & PM_RANDOM) return "reads out of order: its input is held in memory";
    return NULL;
}

static json_t *step_json(const PmRouteStep *step)
{
    static const char *const kinds[] = {"apply", "inspect", "encode"};
    const PmInstance *instance = step->step;
    json_t *json = json_pack("{ss ss ss si ss}", "step", instance->step->name, "plugin", instance->step->plugin, "path",
                             instance->step->path, "line", instance->step->line, "kind", kinds[step->kind]);
    if (step->runs == PM_RUNS_NO) {
        json_object_set_new(json, "skipped", json_string(step->why));
        return json;
    }
    json_object_set_new(json, "in", shape_json(&step->in));
    json_object_set_new(json, "out", shape_json(&step->out));
    json_object_set_new(json, "flags", flags_json(step->flags));
    json_object_set_new(
        json, "need",
        json_pack("{si si si}", "width", step->need_width, "height", step->need_height, "pages", step->need_pages));
    if (step->resample.width > 0) json_object_set_new(json, "resample", resample_json(&step->resample));
    const char *why = why_step(step);
    if (why != NULL) json_object_set_new(json, "why", json_string(why));
    if (step->kind == PM_STEP_ENCODE) {
        json_object_set_new(json, "format", json_string(step->format));
        json_object_set_new(json, "mime", json_string(step->mime));
        json_object_set_new(json, "extension", json_string(step->extension));
    }
    return json;
}

static json_t *steps_json(const PmRouteStep *steps, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) json_array_append_new(list, step_json(&steps[i]));
    return list;
}

/* Where its pixels come from, and who makes what of them. */
static json_t *start_json(const PmRoute *route, const PmRouteOutput *output)
{
    json_t *json = json_object();
    const char *from = output->from == PM_FROM_TRUNK ? "trunk" : route->outputs[output->from].name;
    json_object_set_new(json, "from", json_string(from));
    json_object_set_new(json, "engine", json_string(output->not_one_pass == NULL ? "one-pass" : "vips"));
    if (output->not_one_pass != NULL) json_object_set_new(json, "not_one_pass", json_string(output->not_one_pass));
    json_object_set_new(json, "demand",
                        json_pack("{si si si}", "width", output->demand_width, "height", output->demand_height, "pages",
                                  output->demand_pages));
    return json;
}

static json_t *output_json(const PmRoute *route, const PmRouteOutput *output)
{
    json_t *json = json_pack("{ss}", "name", output->name);
    if (output->copied) {
        json_object_set_new(json, "from", json_string("source"));
        json_object_set_new(json, "engine", json_string("copy"));
        json_object_set_new(json, "why",
                            json_string("its steps change metadata alone: the source's coded pixels are "
                                        "copied"));
    } else if (output->runs == PM_RUNS_NO) {
        json_object_set_new(json, "skipped", json_string(output->why));
        return json;
    }
    if (output->not_copied != NULL) json_object_set_new(json, "not_copied", json_string(output->not_copied));
    if (output->runs == PM_RUNS_MAYBE)
        json_object_set_new(json, "maybe", json_string("depends on a fact that an inspector sets"));
    if (!output->copied) json_object_update_new(json, start_json(route, output));
    json_object_set_new(json, "steps", steps_json(output->steps, output->count - 1));
    json_object_set_new(json, "encode", step_json(&output->steps[output->count - 1]));
    return json;
}

/* Pictures that more than one output starts from. */
static json_t *shared_json(const PmRoute *route)
{
    json_t *list = json_array();
    if (route->share_trunk) {
        char why[96];
        snprintf(why, sizeof why, "%zu outputs start from it, so it is decoded once and held in memory",
                 route->trunk_users);
        json_array_append_new(list, json_pack("{ss so sI ss}", "what", "trunk", "shape", shape_json(&route->trunk_end),
                                              "bytes", (json_int_t)pm_shape_bytes(&route->trunk_end), "why", why));
    }
    for (size_t i = 0; i < route->output_count; i++) {
        const PmRouteOutput *output = &route->outputs[i];
        if (output->runs == PM_RUNS_NO || output->fork_users == 0) continue;
        const PmShape *shape = &output->steps[output->fork].out;
        json_t *users = json_array();
        for (size_t j = 0; j < route->output_count; j++)
            if (route->outputs[j].runs != PM_RUNS_NO && route->outputs[j].from == (int)i)
                json_array_append_new(users, json_string(route->outputs[j].name));
        json_array_append_new(list,
                              json_pack("{ss si so sI so ss}", "what", output->name, "after_step", output->fork,
                                        "shape", shape_json(shape), "bytes", (json_int_t)pm_shape_bytes(shape), "users",
                                        users, "why", "outputs that need no more start from it instead of the trunk"));
    }
    return list;
}

static json_t *load_json(const PmRun *run)
{
    const PmRoute *route = &run->route;
    const PmLoadOptions *load = &run->load;
    json_t *options = json_object();
    if (load->shrink > 1) json_object_set_new(options, "shrink", json_integer(load->shrink));
    if (load->scale < 1 || load->scale > 1) json_object_set_new(options, "scale", json_real(load->scale));
    if (load->pages != 1) json_object_set_new(options, "n", json_integer(load->pages));
    char why[160];
    bool shrinks = load->shrink > 1 || load->scale < 1;
    snprintf(why, sizeof why, "the outputs need at least %dx%d of %dx%d%s", route->demand_width, route->demand_height,
             route->source.width, route->source.height,
             shrinks ? ", so the decoder shrinks" : ", and the decoder cannot give less without losing quality");
    if (route->demand_width >= route->source.width && route->demand_height >= route->source.height)
        snprintf(why, sizeof why, "an output needs the picture at full size");
    if (load->scale > 1)
        snprintf(why, sizeof why, "it is a drawing, rendered at the %dx%d that the outputs need", route->wish_width,
                 route->wish_height);
    if (route->trunk_users == 0)
        snprintf(why, sizeof why, "%s: nothing is decoded",
                 route->copies > 0 ? "the outputs are copied" : "no output runs");
    /* Orientations above 2 turn the picture, which reads it out of order. */
    bool held = route->source.orientation > 2;
    json_t *json = json_pack("{ss so so ss ss}", "loader", pm_load_name(run->format), "options", options, "shape",
                             shape_json(&route->loaded), "access", held ? "memory" : "sequential", "why", why);
    json_t *also = json_array();
    if (route->source.orientation > 1)
        json_array_append_new(also, json_sprintf("turned upright from EXIF orientation %d", route->source.orientation));
    if (run->source.colours.converts) json_array_append_new(also, json_string("colours converted to sRGB"));
    for (size_t i = 0; i < run->source.colours.note_count; i++)
        json_array_append_new(also, json_string(run->source.colours.notes[i]));
    json_object_set_new(json, "also", also);
    return json;
}

static json_t *plan_json(const PmRun *run)
{
    const PmRoute *route = &run->route;
    json_t *source = shape_json(&route->source);
    json_object_set_new(source, "format", json_string(pm_format_name(run->format)));
    json_object_set_new(source, "orientation", json_integer(route->source.orientation));
    json_object_set_new(source, "facts",
                        json_pack("{ss ss}", "shape", pm_facts_get(run->facts, "shape"), "animated",
                                  pm_facts_get(run->facts, "animated")));
    if (run->has_source) json_object_set_new(source, "bytes", json_integer((json_int_t)run->source.size));
    json_t *outputs = json_array();
    for (size_t i = 0; i < route->output_count; i++)
        json_array_append_new(outputs, output_json(route, &route->outputs[i]));
    const char *one_pass = route->one_pass_off != NULL ? "off" : route->one_pass ? "yes" : "no";
    return json_pack("{so ss so so so so sI}", "source", source, "one_pass", one_pass, "load", load_json(run), "trunk",
                     steps_json(route->trunk, route->trunk_count), "outputs", outputs, "shared", shared_json(route),
                     "memory_bytes", (json_int_t)route->memory_bytes);
}

/* A plain RGB still of that format and size. */
static PmStatus describe_source(PmRun *run, const char *format, int32_t width, int32_t height, PmError *err)
{
    const PmLimits *limits = &run->engine->pipeline->limits;
    run->format = pm_format_from_name(format);
    if (run->format == PM_FORMAT_UNKNOWN)
        return pm_error_set(err, PM_BAD_CONFIG, "no format is called \"%s\"", format != NULL ? format : "");
    run->route.source = (PmShape){
        .width = width,
        .height = height,
        .pages = 1,
        .bands = 3,
        .source_width = width,
        .source_height = height,
        .band_format = VIPS_FORMAT_UCHAR,
        .interpretation = VIPS_INTERPRETATION_sRGB,
        .orientation = 1,
    };
    PmStatus status = pm_limits_check_format(limits, run->format, err);
    return status == PM_OK ? pm_limits_check_size(limits, width, height, 1, err) : status;
}

json_t *pm_engine_explain(PmEngine *engine, const PmJobInput *input, const char *format, int32_t width, int32_t height,
                          PmError *err)
{
    PmRun run;
    json_t *plan = NULL;
    PmStatus status =
        pm_run_init(&run, engine, input, NULL, NULL) ? PM_OK : pm_error_set(err, PM_TRANSIENT, "no memory");
    if (status == PM_OK)
        status = input->bytes != NULL ? pm_run_open(&run, err) : describe_source(&run, format, width, height, err);
    if (status == PM_OK) status = pm_run_plan(&run, err);
    if (status == PM_OK) plan = plan_json(&run);
    pm_run_finish(&run);
    return plan;
}
