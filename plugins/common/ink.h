/* SPDX-License-Identifier: Apache-2.0
 *
 * A colour of a setting as samples of a picture. Settings name colours of sRGB; a picture with a profile of its own
 * has other numbers for them.
 */
#ifndef PLUGINS_COMMON_INK_H
#define PLUGINS_COMMON_INK_H

#include <vips/vips.h>

#include <pixmill/plugin.h>

/* `color` in the samples of `image`, 8 or 16 bits: of its first `count` bands, grey or RGB and maybe alpha. Grey takes
 * a colour of equal parts. A profile that can't be used is taken for sRGB's. */
VipsArrayDouble *ink_of(const PmColor *color, VipsImage *image, int count);

#endif
