/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/check/step.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"
#include "engine/regions.h"
#include "pipeline/decode_params.h"

struct PmCheckStep {
    const PmTransform *transform;
    PmTree *tree;
    PmArena *arena;
    void *config, *self;
    PmStatus failed; /* what fail() or fail_param() was last told; PM_OK: neither was called */
    char said[512], broke[512];
};

/* --- the host --- */

/* The plugin's PmJob is ours in disguise: it is opaque to the plugin. */
static PmCheckStep *step_of(PmJob *job)
{
    return (PmCheckStep *)job;
}

static void broke(PmCheckStep *step, const char *fmt, ...) PM_PRINTF(2, 3);

static void broke(PmCheckStep *step, const char *fmt, ...)
{
    if (step->broke[0] != '\0') return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(step->broke, sizeof step->broke, fmt, ap);
    va_end(ap);
}

static void host_log(PmJob *job, int level, const char *fmt, ...)
{
    (void)job, (void)fmt, (void)level;
}

static void say(PmCheckStep *step, PmStatus status, const char *prefix, const char *fmt, va_list ap)
{
    int used = snprintf(step->said, sizeof step->said, "%s%s", prefix, prefix[0] != '\0' ? ": " : "");
    if (used >= 0 && (size_t)used < sizeof step->said)
        vsnprintf(step->said + used, sizeof step->said - (size_t)used, fmt, ap);
    if (status == PM_OK) broke(step, "calls fail() with PM_OK");
    step->failed = status;
}

static PmStatus host_fail(PmJob *job, PmStatus status, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say(step_of(job), status, "", fmt, ap);
    va_end(ap);
    return status;
}

static PmStatus host_fail_param(PmJob *job, const char *param, const char *fmt, ...)
{
    PmCheckStep *step = step_of(job);
    va_list ap;
    va_start(ap, fmt);
    say(step, PM_BAD_CONFIG, param, fmt, ap);
    va_end(ap);
    bool known = false;
    for (size_t i = 0; i < step->transform->param_count && !known; i++)
        known = strcmp(step->transform->params[i].name, param) == 0;
    if (!known) broke(step, "fail_param() names %s, which is not a parameter", param);
    return PM_BAD_CONFIG;
}

static PmStatus host_open_asset(PmJob *job, const char *name, VipsSource **out)
{
    /* A 2x2 PNG with alpha, the same whatever the name. */
    static const unsigned char png[] = {0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49,
                                        0x48, 0x44, 0x52, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x02, 0x08, 0x06,
                                        0x00, 0x00, 0x00, 0x72, 0xb6, 0x0d, 0x24, 0x00, 0x00, 0x00, 0x11, 0x49, 0x44,
                                        0x41, 0x54, 0x78, 0xda, 0x63, 0x30, 0x48, 0x98, 0xf0, 0x1f, 0x84, 0x19, 0x60,
                                        0x0c, 0x00, 0x47, 0x34, 0x08, 0x7d, 0xde, 0x5c, 0xfd, 0x1d, 0x00, 0x00, 0x00,
                                        0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82};
    (void)name;
    *out = vips_source_new_from_memory(png, sizeof png);
    return *out != NULL ? PM_OK : host_fail(job, PM_LIMIT, "out of memory");
}

static PmStatus host_fetch(PmJob *job, const PmRequest *request, PmResponse *response)
{
    (void)response;
    return host_fail(job, PM_TRANSIENT, "%s: plugin check has no network", request->endpoint);
}

static PmStatus host_set_fact(PmJob *job, const char *name, const char *value)
{
    PmCheckStep *step = step_of(job);
    (void)value;
    for (const char *const *fact = step->transform->facts; fact != NULL && *fact != NULL; fact++)
        if (strcmp(*fact, name) == 0) return PM_OK;
    broke(step, "sets the fact %s, which it does not list in .facts", name);
    return PM_BUG;
}

