// SPDX-License-Identifier: Apache-2.0
#include "weigh.h"

/* To whole numbers by rounding; vips_cast() alone cuts off. */
static int round_to(VipsImage *in, VipsImage **out, VipsBandFormat format)
{
    VipsImage *whole = NULL;
    if (vips_band_format_isint(format) && vips_rint(in, &whole, NULL)) return -1;
    int result = vips_cast(whole ? whole : in, out, format, NULL);
    g_clear_object(&whole);
    return result;
}

VipsImage *weigh_filter(VipsImage *in, Filter *filter, const void *data, bool exact)
{
    VipsImage *weighed = NULL, *packed = NULL, *mixed = NULL, *plain = NULL, *out = NULL;
    VipsBandFormat format = in->BandFmt;
    if (!vips_image_hasalpha(in)) {
        if (filter(in, &mixed, data)) return NULL;
        if (mixed->BandFmt == format) return mixed;
        if (round_to(mixed, &out, format)) g_clear_object(&out);
        g_object_unref(mixed);
        return out;
    }

    /* Back in the picture's own format in between: filtering floats costs three times as much. */
    if (vips_premultiply(in, &weighed, NULL) ||
        (exact ? round_to(weighed, &packed, format) : vips_cast(weighed, &packed, format, NULL)) ||
        filter(packed, &mixed, data) || vips_unpremultiply(mixed, &plain, NULL) || round_to(plain, &out, format))
        g_clear_object(&out);
    g_clear_object(&plain);
    g_clear_object(&mixed);
    g_clear_object(&packed);
    g_clear_object(&weighed);
    return out;
}

/* By a mask of floats: the one of whole numbers has 20 steps, and is compiled anew for each picture. */
int filter_gaussian(VipsImage *in, VipsImage **out, const void *data)
{
    return vips_gaussblur(in, out, *(const double *)data, "min_ampl", 0.02, "precision", VIPS_PRECISION_FLOAT, NULL);
}
