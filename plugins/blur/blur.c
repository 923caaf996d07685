// SPDX-License-Identifier: Apache-2.0
//
// blur: a Gaussian blur.
//
//     - blur: 4
#include <vips/vips.h>

#include <pixmill/plugin.h>

#include "../common/weigh.h"

typedef struct Config {
    double sigma;
} Config;

static const PmParam params[] = {
    PM_PARAM_NUMBER(Config, sigma, "sigma", .def = "2", .min = 0.3, .max = 100, .unit = "px",
                    .doc = "Standard deviation of the blur, in pixels of the picture as this step finds it: after a "
                           "resize, of its result. About a third of the width over which an edge is spread."),
};

typedef struct Blur {
    const PmHost *host;
    const Config *config;
} Blur;

static PmStatus create(const PmHost *host, PmJob *job, const void *config, void **out)
{
    (void)job;
    Blur *self = g_new(Blur, 1);
    *self = (Blur){host, config};
    *out = self;
    return PM_OK;
}

static void destroy(void *self)
{
    g_free(self);
}

/* Of a picture that the decoder shrank, as wide a blur for what is left of it. */
static double sigma_of(const Config *config, const PmShape *shape)
{
    return config->sigma * shape->width / shape->source_width;
}

/* What the steps after this one do not need, this one does not either: it blurs what is left as much. */
static PmStatus plan(void *data, PmJob *job, const PmShape *in, PmPlan *out)
{
    (void)data;
    (void)job;
    (void)in;
    out->need_width = out->need_height = 0;
    return PM_OK;
}

static PmStatus apply(void *data, PmJob *job, const PmShape *shape, VipsImage *in, VipsImage **out)
{
    const Blur *self = data;
    double sigma = sigma_of(self->config, shape);
    *out = weigh_filter(in, filter_gaussian, &sigma, true);
    return *out != NULL ? PM_OK : self->host->fail(job, PM_BAD_INPUT, "cannot blur the picture");
}

static const char *const shorthand[] = {"sigma", NULL};

static const PmTransform transform = {
    .name = "blur",
    .summary = "Blur a picture.",
    PM_PARAMS(Config, params),
    .create = create,
    .destroy = destroy,
    .plan = plan,
    .apply = apply,
    .shorthand = shorthand,
};

PM_PLUGIN(transform, "1.0.0")