static const char *host_fact(PmJob *job, const char *name)
{
    static const char *const facts[][2] = {{"key", "check/picture.png"},
                                           {"name", "picture.png"},
                                           {"stem", "picture"},
                                           {"dir", "check"},
                                           {"width", "61"},
                                           {"height", "47"},
                                           {"format", "png"},
                                           {"pages", "1"}};
    (void)job;
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++)
        if (strcmp(facts[i][0], name) == 0) return facts[i][1];
    return NULL;
}

static const char *host_expand(PmJob *job, const char *text)
{
    (void)job;
    return text; /* braces and all: what matters here is that it is text */
}

static int64_t host_remaining_ms(PmJob *job)
{
    (void)job;
    return 10000;
}

static PmStatus host_add_regions(PmJob *job, const char *name, const PmRegion *regions, size_t count)
{
    PmCheckStep *step = step_of(job);
    const char *const *known = step->transform->regions;
    while (known != NULL && *known != NULL && strcmp(*known, name) != 0) known++;
    if (known == NULL || *known == NULL) broke(step, "adds the regions %s, which it does not list in .regions", name);
    const char *fault = pm_regions_fault(regions, count);
    if (fault != NULL) broke(step, "adds %s", fault);
    return step->broke[0] == '\0' ? PM_OK : PM_BUG;
}

/* Every picture has a region in the middle, by whatever name it is asked for. */
static const PmRegion *host_regions(PmJob *job, const char *step, const char *name, size_t *count)
{
    static const PmRegion middle = {
        .left = 0.25, .top = 0.25, .width = 0.5, .height = 0.5, .score = 0.9, .label = "check"};
    (void)job, (void)step, (void)name;
    *count = 1;
    return &middle;
}

static PmStatus host_set_frame(PmJob *job, const PmFrame *frame)
{
    const char *fault = pm_frame_fault(frame);
    if (fault != NULL) broke(step_of(job), "sets %s", fault);
    return fault == NULL ? PM_OK : PM_BUG;
}

static const PmHost host = {
    .size = sizeof(PmHost),
    .log = host_log,
    .fail = host_fail,
    .fail_param = host_fail_param,
    .open_asset = host_open_asset,
    .fetch = host_fetch,
    .set_fact = host_set_fact,
    .fact = host_fact,
    .expand = host_expand,
    .remaining_ms = host_remaining_ms,
    .add_regions = host_add_regions,
    .regions = host_regions,
    .set_frame = host_set_frame,
};

/* Holds a callback's answer against what it told the host. */
static PmStatus judge(PmCheckStep *step, const char *call, PmStatus status)
{
    if ((unsigned)status > PM_BUG) {
        broke(step, "%s() returns %d, which is no PmStatus", call, (int)status);
        return PM_BUG;
    }
    if (status != PM_OK && step->failed == PM_OK)
        broke(step, "%s() returns %s without saying why: return host->fail(...)", call, pm_status_name(status));
    if (status == PM_OK && step->failed != PM_OK)
        broke(step, "%s() returns PM_OK after fail(): return what fail() returned", call);
    const char *vips = vips_error_buffer();
    if (status != PM_OK && vips[0] != '\0') {
        size_t used = strlen(step->said);
        snprintf(step->said + used, sizeof step->said - used, " (libvips: %.*s)", (int)strcspn(vips, "\n"), vips);
    }
    vips_error_clear();
    return status;
}

static void begin(PmCheckStep *step)
{
    step->failed = PM_OK;
    step->said[0] = '\0';
    vips_error_clear();
}

/* --- a config --- */

/* Which optional parameters get made-up values: many steps need one of several, which only create() knows. */
enum { FILL_SIZES = 1, FILL_ASSETS = 2, FILL_TEXTS = 4, FILL_SHORTHAND = 8, FILL_ALL = 15 };

