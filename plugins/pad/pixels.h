/* SPDX-License-Identifier: Apache-2.0
 *
 * A picture with something around it.
 */
#ifndef PAD_PIXELS_H
#define PAD_PIXELS_H

#include <vips/vips.h>

#include <pixmill/plugin.h>

/* Where the picture lies in the result, px. */
typedef struct Canvas {
    int left, top, width, height;
} Canvas;

/* All lazy. New; NULL with libvips' message set. The first has the bands that the background asks for. */
VipsImage *pixels_on_colour(VipsImage *in, const Canvas *canvas, const PmColor *background);
VipsImage *pixels_extend(VipsImage *in, const Canvas *canvas, VipsExtend how);
/* On itself: blurred beyond detail, and as large as covers the canvas. */
VipsImage *pixels_on_blur(VipsImage *in, const Canvas *canvas);

#endif
