/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the watermark goes and how large it is: arithmetic only, no pixels. Hides gravity names, percentages and
 * the bounds that keep a watermark inside the picture.
 */
#ifndef WATERMARK_LAYOUT_H
#define WATERMARK_LAYOUT_H

#include "watermark.h"

typedef struct Anchor {
    double x, y; /* 0 left or top .. 1 right or bottom */
    bool focal;  /* of the picture, for the watermark's centre; else of the room that the watermark leaves free */
} Anchor;

/* The picture that is marked. */
typedef struct Canvas {
    int width, height; /* px of one page, as it arrives */
    double ratio;      /* its size in proportion to the full decode, 0..1: px parameters shrink with it */
} Canvas;

/* Nine compass names or "x,y" with both in 0..1. false: neither. */
bool layout_gravity(const char *text, Anchor *anchor);

/* Pixels of a length; percent counts from `whole`. */
double layout_px(PmLength length, const Canvas *canvas, double whole);

/* The side that percentages of size, margin and spacing count from: the shorter one. */
double layout_side(const Canvas *canvas);

/* Pixels of margin on each side, at most a quarter of the shorter side so that room is always left. */
double layout_margin(const Config *config, const Canvas *canvas);

/* The factor that a watermark of width x height (px before turning) must shrink by, 0..1, to lie within the margins
 * after it is turned by `degrees`. */
double layout_fit(const Config *config, const Canvas *canvas, double width, double height, double degrees);

/* Top left corner, px, of a finished watermark of width x height. May lie outside the picture by the offsets. */
void layout_place(const Config *config, const Canvas *canvas, Anchor anchor, int width, int height, int *left,
                  int *top);

#endif
