// SPDX-License-Identifier: Apache-2.0
//
// sharpen: an unsharp mask on lightness alone, so that no edge changes its colour.
//
//     - sharpen
//     - sharpen: { sigma: 0.8, amount: 1.5, threshold: 1 }
#include <vips/vips.h>

#include <pixmill/plugin.h>

#include "../common/weigh.h"

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

static int sharpen(const Config *config, double sigma, VipsImage *in, VipsImage **out)
{
    enum { DARKER = 30, LIGHTER = 20 }; /* of lightness at most: halos are seen sooner when they are light */
    return vips_sharpen(in, out, "sigma", sigma, "x1", config->threshold, "y2", (double)LIGHTER, "y3", (double)DARKER,
                        "m1", 0.0, "m2", config->amount, NULL);
}

/* Clear pixels have colours that mean nothing. They take those of what shows around them, so that an edge of
 * transparency is no edge of lightness. */
static int sharpen_alpha(const Config *config, double sigma, VipsImage *in, VipsImage **out)
{
    VipsImage *t[7] = {NULL};
    int colours = in->Bands - 1;
    t[0] = weigh_filter(in, filter_gaussian, &sigma, true);
    int result = t[0] == NULL || vips_extract_band(t[0], &t[1], 0, "n", colours, NULL) ||
                 vips_extract_band(in, &t[2], 0, "n", colours, NULL) || vips_extract_band(in, &t[3], colours, NULL) ||
                 vips_equal_const1(t[3], &t[4], 0, NULL) || vips_ifthenelse(t[4], t[1], t[2], &t[5], NULL) ||
                 sharpen(config, sigma, t[5], &t[6]) || vips_bandjoin2(t[6], t[3], out, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(t); i++) g_clear_object(&t[i]);
    return result;
}

static PmStatus apply(void *data, PmJob *job, const PmShape *shape, VipsImage *in, VipsImage **out)
{
    const Sharpen *self = data;
    double sigma = VIPS_MAX(self->config->sigma * shape->width / shape->source_width, 0.000001);
    if (shape->has_alpha ? sharpen_alpha(self->config, sigma, in, out) : sharpen(self->config, sigma, in, out))
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