static bool fills(const PmTransform *t, const PmParam *p, int fill)
{
    if (p->flags & PM_REQUIRED) return true;
    if ((fill & FILL_SHORTHAND) && pm_text_is_one_of(p->name, t->shorthand)) return true;
    if (p->def != NULL || (p->flags & PM_DEPRECATED)) return false;
    switch (p->type) {
    case PM_INT:
    case PM_LENGTH:
        return fill & FILL_SIZES;
    case PM_ASSET:
        return fill & FILL_ASSETS;
    case PM_STRING:
        return fill & FILL_TEXTS;
    default:
        return false;
    }
}

static void add_sample(PmBuffer *yaml, const PmParam *p)
{
    double value = p->type == PM_NUMBER ? 1 : 24;
    if (p->min != 0 || p->max != 0) value = value < p->min ? p->min : value > p->max ? p->max : value;
    pm_buffer_addf(yaml, "%s: ", p->name);
    switch (p->type) {
    case PM_BOOL:
        pm_buffer_adds(yaml, "true");
        break;
    case PM_INT:
    case PM_NUMBER:
    case PM_BYTES:
    case PM_LENGTH:
        pm_buffer_addf(yaml, "%.15g", value);
        break;
    case PM_DURATION:
        pm_buffer_addf(yaml, "%.0fms", value);
        break;
    case PM_ENUM:
        pm_buffer_addf(yaml, "\"%s\"", p->choices[0]);
        break;
    case PM_COLOR:
        pm_buffer_adds(yaml, "\"#336699\"");
        break;
    case PM_LIST:
        pm_buffer_addf(yaml, p->flags & PM_PAIRS ? "{ check: \"%s\" }" : "[\"%s\"]",
                       p->choices != NULL ? p->choices[0] : "check");
        break;
    case PM_STRING:
        pm_buffer_adds(yaml, "check");
        break;
    case PM_ASSET:
        pm_buffer_adds(yaml, "check.png");
        break;
    case PM_ENDPOINT:
        pm_buffer_adds(yaml, "https://check.invalid/");
        break;
    }
    pm_buffer_adds(yaml, "\n");
}

static bool bind_config(PmCheckStep *step, const char *yaml, char *message, size_t message_size)
{
    const PmTransform *t = step->transform;
    PmErrorList errors = {0};
    step->arena = pm_arena_new();
    step->config = pm_arena_alloc(step->arena, t->config_size > 0 ? t->config_size : 1);
    step->tree = pm_tree_parse("params", yaml, strlen(yaml), &errors);
    bool ok = step->tree != NULL && errors.count == 0;
    if (ok) {
        PmDecodeContext context = {.file = "params", .where = t->name, .errors = &errors};
        ok = pm_decode_params(&context, pm_tree_root(step->tree), t->params, t->param_count, step->config, step->arena);
    }
    if (!ok) {
        char line[512] = "cannot bind";
        if (errors.count > 0) pm_error_format(&errors.items[0], line, sizeof line);
        pm_text_copy(message, message_size, line);
    }
    pm_error_list_finish(&errors);
    return ok;
}

static PmCheckStep *step_with(const PmLoaded *loaded, const char *yaml, char *message, size_t message_size)
{
    PmCheckStep *step = calloc(1, sizeof *step);
    if (step == NULL) return NULL;
    step->transform = &loaded->transform;
    if (!bind_config(step, yaml, message, message_size)) {
        step->transform = NULL; /* create() was not called: destroy() must not be */
        pm_check_step_free(step);
        return NULL;
    }
    begin(step);
    PmStatus status = judge(step, "create", step->transform->create(&host, (PmJob *)step, step->config, &step->self));
    if (status == PM_OK && step->broke[0] == '\0') return step;
    snprintf(message, message_size, "%s", step->broke[0] != '\0' ? step->broke : step->said);
    step->transform = NULL;
    pm_check_step_free(step);
    return NULL;
}

