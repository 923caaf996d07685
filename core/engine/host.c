/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/host.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/flags.h"
#include "engine/printed.h"
#include "engine/redact.h"
#include "engine/resample.h"
#include "engine/vipserr.h"

/* ------------------------------------------------------------------ what plugins call */

static const char *plugin_of(const PmJob *job)
{
    return job != NULL && job->at != NULL ? job->at->step->plugin : "";
}

static const char *step_of(const PmJob *job)
{
    return job != NULL && job->at != NULL ? job->at->step->path : "";
}

static void host_log(PmJob *job, int level, const char *fmt, ...)
{
    char text[1024], safe[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    pm_text_utf8(safe, sizeof safe, text);
    pm_redact(job != NULL ? job->at : NULL, safe, sizeof safe);
    if (level < PM_LOG_ERROR) level = PM_LOG_ERROR;
    if (level > PM_LOG_DEBUG) level = PM_LOG_DEBUG;
    if (job != NULL && job->sink != NULL && job->sink->log != NULL)
        job->sink->log(job->sink->data, level, plugin_of(job), step_of(job), safe);
    else
        pm_log(level, "plugin.log", "plugin", plugin_of(job), "step", step_of(job), "msg", safe, NULL);
}

static PmStatus host_fail(PmJob *job, PmStatus status, const char *fmt, ...)
{
    if (status <= PM_OK || status > PM_BUG) status = PM_BUG;
    if (job == NULL || job->failure.status != PM_OK) return status;
    char text[512], vips[512], safe[sizeof job->failure.message];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    pm_vips_error_take(vips, sizeof vips);
    char joined[sizeof text + sizeof vips + 2];
    snprintf(joined, sizeof joined, "%s%s%s", text, vips[0] != '\0' ? ": " : "", vips);
    pm_text_utf8(safe, sizeof safe, joined);
    pm_redact(job->at, safe, sizeof safe);
    return pm_error_set(&job->failure, status, "%s", safe);
}

static PmStatus host_fail_param(PmJob *job, const char *param, const char *fmt, ...)
{
    if (job == NULL || job->failure.status != PM_OK) return PM_BAD_CONFIG;
    char text[512], safe[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    pm_text_utf8(safe, sizeof safe, text);
    pm_redact(job->at, safe, sizeof safe);
    pm_error_set(&job->failure, PM_BAD_CONFIG, "%s: %s", param, safe);
    const PmNode *node = job->at != NULL ? pm_step_param(job->at->step, param) : NULL;
    if (node != NULL) pm_error_place(&job->failure, job->pipeline->file, node->line, node->column);
    return PM_BAD_CONFIG;
}

static PmStatus host_open_asset(PmJob *job, const char *name, VipsSource **out)
{
    const PmAsset *asset = job != NULL && name != NULL ? pm_assets_find(job->assets, name) : NULL;
    if (asset == NULL)
        return host_fail(job, PM_BUG, "asks for the file \"%s\", which no parameter of this pipeline names",
                         name != NULL ? name : "");
    *out = vips_source_new_from_memory(asset->bytes, asset->size);
    return *out != NULL ? PM_OK : host_fail(job, PM_BUG, "cannot open %s", name);
}

/* The URL that the step's parameter `name` holds, or NULL. */
static const char *endpoint_url(const PmInstance *instance, const char *name)
{
    const PmTransform *transform = &instance->plugin->transform;
    for (size_t i = 0; i < transform->param_count; i++) {
        const PmParam *param = &transform->params[i];
        if (param->type != PM_ENDPOINT || strcmp(param->name, name) != 0) continue;
        return *(const char *const *)(const void *)((const char *)instance->config + param->offset);
    }
    return NULL;
}

static PmStatus host_fetch(PmJob *job, const PmRequest *request, PmResponse *response)
{
    if (job == NULL || job->at == NULL || job->sink == NULL || job->sink->fetch == NULL)
        return host_fail(job, PM_BUG, "fetch() is not possible here");
    PmRequest copy = {0};
    memcpy(&copy, request, request->size < sizeof copy ? request->size : sizeof copy);
    copy.size = sizeof copy;
    const char *url = copy.endpoint != NULL ? endpoint_url(job->at, copy.endpoint) : NULL;
    if (url == NULL)
        return host_fail(job, PM_BUG, "fetches from \"%s\", which is not an endpoint parameter with a value",
                         copy.endpoint != NULL ? copy.endpoint : "");
    PmError err = {0};
    PmStatus status = job->sink->fetch(job->sink->data, url, &copy, response, &err);
    if (status == PM_OK) return PM_OK;
    /* Whether a failed exchange fails the step is the plugin's choice: it calls fail() with our text, or goes on. */
    host_fail(job, status, "%s", err.message);
    if (err.hint[0] != '\0') pm_error_hint(&job->failure, "%s", err.hint);
    return status;
}

static PmStatus host_set_fact(PmJob *job, const char *name, const char *value)
{
    if (job == NULL || job->at == NULL || name == NULL)
        return host_fail(job, PM_BUG, "set_fact() is not possible here");
    const char *const *facts = job->at->plugin->transform.facts;
    for (; facts != NULL && *facts != NULL; facts++) {
        if (strcmp(*facts, name) != 0) continue;
        if (pm_job_set_fact(job, job->at, name, value)) return PM_OK;
        return host_fail(job, PM_BUG, "the value of fact %s is too long or not UTF-8", name);
    }
    return host_fail(job, PM_BUG, "sets the fact %s, which its table of facts does not list", name);
}

static const char *host_fact(PmJob *job, const char *name)
{
    const char *value = job != NULL && job->facts != NULL && name != NULL ? pm_facts_get(job->facts, name) : NULL;
    return value != NULL && job->arena != NULL ? pm_arena_strdup(job->arena, value) : NULL;
}

static const char *host_expand(PmJob *job, const char *text)
{
    if (job == NULL || job->facts == NULL || text == NULL) return NULL;
    PmError err = {0};
    PmTemplate *tmpl = pm_template_new(PM_TEMPLATE_TEXT, text, NULL, &err);
    char *value = tmpl != NULL ? pm_template_expand(tmpl, job->facts, &err) : NULL;
    const char *kept = value != NULL ? pm_arena_strdup(job->arena, value) : NULL;
    if (kept == NULL) host_log(job, PM_LOG_WARN, "cannot fill in \"%s\": %s", text, err.message);
    free(value);
    pm_template_free(tmpl);
    return kept;
}

static int64_t host_remaining_ms(PmJob *job)
{
    if (job == NULL || job->deadline_ms == 0) return INT64_MAX;
    int64_t left = job->deadline_ms - pm_clock_mono_ms();
    return left > 0 ? left : 0;
}

static PmStatus host_add_regions(PmJob *job, const char *name, const PmRegion *regions, size_t count)
{
    if (job == NULL || job->at == NULL || job->view == NULL || job->regions == NULL || name == NULL)
        return host_fail(job, PM_BUG, "add_regions() is not possible here");
    const char *const *names = job->at->plugin->transform.regions;
    while (names != NULL && *names != NULL && strcmp(*names, name) != 0) names++;
    if (names == NULL || *names == NULL)
        return host_fail(job, PM_BUG, "adds the regions %s, which its table of regions does not list", name);
    if (job->region_count >= PM_REGIONS_MAX || count >= PM_REGIONS_MAX - job->region_count)
        return host_fail(job, PM_LIMIT, "the steps of one job found more than %d regions", PM_REGIONS_MAX);
    const char *fault = pm_regions_fault(regions, count);
    if (fault != NULL) return host_fail(job, PM_BUG, "adds %s", fault);
    job->region_count += count + 1; /* an empty set has its bound, too */
    *job->regions = pm_regions_add(job->arena, *job->regions, job->view, job->at->step->name, name, regions, count);
    return PM_OK;
}

static const PmRegion *host_regions(PmJob *job, const char *step, const char *name, size_t *count)
{
    *count = 0;
    if (job == NULL || job->view == NULL || job->regions == NULL || step == NULL || name == NULL) return NULL;
    const PmRegion *regions = pm_regions_get(job->arena, *job->regions, job->view, step, name, count);
    if (regions == NULL || job->view->lost_at == NULL) return regions;
    host_log(job, PM_LOG_WARN,
             "where the regions of %s lie is not known: step %s does not say what of its input it shows", step,
             job->view->lost_at);
    *count = 0;
    return NULL;
}

static PmStatus host_set_frame(PmJob *job, const PmFrame *frame)
{
    if (job == NULL || job->frame == NULL) return host_fail(job, PM_BUG, "set_frame() is for apply()");
    const char *fault = pm_frame_fault(frame);
    if (fault != NULL) return host_fail(job, PM_BUG, "sets %s", fault);
    *job->frame = *frame;
    return PM_OK;
}

#define HOST(fetch_)                                                                                    \
    {                                                                                                   \
        .size = sizeof(PmHost), .log = host_log, .fail = host_fail, .fail_param = host_fail_param,      \
        .open_asset = host_open_asset, .fetch = (fetch_), .set_fact = host_set_fact, .fact = host_fact, \
        .expand = host_expand, .remaining_ms = host_remaining_ms, .add_regions = host_add_regions,      \
        .regions = host_regions, .set_frame = host_set_frame,                                           \
    }
static const PmHost host = HOST(host_fetch), host_without_fetch = HOST(NULL);

/* ------------------------------------------------------------------ calling plugins */

void pm_job_at(PmJob *job, const char *plugin, const char *step, int line)
{
    PmProgress *progress = job->progress;
    if (progress == NULL) return;
    pm_text_copy(progress->plugin, sizeof progress->plugin, plugin != NULL ? plugin : "");
    pm_text_copy(progress->step, sizeof progress->step, step != NULL ? step : "");
    progress->line = line;
}

static void log_printed(void *data, const char *text)
{
    host_log(data, PM_LOG_WARN, "%s", text);
}

/* What the step at work has printed; between steps, nobody knows who. */
static void take_printed(PmJob *job)
{
    if (job->sink != NULL && job->sink->log != NULL) pm_printed_take(log_printed, job);
}

static void enter(PmJob *job, const PmInstance *instance)
{
    job->at = NULL;
    take_printed(job);
    job->at = instance;
    pm_error_clear(&job->failure);
    vips_error_clear();
    pm_job_at(job, instance->step->plugin, instance->step->path, instance->step->line);
}

void pm_error_step(PmError *err, const PmPipeline *pipeline, const PmStep *step)
{
    if (err == NULL || err->status == PM_OK || err->step[0] != '\0') return;
    pm_text_copy(err->plugin, sizeof err->plugin, step->plugin);
    pm_text_copy(err->step, sizeof err->step, step->path);
    pm_error_context(err, "%s", step->where);
    pm_error_place(err, pipeline->file, step->line, step->column);
}

PmStatus pm_plugin_bug(const PmJob *job, const PmInstance *instance, PmError *err, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    PmStatus status = pm_error_set(err, PM_BUG, "plugin %s %s", instance->step->plugin, text);
    pm_error_step(err, job->pipeline, instance->step);
    return status;
}

/* After a call: `status` as the plugin returned it, what it said in job->failure, what libvips said in its buffer. */
static PmStatus leave(PmJob *job, const PmInstance *instance, PmStatus status, const char *call, PmError *err)
{
    take_printed(job);
    pm_job_at(job, NULL, NULL, 0);
    if (status == PM_OK) return PM_OK;
    if ((int)status < PM_OK || status > PM_BUG)
        return pm_plugin_bug(job, instance, err, "returned %d from %s(), which is not a status", (int)status, call);
    /* It would come after renditions had been stored, and past the step's on_reject. */
    if (status == PM_REJECTED)
        return pm_plugin_bug(job, instance, err,
                             "returned PM_REJECTED from %s(); an image is rejected by an inspector's verdict", call);
    if (job->failure.status == PM_OK) { /* it did not call fail() */
        char text[512];
        pm_vips_error_take(text, sizeof text);
        pm_redact(instance, text, sizeof text);
        pm_error_set(&job->failure, status, "%s() failed%s%s", call, text[0] != '\0' ? ": " : " and does not say why",
                     text);
    }
    if (err != NULL && err->status == PM_OK) {
        *err = job->failure;
        err->status = status;
    }
    pm_error_step(err, job->pipeline, instance->step);
    return status;
}

PmStatus pm_call_create(PmJob *job, PmInstance *instance, bool fetch, PmErrorList *errors)
{
    PmError err = {0};
    enter(job, instance);
    const PmHost *offered = fetch ? &host : &host_without_fetch;
    PmStatus status = instance->plugin->transform.create(offered, job, instance->config, &instance->self);
    instance->created = status == PM_OK;
    status = leave(job, instance, status, "create", &err);
    pm_error_list_add(errors, &err);
    return status;
}

PmStatus pm_call_plan(PmJob *job, const PmInstance *instance, const PmShape *in, PmPlan *plan, PmError *err)
{
    enter(job, instance);
    *plan = pm_plan_preset(in);
    PmStatus status = instance->plugin->transform.plan(instance->self, job, in, plan);
    status = leave(job, instance, status, "plan", err);
    if (status != PM_OK) return status;
    const PmShape *out = &plan->out;
    if (out->width < 1 || out->height < 1 || out->pages < 1 || out->bands < 1)
        return pm_plugin_bug(job, instance, err, "plans a picture of %dx%d with %d pages and %d bands", out->width,
                             out->height, out->pages, out->bands);
    uint32_t unknown = plan->flags & ~PM_FLAGS_ALL(PM_PLAN_FLAGS);
    if (unknown != 0)
        return pm_plugin_bug(job, instance, err, "plans flags that do not exist, 0x%x: there are %s", (unsigned)unknown,
                             PM_FLAGS_NAMES(PM_PLAN_FLAGS) + 2);
    if (instance->kind != PM_STEP_APPLY) plan->resample = (PmResample){0}; /* it makes no picture */
    const char *fault = pm_resample_fault(in, plan);
    if (fault != NULL) return pm_plugin_bug(job, instance, err, "plans %s", fault);
    if (instance->kind == PM_STEP_ENCODE && (plan->format == NULL || plan->extension == NULL || plan->mime == NULL))
        return pm_plugin_bug(job, instance, err, "is an encoder whose plan() names no format, extension or mime");
    return PM_OK;
}

PmStatus pm_call_apply(PmJob *job, const PmInstance *instance, const PmShape *shape, VipsImage *in, VipsImage **out,
                       PmError *err)
{
    enter(job, instance);
    VipsImage *image = NULL;
    unsigned held = G_OBJECT(in)->ref_count;
    PmStatus status = instance->plugin->transform.apply(instance->self, job, shape, in, &image);
    status = leave(job, instance, status, "apply", err);
    /* Before it is let go once too often, which would end in libvips, far from here. */
    if (status == PM_OK && image == in && G_OBJECT(in)->ref_count <= held)
        return pm_plugin_bug(job, instance, err, "gave back its input without a reference");
    if (status != PM_OK) {
        g_clear_object(&image);
        return status;
    }
    if (image == NULL) return pm_plugin_bug(job, instance, err, "returned PM_OK and no image from apply()");
    *out = image;
    return PM_OK;
}

PmStatus pm_call_inspect(PmJob *job, const PmInstance *instance, const PmShape *shape, VipsImage *in, PmVerdict *out,
                         PmError *err)
{
    enter(job, instance);
    *out = (PmVerdict){.decision = PM_PASS};
    PmStatus status = instance->plugin->transform.inspect(instance->self, job, shape, in, out);
    status = leave(job, instance, status, "inspect", err);
    out->label[sizeof out->label - 1] = '\0';
    for (char *p = out->label; *p != '\0'; p++)
        if (*p < 0x20 || *p > 0x7E) *p = '?';
    if (status == PM_OK && ((int)out->decision < PM_PASS || out->decision > PM_REJECT))
        return pm_plugin_bug(job, instance, err, "gave decision %d, which is none", (int)out->decision);
    return status;
}

PmStatus pm_call_encode(PmJob *job, const PmInstance *instance, const PmShape *shape, VipsImage *in, VipsTarget *out,
                        PmError *err)
{
    enter(job, instance);
    PmStatus status = instance->plugin->transform.encode(instance->self, job, shape, in, out);
    return leave(job, instance, status, "encode", err);
}

bool pm_job_set_fact(PmJob *job, const PmInstance *instance, const char *fact, const char *value)
{
    char name[256];
    int length = snprintf(name, sizeof name, "%s.%s", instance->step->name, fact);
    return length > 0 && (size_t)length < sizeof name && job->facts != NULL && pm_facts_set(job->facts, name, value);
}
