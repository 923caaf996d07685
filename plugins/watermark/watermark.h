/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the watermark plugin share: the step's configuration.
 */
#ifndef WATERMARK_H
#define WATERMARK_H

#include <vips/vips.h>

#include <pixmill/plugin.h>

typedef struct Config {
    const char *image, *text;
    const char *font;
    PmLength size;
    PmColor color;
    int32_t align;
    PmLength stroke_width;
    PmColor stroke_color;
    PmLength shadow;
    PmColor shadow_color;
    const char *gravity;
    PmLength offset_x, offset_y, margin;
    double scale, opacity, rotate;
    bool tile;
    PmLength spacing;
    int32_t blend;
} Config;

#endif
