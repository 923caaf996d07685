/* SPDX-License-Identifier: Apache-2.0
 *
 * What the three files of the resize plugin share: the settings, the arithmetic of sizes (geometry.c, no image
 * in sight) and the work on pixels (pixels.c).
 */
#ifndef RESIZE_H
#define RESIZE_H

#include <vips/vips.h>

#include <pixmill/plugin.h>

#include "../common/gravity.h"

typedef enum Fit { FIT_COVER, FIT_CONTAIN, FIT_FILL, FIT_INSIDE, FIT_OUTSIDE } Fit;
typedef enum Quality { QUALITY_FAST, QUALITY_BALANCED, QUALITY_BEST } Quality;

typedef struct Config {
    int64_t width, height; /* 0: not given */
    double scale;          /* 0: not given */
    int32_t fit, kernel, quality;
    const char *gravity;
    bool enlarge;
    PmColor background;
} Config;

/* What becomes of a source of a given size: scaled first, then cut or padded to the result. All px of one page. */
typedef struct Geometry {
    int scaled_width, scaled_height;
    int width, height;
} Geometry;

/* False when a side would exceed what libvips can hold; `geometry` is filled in all the same. */
bool geometry_of(const Config *config, int source_width, int source_height, Geometry *geometry);

/* The picture at width x height, alpha handled; lazy. New; NULL with libvips' message set. */
VipsImage *pixels_scale(VipsImage *in, int width, int height, const Config *config);

/* The picture with bars around it. */
VipsImage *pixels_pad(VipsImage *in, const Geometry *geometry, const Gravity *gravity, const PmColor *background);

/* Every page scaled and cut to the geometry, from x, y on, the place chosen on the first page; in memory. New or
 * NULL. */
VipsImage *pixels_smart(VipsImage *in, const Geometry *geometry, const Gravity *gravity, const Config *config, int *x,
                        int *y);

#endif
