/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "engine/internal.h"
#include "engine/memory.h"
#include "engine/order.h"
#include "engine/verdict.h"
#include "engine/vipserr.h"

/* ------------------------------------------------------------------ pixels that could not be computed */

PmStatus pm_run_pixels_failed(PmRun *run, PmError *err)
{
    char text[512];
    pm_vips_error_take(text, sizeof text);
    if (pm_memory_ran_out(text)) return pm_error_set(err, PM_LIMIT, "not enough memory within limits.memory: %s", text);
    if (pm_order_blame(run, text, err)) return err->status;
    /* libvips' message does not tell who failed: a damaged source shows when it is decoded alone. */
    PmStatus status = pm_source_probe(&run->source, &run->load, err);
    if (status != PM_OK || run->last == NULL)
        return status != PM_OK ? status : pm_error_set(err, PM_BUG, "cannot compute the picture: %s", text);
    return pm_plugin_bug(&run->job, run->last, err, "built a picture that cannot be computed: %s", text);
}

PmStatus pm_run_hold(PmRun *run, PmPicture *picture, PmError *err)
{
    if (picture->in_memory) return PM_OK;
    pm_job_at(&run->job, run->last != NULL ? run->last->step->plugin : NULL, "pixels", 0);
    bool good = pm_picture_hold(picture);
    pm_job_at(&run->job, NULL, NULL, 0);
    if (!good) return pm_run_pixels_failed(run, err);
    pm_order_forget(run);
    return PM_OK;
}

/* ------------------------------------------------------------------ promises */

static void warn(PmRun *run, const PmInstance *instance, const char *text)
{
    PmError warning = {0};
    pm_error_set(&warning, PM_BUG, "plugin %s %s", instance->step->plugin, text);
    pm_error_step(&warning, run->engine->pipeline, instance->step);
    json_array_append_new(run->report->warnings, pm_error_to_json(&warning));
}

static PmStatus check_promise(PmRun *run, const PmInstance *instance, const PmShape *promised, const PmShape *real,
                              PmError *err)
{
    if (promised->width != real->width || promised->height != real->height || promised->pages != real->pages)
        return pm_plugin_bug(&run->job, instance, err, "promised %dx%d with %d page%s and gave %dx%d with %d",
                             promised->width, promised->height, promised->pages, promised->pages == 1 ? "" : "s",
                             real->width, real->height, real->pages);
    char text[160];
    if (promised->bands != real->bands || promised->has_alpha != real->has_alpha) {
        snprintf(text, sizeof text, "promised %d bands%s and gave %d%s", promised->bands,
                 promised->has_alpha ? " with alpha" : "", real->bands, real->has_alpha ? " with alpha" : "");
        warn(run, instance, text);
    } else if (promised->band_format != real->band_format) {
        snprintf(text, sizeof text, "promised samples of %s and gave %s",
                 vips_enum_nick(VIPS_TYPE_BAND_FORMAT, promised->band_format),
                 vips_enum_nick(VIPS_TYPE_BAND_FORMAT, real->band_format));
        warn(run, instance, text);
    }
    return PM_OK;
}

/* ------------------------------------------------------------------ inspectors */

static PmVerdict worse(PmVerdict a, PmVerdict b)
{
    if (a.decision != b.decision) return a.decision > b.decision ? a : b;
    return b.score > a.score ? b : a;
}

/* Every page that the inspector does not decline, so that no bad frame hides behind a good one. */
static PmStatus look(PmRun *run, const PmInstance *instance, const PmPlan *plan, PmPicture *picture, PmVerdict *verdict,
                     PmError *err)
{
    int32_t pages = plan->need_pages == 1 ? 1 : picture->shape.pages;
    PmShape shape = pm_run_shape(run, picture);
    if (plan->flags & PM_ALL_PAGES) {
        if (!pm_picture_join(picture)) return pm_run_pixels_failed(run, err);
        return pm_call_inspect(&run->job, instance, &shape, picture->strip, verdict, err);
    }
    PmStatus status = PM_OK;
    for (int32_t i = 0; i < pages && status == PM_OK && (i == 0 || verdict->decision != PM_REJECT); i++) {
        PmVerdict one = {0};
        VipsImage *page = pm_picture_page(picture, i);
        if (page == NULL) return pm_run_pixels_failed(run, err);
        status = pm_call_inspect(&run->job, instance, &shape, page, &one, err);
        g_object_unref(page);
        *verdict = i == 0 ? one : worse(*verdict, one);
    }
    return status;
}

