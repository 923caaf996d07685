// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

#include <dlfcn.h>

#include "pipeline/decode_params.h"

enum { ENTRIES_MAX = 32, MESSAGE_MAX = 4096 };

typedef struct Fact {
    char name[64], value[1024];
} Fact;

typedef struct Asset {
    const char *name;
    const void *bytes;
    size_t size;
} Asset;

struct PmJob {
    Fact facts[ENTRIES_MAX];
    size_t fact_count;
    Asset assets[ENTRIES_MAX];
    size_t asset_count;
    char expanded[2048];
    PmFrame frame;   /* what set_frame() was last told */
    PmStatus failed; /* what fail() or fail_param() was last told */
};

struct Step {
    PmTransform transform;
    PmArena *arena;
    PmTree *tree;
    void *config;
    void *self;
    PmJob job;
};

static char message[MESSAGE_MAX];

const char *step_message(void)
{
    return message;
}

static void say(const char *prefix, const char *fmt, va_list args)
{
    size_t used = strlen(message);
    if (used) used += (size_t)snprintf(message + used, sizeof(message) - used, "\n");
    used += (size_t)snprintf(message + used, sizeof(message) - used, "%s", prefix);
    if (used < sizeof(message)) vsnprintf(message + used, sizeof(message) - used, fmt, args);
}

/* LeakSanitizer asks this. Fontconfig keeps patterns that Pango asked for until the process ends. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libfontconfig";
}

/* ------------------------------------------------------------------ the host */

static void host_log(PmJob *job, int level, const char *fmt, ...)
{
    (void)job;
    if (level > PM_LOG_WARN) return;
    va_list args;
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
}

static PmStatus host_fail(PmJob *job, PmStatus status, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say("", fmt, args);
    va_end(args);
    assert_int_not_equal(status, PM_OK);
    job->failed = status;
    return status;
}

static PmStatus host_fail_param(PmJob *job, const char *param, const char *fmt, ...)
{
    char prefix[96];
    snprintf(prefix, sizeof(prefix), "%s: ", param);
    va_list args;
    va_start(args, fmt);
    say(prefix, fmt, args);
    va_end(args);
    job->failed = PM_BAD_CONFIG;
    return PM_BAD_CONFIG;
}

static PmStatus host_open_asset(PmJob *job, const char *name, VipsSource **out)
{
    for (size_t i = 0; i < job->asset_count; i++) {
        if (!strcmp(job->assets[i].name, name)) {
            *out = vips_source_new_from_memory(job->assets[i].bytes, job->assets[i].size);
            return *out ? PM_OK : PM_BUG;
        }
    }
    return host_fail(job, PM_BAD_CONFIG, "no asset %s", name);
}

static HarnessFetch answer_fetch;

static PmStatus host_fetch(PmJob *job, const PmRequest *request, PmResponse *response)
{
    assert_int_equal(request->size, sizeof(*request));
    PmStatus status = answer_fetch(request, response);
    return status == PM_OK ? PM_OK : host_fail(job, status, "fetch of %s failed", request->endpoint);
}

static const char *host_fact(PmJob *job, const char *name)
{
    for (size_t i = 0; i < job->fact_count; i++)
        if (!strcmp(job->facts[i].name, name)) return job->facts[i].value;
    return NULL;
}

static PmStatus host_set_fact(PmJob *job, const char *name, const char *value)
{
    for (size_t i = 0; i < job->fact_count; i++) {
        if (!strcmp(job->facts[i].name, name)) {
            snprintf(job->facts[i].value, sizeof(job->facts[i].value), "%s", value);
            return PM_OK;
        }
    }
    assert_true(job->fact_count < ENTRIES_MAX);
    Fact *fact = &job->facts[job->fact_count++];
    snprintf(fact->name, sizeof(fact->name), "%s", name);
    snprintf(fact->value, sizeof(fact->value), "%s", value);
    return PM_OK;
}

static const char *host_expand(PmJob *job, const char *text)
{
    size_t used = 0;
    while (*text && used + 1 < sizeof(job->expanded)) {
        const char *end = *text == '{' ? strchr(text, '}') : NULL;
        if (!end) {
            job->expanded[used++] = *text++;
            continue;
        }
        char name[64];
        snprintf(name, sizeof(name), "%.*s", (int)(end - text - 1), text + 1);
        const char *value = host_fact(job, name);
        if (!value) return NULL;
        int wrote = snprintf(job->expanded + used, sizeof(job->expanded) - used, "%s", value);
        assert_true((size_t)wrote < sizeof(job->expanded) - used);
        used += (size_t)wrote;
        text = end + 1;
    }
    job->expanded[used] = '\0';
    return job->expanded;
}

