// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "icc.h"

/* Most photographs carry an sRGB profile: recognising it (ICC.1:2022, matrix and curve profiles) saves a pass over all
 * pixels that would change none of them visibly. */

enum { HEADER = 128, TAG_ENTRY = 12, TAGS_MAX = 128, CURVE_SAMPLES = 16 };

typedef struct Profile {
    const uint8_t *data;
    size_t size;
} Profile;

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static unsigned get16(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

/* s15Fixed16Number */
static double get_fixed(const uint8_t *at)
{
    return (int32_t)get32(at) / 65536.0;
}

/* The bytes of a tag; `size` is at least `least`, or NULL. */
static const uint8_t *find_tag(const Profile *profile, const char *name, size_t least, size_t *size)
{
    if (profile->size < HEADER + 4) return NULL;
    uint32_t count = MIN(get32(profile->data + HEADER), TAGS_MAX);
    for (uint32_t i = 0; i < count && HEADER + 4 + (size_t)(i + 1) * TAG_ENTRY <= profile->size; i++) {
        const uint8_t *entry = profile->data + HEADER + 4 + (size_t)i * TAG_ENTRY;
        size_t offset = get32(entry + 4), length = get32(entry + 8);
        if (memcmp(entry, name, 4) != 0) continue;
        if (offset > profile->size || length > profile->size - offset || length < least) return NULL;
        *size = length;
        return profile->data + offset;
    }
    return NULL;
}

static bool has_colorant(const Profile *profile, const char *name, const double want[3])
{
    size_t size;
    const uint8_t *tag = find_tag(profile, name, 20, &size);
    if (!tag || memcmp(tag, "XYZ ", 4) != 0) return false;
    for (int i = 0; i < 3; i++)
        if (fabs(get_fixed(tag + 8 + 4 * i) - want[i]) > 0.003) return false;
    return true;
}

static double srgb_curve(double x)
{
    return x <= 0.04045 ? x / 12.92 : pow((x + 0.055) / 1.055, 2.4);
}

static bool has_srgb_curve(const Profile *profile, const char *name)
{
    size_t size;
    const uint8_t *tag = find_tag(profile, name, 12, &size);
    if (!tag) return false;
    if (!memcmp(tag, "para", 4)) {
        static const double want[5] = {2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045};
        if (size < 32 || get16(tag + 8) != 3) return false;
        for (int i = 0; i < 5; i++)
            if (fabs(get_fixed(tag + 12 + 4 * i) - want[i]) > 0.001) return false;
        return true;
    }
    uint32_t count = get32(tag + 8);
    if (memcmp(tag, "curv", 4) != 0 || count < 256 || count > (size - 12) / 2) return false;
    for (int i = 0; i <= CURVE_SAMPLES; i++) {
        uint32_t at = (count - 1) * (uint32_t)i / CURVE_SAMPLES;
        if (fabs(get16(tag + 12 + 2 * (size_t)at) / 65535.0 - srgb_curve(at / (count - 1.0))) > 0.002) return false;
    }
    return true;
}

static bool is_srgb(const Profile *profile)
{
    static const double red[3] = {0.4360, 0.2225, 0.0139}, green[3] = {0.3851, 0.7169, 0.0971},
                        blue[3] = {0.1431, 0.0606, 0.7141};
    size_t size;
    return profile->size > HEADER && !memcmp(profile->data + 16, "RGB XYZ ", 8) &&
           !find_tag(profile, "A2B0", 0, &size) && has_colorant(profile, "rXYZ", red) &&
           has_colorant(profile, "gXYZ", green) && has_colorant(profile, "bXYZ", blue) &&
           has_srgb_curve(profile, "rTRC") && has_srgb_curve(profile, "gTRC") && has_srgb_curve(profile, "bTRC");
}

/* Grey in sRGB has three equal bands: one is enough, and the alpha. */
static int back_to_grey(VipsImage *in, VipsImage **out)
{
    VipsImage *t[3] = {NULL};
    bool alpha = vips_image_hasalpha(in);
    VipsInterpretation grey = in->BandFmt == VIPS_FORMAT_USHORT ? VIPS_INTERPRETATION_GREY16 : VIPS_INTERPRETATION_B_W;
    int result = vips_extract_band(in, &t[0], 1, NULL);
    if (!result && alpha) result = vips_extract_band(in, &t[1], 3, NULL) || vips_bandjoin2(t[0], t[1], &t[2], NULL);
    if (!result) result = vips_copy(alpha ? t[2] : t[0], out, "interpretation", grey, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(t); i++) g_clear_object(&t[i]);
    return result;
}

VipsImage *icc_to_srgb(VipsImage *in)
{
    Profile profile = {0};
    VipsImage *space = NULL, *out = NULL;
    const void *data = NULL;
    if (vips_image_get_blob(in, VIPS_META_ICC_NAME, &data, &profile.size)) return NULL;
    profile.data = data;

    int result;
    if (in->Bands >= 3 && is_srgb(&profile))
        result = vips_copy(in, &space, NULL);
    else
        result = vips_icc_transform(in, &space, "srgb", "embedded", TRUE, "depth",
                                    in->BandFmt == VIPS_FORMAT_USHORT ? 16 : 8, NULL);
    if (!result) result = in->Bands < 3 ? back_to_grey(space, &out) : vips_copy(space, &out, NULL);
    g_clear_object(&space);
    if (result) return NULL;
    vips_image_remove(out, VIPS_META_ICC_NAME);
    return out;
}