static void record(PmRun *run, const PmInstance *instance, const PmVerdict *verdict)
{
    char score[32];
    g_ascii_formatd(score, sizeof score, "%.4g", verdict->score); /* a point in every locale */
    const char *decision = pm_decision_name(verdict->decision);
    pm_job_set_fact(&run->job, instance, "decision", decision);
    pm_job_set_fact(&run->job, instance, "score", score);
    pm_job_set_fact(&run->job, instance, "label", verdict->label);
    json_t *entry = json_pack("{ss ss sf ss}", "step", instance->step->name, "decision", decision, "score",
                              verdict->score, "label", verdict->label);
    if (verdict->decision == PM_REJECT)
        json_object_set_new(entry, "consequence", json_string(pm_on_reject_name(instance->step->on_reject)));
    json_array_append_new(run->report->verdicts, entry);
}

static PmStatus reject(PmRun *run, const PmInstance *instance, const PmVerdict *verdict, PmPicture *picture,
                       PmError *err)
{
    PmOnReject consequence = instance->step->on_reject;
    if (consequence == PM_ON_REJECT_FLAG) return PM_OK;
    if (consequence == PM_ON_REJECT_BLUR || consequence == PM_ON_REJECT_PLACEHOLDER) {
        bool good = consequence == PM_ON_REJECT_BLUR ? pm_picture_blur(picture) : pm_picture_placeholder(picture);
        return good ? PM_OK : pm_run_pixels_failed(run, err);
    }
    run->report->rejected_as = consequence;
    PmStatus status = pm_error_set(err, PM_REJECTED, "rejected%s%s with score %.2f",
                                   verdict->label[0] != '\0' ? " as " : "", verdict->label, verdict->score);
    pm_error_step(err, run->engine->pipeline, instance->step);
    return status;
}

static PmStatus inspect(PmRun *run, const PmInstance *instance, const PmPlan *plan, PmPicture *picture, PmError *err)
{
    PmVerdict verdict = {0};
    run->job.view = &picture->view;
    PmStatus status = look(run, instance, plan, picture, &verdict, err);
    run->job.view = NULL;
    if (status != PM_OK) return status;
    record(run, instance, &verdict);
    return verdict.decision == PM_REJECT ? reject(run, instance, &verdict, picture, err) : PM_OK;
}

/* ------------------------------------------------------------------ steps that change the picture */

static PmStatus apply_strip(PmRun *run, const PmInstance *instance, const PmPlan *plan, PmPicture *picture,
                            PmError *err)
{
    VipsImage *out = NULL;
    if (!pm_picture_join(picture) || !pm_order_watch(run, picture, instance)) return pm_run_pixels_failed(run, err);
    PmError failure = {0};
    PmShape shape = pm_run_shape(run, picture);
    PmStatus status = pm_call_apply(&run->job, instance, &shape, picture->strip, &out, &failure);
    if (status != PM_OK) {
        (void)pm_order_blame(run, failure.message, &failure);
        if (err->status == PM_OK) *err = failure;
        return err->status;
    }
    PmShape real = pm_shape_of(out);
    status = check_promise(run, instance, &plan->out, &real, err);
    if (status == PM_OK)
        pm_picture_replace(picture, out);
    else
        g_object_unref(out);
    return status;
}

static PmStatus apply_pages(PmRun *run, const PmInstance *instance, const PmPlan *plan, PmPicture *picture,
                            PmError *err)
{
    if (!pm_picture_split(picture)) return pm_run_pixels_failed(run, err);
    int32_t count = picture->shape.pages;
    PmShape promised = plan->out, shape = pm_run_shape(run, picture);
    promised.pages = 1;
    for (int32_t i = 0; i < count; i++) {
        VipsImage *out = NULL;
        PmStatus status = pm_call_apply(&run->job, instance, &shape, picture->pages[i], &out, err);
        if (status != PM_OK) return status;
        PmShape real = pm_shape_of(out);
        status = check_promise(run, instance, &promised, &real, err);
        if (status != PM_OK) {
            g_object_unref(out);
            return status;
        }
        g_object_unref(picture->pages[i]);
        picture->pages[i] = out;
        run->last = instance;
        if (count > PM_PICTURE_LAZY_PAGES && !pm_picture_hold_page(picture, i)) return pm_run_pixels_failed(run, err);
    }
    pm_picture_reshape(picture, picture->pages[0], count);
    picture->in_memory = false;
    return PM_OK;
}

/* Where the regions of earlier steps lie in the step's result. */
static void follow(const PmInstance *instance, const PmPlan *plan, const PmShape *in, PmFrame frame, PmPicture *picture)
{
    const PmResample *box = &plan->resample;
    if (frame.width == 0 && box->width > 0)
        frame = (PmFrame){.left = box->left, .top = box->top, .width = box->width, .height = box->height};
    if (frame.width > 0)
        picture->view = pm_view_then(&picture->view, &frame, in);
    else if ((in->width != picture->shape.width || in->height != picture->shape.height) && !picture->view.lost_at)
        picture->view.lost_at = instance->step->name;
}

