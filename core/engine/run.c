/* SPDX-License-Identifier: Apache-2.0
 *
 * One job: source, plan, trunk, the inspectors of outputs, outputs.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "engine/internal.h"
#include "engine/limits.h"
#include "engine/memory.h"
#include "engine/onepass.h"
#include "engine/vipserr.h"
#include "pipeline/decode_memory.h"

/* ------------------------------------------------------------------ a run's own things */

bool pm_run_init(PmRun *run, PmEngine *engine, const PmJobInput *input, const PmSink *sink, PmReport *report)
{
    *run = (PmRun){.engine = engine, .input = input, .sink = sink, .report = report};
    run->facts = pm_facts_copy(input->facts);
    run->step_us = json_object();
    run->job = (PmJob){
        .pipeline = engine->pipeline,
        .assets = engine->assets,
        .arena = pm_arena_new(),
        .facts = run->facts,
        .regions = &run->regions,
        .sink = sink,
        .progress = engine->progress,
        .deadline_ms = input->deadline_ms,
    };
    run->outputs = pm_arena_alloc(run->job.arena, (engine->pipeline->output_count + 1) * sizeof *run->outputs);
    vips_error_clear();
    pm_memory_begin();
    return run->facts != NULL;
}

void pm_run_finish(PmRun *run)
{
    for (size_t i = 0; i < run->engine->pipeline->output_count; i++) {
        pm_facts_free(run->outputs[i].facts);
        pm_picture_finish(&run->outputs[i].fork);
        pm_picture_finish(&run->outputs[i].picture);
    }
    pm_picture_finish(&run->trunk);
    pm_source_finish(&run->source);
    pm_facts_free(run->facts);
    json_decref(run->step_us);
    pm_arena_free(run->job.arena);
    vips_error_clear();
}

PmStatus pm_run_open(PmRun *run, PmError *err)
{
    pm_job_at(&run->job, NULL, "load", 0);
    PmStatus status =
        pm_source_open(&run->source, run->input->bytes, run->input->size, &run->engine->pipeline->limits, err);
    pm_job_at(&run->job, NULL, NULL, 0);
    run->has_source = status == PM_OK;
    for (size_t i = 0; run->report != NULL && i < run->source.colours.note_count; i++) {
        PmError note = {0};
        pm_error_set(&note, PM_BAD_INPUT, "%s", run->source.colours.notes[i]);
        json_array_append_new(run->report->warnings, pm_error_to_json(&note));
    }
    run->format = run->source.format;
    run->route.source = run->source.shape;
    return status;
}

/* ------------------------------------------------------------------ trunk */

/* Steps were planned for what the decoder was to give. A pixel more or less is how it rounds. */
static PmStatus check_loaded(const PmRun *run, const PmShape *loaded, PmError *err)
{
    const PmShape *planned = &run->route.loaded;
    if (abs(loaded->width - planned->width) <= 1 && abs(loaded->height - planned->height) <= 1 &&
        loaded->pages == planned->pages)
        return PM_OK;
    return pm_error_set(err, PM_BUG, "the %s was decoded to %dx%d with %d page%s instead of %dx%d with %d",
                        pm_format_name(run->format), loaded->width, loaded->height, loaded->pages,
                        loaded->pages == 1 ? "" : "s", planned->width, planned->height, planned->pages);
}

static PmStatus load_source(PmRun *run, PmError *err)
{
    VipsImage *image = NULL;
    bool in_memory;
    pm_job_at(&run->job, NULL, "load", 0);
    PmStatus status = pm_source_load(&run->source, &run->load, &image, &in_memory, err);
    pm_job_at(&run->job, NULL, NULL, 0);
    if (status != PM_OK) return status;
    run->trunk = pm_picture_new(image, in_memory);
    run->trunk.shape.source_width = run->route.source.width;
    run->trunk.shape.source_height = run->route.source.height;
    /* A format that only shows its first page here, and an animation of which no more is needed. */
    run->trunk.changed = run->trunk.shape.pages < run->source.shape.pages;
    if (run->trunk.shape.pages <= 1) pm_picture_set_pages(image, run->trunk.shape.height, 1);
    return check_loaded(run, &run->trunk.shape, err);
}

/* ------------------------------------------------------------------ outputs */

/* Whose facts and regions the steps that run next read and set. */
void pm_run_at_output(PmRun *run, PmRunOutput *output)
{
    run->job.facts = output->facts;
    run->job.regions = &output->regions;
}

