/* SPDX-License-Identifier: Apache-2.0
 *
 * `gravity` as steps take it: nine names of places, a point to keep in the middle, or libvips' own search.
 */
#ifndef PLUGINS_COMMON_GRAVITY_H
#define PLUGINS_COMMON_GRAVITY_H

#include <stdbool.h>

#include <vips/vips.h>

/* Where the picture and its box lie to each other: which part is kept, or where the bars go. */
typedef struct Gravity {
    bool smart;                  /* libvips looks for the place */
    VipsInteresting interesting; /* when smart */
    double x, y;                 /* otherwise: 0 left, top .. 1 right, bottom */
    bool focal;                  /* x, y is a point of the picture to keep in the middle, not a share of the rest */
} Gravity;

/* False when `text` is neither a name nor a point such as "0.3,0.7", both from 0 to 1. */
bool gravity_parse(const char *text, Gravity *gravity);
/* Start of a `size` long stretch that lies at gravity `at` (its x or y) in a `whole` long one. A stretch that is longer
 * than the whole starts at 0 or before it. */
int gravity_offset(const Gravity *gravity, double at, int whole, int size);
/* Where a smart gravity cuts `page`, in memory, to width x height. Nonzero with libvips' message set. */
int gravity_search(const Gravity *gravity, VipsImage *page, int width, int height, int *x, int *y);

#endif