static PmStatus apply(PmRun *run, const PmInstance *instance, const PmPlan *plan, PmPicture *picture, PmError *err)
{
    bool streaming = picture->streaming;
    PmShape in = picture->shape;
    PmFrame frame = {0};
    bool whole = picture->shape.pages == 1 || (plan->flags & PM_ALL_PAGES);
    run->job.view = &picture->view;
    run->job.frame = &frame;
    PmStatus status =
        whole ? apply_strip(run, instance, plan, picture, err) : apply_pages(run, instance, plan, picture, err);
    run->job.view = NULL;
    run->job.frame = NULL;
    if (status != PM_OK) return status;
    follow(instance, plan, &in, frame, picture);
    picture->streaming = streaming && whole && !(plan->flags & PM_EAGER);
    picture->changed = true;
    run->last = instance;
    return PM_OK;
}

/* ------------------------------------------------------------------ the chain */

PmShape pm_run_shape(const PmRun *run, const PmPicture *picture)
{
    PmShape shape = picture->shape;
    shape.orientation = run->route.source.orientation;
    return shape;
}

PmStatus pm_run_ask(PmRun *run, const PmInstance *instance, const PmPicture *picture, PmPlan *plan, PmError *err)
{
    PmShape in = pm_run_shape(run, picture);
    return pm_call_plan(&run->job, instance, &in, plan, err);
}

/* It was asked for when the job was planned, but for another input when a step before it was planned and then left
 * out. */
PmStatus pm_run_full_size(PmRun *run, const PmInstance *instance, const PmRouteStep *route, const PmPicture *picture,
                          PmShape *full, PmError *err)
{
    PmShape in = pm_run_shape(run, picture);
    in.width = in.source_width;
    in.height = in.source_height;
    *full = route->full_out;
    if (in.width == route->full_in.width && in.height == route->full_in.height) return PM_OK;
    PmPlan plan;
    PmStatus status = pm_call_plan(&run->job, instance, &in, &plan, err);
    *full = plan.flags & PM_SKIP ? in : plan.out;
    return status;
}

void pm_run_timed(PmRun *run, const PmInstance *instance, int64_t since_us)
{
    const char *name = instance->step->name;
    int64_t before = json_integer_value(json_object_get(run->step_us, name));
    json_object_set_new(run->step_us, name, json_integer(before + pm_clock_mono_us() - since_us));
}

static PmStatus run_step(PmRun *run, const PmInstance *instance, const PmRouteStep *route, PmPicture *picture,
                         PmError *err)
{
    const PmWhen *when = instance->step->when;
    if (route->runs == PM_RUNS_NO || (when != NULL && !pm_when_matches(when, run->job.facts, NULL, 0))) return PM_OK;
    bool inspects = instance->kind == PM_STEP_INSPECT;
    PmPlan plan;
    PmShape full = picture->shape;
    PmStatus status = inspects ? PM_OK : pm_run_full_size(run, instance, route, picture, &full, err);
    if (status == PM_OK) status = pm_run_ask(run, instance, picture, &plan, err);
    if (status != PM_OK) return status;
    bool skips = plan.flags & PM_SKIP;
    if (!inspects && !skips && plan.need_pages == 1 && picture->shape.pages > 1) {
        if (!pm_picture_cut(picture)) return pm_run_pixels_failed(run, err);
        status = pm_run_ask(run, instance, picture, &plan, err);
        if (status != PM_OK) return status;
    }
    /* An inspector reads what later steps read again. */
    bool reads_apart = inspects && !(plan.flags & PM_NO_PIXELS);
    if (!skips && ((plan.flags & PM_RANDOM) || reads_apart)) status = pm_run_hold(run, picture, err);
    int64_t began = pm_clock_mono_us();
    if (status == PM_OK && !skips) {
        status = inspects ? inspect(run, instance, &plan, picture, err) : apply(run, instance, &plan, picture, err);
        pm_run_timed(run, instance, began);
    }
    if (status == PM_OK && !inspects) {
        picture->shape.source_width = full.width;
        picture->shape.source_height = full.height;
    }
    return status;
}

PmStatus pm_run_steps(PmRun *run, const PmInstances *instances, const PmRouteStep *route, size_t from, size_t to,
                      PmPicture *picture, PmError *err)
{
    PmStatus status = PM_OK;
    for (size_t i = from; i < to && status == PM_OK; i++)
        status = run_step(run, &instances->items[i], &route[i], picture, err);
    return status;
}
