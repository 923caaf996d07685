// SPDX-License-Identifier: Apache-2.0
//
// grayscale: the lightness of a picture without its colours, in one band. Alpha and depth stay.
//
//     - grayscale
#include <vips/vips.h>

#include <pixmill/plugin.h>

#include "../common/light.h"

static PmStatus create(const PmHost *host, PmJob *job, const void *config, void **self)
{
    (void)job;
    (void)config;
    light_setup();
    *self = (void *)host; /* all that a step needs to remember */
    return PM_OK;
}

static bool is_grey(const PmShape *shape)
{
    return shape->bands - shape->has_alpha == 1;
}

static PmStatus plan(void *self, PmJob *job, const PmShape *in, PmPlan *out)
{
    (void)self;
    (void)job;
    if (is_grey(in)) {
        out->flags = PM_SKIP;
        return PM_OK;
    }
    out->need_width = out->need_height = 0;
    out->out.bands = 1 + in->has_alpha;
    out->out.has_profile = false;
    out->out.interpretation =
        in->band_format == VIPS_FORMAT_USHORT ? VIPS_INTERPRETATION_GREY16 : VIPS_INTERPRETATION_B_W;
    return PM_OK;
}

static void luminance(float (*light)[3], int count, const void *data)
{
    (void)data;
    for (int i = 0; i < count; i++)
        light[i][0] =
            (float)LIGHT_RED * light[i][0] + (float)LIGHT_GREEN * light[i][1] + (float)LIGHT_BLUE * light[i][2];
}

/* A profile's colours are made sRGB's first: its weights would be others, and it could not describe grey pixels
 * afterwards. Not vips_colourspace(), whose weights differ between the versions of libvips. */
static PmStatus apply(void *self, PmJob *job, const PmShape *shape, VipsImage *in, VipsImage **out)
{
    const PmHost *host = self;
    (void)shape;
    VipsImage *plain = light_open(in);
    *out = plain != NULL ? light_apply(plain, &(LightWork){.map = luminance, .colours = 1}) : NULL;
    g_clear_object(&plain);
    return *out != NULL ? PM_OK : host->fail(job, PM_BAD_INPUT, "cannot make the picture grey");
}

static const PmTransform transform = {
    .name = "grayscale",
    .summary = "Take the colours out of a picture.",
    .create = create,
    .plan = plan,
    .apply = apply,
};

PM_PLUGIN(transform, "1.0.0")
