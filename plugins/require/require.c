// SPDX-License-Identifier: Apache-2.0
#include "require.h"

enum { STATUS_BAD_INPUT, STATUS_REJECT };

static const char *const statuses[] = {"bad_input", "reject", NULL};
static const char *const shape_names[] = {"landscape", "portrait", "square", NULL};
static const char *const format_names[] = {"jpeg", "png", "webp", "gif", "tiff", "avif",
                                           "heif", "jxl", "svg",  "pdf", NULL};

static const PmParam params[] = {
    PM_PARAM_INT(Config, min_width, "min_width", .min = 1, .max = 1000000, .unit = "px",
                 .doc = "The least width. Sizes are those of the picture as it is seen, upright, before this step."),
    PM_PARAM_INT(Config, min_height, "min_height", .min = 1, .max = 1000000, .unit = "px", .doc = "The least height."),
    PM_PARAM_INT(Config, max_width, "max_width", .min = 1, .max = 1000000, .unit = "px", .doc = "The largest width."),
    PM_PARAM_INT(Config, max_height, "max_height", .min = 1, .max = 1000000, .unit = "px",
                 .doc = "The largest height."),
    PM_PARAM_NUMBER(Config, min_megapixels, "min_megapixels", .min = 0.000001, .max = 1000000,
                    .doc = "The least width times height, in millions of pixels."),
    PM_PARAM_NUMBER(Config, max_megapixels, "max_megapixels", .min = 0.000001, .max = 1000000,
                    .doc = "The largest width times height, in millions of pixels, of one page."),
    PM_PARAM_STRING(Config, min_aspect, "min_aspect", .min = 1, .max = 40,
                    .doc = "The least width by height, such as \"3:4\" or 0.75. Half a pixel is forgiven."),
    PM_PARAM_STRING(Config, max_aspect, "max_aspect", .min = 1, .max = 40,
                    .doc = "The largest width by height, such as \"16:9\" or 1.78. Half a pixel is forgiven."),
    PM_PARAM_LIST(Config, shapes, "shapes", .choices = shape_names, .doc = "The shapes that are allowed."),
    PM_PARAM_LIST(Config, formats, "formats", .choices = format_names,
                  .doc = "The formats of the source that are allowed. `limits.formats` says the same for the whole "
                         "pipeline, before anything is decoded."),
    PM_PARAM_INT(Config, max_pages, "max_pages", .min = 1, .max = 1000000,
                 .doc = "The most pages: 1 refuses animations and documents of several pages."),
    PM_PARAM_STRING(Config, message, "message", .min = 1, .max = 400, .flags = PM_TEMPLATE,
                    .doc = "What to say when a condition is not met, in your own words; may hold {facts}. What was "
                           "wrong follows in parentheses. Default: what was wrong."),
    PM_PARAM_ENUM(Config, status, "status", .def = "bad_input", .choices = statuses,
                  .doc = "bad_input: the picture fails, as one that cannot be read does. reject: it is rejected as by "
                         "an inspector, and the step's `on_reject` says what happens."),
};

typedef struct Require {
    const PmHost *host;
    const Config *config;
    Aspects aspects;
} Require;

static PmStatus check(const PmHost *host, PmJob *job, const Config *config, Aspects *aspects)
{
    static const char *const bad = "\"%s\" is neither a ratio such as \"16:9\" nor a number above 0";
    if (config->min_aspect && !aspect_parse(config->min_aspect, &aspects->min))
        return host->fail_param(job, "min_aspect", bad, config->min_aspect);
    if (config->max_aspect && !aspect_parse(config->max_aspect, &aspects->max))
        return host->fail_param(job, "max_aspect", bad, config->max_aspect);
    bool any = config->min_width || config->min_height || config->max_width || config->max_height ||
               config->min_megapixels > 0 || config->max_megapixels > 0 || aspects->min > 0 || aspects->max > 0 ||
               config->shapes.count || config->formats.count || config->max_pages;
    if (!any) return host->fail(job, PM_BAD_CONFIG, "needs a condition, such as min_width");
    if (config->max_width && config->min_width > config->max_width)
        return host->fail_param(job, "max_width", "is below min_width, so no picture would pass");
    if (config->max_height && config->min_height > config->max_height)
        return host->fail_param(job, "max_height", "is below min_height, so no picture would pass");
    if (config->max_megapixels > 0 && config->min_megapixels > config->max_megapixels)
        return host->fail_param(job, "max_megapixels", "is below min_megapixels, so no picture would pass");
    if (aspects->max > 0 && aspects->min > aspects->max)
        return host->fail_param(job, "max_aspect", "is below min_aspect, so no picture would pass");
    return PM_OK;
}

static PmStatus create(const PmHost *host, PmJob *job, const void *config, void **out)
{
    Aspects aspects = {0};
    PmStatus status = check(host, job, config, &aspects);
    if (status != PM_OK) return status;
    Require *self = g_new0(Require, 1);
    self->host = host;
    self->config = config;
    self->aspects = aspects;
    *out = self;
    return PM_OK;
}

/* One look at the header is enough for all pages. */
static PmStatus plan(void *data, PmJob *job, const PmShape *in, PmPlan *out)
{
    (void)data;
    (void)job;
    (void)in;
    out->flags = PM_NO_PIXELS | PM_ALL_PAGES;
    out->need_width = out->need_height = 0;
    return PM_OK;
}

static PmStatus inspect(void *data, PmJob *job, const PmShape *shape, VipsImage *in, PmVerdict *out)
{
    const Require *self = data;
    const PmHost *host = self->host;
    const Config *config = self->config;
    char detail[DETAIL_MAX] = "";
    Seen seen = {shape->source_width, shape->source_height, shape->pages, host->fact(job, "format")};
    (void)in;

    const char *label = condition_broken(config, &self->aspects, &seen, detail);
    if (!label) return PM_OK;
    const char *message = config->message ? host->expand(job, config->message) : NULL;
    if (config->message && !message)
        return host->fail(job, PM_BAD_INPUT, "%s (%s); the facts of `message` are unknown here", label, detail);
    if (config->status == STATUS_BAD_INPUT)
        return host->fail(job, PM_BAD_INPUT, "%s (%s)", message ? message : label, detail);
    *out = (PmVerdict){.decision = PM_REJECT, .score = 1};
    g_strlcpy(out->label, label, sizeof out->label);
    char *text = g_strdup_printf("%s (%s)", message ? message : label, detail);
    PmStatus status = host->set_fact(job, "message", text);
    g_free(text);
    return status;
}

static const char *const facts[] = {"message", NULL};
static const char *const shorthand[] = {"min_width", "min_height", NULL};

static const PmTransform transform = {
    .name = "require",
    .summary = "Refuse pictures that are not of a size, shape or format.",
    PM_PARAMS(Config, params),
    .create = create,
    .destroy = g_free,
    .plan = plan,
    .inspect = inspect,
    .facts = facts,
    .shorthand = shorthand,
};

PM_PLUGIN(transform, "1.0.0")
