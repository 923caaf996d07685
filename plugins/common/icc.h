/* SPDX-License-Identifier: Apache-2.0
 *
 * Pixels of an ICC profile as pixels of sRGB. Recognises sRGB's own profile, so that nothing is computed for it.
 */
#ifndef PLUGINS_COMMON_ICC_H
#define PLUGINS_COMMON_ICC_H

#include <vips/vips.h>

/* `in` in sRGB (grey stays grey, but with sRGB's curve) and without its profile; no pixel is touched when the profile
 * is sRGB's own. New, lazy; NULL with libvips' message when it has none, or one that can't be used. */
VipsImage *icc_to_srgb(VipsImage *in);

#endif
