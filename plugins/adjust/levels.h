/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the darkest and the lightest samples of a picture lie.
 */
#ifndef ADJUST_LEVELS_H
#define ADJUST_LEVELS_H

#include <vips/vips.h>

typedef struct Levels {
    double low, high; /* 0..1 of the samples' range */
} Levels;

/* Reads all pixels. `low`: the least, over the colours, of what 0.5% of a colour's samples lie below; `high` likewise.
 * 0 and 1 where they lie so near to each other that the picture shows nothing to stretch. Clear pixels are not counted.
 * Nonzero with libvips' message set. */
int levels_find(VipsImage *in, Levels *levels);

#endif
