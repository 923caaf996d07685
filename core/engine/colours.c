/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/colours.h"

#include <stdarg.h>
#include <stdio.h>

#include "engine/cicp.h"
#include "engine/cmyk.h"
#include "engine/profile.h"
#include "engine/signal.h"

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

/* ------------------------------------------------------------------ reading the header */

/* Grey or RGB, as plugins take it. */
static bool is_plain(const VipsImage *image)
{
    switch (image->Type) {
    case VIPS_INTERPRETATION_sRGB:
    case VIPS_INTERPRETATION_RGB:
    case VIPS_INTERPRETATION_RGB16:
    case VIPS_INTERPRETATION_B_W:
    case VIPS_INTERPRETATION_GREY16:
        return true;
    default:
        return false;
    }
}

static bool is_lab(const VipsImage *image)
{
    return image->Coding == VIPS_CODING_LABQ || image->Type == VIPS_INTERPRETATION_LAB ||
           image->Type == VIPS_INTERPRETATION_LABS;
}

/* The samples are brightness or ink, from none to the most that their type holds; in other spaces they are numbers of
 * that space, which libvips converts by its rules. */
static bool is_scaled(const VipsImage *image)
{
    return is_plain(image) || image->Type == VIPS_INTERPRETATION_CMYK || image->Type == VIPS_INTERPRETATION_MULTIBAND;
}

static PmStatus check_samples(const VipsImage *image, PmFormat format, PmError *err)
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

static void note(PmColours *colours, const char *fmt, ...)
{
    if (colours->note_count == PM_COLOURS_NOTES) return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(colours->notes[colours->note_count++], sizeof colours->notes[0], fmt, ap);
    va_end(ap);
}

/* 1, 3 or 4; 0 where a profile plays no part. */
static int colours_of(const VipsImage *image)
{
    if (image->Type == VIPS_INTERPRETATION_CMYK) return 4;
    return !is_plain(image) ? 0 : image->Bands < 3 ? 1 : 3;
}

static void read_profile(PmColours *colours, VipsImage *image, int count)
{
    const void *bytes = NULL;
    size_t size = 0;
    if (vips_image_get_typeof(image, VIPS_META_ICC_NAME) == 0 || count == 0) return;
    if (vips_image_get_blob(image, VIPS_META_ICC_NAME, &bytes, &size) != 0) {
        vips_error_clear();
        return;
    }
    PmProfile profile = pm_profile_judge(bytes, size, count);
    colours->perceptual = profile.perceptual;
    if (profile.use != PM_PROFILE_DROP) {
        colours->profile = bytes;
        colours->profile_size = profile.size;
    }
    colours->changes_profile = colours->profile_size != size;
    if (profile.use == PM_PROFILE_DROP) {
        note(colours, "the colour profile is left out: %s", profile.why);
    } else if (profile.use == PM_PROFILE_CONVERT && count != 4) {
        colours->converts = colours->by_profile = true;
        note(colours, "the colours are converted to sRGB and the colour profile is left out: %s", profile.why);
    }
}

/* What the container says instead of a profile, as a profile. False: nothing, so that the image's own counts. */
static bool read_signal(PmColours *colours, VipsImage *image, const PmSignal *signal, int count)
{
    uint8_t profile[PM_CICP_PROFILE_MAX];
    bool has_profile = vips_image_get_typeof(image, VIPS_META_ICC_NAME) != 0;
    if (count != 1 && count != 3) return false;
    if (has_profile && !signal->overrides_profile) return false;
    PmCicp what = pm_cicp_profile(signal, count == 1, profile, &colours->profile_size);
    if (what == PM_CICP_UNKNOWN) {
        note(colours,
             "the colours are told by numbers that mean nothing here (primaries %u, transfer %u): taken for %s",
             signal->primaries, signal->transfer, has_profile ? "those of the profile" : "sRGB");
        return false;
    }
    colours->changes_profile = has_profile || what != PM_CICP_SRGB;
    vips_image_remove(image, VIPS_META_ICC_NAME);
    if (what == PM_CICP_SRGB) return true;
    vips_image_set_blob_copy(image, VIPS_META_ICC_NAME, profile, colours->profile_size);
    if (vips_image_get_blob(image, VIPS_META_ICC_NAME, &colours->profile, &colours->profile_size) != 0) return false;
    if (what == PM_CICP_HDR) {
        colours->converts = colours->by_profile = true;
        note(colours, "high dynamic range is fitted into sRGB: highlights are compressed");
    }
    return true;
}