static int64_t host_remaining_ms(PmJob *job)
{
    (void)job;
    return 15000;
}

static PmStatus host_set_frame(PmJob *job, const PmFrame *frame)
{
    job->frame = *frame;
    return PM_OK;
}

static PmHost host = {
    .size = sizeof(PmHost),
    .log = host_log,
    .fail = host_fail,
    .fail_param = host_fail_param,
    .open_asset = host_open_asset,
    .set_fact = host_set_fact,
    .fact = host_fact,
    .expand = host_expand,
    .remaining_ms = host_remaining_ms,
    .set_frame = host_set_frame,
};

/* ------------------------------------------------------------------ steps */

static Asset common_assets[8];
static size_t common_asset_count;

void harness_set_asset(const char *name, const void *bytes, size_t size)
{
    assert_true(common_asset_count < sizeof(common_assets) / sizeof(common_assets[0]));
    common_assets[common_asset_count++] = (Asset){name, bytes, size};
}

void harness_set_fetch(HarnessFetch fetch)
{
    answer_fetch = fetch;
    host.fetch = fetch ? host_fetch : NULL;
}

void harness_setup(const char *program)
{
    if (VIPS_INIT(program)) vips_error_exit(NULL);
    vips_block_untrusted_set(TRUE);
    vips_cache_set_max(0);
    vips_concurrency_set(1);
    vips_leak_set(TRUE); /* vips_shutdown() then names what is still alive */
    atexit(vips_shutdown);
}

static const PmTransform *open_plugin(const char *name)
{
    char path[1024];
    snprintf(path, sizeof(path), "%s/plugins/%s.so", PM_BUILD_DIR, name);
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) fail_msg("%s", dlerror());
    PmPluginEntry entry = NULL;
    *(void **)&entry = dlsym(handle, "pixmill_plugin");
    assert_non_null(entry);
    const PmPlugin *plugin = entry();
    assert_int_equal(plugin->magic, PM_PLUGIN_MAGIC);
    assert_int_equal(plugin->abi_major, PM_ABI_MAJOR);
    assert_string_equal(plugin->transform->name, name);
    return plugin->transform;
}

static void say_errors(const PmErrorList *errors)
{
    for (size_t i = 0; i < errors->count; i++) {
        size_t used = strlen(message);
        if (used && used + 1 < sizeof(message)) message[used++] = '\n';
        pm_error_format(&errors->items[i], message + used, sizeof(message) - used);
    }
}

Step *step_try(const char *plugin, const char *yaml)
{
    message[0] = '\0';
    Step *step = g_new0(Step, 1);
    step->transform = *open_plugin(plugin);
    memcpy(step->job.assets, common_assets, sizeof(common_assets));
    step->job.asset_count = common_asset_count;
    step->arena = pm_arena_new();

    PmErrorList errors = {0};
    step->tree = pm_tree_parse("test.yaml", yaml, strlen(yaml), &errors);
    step->config = pm_arena_alloc(step->arena, step->transform.config_size);
    bool good = step->tree && !errors.count;
    if (good) {
        PmDecodeContext context = {.file = "test.yaml", .where = plugin, .errors = &errors};
        good = pm_decode_params(&context, pm_tree_root(step->tree), step->transform.params, step->transform.param_count,
                                step->config, step->arena);
    }
    say_errors(&errors);
    pm_error_list_finish(&errors);
    PmStatus status = good ? step->transform.create(&host, &step->job, step->config, &step->self) : PM_BAD_CONFIG;
    if (!good || status != PM_OK) {
        assert_true(message[0]); /* a refusal says why */
        step->self = NULL;
        step_free(step);
        return NULL;
    }
    assert_int_equal(step->job.failed, PM_OK);
    return step;
}

Step *step_new(const char *plugin, const char *yaml)
{
    Step *step = step_try(plugin, yaml);
    if (!step) fail_msg("%s %s: %s", plugin, yaml, message);
    return step;
}

