/* SPDX-License-Identifier: Apache-2.0
 *
 * The watermark as it is laid on one size and kind of picture: sized, stroked, turned, faded, and in the picture's own
 * colours and depth. Hides all that happens between the operator's asset or text and vips_composite2().
 */
#ifndef WATERMARK_STAMP_H
#define WATERMARK_STAMP_H

#include "layout.h"
#include "text.h"

/* What the picture's pixels are. */
typedef struct Medium {
    bool grey;           /* one colour band */
    bool deep;           /* 16 bit */
    const void *profile; /* ICC, borrowed; NULL: sRGB or plain grey */
    size_t profile_size;
} Medium;

/* From the asset (8-bit RGBA). All return 0 with a new reference, or -1 with libvips' error. */
int stamp_of_image(const Config *config, const Canvas *canvas, VipsImage *rgba, VipsImage **out);

/* From a mask of text, drawn at em_px to the em: fill, stroke and shadow as RGBA. */
int stamp_of_text(const Config *config, const Canvas *canvas, VipsImage *mask, int em_px, VipsImage **out);

/* RGBA into the colours of `medium`: its bands and alpha, its depth, its profile. Without metadata. */
int stamp_for_medium(VipsImage *rgba, const Medium *medium, VipsImage **out);

/* True when config's own colours, those it uses for text, are all grey. */
bool stamp_text_grey(const Config *config);

#endif