PmStatus pm_colours_read(PmColours *out, VipsImage *image, PmFormat format, const void *bytes, size_t size,
                         PmError *err)
{
    *out = (PmColours){.converts = !is_plain(image), .bands = image->Bands};
    PmStatus status = check_samples(image, format, err);
    if (status != PM_OK) return status;
    int count = colours_of(image);
    if (count > 0 && image->Bands > count + 1) {
        out->bands = count + 1;
        note(out, "%d channels beyond colour and transparency are left out", image->Bands - out->bands);
    }
    PmSignal signal = pm_signal_read(format, bytes, size);
    out->premultiplied = signal.premultiplied && vips_image_hasalpha(image);
    if (signal.alpha && !vips_image_hasalpha(image))
        note(out, "the transparency cannot be read by this libvips and is left out");
    if (!read_signal(out, image, &signal, count)) read_profile(out, image, count);
    return PM_OK;
}

/* ------------------------------------------------------------------ what comes of it */

/* Deeper than 8 bits once it has been converted. */
static bool is_wide(const VipsImage *image)
{
    return is_plain(image) && image->BandFmt != VIPS_FORMAT_UCHAR;
}

static VipsInterpretation interpretation_of(bool mono, bool wide)
{
    if (wide) return mono ? VIPS_INTERPRETATION_GREY16 : VIPS_INTERPRETATION_RGB16;
    return mono ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB;
}

void pm_colours_shape(const PmColours *colours, const VipsImage *image, PmShape *shape)
{
    bool wide = is_wide(image);
    shape->band_format = wide ? VIPS_FORMAT_USHORT : VIPS_FORMAT_UCHAR;
    shape->bands = colours->bands;
    if (colours->converts) {
        bool mono = shape->bands - shape->has_alpha < 3 && image->Type == VIPS_INTERPRETATION_MULTIBAND;
        shape->bands = (mono ? 1 : 3) + shape->has_alpha;
        shape->interpretation = interpretation_of(mono, wide);
    } else {
        shape->interpretation = interpretation_of(shape->bands < 3, wide);
    }
    shape->has_profile = !colours->converts && colours->profile != NULL;
}

static bool set_profile(const PmColours *colours, VipsImage *image)
{
    if (!colours->changes_profile) return true;
    vips_image_remove(image, VIPS_META_ICC_NAME);
    if (colours->profile != NULL)
        vips_image_set_blob_copy(image, VIPS_META_ICC_NAME, colours->profile, colours->profile_size);
    return true;
}