void step_free(Step *step)
{
    if (!step) return;
    if (step->self && step->transform.destroy) step->transform.destroy(step->self);
    pm_tree_free(step->tree);
    pm_arena_free(step->arena);
    g_free(step);
}

void step_set_fact(Step *step, const char *name, const char *value)
{
    host_set_fact(&step->job, name, value);
}

const char *step_fact(const Step *step, const char *name)
{
    return host_fact((PmJob *)&step->job, name);
}

PmFrame step_frame(const Step *step)
{
    return step->job.frame;
}

void step_set_asset(Step *step, const char *name, const void *bytes, size_t size)
{
    assert_true(step->job.asset_count < ENTRIES_MAX);
    step->job.assets[step->job.asset_count++] = (Asset){name, bytes, size};
}

static PmPlan preset(const PmShape *in)
{
    return (PmPlan){.out = *in, .need_width = in->width, .need_height = in->height};
}

static void same_plan(const PmPlan *a, const PmPlan *b)
{
    assert_int_equal(a->out.width, b->out.width);
    assert_int_equal(a->out.height, b->out.height);
    assert_int_equal(a->out.pages, b->out.pages);
    assert_int_equal(a->out.bands, b->out.bands);
    assert_int_equal(a->flags, b->flags);
    assert_int_equal(a->need_width, b->need_width);
    assert_int_equal(a->need_height, b->need_height);
    assert_int_equal(a->need_pages, b->need_pages);
    assert_ptr_equal(a->format, b->format);
}

PmStatus step_try_plan(Step *step, const PmShape *in, PmPlan *out)
{
    message[0] = '\0';
    PmPlan again = preset(in);
    *out = preset(in);
    PmStatus status = step->transform.plan(step->self, &step->job, in, out);
    if (status == PM_OK) {
        assert_int_equal(step->transform.plan(step->self, &step->job, in, &again), PM_OK);
        same_plan(out, &again); /* plan() is pure */
        assert_true(out->out.width >= 1 && out->out.height >= 1 && out->out.bands >= 1);
    }
    return status;
}

PmPlan step_plan(Step *step, const PmShape *in)
{
    PmPlan plan;
    PmStatus status = step_try_plan(step, in, &plan);
    if (status != PM_OK) fail_msg("plan: %s", message);
    return plan;
}

static void check_shape(VipsImage *image, const PmShape *planned)
{
    PmShape real = image_shape(image);
    if (real.width != planned->width || real.height != planned->height || real.pages != planned->pages)
        fail_msg("promised %dx%d, %d pages; made %dx%d, %d pages", planned->width, planned->height, planned->pages,
                 real.width, real.height, real.pages);
    assert_int_equal(real.bands, planned->bands);
    assert_int_equal(real.has_alpha, planned->has_alpha);
    assert_int_equal(real.has_profile, planned->has_profile);
    assert_int_equal(real.band_format, planned->band_format);
}

PmStatus step_try_apply_as(Step *step, const PmShape *shape, VipsImage *in, VipsImage **out)
{
    message[0] = '\0';
    return step->transform.apply(step->self, &step->job, shape, in, out);
}

PmStatus step_try_apply(Step *step, VipsImage *in, VipsImage **out)
{
    PmShape shape = image_shape(in);
    return step_try_apply_as(step, &shape, in, out);
}

static VipsImage *apply_once(Step *step, const PmShape *shape, VipsImage *in)
{
    VipsImage *out = NULL;
    if (step->transform.apply(step->self, &step->job, shape, in, &out) != PM_OK)
        fail_msg("apply: %s; libvips: %s", message, vips_error_buffer());
    assert_non_null(out);
    VipsImage *memory = vips_image_copy_memory(out);
    if (!memory) fail_msg("computing the result: %s", vips_error_buffer());
    g_object_unref(out);
    return memory;
}

static VipsImage *apply_pages(Step *step, VipsImage *in, const PmShape *shape)
{
    VipsImage **pages = g_new0(VipsImage *, (size_t)shape->pages);
    for (int i = 0; i < shape->pages; i++) {
        VipsImage *page = NULL, *plain = NULL;
        assert_int_equal(vips_crop(in, &page, 0, i * shape->height, shape->width, shape->height, NULL), 0);
        assert_int_equal(vips_copy(page, &plain, NULL), 0);
        vips_image_remove(plain, VIPS_META_PAGE_HEIGHT);
        pages[i] = apply_once(step, shape, plain);
        g_object_unref(plain);
        g_object_unref(page);
    }
    VipsImage *joined = NULL, *out = NULL;
    assert_int_equal(vips_arrayjoin(pages, &joined, shape->pages, "across", 1, NULL), 0);
    assert_int_equal(vips_copy(joined, &out, NULL), 0);
    vips_image_set_int(out, VIPS_META_PAGE_HEIGHT, vips_image_get_height(pages[0]));
    g_object_unref(joined);
    for (int i = 0; i < shape->pages; i++) g_object_unref(pages[i]);
    g_free(pages);
    return out;
}

