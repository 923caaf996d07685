/* SPDX-License-Identifier: Apache-2.0
 *
 * A picture before a background shows beside it: with alpha where the colour is not opaque, in colour where a grey
 * picture meets one that is not grey.
 */
#ifndef PLUGINS_COMMON_BACKGROUND_H
#define PLUGINS_COMMON_BACKGROUND_H

#include <vips/vips.h>

#include <pixmill/plugin.h>

/* `shape` with the bands that background_prepare() gives a picture of it. */
void background_shape(const PmColor *background, PmShape *shape);
/* `in` with these bands; lazy. New; NULL with libvips' message set. */
VipsImage *background_prepare(VipsImage *in, const PmColor *background);

#endif
