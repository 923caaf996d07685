/* SPDX-License-Identifier: Apache-2.0
 *
 * A picture turned by any angle, between the corners of the result: resampled, alpha handled.
 */
#ifndef ROTATE_PIXELS_H
#define ROTATE_PIXELS_H

#include <vips/vips.h>

#include <pixmill/plugin.h>

/* `in` turned clockwise by `degrees` about its middle, which becomes the middle of width x height px of `background`;
 * lazy. The picture has the bands that the background asks for. New; NULL with libvips' message set. */
VipsImage *pixels_turn(VipsImage *in, double degrees, int width, int height, const PmColor *background);

#endif