VipsImage *step_apply_shrunk(Step *step, VipsImage *in, int source_width, int source_height)
{
    PmShape shape = image_shape(in);
    shape.source_width = source_width;
    shape.source_height = source_height;
    PmPlan plan = step_plan(step, &shape);
    if (plan.flags & PM_SKIP) {
        assert_int_equal(plan.out.width, shape.width);
        assert_int_equal(plan.out.height, shape.height);
        return vips_image_copy_memory(in);
    }
    message[0] = '\0';
    VipsImage *out = NULL;
    if (shape.pages > 1 && !(plan.flags & PM_ALL_PAGES))
        out = apply_pages(step, in, &shape);
    else
        out = apply_once(step, &shape, in);
    check_shape(out, &plan.out);
    return out;
}

VipsImage *step_apply(Step *step, VipsImage *in)
{
    PmShape shape = image_shape(in);
    return step_apply_shrunk(step, in, shape.width, shape.height);
}

PmPlan plan_of_new(const char *plugin, const char *yaml, const PmShape *in)
{
    Step *step = step_new(plugin, yaml);
    PmPlan plan = step_plan(step, in);
    step_free(step);
    return plan;
}

VipsImage *apply_to_new(const char *plugin, const char *yaml, VipsImage *in)
{
    Step *step = step_new(plugin, yaml);
    VipsImage *out = step_apply(step, in);
    step_free(step);
    g_object_unref(in);
    return out;
}

PmStatus step_inspect(Step *step, VipsImage *in, PmVerdict *verdict)
{
    PmShape shape = image_shape(in);
    step_plan(step, &shape);
    *verdict = (PmVerdict){0};
    return step->transform.inspect(step->self, &step->job, &shape, in, verdict);
}

/* What was written to an ended memory target (vips_target_steal() is for targets that have not ended). */
static void *take_blob(VipsTarget *target, size_t *size)
{
    VipsBlob *blob = NULL;
    g_object_get(target, "blob", &blob, NULL);
    assert_non_null(blob);
    const void *data = vips_blob_get(blob, size);
    void *copy = g_memdup2(data, *size);
    vips_area_unref(VIPS_AREA(blob));
    return copy;
}

PmStatus step_try_encode(Step *step, VipsImage *in, void **bytes, size_t *size, PmPlan *plan)
{
    PmShape shape = image_shape(in);
    *plan = step_plan(step, &shape);
    assert_non_null(plan->format);
    assert_non_null(plan->extension);
    assert_non_null(plan->mime);

    VipsImage *image = NULL;
    if (shape.pages > 1 && plan->need_pages == 1) {
        VipsImage *page = NULL;
        assert_int_equal(vips_crop(in, &page, 0, 0, shape.width, shape.height, NULL), 0);
        assert_int_equal(vips_copy(page, &image, NULL), 0);
        vips_image_remove(image, VIPS_META_PAGE_HEIGHT);
        g_object_unref(page);
        shape.pages = 1;
        step_plan(step, &shape); /* the engine asks again once it has cut the picture to one page */
    } else {
        image = g_object_ref(in);
    }
    VipsTarget *target = vips_target_new_to_memory();
    PmStatus status = step->transform.encode(step->self, &step->job, &shape, image, target);
    *bytes = NULL;
    *size = 0;
    if (status == PM_OK) *bytes = take_blob(target, size);
    g_object_unref(target);
    g_object_unref(image);
    return status;
}

void *step_encode(Step *step, VipsImage *in, size_t *size, PmPlan *plan)
{
    void *bytes = NULL;
    if (step_try_encode(step, in, &bytes, size, plan) != PM_OK)
        fail_msg("encode: %s; libvips: %s", message, vips_error_buffer());
    assert_true(*size > 0);
    return bytes;
}
