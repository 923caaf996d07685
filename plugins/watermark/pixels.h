/* SPDX-License-Identifier: Apache-2.0
 *
 * Small operations on pixels that libvips has no single call for. All images are straight (not premultiplied) unless
 * said otherwise. Every function returns 0 and a new reference in *out, or -1 with libvips' error set.
 */
#ifndef WATERMARK_PIXELS_H
#define WATERMARK_PIXELS_H

#include "watermark.h"

/* Bytes that the pixels take. */
size_t pixels_bytes(const VipsImage *image);

/* The first byte of a line of an image in memory. (libvips' own macros for that mix signs.) */
const guchar *pixels_line(const VipsImage *image, int y);

/* An image in memory with the pixels, and nothing of the metadata, of `in`, computed on the calling thread. create()
 * runs before the worker forks, and a libvips that has started threads of its own hangs in a forked child. */
int pixels_pull(VipsImage *in, VipsImage **out);

/* To just that size, in place; RGBA, 8 bit, whose transparent pixels keep to themselves; or of any bands, such as a
 * mask. */
int pixels_resize(VipsImage *in, int width, int height, VipsImage **out);
int pixels_scale(VipsImage *in, VipsImage **out, int width, int height);

/* RGBA, 8 bit, turned clockwise; grows to hold the corners, which are transparent. */
int pixels_rotate(VipsImage *in, double degrees, VipsImage **out);

/* Alpha times `factor`, 0..1. */
int pixels_fade(VipsImage *in, double factor, VipsImage **out);

/* A mask (one band, 8 bit) grown by a disc of `radius` px with a soft edge; in memory, of the same size. */
int pixels_dilate(VipsImage *in, double radius, VipsImage **out);

/* True when every visible pixel of an RGBA memory image is grey. */
bool pixels_grey(const VipsImage *rgba);

#endif