PmCheckStep *pm_check_step_new(const PmLoaded *loaded, const char *params, char *message, size_t message_size)
{
    if (params != NULL) return step_with(loaded, params, message, message_size);
    const PmTransform *t = &loaded->transform;
    PmCheckStep *step = NULL;
    for (int fill = 0; fill <= FILL_ALL && step == NULL; fill++) {
        PmBuffer yaml;
        pm_buffer_init(&yaml, 64 * 1024);
        for (size_t i = 0; i < t->param_count; i++)
            if (fills(t, &t->params[i], fill)) add_sample(&yaml, &t->params[i]);
        step = step_with(loaded, yaml.data != NULL ? yaml.data : "", message, message_size);
        pm_buffer_finish(&yaml);
    }
    return step;
}

void pm_check_step_free(PmCheckStep *step)
{
    if (step == NULL) return;
    if (step->transform != NULL && step->transform->destroy != NULL) step->transform->destroy(step->self);
    pm_tree_free(step->tree);
    pm_arena_free(step->arena);
    free(step);
}

/* --- running it --- */

PmStatus pm_check_step_plan(PmCheckStep *step, const PmShape *in, PmPlan *out)
{
    *out = (PmPlan){.out = *in, .need_width = in->width, .need_height = in->height};
    begin(step);
    return judge(step, "plan", step->transform->plan(step->self, (PmJob *)step, in, out));
}

static PmStatus vips_failed(PmCheckStep *step, const char *call)
{
    snprintf(step->said, sizeof step->said, "the pixels of %s() fail: %.300s", call, vips_error_buffer());
    g_strchomp(step->said);
    vips_error_clear();
    return PM_BAD_INPUT;
}

/* apply() on a picture that somebody else holds as well, its pixels computed. */
static PmStatus apply_held(PmCheckStep *step, const PmShape *shape, VipsImage *in, VipsImage **out)
{
    VipsImage *lazy = NULL;
    unsigned held = G_OBJECT(in)->ref_count;
    begin(step);
    PmStatus status = judge(step, "apply", step->transform->apply(step->self, (PmJob *)step, shape, in, &lazy));
    if (status != PM_OK) return status;
    if (lazy == NULL) {
        broke(step, "apply() returns PM_OK without an image");
        return PM_BUG;
    }
    if (lazy == in && G_OBJECT(in)->ref_count <= held) {
        broke(step, "gives back its input without a reference: g_object_ref() it");
        return PM_BUG;
    }
    *out = vips_image_copy_memory(lazy);
    g_object_unref(lazy);
    return *out != NULL ? PM_OK : vips_failed(step, "apply");
}

static PmStatus apply_once(PmCheckStep *step, const PmShape *shape, VipsImage *in, VipsImage **out)
{
    /* So that the picture is still there for us when the plugin lets go of what it does not hold. */
    g_object_ref(in);
    unsigned held = G_OBJECT(in)->ref_count;
    PmStatus status = apply_held(step, shape, in, out);
    if (G_OBJECT(in)->ref_count < held) {
        broke(step, "drops a reference to its input, which is only borrowed");
        return PM_BUG;
    }
    g_object_unref(in);
    return status;
}

static VipsImage *page_of(VipsImage *in, const PmShape *shape, int page)
{
    VipsImage *cut = NULL, *out = NULL;
    if (vips_extract_area(in, &cut, 0, page * shape->height, shape->width, shape->height, NULL) == 0) {
        if (vips_copy(cut, &out, NULL) == 0) vips_image_remove(out, VIPS_META_PAGE_HEIGHT);
        g_object_unref(cut);
    }
    return out;
}

