/* SPDX-License-Identifier: Apache-2.0
 *
 * What plugins see of a decoded picture's samples: 8 or 16 unsigned bits, grey or RGB, with alpha or not, and with a
 * profile that they and the encoders can use or none. Hides CMYK, Lab, bands without a meaning, the sample types that a
 * TIFF may have, and profiles that are damaged, meant for other pictures, or of a kind that few programs read.
 */
#ifndef PM_ENGINE_COLOURS_H
#define PM_ENGINE_COLOURS_H

#include <vips/vips.h>

#include <pixmill/plugin.h>

#include "base/error.h"
#include "pipeline/sniff.h"

enum { PM_COLOURS_NOTES = 4 };

/* What a source's header tells of its colours, and so what is done with them. */
typedef struct PmColours {
    bool converts;        /* to sRGB: CMYK, Lab, scRGB, bands without a meaning, profiles that cannot stay */
    bool by_profile;      /* grey or RGB that is converted, by its profile */
    bool perceptual;      /* the intent that the profile has; otherwise relative colorimetric */
    bool changes_profile; /* to `profile`, whatever the codec finds */
    bool premultiplied;   /* colours are to be divided by their alpha */
    const void *profile;  /* in the header's image, which outlives this; NULL: none */
    size_t profile_size;
    int bands; /* that stay, alpha included */
    /* For the operator: "the colour profile is left out: it is for RGB pictures" */
    char notes[PM_COLOURS_NOTES][240];
    size_t note_count;
} PmColours;

/* Reads the header of these bytes; no pixel is computed. PM_BAD_INPUT, naming the samples, for those without an agreed
 * meaning as brightness: signed and complex ones. `image` is borrowed and outlives `out`; it is given the profile that
 * the container's code points stand for. */
PmStatus pm_colours_read(PmColours *out, VipsImage *image, PmFormat format, const void *bytes, size_t size,
                         PmError *err);

/* Bands, interpretation, band format and profile of what pm_colours_apply() makes of an image with this header. */
void pm_colours_shape(const PmColours *colours, const VipsImage *image, PmShape *shape);

/* Replaces *image, which is nobody else's, by the picture that plugins see; lazy. False with libvips' message set,
 * *image is still owned. */
bool pm_colours_apply(const PmColours *colours, VipsImage **image);

#endif
