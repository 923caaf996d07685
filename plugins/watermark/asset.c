// SPDX-License-Identifier: Apache-2.0
#include "asset.h"

#include <string.h>

#include "pixels.h"

enum { ASSET_PIXELS_MAX = 32 * 1000 * 1000 }; /* 128 MB in every worker */

/* The loader for these bytes by their magic; libvips is not asked to guess. The caller frees nothing. */
static int open_named(VipsSource *source, VipsImage **out)
{
    const unsigned char *magic = vips_source_sniff(source, 12);
    if (magic == NULL) {
        vips_error("watermark", "too short for a picture");
        return -1;
    }
    if (memcmp(magic, "\x89PNG\r\n\x1a\n", 8) == 0)
        return vips_pngload_source(source, out, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_ERROR, NULL);
    if (memcmp(magic, "RIFF", 4) == 0 && memcmp(magic + 8, "WEBP", 4) == 0)
        return vips_webpload_source(source, out, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_ERROR, NULL);
    if (memcmp(magic, "\xff\xd8\xff", 3) == 0)
        return vips_jpegload_source(source, out, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_ERROR, NULL);
    vips_error("watermark", "neither PNG, WebP nor JPEG");
    return -1;
}

/* Whatever was decoded, as sRGB of 8 bits with alpha; lazy. */
static int to_srgba(VipsObject *owner, VipsImage *in, VipsImage **out)
{
    VipsImage **t = (VipsImage **)vips_object_local_array(owner, 4);
    VipsImage *colour = in;
    bool cmyk = in->Type == VIPS_INTERPRETATION_CMYK;
    if (cmyk || vips_image_get_typeof(in, VIPS_META_ICC_NAME)) {
        if (vips_icc_transform(in, &t[0], "srgb", "embedded", TRUE, "input_profile", cmyk ? "cmyk" : "srgb", "intent",
                               VIPS_INTENT_RELATIVE, NULL) == 0)
            colour = t[0];
        else
            vips_error_clear(); /* a broken profile: the colours as they are */
    }
    if (vips_colourspace(colour, &t[1], VIPS_INTERPRETATION_sRGB, NULL)) return -1;
    if (vips_image_hasalpha(t[1])) return vips_extract_band(t[1], out, 0, "n", 4, NULL);
    /* Not vips_addalpha(): it computes its constant, on a thread of libvips' own. See pixels_pull(). */
    if (vips_black(&t[2], in->Xsize, in->Ysize, NULL) || vips_invert(t[2], &t[3], NULL)) return -1;
    return vips_bandjoin2(t[1], t[3], out, NULL);
}

/* One still, upright picture in memory, with the metadata that to_srgba() needs. */
static int decode(VipsObject *owner, VipsSource *source, VipsImage **out)
{
    VipsImage **t = (VipsImage **)vips_object_local_array(owner, 3);
    if (open_named(source, &t[0])) return -1;
    if ((gint64)t[0]->Xsize * t[0]->Ysize > ASSET_PIXELS_MAX) {
        vips_error("watermark", "%dx%d is more than %d megapixels: make it smaller", t[0]->Xsize, t[0]->Ysize,
                   ASSET_PIXELS_MAX / 1000000);
        return -1;
    }
    int orientation = vips_image_get_orientation(t[0]);
    if (to_srgba(owner, t[0], &t[1]) || pixels_pull(t[1], &t[2])) return -1;
    vips_image_set_int(t[2], VIPS_META_ORIENTATION, orientation);
    return vips_autorot(t[2], out, NULL);
}

/* What libvips said, in one line and without the name of the operation. */
static void why(char *text, size_t size)
{
    const char *said = vips_error_buffer();
    size_t length = strcspn(said, "\n");
    const char *colon = memchr(said, ':', length);
    if (colon != NULL && colon[1] == ' ') {
        length -= (size_t)(colon + 2 - said);
        said = colon + 2;
    }
    g_snprintf(text, size, "%.*s", (int)length, length > 0 ? said : "");
    vips_error_clear();
}

PmStatus asset_load(const PmHost *host, PmJob *job, const char *name, VipsImage **out)
{
    VipsSource *source = NULL;
    PmStatus status = host->open_asset(job, name, &source);
    if (status != PM_OK) return status;

    VipsObject *owner = VIPS_OBJECT(vips_image_new());
    VipsImage **t = (VipsImage **)vips_object_local_array(owner, 1);
    if (decode(owner, source, &t[0]) || pixels_pull(t[0], out)) {
        char reason[256];
        why(reason, sizeof(reason));
        status = host->fail_param(job, "image", "%s can't be used as a watermark: %s", name, reason);
    }
    g_object_unref(owner);
    g_object_unref(source);
    return status;
}
