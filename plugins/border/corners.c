// SPDX-License-Identifier: Apache-2.0
#include "corners.h"

#include <math.h>

typedef struct Mask {
    double radius;
} Mask;

/* From the nearer edge to the middle of the pixel. */
static double depth(int at, int side)
{
    return fmin(at, side - 1 - at) + 0.5;
}

/* How much of the pixel lies inside, 0 to 1: by how far its middle is from the line. */
static double coverage(const Mask *mask, int x, int y, int width, int height)
{
    double dx = mask->radius - depth(x, width), dy = mask->radius - depth(y, height);
    if (dx <= 0 || dy <= 0) return 1;
    return fmax(0, fmin(1, mask->radius - hypot(dx, dy) + 0.5));
}

static int generate(VipsRegion *out, void *sequence, void *a, void *b, gboolean *stop)
{
    const Mask *mask = b;
    const VipsRect *piece = &out->valid;
    (void)sequence, (void)a, (void)stop;
    for (int y = piece->top; y < piece->top + piece->height; y++) {
        VipsPel *p = out->data + (size_t)(y - piece->top) * (size_t)out->bpl;
        for (int x = piece->left; x < piece->left + piece->width; x++)
            *p++ = (VipsPel)(coverage(mask, x, y, out->im->Xsize, out->im->Ysize) * 255 + 0.5);
    }
    return 0;
}

VipsImage *corners_mask(int width, int height, double radius)
{
    VipsImage *image = vips_image_new();
    Mask *mask = VIPS_NEW(image, Mask); /* lives as long as the image */
    mask->radius = radius;
    vips_image_init_fields(image, width, height, 1, VIPS_FORMAT_UCHAR, VIPS_CODING_NONE, VIPS_INTERPRETATION_B_W, 1, 1);
    if (vips_image_pipelinev(image, VIPS_DEMAND_STYLE_THINSTRIP, NULL) ||
        vips_image_generate(image, NULL, generate, NULL, NULL, mask)) {
        g_object_unref(image);
        return NULL;
    }
    return image;
}
