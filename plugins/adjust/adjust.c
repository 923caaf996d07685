// SPDX-License-Identifier: Apache-2.0
//
// adjust: light, colours and tones of a picture. docs/colour.md has the formulas.
//
//     - adjust: { brightness: 1.2, saturation: 1.1 }
//     - adjust: normalize
#include <math.h>

#include <vips/vips.h>

#include <pixmill/plugin.h>

#include "../common/light.h"
#include "levels.h"

enum { AUTO_NORMALIZE, AUTO_NONE };
static const char *const autos[] = {"normalize", "none", NULL};

typedef struct Config {
    int32_t automatic;
    double temperature, brightness, saturation, hue, contrast, gamma;
} Config;

static const PmParam params[] = {
    PM_PARAM_ENUM(Config, automatic, "auto", .def = "none", .choices = autos,
                  .doc = "normalize: stretch what is between the darkest and the lightest 0.5% of the samples to all "
                         "there is from black to white, before all else; the same for all colours and all pages. A "
                         "picture that has less than 5% of that range is left as it is."),
    PM_PARAM_NUMBER(Config, temperature, "temperature", .def = "0", .min = -100, .max = 100,
                    .doc = "Above 0 warmer, towards orange; below 0 cooler, towards blue. Grey keeps its luminance; a "
                           "grey picture becomes one of colours."),
    PM_PARAM_NUMBER(Config, brightness, "brightness", .def = "1", .min = 0, .max = 10,
                    .doc = "Times the light: 2 is one stop more, 0.5 one stop less, 0 is black."),
    PM_PARAM_NUMBER(Config, saturation, "saturation", .def = "1", .min = 0, .max = 10,
                    .doc =
                        "Times the distance from grey of the same luminance: 0 is without colours, 2 twice as strong."),
    PM_PARAM_NUMBER(Config, hue, "hue", .def = "0", .min = -360, .max = 360, .unit = "degrees",
                    .doc = "Turn the colours around the axis of grey: 120 makes of red green, of green blue."),
    PM_PARAM_NUMBER(Config, contrast, "contrast", .def = "1", .min = 0, .max = 10,
                    .doc = "Times the distance from middle grey: 0 is grey all over, 2 twice as hard."),
    PM_PARAM_NUMBER(Config, gamma, "gamma", .def = "1", .min = 0.1, .max = 10,
                    .doc = "Above 1 dark tones become lighter, below 1 darker; black and white stay."),
};

typedef struct Adjust {
    const PmHost *host;
    const Config *config;
    double matrix[9]; /* of linear light; by rows */
    bool mixes;       /* saturation or hue: what grey has none of */
} Adjust;

/* ------------------------------------------------------------------ create */

static void multiply(double *matrix, const double *by)
{
    double out[9];
    for (int row = 0; row < 3; row++)
        for (int column = 0; column < 3; column++)
            out[row * 3 + column] = by[row * 3] * matrix[column] + by[row * 3 + 1] * matrix[3 + column] +
                                    by[row * 3 + 2] * matrix[6 + column];
    for (int i = 0; i < 9; i++) matrix[i] = out[i];
}

static void warm(const Config *config, double *matrix)
{
    double red = exp2(config->temperature / 200), blue = 1 / red;
    double scale = config->brightness / (LIGHT_RED * red + LIGHT_GREEN + LIGHT_BLUE * blue);
    const double gains[9] = {red * scale, 0, 0, 0, scale, 0, 0, 0, blue * scale};
    multiply(matrix, gains);
}

static void saturate(double by, double *matrix)
{
    const double weights[3] = {LIGHT_RED, LIGHT_GREEN, LIGHT_BLUE};
    double mix[9];
    for (int i = 0; i < 9; i++) mix[i] = (1 - by) * weights[i % 3] + (i % 4 == 0 ? by : 0);
    multiply(matrix, mix);
}

/* SVG's hueRotate (Filter Effects 1, 9.6), its numbers worked out from the luminance that it keeps. */
static void turn(double degrees, double *matrix)
{
    const double r = LIGHT_RED, g = LIGHT_GREEN, b = LIGHT_BLUE;
    const double weights[3] = {r, g, b};
    const double across[9] = {-r,       -g, 1 - b, (r * r + b * (1 - r)) / g, r - b, -(r * (1 - b) + b * b) / g,
                              -(1 - r), g,  b};
    double cosine = cos(degrees * G_PI / 180), sine = sin(degrees * G_PI / 180), mix[9];
    for (int i = 0; i < 9; i++)
        mix[i] = weights[i % 3] + cosine * ((i % 4 == 0 ? 1 : 0) - weights[i % 3]) + sine * across[i];
    multiply(matrix, mix);
}

