// SPDX-License-Identifier: Apache-2.0
//
// grayscale: the lightness of a picture without its colours, in one band. Alpha and depth stay.
//
//     - grayscale
#include <vips/vips.h>

#include <pixmill/plugin.h>

#include "../common/icc.h"

static PmStatus create(const PmHost *host, PmJob *job, const void *config, void **self)
{
    (void)job;
    (void)config;
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

/* By way of linear light: 0.2 of red, 0.7 of green and 0.1 of blue, libvips' weights. A profile's colours are made
 * sRGB's first: its weights would be others, and it could not describe grey pixels afterwards. */
static PmStatus apply(void *self, PmJob *job, const PmShape *shape, VipsImage *in, VipsImage **out)
{
    const PmHost *host = self;
    VipsImage *srgb = shape->has_profile ? icc_to_srgb(in) : NULL, *grey = NULL, *own = NULL;
    int result = vips_colourspace(
                     srgb != NULL ? srgb : in, &grey,
                     in->BandFmt == VIPS_FORMAT_USHORT ? VIPS_INTERPRETATION_GREY16 : VIPS_INTERPRETATION_B_W, NULL) ||
                 vips_copy(grey, &own, NULL);
    g_clear_object(&grey);
    g_clear_object(&srgb);
    if (result != 0) return host->fail(job, PM_BAD_INPUT, "cannot make the picture grey");
    vips_image_remove(own, VIPS_META_ICC_NAME);
    *out = own;
    return PM_OK;
}

static const PmTransform transform = {
    .name = "grayscale",
    .summary = "Take the colours out of a picture.",
    .create = create,
    .plan = plan,
    .apply = apply,
};

PM_PLUGIN(transform, "1.0.0")
