/* SPDX-License-Identifier: Apache-2.0
 *
 * CMYK without a profile. Hides which press is assumed, and that its black is not quite black.
 */
#ifndef PM_ENGINE_CMYK_H
#define PM_ENGINE_CMYK_H

#include <stdbool.h>

#include <vips/vips.h>

/* Ink of 8 or 16 bits a sample, with alpha or not, as sRGB of 8 bits; lazy but for three pixels of its own, which no
 * thread of libvips computes. *out is new. False with libvips' message set. */
bool pm_cmyk_to_srgb(VipsImage *in, VipsImage **out);

#endif
