/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/colours.h"

/* Replaces *image by *next, which an operation made that ended with `result`. By address: the operation is called in
 * the same argument list, in no certain order. */
static bool advance(VipsImage **image, VipsImage **next, int result)
{
    if (result != 0 || *next == NULL) return false;
    g_object_unref(*image);
    *image = *next;
    *next = NULL;
    return true;
}

bool pm_colours_convert(const VipsImage *image)
{
    switch (image->Type) {
    case VIPS_INTERPRETATION_sRGB:
    case VIPS_INTERPRETATION_RGB:
    case VIPS_INTERPRETATION_RGB16:
    case VIPS_INTERPRETATION_B_W:
    case VIPS_INTERPRETATION_GREY16:
        return false;
    default:
        return true;
    }
}

/* The samples are brightness or ink, from none to the most that their type holds; in other spaces they are numbers of
 * that space, which libvips converts by its rules. */
static bool is_scaled(const VipsImage *image)
{
    return !pm_colours_convert(image) || image->Type == VIPS_INTERPRETATION_CMYK ||
           image->Type == VIPS_INTERPRETATION_MULTIBAND;
}

PmStatus pm_colours_check(const VipsImage *image, PmFormat format, PmError *err)
{
    static const char *const names[] = {[VIPS_FORMAT_CHAR] = "signed 8-bit",
                                        [VIPS_FORMAT_SHORT] = "signed 16-bit",
                                        [VIPS_FORMAT_INT] = "signed 32-bit",
                                        [VIPS_FORMAT_COMPLEX] = "complex",
                                        [VIPS_FORMAT_DPCOMPLEX] = "complex"};
    size_t type = (size_t)image->BandFmt;
    if (!is_scaled(image) || type >= sizeof names / sizeof names[0] || names[type] == NULL) return PM_OK;
    pm_error_set(err, PM_BAD_INPUT, "the %s has %s samples, which have no agreed meaning as brightness",
                 pm_format_name(format), names[type]);
    pm_error_hint(err, "save it with unsigned samples of 8, 16 or 32 bits, or with floating point from 0 to 1");
    return PM_BAD_INPUT;
}

/* Deeper than 8 bits once it has been converted. */
static bool is_wide(const VipsImage *image)
{
    return !pm_colours_convert(image) && image->BandFmt != VIPS_FORMAT_UCHAR;
}

static VipsInterpretation interpretation_of(bool mono, bool wide)
{
    if (wide) return mono ? VIPS_INTERPRETATION_GREY16 : VIPS_INTERPRETATION_RGB16;
    return mono ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB;
}

void pm_colours_shape(const VipsImage *image, PmShape *shape)
{
    bool wide = is_wide(image);
    shape->band_format = wide ? VIPS_FORMAT_USHORT : VIPS_FORMAT_UCHAR;
    if (pm_colours_convert(image)) {
        bool mono = shape->bands - shape->has_alpha < 3 && image->Type == VIPS_INTERPRETATION_MULTIBAND;
        shape->bands = (mono ? 1 : 3) + shape->has_alpha;
        shape->interpretation = interpretation_of(mono, false);
        shape->has_profile = false;
    } else {
        shape->interpretation = interpretation_of(shape->bands < 3, wide);
    }
}

/* To 16 bits by the type's range: 32-bit integers by their top half, floating point from 0 to 1, as TIFF has it. */
static bool scale(VipsImage **image)
{
    double unit;
    switch ((*image)->BandFmt) {
    case VIPS_FORMAT_UINT:
        unit = 1 / 65537.0;
        break;
    case VIPS_FORMAT_FLOAT:
    case VIPS_FORMAT_DOUBLE:
        unit = 65535;
        break;
    default:
        return true;
    }
    VipsImage *next = NULL;
    if (!advance(image, &next, vips_linear1(*image, &next, unit, 0.5, NULL))) return false;
    next = NULL;
    return advance(image, &next, vips_cast(*image, &next, VIPS_FORMAT_USHORT, NULL));
}

/* CMYK has no meaning without a profile; libvips brings a common one for files that have none. The result's profile
 * would be plain sRGB, which is what every reader assumes without one. */
static bool cmyk_to_srgb(VipsImage **image)
{
    VipsImage *next = NULL;
    int result = vips_icc_transform(*image, &next, "srgb", "embedded", TRUE, "input_profile", "cmyk", "depth", 8,
                                    "intent", VIPS_INTENT_RELATIVE, "black_point_compensation", TRUE, NULL);
    return advance(image, &next, result);
}

static bool set_interpretation(VipsImage **image, VipsInterpretation type)
{
    VipsImage *next = NULL;
    return (*image)->Type == type || advance(image, &next, vips_copy(*image, &next, "interpretation", type, NULL));
}

/* Bands without a meaning: one or two are grey (and alpha), three or four are RGB (and alpha), further ones unknown. */
static bool name_bands(VipsImage **image)
{
    VipsImage *next = NULL;
    if ((*image)->Bands > 4 && !advance(image, &next, vips_extract_band(*image, &next, 0, "n", 3, NULL))) return false;
    next = NULL;
    bool wide = (*image)->BandFmt == VIPS_FORMAT_USHORT;
    if (wide && !advance(image, &next, vips_cast(*image, &next, VIPS_FORMAT_UCHAR, "shift", TRUE, NULL))) return false;
    return set_interpretation(image, interpretation_of((*image)->Bands < 3, false));
}

static bool to_srgb(VipsImage **image)
{
    VipsImage *next = NULL;
    bool good;
    if ((*image)->Type == VIPS_INTERPRETATION_CMYK)
        good = cmyk_to_srgb(image);
    else if ((*image)->Type == VIPS_INTERPRETATION_MULTIBAND)
        good = name_bands(image);
    else
        good = advance(image, &next, vips_colourspace(*image, &next, VIPS_INTERPRETATION_sRGB, NULL));
    if (!good) return false;
    vips_image_remove(*image, VIPS_META_ICC_NAME);
    next = NULL;
    return (*image)->BandFmt == VIPS_FORMAT_UCHAR ||
           advance(image, &next, vips_cast(*image, &next, VIPS_FORMAT_UCHAR, NULL));
}

bool pm_colours_apply(VipsImage **image)
{
    bool scaled = is_scaled(*image), converts = pm_colours_convert(*image);
    if (scaled && !scale(image)) return false;
    if (converts) return to_srgb(image);
    /* An encoder believes the interpretation: one of 16 bits over 8-bit samples reads beyond them. */
    return set_interpretation(image, interpretation_of((*image)->Bands < 3, (*image)->BandFmt == VIPS_FORMAT_USHORT));
}
