// SPDX-License-Identifier: Apache-2.0
#include "pixels.h"

#include <math.h>
#include <string.h>

#include "../common/scale.h"

enum {
    PULL_ROWS = 32,
    WIDE_STROKE = 24 /* px */
};

size_t pixels_bytes(const VipsImage *image)
{
    return (size_t)image->Xsize * (size_t)image->Ysize * (size_t)image->Bands *
           (size_t)vips_format_sizeof(image->BandFmt);
}

const guchar *pixels_line(const VipsImage *image, int y)
{
    return image->data + pixels_bytes(image) / (size_t)image->Ysize * (size_t)y;
}

int pixels_pull(VipsImage *in, VipsImage **out)
{
    VipsImage *memory = vips_image_new_memory();
    VipsRegion *region = vips_region_new(in);
    int result = -1;
    vips_image_init_fields(memory, in->Xsize, in->Ysize, in->Bands, in->BandFmt, VIPS_CODING_NONE, in->Type, 1, 1);
    for (int y = 0; y < in->Ysize; y += PULL_ROWS) {
        VipsRect strip = {0, y, in->Xsize, VIPS_MIN(PULL_ROWS, in->Ysize - y)};
        if (vips_region_prepare(region, &strip)) goto out;
        for (int row = y; row < y + strip.height; row++) {
            VipsPel *line = region->data + (size_t)(row - region->valid.top) * (size_t)region->bpl;
            if (vips_image_write_line(memory, row, line)) goto out;
        }
    }
    *out = g_object_ref(memory);
    result = 0;
out:
    g_object_unref(region);
    g_object_unref(memory);
    return result;
}

/* The three steps around every resampling of straight RGBA: colour must not bleed out of transparent pixels. */
static int resampled(VipsObject *owner, VipsImage *in, VipsImage **premultiplied)
{
    VipsImage **t = (VipsImage **)vips_object_local_array(owner, 1);
    if (vips_premultiply(in, &t[0], NULL)) return -1;
    *premultiplied = t[0];
    return 0;
}

static int straightened(VipsObject *owner, VipsImage *in, VipsImage **out)
{
    VipsImage **t = (VipsImage **)vips_object_local_array(owner, 2);
    if (vips_unpremultiply(in, &t[0], NULL) || vips_rint(t[0], &t[1], NULL)) return -1;
    return vips_cast_uchar(t[1], out, NULL);
}

int pixels_scale(VipsImage *in, VipsImage **out, int width, int height)
{
    return scale_to(in, out, width, height, VIPS_KERNEL_LANCZOS3, 2.0);
}

int pixels_resize(VipsImage *in, int width, int height, VipsImage **out)
{
    VipsObject *owner = VIPS_OBJECT(vips_image_new());
    VipsImage **t = (VipsImage **)vips_object_local_array(owner, 1);
    VipsImage *premultiplied;
    int result = resampled(owner, in, &premultiplied) || pixels_scale(premultiplied, &t[0], width, height) ||
                         straightened(owner, t[0], out)
                     ? -1
                     : 0;
    g_object_unref(owner);
    return result;
}

int pixels_rotate(VipsImage *in, double degrees, VipsImage **out)
{
    static const VipsAngle quarters[] = {VIPS_ANGLE_D0, VIPS_ANGLE_D90, VIPS_ANGLE_D180, VIPS_ANGLE_D270};
    if (fmod(degrees, 90) == 0) return vips_rot(in, out, quarters[((int)degrees / 90 % 4 + 4) % 4], NULL);
    VipsObject *owner = VIPS_OBJECT(vips_image_new());
    VipsImage **t = (VipsImage **)vips_object_local_array(owner, 1);
    VipsImage *premultiplied;
    VipsInterpolate *bicubic = vips_interpolate_new("bicubic");
    int result = bicubic == NULL || resampled(owner, in, &premultiplied) ||
                         vips_rotate(premultiplied, &t[0], degrees, "interpolate", bicubic, NULL) ||
                         straightened(owner, t[0], out)
                     ? -1
                     : 0;
    if (bicubic != NULL) g_object_unref(bicubic);
    g_object_unref(owner);
    return result;
}

int pixels_fade(VipsImage *in, double factor, VipsImage **out)
{
    double a[4] = {1, 1, 1, 1}, b[4] = {0, 0, 0, 0};
    a[in->Bands - 1] = factor;
    VipsImage *scaled, *rounded;
    if (vips_linear(in, &scaled, a, b, in->Bands, NULL)) return -1;
    int result = vips_rint(scaled, &rounded, NULL);
    g_object_unref(scaled);
    if (result) return -1;
    result = vips_cast(rounded, out, in->BandFmt, NULL);
    g_object_unref(rounded);
    return result;
}