void pm_run_at_trunk(PmRun *run)
{
    run->job.facts = run->facts;
    run->job.regions = &run->regions;
}

PmStatus pm_run_begin_output(PmRun *run, size_t index, PmError *err)
{
    PmRunOutput *output = &run->outputs[index];
    if (output->facts != NULL) return PM_OK;
    output->facts = pm_facts_copy(run->facts);
    output->regions = run->regions;
    if (output->facts == NULL || !pm_facts_set(output->facts, "output", run->route.outputs[index].name))
        return pm_error_set(err, PM_TRANSIENT, "no memory for the facts of the job");
    return PM_OK;
}

static PmStatus take_fork(PmRun *run, size_t index, PmPicture *out, PmError *err);

/* Where the output starts: a reference to the trunk, or to another output's fork. What has had its last user is let
 * go. */
static PmStatus take_start(PmRun *run, size_t index, PmPicture *out, PmError *err)
{
    const PmRouteOutput *route = &run->route.outputs[index];
    PmStatus status = PM_OK;
    if (route->from != PM_FROM_TRUNK) {
        status = take_fork(run, (size_t)route->from, out, err);
        /* It stands for the picture that it was made from, as a shrunk decode does: else the proportions that
         * rounding gave it would decide on the size of what is made from it. */
        out->shape.source_width = run->outputs[route->from].fork_source_width;
        out->shape.source_height = run->outputs[route->from].fork_source_height;
    } else {
        *out = pm_picture_ref(&run->trunk);
        if (--run->trunk_users_left == 0) pm_picture_finish(&run->trunk);
    }
    if (status == PM_OK && route->demand_pages == 1 && out->shape.pages > 1 && !pm_picture_cut(out))
        return pm_run_pixels_failed(run, err);
    return status;
}

/* The picture after the output's first resampling step, held in memory, made when it is first asked for. */
static PmStatus take_fork(PmRun *run, size_t index, PmPicture *out, PmError *err)
{
    const PmRouteOutput *route = &run->route.outputs[index];
    PmRunOutput *output = &run->outputs[index];
    if (!output->has_fork) {
        PmPicture picture = {0};
        PmFacts *facts_before = run->job.facts;
        const PmRegionSet **regions_before = run->job.regions;
        PmStatus status = pm_run_begin_output(run, index, err);
        if (status == PM_OK) status = take_start(run, index, &picture, err);
        output->fork_source_width = picture.shape.source_width;
        output->fork_source_height = picture.shape.source_height;
        pm_run_at_output(run, output);
        if (status == PM_OK)
            status = pm_run_steps(run, &run->engine->outputs[index], route->steps, 0, (size_t)route->fork + 1, &picture,
                                  err);
        if (status == PM_OK) status = pm_run_hold(run, &picture, err);
        run->job.facts = facts_before;
        run->job.regions = regions_before;
        if (status != PM_OK) {
            pm_picture_finish(&picture);
            return status;
        }
        output->fork = picture;
        output->has_fork = true;
        output->fork_users_left = route->fork_users + (route->runs != PM_RUNS_NO ? 1 : 0);
    }
    *out = pm_picture_ref(&output->fork);
    if (--output->fork_users_left == 0) pm_picture_finish(&output->fork);
    return PM_OK;
}

/* An output that does not run needs neither a start nor, when nothing else starts from it, a fork. */
static void leave_out(PmRun *run, size_t index)
{
    PmRouteOutput *route = &run->route.outputs[index];
    route->runs = PM_RUNS_NO;
    if (route->fork_users > 0) return;
    if (route->from == PM_FROM_TRUNK) {
        if (--run->trunk_users_left == 0) pm_picture_finish(&run->trunk);
    } else {
        PmRouteOutput *giver = &run->route.outputs[route->from];
        if (--giver->fork_users == 0 && giver->runs == PM_RUNS_NO) leave_out(run, (size_t)route->from);
    }
}

/* The shared steps have run, so every fact that a `when` of an output names is known. */
static void settle_outputs(PmRun *run)
{
    for (size_t i = 0; i < run->route.output_count; i++) {
        PmRouteOutput *route = &run->route.outputs[i];
        if (route->runs != PM_RUNS_MAYBE) continue;
        const PmWhen *when = run->engine->pipeline->outputs[i].when;
        if (pm_when_matches(when, run->facts, route->why, sizeof route->why))
            route->runs = PM_RUNS_YES;
        else
            leave_out(run, i);
    }
}

