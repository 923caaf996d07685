// SPDX-License-Identifier: Apache-2.0
#include "ink.h"

/* A pixel of sRGB through the profile of `image`; false when that has none, is damaged or of another kind. */
static bool through_profile(const PmColor *color, VipsImage *image, int bands, double *values)
{
    const void *profile = NULL;
    size_t size = 0;
    double rgb[3] = {color->r, color->g, color->b}, *found = NULL;
    VipsImage *t[5] = {NULL};
    int count = 0;
    if (vips_image_get_typeof(image, VIPS_META_ICC_NAME) != VIPS_TYPE_BLOB ||
        vips_image_get_blob(image, VIPS_META_ICC_NAME, &profile, &size))
        return false;

    bool good = (t[0] = vips_image_new_matrix_from_array(3, 1, rgb, 3)) && !vips_bandfold(t[0], &t[1], NULL) &&
                !vips_cast_uchar(t[1], &t[2], NULL) &&
                !vips_copy(t[2], &t[3], "interpretation", VIPS_INTERPRETATION_sRGB, NULL);
    VipsImage *pcs = NULL, *tagged = NULL;
    good = good && !vips_icc_import(t[3], &pcs, "input_profile", "srgb", "intent", VIPS_INTENT_RELATIVE, NULL) &&
           !vips_copy(pcs, &tagged, NULL);
    if (good) {
        vips_image_set_blob_copy(tagged, VIPS_META_ICC_NAME, profile, size);
        good = !vips_icc_export(tagged, &t[4], "depth", image->BandFmt == VIPS_FORMAT_USHORT ? 16 : 8, "intent",
                                VIPS_INTENT_RELATIVE, NULL) &&
               !vips_getpoint(t[4], &found, &count, 0, 0, NULL) && count == bands;
    }
    for (int i = 0; good && i < bands; i++) values[i] = found[i];
    if (!good) vips_error_clear();
    g_free(found);
    g_clear_object(&tagged);
    g_clear_object(&pcs);
    for (size_t i = 0; i < G_N_ELEMENTS(t); i++) g_clear_object(&t[i]);
    return good;
}

VipsArrayDouble *ink_of(const PmColor *color, VipsImage *image, int count)
{
    double unit = image->BandFmt == VIPS_FORMAT_USHORT ? 257 : 1;
    int colours = image->Bands < 3 ? 1 : 3;
    double values[4] = {color->r * unit, color->g * unit, color->b * unit};
    through_profile(color, image, colours, values);
    values[colours] = color->a * 255 * unit;
    return vips_array_double_new(values, MIN(count, 4));
}
