/* SPDX-License-Identifier: Apache-2.0
 *
 * A picture's file written anew around the same coded pixels: segments of a JPEG, chunks of a PNG or WebP are copied,
 * left out, or taken from another file. Hides the three containers. Knows neither libvips nor a codec: what is copied
 * has the structure that a decoder needs, and the caller decodes where that is not enough.
 */
#ifndef PM_ENGINE_LOSSLESS_H
#define PM_ENGINE_LOSSLESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/sniff.h"

typedef struct PmLosslessBytes {
    const uint8_t *at; /* borrowed */
    size_t size;
} PmLosslessBytes;

/* Where the new file goes, piece by piece. False ends it. */
typedef struct PmLosslessOut {
    bool (*write)(void *data, const void *bytes, size_t size);
    void *data;
} PmLosslessOut;

/* NULL, or why the coded pixels of this file are not copied: cut short, of a kind that few programs read, or another
 * format than those three. */
const char *pm_lossless_judge(PmFormat format, PmLosslessBytes source);

/* Whether the structure alone tells a file that is cut short, as far as the decoder does. For the others pixels are to
 * be decoded as a check. */
bool pm_lossless_judges_fully(PmFormat format);

/* A file with the coded pixels of `source`, all frames of an animated WebP included, and the metadata of `donor`, a
 * file of the same format whose pixels do not matter. An `orientation` from 2 to 8 is set in its EXIF (JPEG only).
 * False: a write failed, or one of the files is not what pm_lossless_judge lets pass. */
bool pm_lossless_write(PmFormat format, PmLosslessBytes source, PmLosslessBytes donor, int orientation,
                       const PmLosslessOut *out);

/* --- one a container; for lossless.c --- */

const char *pm_lossless_jpeg_judge(PmLosslessBytes source);
bool pm_lossless_jpeg_write(PmLosslessBytes source, PmLosslessBytes donor, int orientation, const PmLosslessOut *out);
const char *pm_lossless_png_judge(PmLosslessBytes source);
bool pm_lossless_png_write(PmLosslessBytes source, PmLosslessBytes donor, const PmLosslessOut *out);
const char *pm_lossless_webp_judge(PmLosslessBytes source);
bool pm_lossless_webp_write(PmLosslessBytes source, PmLosslessBytes donor, const PmLosslessOut *out);

enum { PM_LOSSLESS_EXIF_MAX = 0xffff - 2 }; /* what a segment of a JPEG holds */

/* An EXIF block ("Exif", two zeros, a TIFF) with this orientation in its first directory. `block` may be empty, or
 * unreadable, which then is left out. Into `out` of PM_LOSSLESS_EXIF_MAX bytes; its size. 0: there is no room. */
size_t pm_lossless_set_orientation(PmLosslessBytes block, int orientation, uint8_t *out);

#endif