/* One decode for all: each output would start its own otherwise, and a stream cannot be read twice. */
static PmStatus share_trunk(PmRun *run, PmError *err)
{
    if (run->route.one_pass) {
        bool done;
        settle_outputs(run);
        PmStatus status = run->trunk_users_left > 0 ? pm_onepass_run(run, &done, err) : PM_OK;
        if (status != PM_OK || run->trunk_users_left == 0) return status;
        if (done) pm_picture_finish(&run->trunk);
        if (done) return PM_OK;
    }
    return run->route.share_trunk || run->trunk_users_left > 1 ? pm_run_hold(run, &run->trunk, err) : PM_OK;
}

/* They need the metadata of the trunk alone, and take them before its pixels are read: nothing is decoded for them. */
static PmStatus start_copies(PmRun *run, PmError *err)
{
    PmStatus status = PM_OK;
    for (size_t i = 0; i < run->route.output_count && status == PM_OK; i++) {
        const PmRouteOutput *route = &run->route.outputs[i];
        PmRunOutput *output = &run->outputs[i];
        if (!route->copied) continue;
        output->started = true;
        output->picture = pm_picture_ref(&run->trunk);
        output->steps_done = run->engine->outputs[i].count - 1;
        status = pm_run_begin_output(run, i, err);
        pm_run_at_output(run, output);
        if (status == PM_OK)
            status =
                pm_run_steps(run, &run->engine->outputs[i], route->steps, 0, output->steps_done, &output->picture, err);
        pm_run_at_trunk(run);
    }
    return status;
}

static PmStatus run_trunk(PmRun *run, PmError *err)
{
    PmStatus status = load_source(run, err);
    if (status == PM_OK)
        status = pm_run_steps(run, &run->engine->trunk, run->route.trunk, 0, run->route.trunk_count, &run->trunk, err);
    run->trunk_users_left = run->route.trunk_users;
    if (status == PM_OK) status = start_copies(run, err);
    return status == PM_OK ? share_trunk(run, err) : status;
}

/* Runs the steps of the output before `to` that have not run yet. */
static PmStatus advance_output(PmRun *run, size_t index, size_t to, PmError *err)
{
    const PmRouteOutput *route = &run->route.outputs[index];
    PmRunOutput *output = &run->outputs[index];
    PmStatus status = PM_OK;
    if (!output->started) {
        output->started = true;
        status = pm_run_begin_output(run, index, err);
        if (status == PM_OK && route->fork_users > 0) {
            status = take_fork(run, index, &output->picture, err);
            output->steps_done = (size_t)route->fork + 1;
        } else if (status == PM_OK) {
            status = take_start(run, index, &output->picture, err);
        }
    }
    if (status != PM_OK || to <= output->steps_done) return status;
    pm_run_at_output(run, output);
    status =
        pm_run_steps(run, &run->engine->outputs[index], route->steps, output->steps_done, to, &output->picture, err);
    pm_run_at_trunk(run);
    output->steps_done = to;
    return status;
}

/* A rendition is stored as soon as it is made. So every inspector speaks before the first is made: a picture that one
 * of them refuses leaves nothing behind. What they have seen waits for the rest of its output's steps. */
static PmStatus inspect_outputs(PmRun *run, PmError *err)
{
    PmStatus status = PM_OK;
    for (size_t i = 0; i < run->route.output_count && status == PM_OK; i++) {
        const PmRouteOutput *route = &run->route.outputs[i];
        if (route->runs != PM_RUNS_NO && route->inspected > 0) status = advance_output(run, i, route->inspected, err);
    }
    return status;
}

static PmStatus finish_output(PmRun *run, size_t index, PmError *err)
{
    const PmRouteOutput *route = &run->route.outputs[index];
    PmRunOutput *output = &run->outputs[index];
    if (route->runs == PM_RUNS_NO && !route->copied)
        return run->sink->skipped(run->sink->data, route->name, route->why, err);
    PmStatus status = advance_output(run, index, run->engine->outputs[index].count - 1, err);
    pm_run_at_output(run, output);
    if (status == PM_OK) status = pm_run_encode(run, index, &output->picture, err);
    pm_run_at_trunk(run);
    pm_picture_finish(&output->picture);
    return status;
}

