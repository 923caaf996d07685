// SPDX-License-Identifier: Apache-2.0
#include "background.h"

/* What the image needs before the background can be painted. */
typedef struct Needs {
    bool alpha, colour;
} Needs;

static Needs needs_of(const PmColor *background, bool has_alpha, int bands)
{
    bool grey = background->r == background->g && background->g == background->b;
    return (Needs){
        .alpha = !has_alpha && background->a < 1,
        .colour = !grey && background->a > 0 && bands - has_alpha < 3,
    };
}

void background_shape(const PmColor *background, PmShape *shape)
{
    Needs needs = needs_of(background, shape->has_alpha, shape->bands);
    int colours = needs.colour ? 3 : shape->bands - shape->has_alpha;
    shape->has_alpha |= needs.alpha;
    if (needs.colour)
        shape->interpretation =
            shape->band_format == VIPS_FORMAT_USHORT ? VIPS_INTERPRETATION_RGB16 : VIPS_INTERPRETATION_sRGB;
    shape->bands = colours + shape->has_alpha;
}

/* Grey to sRGB, by its profile when it has one: the profile must go on describing the pixels. */
static int to_colour(VipsImage *in, VipsImage **out)
{
    bool deep = in->BandFmt == VIPS_FORMAT_USHORT;
    if (vips_image_get_typeof(in, VIPS_META_ICC_NAME))
        return vips_icc_transform(in, out, "srgb", "embedded", TRUE, "depth", deep ? 16 : 8, NULL);
    return vips_colourspace(in, out, deep ? VIPS_INTERPRETATION_RGB16 : VIPS_INTERPRETATION_sRGB, NULL);
}

VipsImage *background_prepare(VipsImage *in, const PmColor *background)
{
    Needs needs = needs_of(background, vips_image_hasalpha(in), in->Bands);
    VipsImage *colour = NULL, *out = NULL;
    if (needs.colour ? to_colour(in, &colour) : vips_copy(in, &colour, NULL)) return NULL;
    if (needs.alpha ? vips_addalpha(colour, &out, NULL) : vips_copy(colour, &out, NULL)) out = NULL;
    g_object_unref(colour);
    return out;
}
