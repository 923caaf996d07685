/* SPDX-License-Identifier: Apache-2.0
 *
 * Masks with round corners.
 */
#ifndef BORDER_CORNERS_H
#define BORDER_CORNERS_H

#include <vips/vips.h>

/* One 8-bit band of width x height px: 255 within the rectangle whose corners are quarters of a circle of `radius` px,
 * 0 outside, soft on the line. Lazy. New; NULL with libvips' message set. */
VipsImage *corners_mask(int width, int height, double radius);

#endif