static PmStatus run_outputs(PmRun *run, PmError *err)
{
    settle_outputs(run);
    PmStatus status = inspect_outputs(run, err);
    for (size_t i = 0; i < run->route.output_count && status == PM_OK; i++) status = finish_output(run, i, err);
    return status;
}

/* ------------------------------------------------------------------ report */

/* All facts at the end: the job's, and what steps of outputs set. */
static json_t *all_facts(const PmRun *run)
{
    json_t *facts = pm_facts_to_json(run->facts);
    for (size_t i = 0; i < run->engine->pipeline->output_count; i++) {
        if (run->outputs[i].facts == NULL) continue;
        json_t *own = pm_facts_to_json(run->outputs[i].facts);
        json_t *value;
        const char *name;
        json_object_foreach(own, name, value) if (strchr(name, '.') != NULL) json_object_set(facts, name, value);
        json_decref(own);
    }
    return facts;
}

void pm_report_finish(PmReport *report)
{
    if (report == NULL) return;
    json_decref(report->facts);
    json_decref(report->verdicts);
    json_decref(report->warnings);
    json_decref(report->timings);
    *report = (PmReport){0};
}

/* Of all renditions together, with their frames. */
static int64_t written_pixels(const PmRoute *route)
{
    int64_t pixels = 0;
    for (size_t i = 0; i < route->output_count; i++) {
        const PmRouteOutput *output = &route->outputs[i];
        if (output->runs == PM_RUNS_NO || output->count == 0) continue;
        const PmShape *shape = &output->steps[output->count - 1].in;
        int64_t own = (int64_t)shape->width * shape->height;
        pixels += own > INT64_MAX / 1024 / shape->pages ? INT64_MAX / 1024 : own * shape->pages;
    }
    return pixels;
}

/* What the picture's format takes, where memory ran out. */
static void hint_memory(const PmRun *run, PmError *err)
{
    const PmSource *source = &run->source;
    if (err->status != PM_LIMIT || !pm_memory_ran_out(err->message)) return;
    bool interlaced = source->header != NULL && vips_image_get_typeof(source->header, "interlaced") != 0;
    const PmShape *loaded = &run->route.loaded; /* JPEG is decoded smaller, but read as a whole */
    const PmShape *decoded = pm_load_scales_up(source->format) ? loaded : &source->shape;
    pm_decode_memory_hint(source->format, interlaced, (int64_t)decoded->width * decoded->height,
                          run->route.memory_bytes, run->engine->pipeline->limits.memory, err);
}

PmStatus pm_engine_run(PmEngine *engine, const PmJobInput *input, const PmSink *sink, PmReport *report, PmError *err)
{
    PmRun run;
    PmError own = {0};
    if (err == NULL) err = &own; /* the first error must be kept somewhere */
    *report = (PmReport){.verdicts = json_array(), .warnings = json_array()};
    int64_t began = pm_clock_mono_ms();
    PmStatus status = pm_run_init(&run, engine, input, sink, report)
                          ? PM_OK
                          : pm_error_set(err, PM_TRANSIENT, "no memory for the facts of the job");
    if (status == PM_OK) status = pm_run_open(&run, err);
    if (status == PM_OK) status = pm_run_plan(&run, err);
    if (status == PM_OK) status = pm_limits_check_memory(&engine->pipeline->limits, run.route.memory_bytes, err);
    if (status == PM_OK && input->planned != NULL)
        input->planned(input->data, run.route.loaded.pages, written_pixels(&run.route));
    int64_t planned = pm_clock_mono_ms(), decoded = planned;
    if (status == PM_OK && run.route.trunk_users + run.route.copies > 0) status = run_trunk(&run, err);
    if (status == PM_OK) decoded = pm_clock_mono_ms();
    if (status == PM_OK) status = run_outputs(&run, err);
    if (status != PM_OK) status = pm_memory_judge(err);
    hint_memory(&run, err);
    report->facts = all_facts(&run);
    report->timings = json_pack("{sI sI sI sO}", "plan_ms", (json_int_t)(planned - began), "decode_ms",
                                (json_int_t)(decoded - planned), "run_ms", (json_int_t)(pm_clock_mono_ms() - began),
                                "steps_us", run.step_us);
    pm_run_finish(&run);
    return status;
}
