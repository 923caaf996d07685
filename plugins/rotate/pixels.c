// SPDX-License-Identifier: Apache-2.0
#include "pixels.h"

#include <math.h>

#include "../common/ink.h"

/* out = M * (in - middle of in) + middle of out, for the middles of pixels, half a pixel from where they begin. */
static int turn(VipsImage *in, VipsImage **out, double degrees, int width, int height, VipsArrayDouble *ink)
{
    double angle = degrees * G_PI / 180, c = cos(angle), s = sin(angle);
    VipsInterpolate *how = vips_interpolate_new("bicubic");
    VipsArrayInt *area = vips_array_int_newv(4, 0, 0, width, height);
    int result =
        how == NULL ? -1
                    : vips_affine(in, out, c, -s, s, c, "interpolate", how, "oarea", area, "odx", (width - 1) / 2.0,
                                  "ody", (height - 1) / 2.0, "idx", (1 - in->Xsize) / 2.0, "idy", (1 - in->Ysize) / 2.0,
                                  "background", ink, "extend", VIPS_EXTEND_BACKGROUND, "premultiplied", TRUE, NULL);
    vips_area_unref(VIPS_AREA(area));
    g_clear_object(&how);
    return result;
}

/* Colours weighed with their alpha, as those of the picture are while they are mixed. */
static VipsArrayDouble *weigh(VipsArrayDouble *ink, double alpha)
{
    double weighed[5];
    int count = 0;
    const double *values = vips_array_double_get(ink, &count);
    for (int i = 0; i < count; i++) weighed[i] = i < count - 1 ? values[i] * alpha : values[i];
    return vips_array_double_new(weighed, count);
}

static VipsImage *turn_alpha(VipsImage *in, double degrees, int width, int height, VipsArrayDouble *ink, double alpha)
{
    VipsImage *weighed = NULL, *turned = NULL, *plain = NULL, *whole = NULL, *out = NULL;
    VipsArrayDouble *faint = weigh(ink, alpha);
    double most = in->BandFmt == VIPS_FORMAT_USHORT ? 65535 : 255;
    if (vips_premultiply(in, &weighed, "max_alpha", most, NULL) ||
        turn(weighed, &turned, degrees, width, height, faint) ||
        vips_unpremultiply(turned, &plain, "max_alpha", most, NULL) || vips_rint(plain, &whole, NULL) ||
        vips_cast(whole, &out, in->BandFmt, NULL))
        out = NULL;
    vips_area_unref(VIPS_AREA(faint));
    g_clear_object(&whole);
    g_clear_object(&plain);
    g_clear_object(&turned);
    g_clear_object(&weighed);
    return out;
}

VipsImage *pixels_turn(VipsImage *in, double degrees, int width, int height, const PmColor *background)
{
    VipsArrayDouble *ink = ink_of(background, in, in->Bands);
    VipsImage *out = NULL;
    if (vips_image_hasalpha(in))
        out = turn_alpha(in, degrees, width, height, ink, background->a);
    else if (turn(in, &out, degrees, width, height, ink))
        out = NULL;
    vips_area_unref(VIPS_AREA(ink));
    return out;
}