static bool cut_bands(VipsImage **image, int bands)
{
    VipsImage *next = NULL;
    return (*image)->Bands <= bands || advance(image, &next, vips_extract_band(*image, &next, 0, "n", bands, NULL));
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

/* The colours that were multiplied by transparency; where nothing shows there is none. */
static bool divide_by_alpha(VipsImage **image)
{
    VipsImage *next = NULL;
    VipsBandFormat format = (*image)->BandFmt;
    if (!advance(image, &next, vips_unpremultiply(*image, &next, NULL))) return false;
    next = NULL;
    if (!advance(image, &next, vips_linear1(*image, &next, 1, 0.5, NULL))) return false;
    next = NULL;
    return advance(image, &next, vips_cast(*image, &next, format, NULL));
}

static bool set_interpretation(VipsImage **image, VipsInterpretation type)
{
    VipsImage *next = NULL;
    return (*image)->Type == type || advance(image, &next, vips_copy(*image, &next, "interpretation", type, NULL));
}

/* ------------------------------------------------------------------ to sRGB */

static bool by_profile(const PmColours *colours, VipsImage **image)
{
    VipsImage *next = NULL;
    int depth = (*image)->BandFmt == VIPS_FORMAT_USHORT ? 16 : 8;
    VipsIntent intent = colours->perceptual ? VIPS_INTENT_PERCEPTUAL : VIPS_INTENT_RELATIVE;
    return advance(image, &next,
                   vips_icc_transform(*image, &next, "srgb", "embedded", TRUE, "intent", intent,
                                      "black_point_compensation", TRUE, "depth", depth, NULL));
}

/* TIFF's Lab counts from the white of paper (D50), for which libvips' own way to sRGB does not allow. Eight bits of
 * lightness end at 255, which libvips takes for 1020 of 1023. */
static bool lab_to_srgb(VipsImage **image)
{
    static const double top[3] = {1023 / 1020.0, 1, 1}, zero[3] = {0};
    VipsImage *next = NULL;
    if ((*image)->Coding == VIPS_CODING_LABQ) {
        if (!advance(image, &next, vips_LabQ2Lab(*image, &next, NULL))) return false;
        next = NULL;
        if (!advance(image, &next, vips_linear(*image, &next, top, zero, 3, NULL))) return false;
    } else if ((*image)->Type == VIPS_INTERPRETATION_LABS) {
        if (!advance(image, &next, vips_LabS2Lab(*image, &next, NULL))) return false;
    }
    next = NULL;
    if (!set_interpretation(image, VIPS_INTERPRETATION_LAB)) return false;
    return advance(image, &next,
                   vips_icc_export(*image, &next, "output_profile", "srgb", "pcs", VIPS_PCS_LAB, "intent",
                                   VIPS_INTENT_RELATIVE, "depth", 8, NULL));
}

/* Bands without a meaning: one or two are grey (and alpha), three or four are RGB (and alpha), further ones unknown. */
static bool name_bands(VipsImage **image)
{
    VipsImage *next = NULL;
    if ((*image)->Bands > 4 && !cut_bands(image, 3)) return false;
    bool wide = (*image)->BandFmt == VIPS_FORMAT_USHORT;
    if (wide && !advance(image, &next, vips_cast(*image, &next, VIPS_FORMAT_UCHAR, "shift", TRUE, NULL))) return false;
    return set_interpretation(image, interpretation_of((*image)->Bands < 3, false));
}

static bool to_srgb(const PmColours *colours, VipsImage **image)
{
    VipsImage *next = NULL;
    bool good, cmyk = (*image)->Type == VIPS_INTERPRETATION_CMYK;
    if (cmyk && colours->profile == NULL)
        good = pm_cmyk_to_srgb(*image, &next) && advance(image, &next, 0);
    else if (cmyk || colours->by_profile)
        good = by_profile(colours, image);
    else if (is_lab(*image))
        good = lab_to_srgb(image);
    else if ((*image)->Type == VIPS_INTERPRETATION_MULTIBAND)
        good = name_bands(image);
    else
        good = advance(image, &next, vips_colourspace(*image, &next, VIPS_INTERPRETATION_sRGB, NULL));
    if (!good) return false;
    vips_image_remove(*image, VIPS_META_ICC_NAME);
    if (colours->by_profile || (*image)->BandFmt == VIPS_FORMAT_UCHAR) return true;
    next = NULL;
    bool deep = (*image)->BandFmt == VIPS_FORMAT_USHORT;
    return advance(image, &next, vips_cast(*image, &next, VIPS_FORMAT_UCHAR, "shift", deep, NULL)) &&
           set_interpretation(image, VIPS_INTERPRETATION_sRGB);
}

bool pm_colours_apply(const PmColours *colours, VipsImage **image)
{
    if (!set_profile(colours, *image) || !cut_bands(image, colours->bands)) return false;
    if (is_scaled(*image) && !scale(image)) return false;
    if (colours->premultiplied && !divide_by_alpha(image)) return false;
    if (colours->converts && !to_srgb(colours, image)) return false;
    /* An encoder believes the interpretation: one of 16 bits over 8-bit samples reads beyond them. */
    return set_interpretation(image, interpretation_of((*image)->Bands < 3, (*image)->BandFmt == VIPS_FORMAT_USHORT));
}