/* Raises the pixels around (x, y) to what a soft disc of `value` there gives. */
static void stamp_disc(guchar *pixels, int width, int height, int x, int y, int value, const guchar *disc, int reach)
{
    int side = 2 * reach + 1;
    for (int dy = VIPS_MAX(-reach, -y); dy <= VIPS_MIN(reach, height - 1 - y); dy++) {
        guchar *row = pixels + (size_t)(y + dy) * (size_t)width;
        const guchar *weights = disc + (dy + reach) * side + reach;
        for (int dx = VIPS_MAX(-reach, -x); dx <= VIPS_MIN(reach, width - 1 - x); dx++) {
            int raised = value * weights[dx] / 255;
            if (raised > row[x + dx]) row[x + dx] = (guchar)raised;
        }
    }
}

/* The mask of `mask` grown by `radius`, at its own resolution. */
static int grow(VipsImage *mask, double radius, VipsImage **out)
{
    int width = mask->Xsize, height = mask->Ysize, reach = (int)ceil(radius + 1), side = 2 * reach + 1;
    const guchar *source = pixels_line(mask, 0);
    size_t size = (size_t)width * (size_t)height;
    guchar *disc = g_malloc((size_t)side * (size_t)side);
    guchar *grown = g_try_malloc(size);
    int result = -1;
    if (grown == NULL) {
        vips_error("watermark", "no memory for a stroke over %dx%d px", width, height);
        goto out;
    }
    for (int dy = -reach; dy <= reach; dy++) {
        for (int dx = -reach; dx <= reach; dx++) {
            double cover = radius + 1 - hypot(dx, dy); /* of the pixel there, by a pixel's disc */
            disc[(dy + reach) * side + dx + reach] = (guchar)lround(255 * VIPS_CLIP(0, cover, 1));
        }
    }
    memcpy(grown, source, size);
    for (int y = 0; y < height; y++) {
        const guchar *row = source + (size_t)y * (size_t)width;
        for (int x = 0; x < width; x++) {
            if (row[x] == 0) continue;
            /* A full pixel among full ones adds nothing that its neighbours don't: only the outline costs time. */
            bool inside = x > 0 && y > 0 && x < width - 1 && y < height - 1 && row[x] == 255 && row[x - 1] == 255 &&
                          row[x + 1] == 255 && row[x - width] == 255 && row[x + width] == 255;
            if (!inside) stamp_disc(grown, width, height, x, y, row[x], disc, reach);
        }
    }
    *out = vips_image_new_from_memory_copy(grown, size, width, height, 1, VIPS_FORMAT_UCHAR);
    result = *out == NULL ? -1 : 0;
out:
    g_free(grown);
    g_free(disc);
    return result;
}

int pixels_dilate(VipsImage *in, double radius, VipsImage **out)
{
    /* The time goes with the square of the radius; a wide stroke loses nothing by being made at a lower resolution. */
    double reduce = radius > WIDE_STROKE ? WIDE_STROKE / radius : 1;
    VipsObject *owner = VIPS_OBJECT(vips_image_new());
    VipsImage **t = (VipsImage **)vips_object_local_array(owner, 4);
    int result = -1;
    if (reduce == 1) {
        result = pixels_pull(in, &t[0]) || grow(t[0], radius, out) ? -1 : 0;
    } else if (!vips_resize(in, &t[0], reduce, NULL) && !pixels_pull(t[0], &t[1]) &&
               !grow(t[1], radius * reduce, &t[2]) && !pixels_scale(t[2], &t[3], in->Xsize, in->Ysize)) {
        result = pixels_pull(t[3], out);
    }
    g_object_unref(owner);
    return result;
}

bool pixels_grey(const VipsImage *rgba)
{
    enum { TOLERANCE = 2 }; /* what a colour conversion may leave behind */
    for (int y = 0; y < rgba->Ysize; y++) {
        const guchar *p = pixels_line(rgba, y);
        for (int x = 0; x < rgba->Xsize; x++, p += 4) {
            if (p[3] == 0) continue;
            int low = VIPS_MIN(p[0], VIPS_MIN(p[1], p[2])), high = VIPS_MAX(p[0], VIPS_MAX(p[1], p[2]));
            if (high - low > TOLERANCE) return false;
        }
    }
    return true;
}
