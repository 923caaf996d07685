// SPDX-License-Identifier: Apache-2.0
//
// tint: a picture in the shades of one colour, every pixel as light as it was. docs/colour.md has the formula.
//
//     - tint: "#704214"
#include <vips/vips.h>

#include <pixmill/plugin.h>

#include "../common/light.h"
#include "../common/toning.h"

typedef struct Config {
    PmColor color;
    double amount;
} Config;

static const PmParam params[] = {
    PM_PARAM_COLOR(Config, color, "color", .flags = PM_REQUIRED,
                   .doc = "The colour that the picture gets, by way of its shades from black to white; \"#704214\" is "
                          "sepia. Every pixel keeps its luminance."),
    PM_PARAM_NUMBER(Config, amount, "amount", .def = "1", .min = 0, .max = 1,
                    .doc = "How much of it: at 0 the picture stays as it is, at 1 nothing is left of its own colours."),
};

/* Black, the colour at its own luminance, white: what lies between two of them has the luminance it is asked for. */
static PmStatus create(const PmHost *host, PmJob *job, const void *data, void **self)
{
    const Config *config = data;
    Tones tones = {.count = 3, .at = {0, 0, 1}, .colours = {{0}, {0}, {1, 1, 1}}, .amount = (float)config->amount};
    float *colour = tones.colours[1];
    PmStatus status = toning_color(host, job, "color", &config->color, colour);
    if (status != PM_OK) return status;
    float luminance = (float)(LIGHT_RED * colour[0] + LIGHT_GREEN * colour[1] + LIGHT_BLUE * colour[2]);
    if (colour[0] == colour[1] && colour[1] == colour[2]) luminance = colour[0]; /* so that grey is just grey */
    tones.at[1] = luminance;
    *self = toning_new(host, &tones);
    return PM_OK;
}

static const char *const shorthand[] = {"color", NULL};

static const PmTransform transform = {
    .name = "tint",
    .summary = "Make a picture one of the shades of a colour.",
    PM_PARAMS(Config, params),
    .create = create,
    .destroy = toning_destroy,
    .plan = toning_plan,
    .apply = toning_apply,
    .shorthand = shorthand,
};

PM_PLUGIN(transform, "1.0.0")
