/* SPDX-License-Identifier: Apache-2.0
 *
 * What plugins see of a decoded picture's samples: 8 or 16 unsigned bits, grey or RGB. Hides CMYK, Lab, bands without a
 * meaning, and the sample types that a TIFF may have.
 */
#ifndef PM_ENGINE_COLOURS_H
#define PM_ENGINE_COLOURS_H

#include <vips/vips.h>

#include <pixmill/plugin.h>

#include "base/error.h"
#include "pipeline/sniff.h"

/* True when the colours of such an image are converted to sRGB in 8 bits: CMYK, Lab, scRGB, bands without a meaning. */
bool pm_colours_convert(const VipsImage *image);

/* PM_BAD_INPUT, naming the samples, for those without an agreed meaning as brightness: signed and complex ones. */
PmStatus pm_colours_check(const VipsImage *image, PmFormat format, PmError *err);

/* Bands, interpretation, band format and profile of what pm_colours_apply() makes of an image with this header. */
void pm_colours_shape(const VipsImage *image, PmShape *shape);

/* Replaces *image by the picture that plugins see; lazy. False with libvips' message set, *image is still owned. */
bool pm_colours_apply(VipsImage **image);

#endif