static PmStatus apply_pages(PmCheckStep *step, VipsImage *in, const PmShape *shape, VipsImage **out)
{
    VipsImage **pages = g_new0(VipsImage *, (size_t)shape->pages);
    PmStatus status = PM_OK;
    for (int i = 0; i < shape->pages && status == PM_OK; i++) {
        VipsImage *page = page_of(in, shape, i);
        status = page != NULL ? apply_once(step, shape, page, &pages[i]) : vips_failed(step, "apply");
        if (page != NULL) g_object_unref(page);
    }
    VipsImage *joined = NULL;
    if (status == PM_OK && vips_arrayjoin(pages, &joined, shape->pages, "across", 1, NULL) != 0)
        status = vips_failed(step, "apply");
    if (status == PM_OK) {
        *out = vips_image_copy_memory(joined);
        g_object_unref(joined);
        if (*out != NULL) vips_image_set_int(*out, VIPS_META_PAGE_HEIGHT, vips_image_get_height(pages[0]));
        if (*out == NULL) status = vips_failed(step, "apply");
    }
    for (int i = 0; i < shape->pages; i++)
        if (pages[i] != NULL) g_object_unref(pages[i]);
    g_free(pages);
    return status;
}

/* The first page of `in` alone where the step is about no other, asked about anew as the engine does; else NULL. */
static VipsImage *first_page(PmCheckStep *step, VipsImage *in, PmShape *shape, const PmPlan *plan, PmStatus *status)
{
    if (plan->need_pages != 1 || shape->pages == 1) return NULL;
    PmPlan again;
    VipsImage *first = page_of(in, shape, 0);
    shape->pages = 1;
    *status = first != NULL ? pm_check_step_plan(step, shape, &again) : vips_failed(step, "extract");
    return first;
}

static PmStatus encode(PmCheckStep *step, VipsImage *in, const PmShape *shape, const PmPlan *plan, PmCheckResult *out)
{
    VipsTarget *target = vips_target_new_to_memory();
    PmStatus status = PM_OK;
    PmShape page = *shape;
    VipsImage *first = first_page(step, in, &page, plan, &status);
    begin(step);
    if (status == PM_OK)
        status = judge(step, "encode",
                       step->transform->encode(step->self, (PmJob *)step, &page, first != NULL ? first : in, target));
    if (status == PM_OK) {
        /* The host ends the target: a plugin that did so already does no harm. */
        vips_target_end(target);
        VipsBlob *blob = NULL;
        g_object_get(target, "blob", &blob, NULL);
        size_t size = 0;
        const void *bytes = blob != NULL ? vips_blob_get(blob, &size) : NULL;
        out->bytes = g_memdup2(bytes, size);
        out->size = size;
        if (blob != NULL) vips_area_unref(VIPS_AREA(blob));
    }
    g_object_unref(target);
    if (first != NULL) g_object_unref(first);
    return status;
}

PmStatus pm_check_step_run(PmCheckStep *step, VipsImage *in, const PmShape *shape, const PmPlan *plan,
                           PmCheckResult *out)
{
    *out = (PmCheckResult){0};
    if (step->transform->encode != NULL) return encode(step, in, shape, plan, out);
    if (step->transform->inspect != NULL) {
        begin(step);
        return judge(step, "inspect", step->transform->inspect(step->self, (PmJob *)step, shape, in, &out->verdict));
    }
    PmStatus status = PM_OK;
    PmShape page = *shape;
    VipsImage *first = first_page(step, in, &page, plan, &status);
    if (status == PM_OK && page.pages > 1 && !(plan->flags & PM_ALL_PAGES))
        status = apply_pages(step, in, &page, &out->image);
    else if (status == PM_OK)
        status = apply_once(step, &page, first != NULL ? first : in, &out->image);
    if (first != NULL) g_object_unref(first);
    return status;
}

void pm_check_result_finish(PmCheckResult *result)
{
    if (result->image != NULL) g_object_unref(result->image);
    g_free(result->bytes);
    *result = (PmCheckResult){0};
}

const char *pm_check_step_said(const PmCheckStep *step)
{
    return step->said;
}

const char *pm_check_step_broke(const PmCheckStep *step)
{
    return step->broke[0] != '\0' ? step->broke : NULL;
}
