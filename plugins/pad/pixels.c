// SPDX-License-Identifier: Apache-2.0
#include "pixels.h"

#include "../common/background.h"
#include "../common/ink.h"
#include "../common/scale.h"

VipsImage *pixels_on_colour(VipsImage *in, const Canvas *canvas, const PmColor *background)
{
    VipsImage *prepared = background_prepare(in, background), *out = NULL;
    if (!prepared) return NULL;
    VipsArrayDouble *ink = ink_of(background, prepared, prepared->Bands);
    if (vips_embed(prepared, &out, canvas->left, canvas->top, canvas->width, canvas->height, "extend",
                   VIPS_EXTEND_BACKGROUND, "background", ink, NULL))
        out = NULL;
    vips_area_unref(VIPS_AREA(ink));
    g_object_unref(prepared);
    return out;
}

VipsImage *pixels_extend(VipsImage *in, const Canvas *canvas, VipsExtend how)
{
    VipsImage *out = NULL;
    return vips_embed(in, &out, canvas->left, canvas->top, canvas->width, canvas->height, "extend", how, NULL) ? NULL
                                                                                                               : out;
}

static int share(int side, int longest, int most)
{
    return MAX(1, (int)(((int64_t)side * most + longest / 2) / longest));
}

/* A few pixels of the picture, blurred: what is enlarged from it shows no detail. In memory, so that it is computed
 * once. */
static VipsImage *new_blur(VipsImage *in)
{
    enum { SIDE = 64 };
    const double sigma = 1.5;
    int longest = MAX(in->Xsize, in->Ysize), most = MIN(SIDE, longest);
    VipsImage *small = NULL, *blurred = NULL, *out = NULL;
    if (!scale_to(in, &small, share(in->Xsize, longest, most), share(in->Ysize, longest, most), VIPS_KERNEL_LINEAR,
                  2.0) &&
        !vips_gaussblur(small, &blurred, sigma, NULL))
        out = vips_image_copy_memory(blurred);
    g_clear_object(&blurred);
    g_clear_object(&small);
    return out;
}

/* The middle of `small` as large as covers the canvas. */
static int cover(VipsImage *small, VipsImage **out, int in_width, int in_height, const Canvas *canvas)
{
    VipsImage *large = NULL;
    double factor = MAX((double)canvas->width / in_width, (double)canvas->height / in_height);
    int width = MAX(canvas->width, (int)(in_width * factor + 0.5));
    int height = MAX(canvas->height, (int)(in_height * factor + 0.5));
    int result = scale_to(small, &large, width, height, VIPS_KERNEL_CUBIC, 2.0) ||
                 vips_crop(large, out, (width - canvas->width) / 2, (height - canvas->height) / 2, canvas->width,
                           canvas->height, NULL);
    g_clear_object(&large);
    return result;
}

VipsImage *pixels_on_blur(VipsImage *in, const Canvas *canvas)
{
    bool alpha = vips_image_hasalpha(in);
    double most = in->BandFmt == VIPS_FORMAT_USHORT ? 65535 : 255;
    VipsImage *weighed = NULL, *small = NULL, *plain = NULL, *large = NULL, *whole = NULL, *out = NULL;
    /* Colours of clear pixels must not bleed into the rest. */
    if (alpha ? vips_premultiply(in, &weighed, "max_alpha", most, NULL) : vips_copy(in, &weighed, NULL)) goto out;
    if ((small = new_blur(weighed)) == NULL || cover(small, &large, in->Xsize, in->Ysize, canvas)) goto out;
    if (alpha ? vips_unpremultiply(large, &plain, "max_alpha", most, NULL) : vips_copy(large, &plain, NULL)) goto out;
    if (vips_rint(plain, &whole, NULL)) goto out;
    g_clear_object(&plain);
    if (vips_cast(whole, &plain, in->BandFmt, NULL) || vips_insert(plain, in, &out, canvas->left, canvas->top, NULL))
        out = NULL;
out:
    g_clear_object(&whole);
    g_clear_object(&large);
    g_clear_object(&plain);
    g_clear_object(&small);
    g_clear_object(&weighed);
    return out;
}
