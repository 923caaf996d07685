// SPDX-License-Identifier: Apache-2.0
//
// sharpen: an unsharp mask on lightness alone, so that no edge changes its colour.
//
//     - sharpen
//     - sharpen: { sigma: 0.8, amount: 1.5, threshold: 1 }
#include <vips/vips.h>

#include <pixmill/plugin.h>

typedef struct Config {
    double sigma, amount, threshold;
} Config;

static const PmParam params[] = {
    PM_PARAM_NUMBER(Config, sigma, "sigma", .def = "0.6", .min = 0.3, .max = 10, .unit = "px",
                    .doc =
                        "How fine the details are that are made stronger: the standard deviation of the blur that is "
                        "compared with, in pixels of the picture as this step finds it."),
    PM_PARAM_NUMBER(Config, amount, "amount", .def = "1", .min = 0, .max = 10,
                    .doc = "How much of the difference to the blurred picture is added."),
    PM_PARAM_NUMBER(Config, threshold, "threshold", .def = "1", .min = 0, .max = 100,
                    .doc = "Differences of lightness up to this, on a scale of 0 to 100, are left alone: noise and "
                           "smooth areas."),
};

typedef struct Sharpen {
    const PmHost *host;
    const Config *config;
} Sharpen;

static PmStatus create(const PmHost *host, PmJob *job, const void *config, void **out)
{
    (void)job;
    Sharpen *self = g_new(Sharpen, 1);
    *self = (Sharpen){host, config};
    *out = self;
    return PM_OK;
}

static void destroy(void *self)
{
    g_free(self);
}

/* Details are what this is about, so the whole picture is needed, as is preset. */
static PmStatus plan(void *data, PmJob *job, const PmShape *in, PmPlan *out)
{
    const Sharpen *self = data;
    (void)job;
    (void)in;
    if (self->config->amount <= 0) out->flags = PM_SKIP;
    return PM_OK;
}

static PmStatus apply(void *data, PmJob *job, const PmShape *shape, VipsImage *in, VipsImage **out)
{
    enum { DARKER = 30, LIGHTER = 20 }; /* of lightness at most: halos are seen sooner when they are light */
    const Sharpen *self = data;
    double sigma = self->config->sigma * shape->width / shape->source_width;
    if (vips_sharpen(in, out, "sigma", VIPS_MAX(sigma, 0.000001), "x1", self->config->threshold, "y2", (double)LIGHTER,
                     "y3", (double)DARKER, "m1", 0.0, "m2", self->config->amount, NULL))
        return self->host->fail(job, PM_BAD_INPUT, "cannot sharpen the picture");
    return PM_OK;
}

static const char *const shorthand[] = {"amount", NULL};

static const PmTransform transform = {
    .name = "sharpen",
    .summary = "Make the details of a picture stronger.",
    PM_PARAMS(Config, params),
    .create = create,
    .destroy = destroy,
    .plan = plan,
    .apply = apply,
    .shorthand = shorthand,
};

PM_PLUGIN(transform, "1.0.0")
