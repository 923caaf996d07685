/* SPDX-License-Identifier: Apache-2.0
 *
 * The size that an image claims, read from its first bytes without a codec: a 57-byte PNG makes libpng take a
 * gigabyte before libvips reports the width. Hides where each format keeps its size. Pure.
 */
#ifndef PM_ENGINE_PEEK_H
#define PM_ENGINE_PEEK_H

#include <stdint.h>

#include "pipeline/sniff.h"

typedef struct PmPeek {
    int64_t width, height; /* px, as stored: before EXIF orientation; 0: unknown */
    int64_t pages;         /* frames of a WebP or directories of a TIFF that the file holds, whatever its header claims;
                              0: unknown */
} PmPeek;

/* True when anything is found. False says nothing against the image: the format keeps it out of easy reach (HEIF, JPEG
 * XL, SVG, PDF), or the header is damaged and the codec will say so. Takes time by the number of pages, never more. */
bool pm_peek(PmFormat format, const void *bytes, size_t size, PmPeek *out);

#endif
