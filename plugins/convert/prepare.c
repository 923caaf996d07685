// SPDX-License-Identifier: Apache-2.0
#include "../common/ink.h"
#include "convert.h"

/* Each step below looks whether there is anything to do and otherwise hands its input on, so that an 8-bit RGB picture
 * goes to the encoder untouched. A step takes the reference it is given. */

static VipsImage *swap(VipsImage *in, VipsImage *out, int result)
{
    g_object_unref(in);
    return result ? NULL : out;
}

static bool is_grey(const VipsImage *image)
{
    return image->Bands < 3;
}

/* An encoder of libvips believes the interpretation, not the samples: told of 16 bits over 8-bit samples, it reads
 * beyond them. Here both say the same. */
static VipsImage *agree(VipsImage *in)
{
    bool deep = in->BandFmt == VIPS_FORMAT_USHORT;
    VipsInterpretation grey = deep ? VIPS_INTERPRETATION_GREY16 : VIPS_INTERPRETATION_B_W;
    VipsInterpretation colour = deep ? VIPS_INTERPRETATION_RGB16 : VIPS_INTERPRETATION_sRGB;
    VipsInterpretation type = is_grey(in) ? grey : colour;
    VipsImage *out = NULL;
    if (in->Type == type) return in;
    int result = vips_copy(in, &out, "interpretation", type, NULL);
    return swap(in, out, result);
}

static VipsImage *cast(VipsImage *in, VipsBandFormat format, bool shift)
{
    VipsImage *out = NULL;
    int result = vips_cast(in, &out, format, "shift", shift, NULL);
    return swap(in, out, result);
}

/* 8 or 16 unsigned bits a sample: to or from 16 by the top bits, so that white stays white. Other samples are taken for
 * 0 to 255, as libvips' own operations leave them. */
static VipsImage *to_depth(VipsImage *in, int depth)
{
    bool deep = in->BandFmt == VIPS_FORMAT_USHORT, wanted = depth > 8;
    if (!deep && in->BandFmt != VIPS_FORMAT_UCHAR && !(in = cast(in, VIPS_FORMAT_UCHAR, false))) return NULL;
    if (deep != wanted && !(in = cast(in, wanted ? VIPS_FORMAT_USHORT : VIPS_FORMAT_UCHAR, true))) return NULL;
    return agree(in);
}

/* Through its profile when it has one. sRGB is what every reader assumes, so the new profile need not travel along. */
static VipsImage *to_srgb(VipsImage *in)
{
    VipsImage *space = NULL, *out = NULL;
    bool deep = in->BandFmt == VIPS_FORMAT_USHORT;
    int result = vips_image_get_typeof(in, VIPS_META_ICC_NAME)
                     ? vips_icc_transform(in, &space, "srgb", "embedded", TRUE, "depth", deep ? 16 : 8, NULL)
                     : vips_colourspace(in, &space, deep ? VIPS_INTERPRETATION_RGB16 : VIPS_INTERPRETATION_sRGB, NULL);
    if (!result) result = vips_copy(space, &out, NULL);
    if (!result) vips_image_remove(out, VIPS_META_ICC_NAME);
    g_clear_object(&space);
    return swap(in, out, result);
}

/* A profile describes the pixels that are written: a format that holds none, or that makes RGB of grey, gets sRGB. */
static VipsImage *to_space(VipsImage *in, const Format *format)
{
    if (!vips_image_get_typeof(in, VIPS_META_ICC_NAME)) return in;
    if (format->profile && !(format->rgb_only && is_grey(in))) return in;
    return to_srgb(in);
}

static VipsImage *without_alpha(VipsImage *in, const PmColor *background)
{
    if (!vips_image_hasalpha(in)) return in;
    bool coloured = background->r != background->g || background->g != background->b;
    if (is_grey(in) && coloured && !(in = to_srgb(in))) return NULL;
    VipsArrayDouble *ink = ink_of(background, in, in->Bands - 1);
    VipsImage *out = NULL;
    int result = vips_flatten(in, &out, "background", ink, NULL);
    vips_area_unref(VIPS_AREA(ink));
    return swap(in, out, result);
}

/* "png-comment-3-Author" without the Author: a damaged text chunk gives it when read, and libvips refuses to write it.
 */
static void *nameless_comment(VipsImage *image, const char *field, GValue *value, void *data)
{
    (void)image;
    (void)value;
    (void)data;
    static const char prefix[] = "png-comment-";
    if (strncmp(field, prefix, sizeof(prefix) - 1) != 0) return NULL;
    const char *key = strchr(field + sizeof(prefix) - 1, '-');
    return !key || key[1 + strspn(key + 1, " \t\r\n\v\f")] == '\0' ? (void *)field : NULL;
}

static VipsImage *without_nameless_comments(VipsImage *in)
{
    if (!vips_image_map(in, nameless_comment, NULL)) return in;
    VipsImage *out = NULL;
    if (vips_copy(in, &out, NULL)) return swap(in, NULL, -1);
    for (const char *field; (field = vips_image_map(out, nameless_comment, NULL));) vips_image_remove(out, field);
    return swap(in, out, 0);
}

VipsImage *prepare(VipsImage *in, const Format *format, const Config *config)
{
    VipsImage *image = to_depth(g_object_ref(in), format_depth(format, config, in->BandFmt));
    if (image) image = to_space(image, format);
    if (image && !format->alpha) image = without_alpha(image, &config->background);
    if (image) image = fit_iptc(image, format);
    if (image && format == &formats[FORMAT_PNG]) image = without_nameless_comments(image);
    return image;
}
