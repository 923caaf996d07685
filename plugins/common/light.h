/* SPDX-License-Identifier: Apache-2.0
 *
 * Pixel by pixel in linear light: samples of sRGB (IEC 61966-2-1) are decoded, changed and encoded again. Alpha stays.
 * Every result depends on its own pixel alone, so that pictures are read in any order, and in parts.
 */
#ifndef PLUGINS_COMMON_LIGHT_H
#define PLUGINS_COMMON_LIGHT_H

#include <stddef.h>

#include <vips/vips.h>

/* The share of red, green and blue in the luminance of sRGB. */
#define LIGHT_RED   0.2126
#define LIGHT_GREEN 0.7152
#define LIGHT_BLUE  0.0722

/* sRGB's curve and its inverse, 0..1. */
double light_decode(double coded);
double light_encode(double light);

/* Changes `count` pixels, red, green and blue as linear light, 1 is white; those of a grey picture are three equal
 * parts. What leaves 0..1 is cut off afterwards. Called from any thread. */
typedef void LightMap(float (*light)[3], int count, const void *data);
/* A sample, 0..1 on sRGB's curve, into another. */
typedef double LightCurve(double coded, const void *data);

typedef struct LightWork {
    LightCurve *before; /* of the samples as they are; NULL: none */
    LightMap *map;      /* NULL: none */
    LightCurve *after;  /* of what comes out of `map`, cut off to 0..1; NULL: none */
    const void *data;   /* for all three; copied */
    size_t size;
    int colours; /* bands of the result without alpha: 1 or 3 */
} LightWork;

/* Computes what all pictures share. Call it in create(), before light_apply(). */
void light_setup(void);

/* `in`, 8 or 16 bits of sRGB or grey, without a profile, as `work` changes it. New, lazy; NULL with libvips' message
 * set. */
VipsImage *light_apply(VipsImage *in, const LightWork *work);

/* `in` without a profile: in sRGB, grey stays grey. A profile that can't be used is taken for sRGB's. New, lazy; NULL
 * with libvips' message set. */
VipsImage *light_open(VipsImage *in);

#endif
