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
    int64_t width, height; /* px, as stored: before EXIF orientation */
} PmPeek;

/* True when the size is found. False says nothing against the image: the format keeps it out of easy reach (TIFF,
 * HEIF, JPEG XL, SVG, PDF), or the header is damaged and the codec will say so. */
bool pm_peek(PmFormat format, const void *bytes, size_t size, PmPeek *out);

#endif