static PmStatus create(const PmHost *host, PmJob *job, const void *data, void **out)
{
    const Config *config = data;
    bool mixes = config->saturation != 1 || fmod(config->hue, 360) != 0;
    if (config->automatic == AUTO_NONE && !mixes && config->temperature == 0 && config->brightness == 1 &&
        config->contrast == 1 && config->gamma == 1)
        return host->fail(job, PM_BAD_CONFIG,
                          "changes nothing: give auto, temperature, brightness, saturation, hue, contrast or gamma");
    light_setup();
    Adjust *self = g_new(Adjust, 1);
    *self = (Adjust){.host = host, .config = config, .matrix = {1, 0, 0, 0, 1, 0, 0, 0, 1}, .mixes = mixes};
    warm(config, self->matrix);
    saturate(config->saturation, self->matrix);
    turn(config->hue, self->matrix);
    *out = self;
    return PM_OK;
}

static void destroy(void *self)
{
    g_free(self);
}

/* ------------------------------------------------------------------ plan */

static bool is_grey(const PmShape *shape)
{
    return shape->bands - shape->has_alpha == 1;
}

/* Each pixel alone decides what becomes of it, so the decoder may shrink as the other steps like. */
static PmStatus plan(void *data, PmJob *job, const PmShape *in, PmPlan *out)
{
    const Adjust *self = data;
    const Config *config = self->config;
    (void)job;
    out->need_width = out->need_height = 0;
    if (is_grey(in) && config->automatic == AUTO_NONE && config->temperature == 0 && config->brightness == 1 &&
        config->contrast == 1 && config->gamma == 1) {
        out->flags = PM_SKIP;
        return PM_OK;
    }
    if (config->automatic != AUTO_NONE)
        out->flags = PM_RANDOM | PM_ALL_PAGES | PM_EAGER; /* counted first, all pages together */
    out->out.has_profile = false;
    if (is_grey(in) && config->temperature != 0) {
        out->out.bands = 3 + in->has_alpha;
        out->out.interpretation =
            in->band_format == VIPS_FORMAT_USHORT ? VIPS_INTERPRETATION_RGB16 : VIPS_INTERPRETATION_sRGB;
    }
    return PM_OK;
}

/* ------------------------------------------------------------------ apply */

typedef struct Change {
    Levels levels;
    float matrix[9];
    double contrast, gamma;
} Change;

static double stretch(double coded, const void *data)
{
    const Change *change = data;
    return (coded - change->levels.low) / (change->levels.high - change->levels.low);
}

static void mix(float (*light)[3], int count, const void *data)
{
    const float *m = ((const Change *)data)->matrix;
    for (int i = 0; i < count; i++) {
        float r = light[i][0], g = light[i][1], b = light[i][2];
        light[i][0] = m[0] * r + m[1] * g + m[2] * b;
        light[i][1] = m[3] * r + m[4] * g + m[5] * b;
        light[i][2] = m[6] * r + m[7] * g + m[8] * b;
    }
}

static double tones(double coded, const void *data)
{
    const Change *change = data;
    double value = (coded - 0.5) * change->contrast + 0.5;
    return pow(value > 0 ? fmin(value, 1) : 0, 1 / change->gamma);
}

static VipsImage *adjust(const Adjust *self, VipsImage *in)
{
    const Config *config = self->config;
    Change change = {.levels = {0, 1}, .contrast = config->contrast, .gamma = config->gamma};
    if (config->automatic != AUTO_NONE && levels_find(in, &change.levels)) return NULL;
    for (int i = 0; i < 9; i++) change.matrix[i] = (float)self->matrix[i];
    bool tones_change = config->contrast != 1 || config->gamma != 1;
    bool light_changes = self->mixes || config->temperature != 0 || config->brightness != 1;
    bool grey = in->Bands < 3 && config->temperature == 0;
    return light_apply(in, &(LightWork){.before = change.levels.low > 0 || change.levels.high < 1 ? stretch : NULL,
                                        .map = light_changes ? mix : NULL,
                                        .after = tones_change ? tones : NULL,
                                        .data = &change,
                                        .size = sizeof change,
                                        .colours = grey ? 1 : 3});
}

static PmStatus apply(void *data, PmJob *job, const PmShape *shape, VipsImage *in, VipsImage **out)
{
    const Adjust *self = data;
    (void)shape;
    VipsImage *plain = light_open(in);
    *out = plain != NULL ? adjust(self, plain) : NULL;
    g_clear_object(&plain);
    return *out != NULL ? PM_OK : self->host->fail(job, PM_BAD_INPUT, "cannot adjust the picture");
}

static const char *const shorthand[] = {"auto", NULL};

static const PmTransform transform = {
    .name = "adjust",
    .summary = "Change light, colours and tones of a picture.",
    PM_PARAMS(Config, params),
    .create = create,
    .destroy = destroy,
    .plan = plan,
    .apply = apply,
    .shorthand = shorthand,
};

PM_PLUGIN(transform, "1.0.0")
