// SPDX-License-Identifier: Apache-2.0
//
// duotone: a picture in two colours, one in place of black and one of white. docs/colour.md has the formula.
//
//     - duotone: { dark: "#1d2b64", light: "#f8cdda" }
#include <vips/vips.h>

#include <pixmill/plugin.h>

#include "../common/light.h"
#include "../common/toning.h"

typedef struct Config {
    PmColor dark, light;
    double amount;
} Config;

static const PmParam params[] = {
    PM_PARAM_COLOR(Config, dark, "dark", .flags = PM_REQUIRED, .doc = "What black becomes."),
    PM_PARAM_COLOR(Config, light, "light", .flags = PM_REQUIRED,
                   .doc = "What white becomes. Between the two, light is mixed by the luminance of the pixel. When it "
                          "is the darker of the two, the picture becomes its negative."),
    PM_PARAM_NUMBER(Config, amount, "amount", .def = "1", .min = 0, .max = 1,
                    .doc = "How much of it: at 0 the picture stays as it is, at 1 nothing is left of its own colours."),
};

static PmStatus create(const PmHost *host, PmJob *job, const void *data, void **self)
{
    const Config *config = data;
    Tones tones = {.count = 2, .at = {0, 1}, .amount = (float)config->amount};
    PmStatus status = toning_color(host, job, "dark", &config->dark, tones.colours[0]);
    if (status == PM_OK) status = toning_color(host, job, "light", &config->light, tones.colours[1]);
    if (status == PM_OK) *self = toning_new(host, &tones);
    return status;
}

static const PmTransform transform = {
    .name = "duotone",
    .summary = "Make a picture one of two colours.",
    PM_PARAMS(Config, params),
    .create = create,
    .destroy = toning_destroy,
    .plan = toning_plan,
    .apply = toning_apply,
};

PM_PLUGIN(transform, "1.0.0")
