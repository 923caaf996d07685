/* SPDX-License-Identifier: Apache-2.0
 *
 * What containers say of the numbers of a picture beside an ICC profile, which libvips passes over: code points of
 * ITU-T H.273 (HEIF's and AVIF's `nclx`, PNG's cICP), PNG's gAMA and cHRM, premultiplied transparency. Pure.
 */
#ifndef PM_ENGINE_SIGNAL_H
#define PM_ENGINE_SIGNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "pipeline/sniff.h"

enum { PM_PRIMARIES_BT709 = 1, PM_UNSPECIFIED = 2, PM_TRANSFER_SRGB = 13 };

typedef struct PmSignal {
    bool coded;             /* primaries and transfer were given */
    unsigned primaries;     /* H.273, 8.1 */
    unsigned transfer;      /* H.273, 8.2 */
    double gamma;           /* of PNG: the exponent that decodes, 2.2; 0: not given */
    bool has_xy;            /* of PNG */
    double xy[4][2];        /* white, red, green, blue */
    bool alpha;             /* HEIF: the picture has a plane of transparency .. */
    bool premultiplied;     /* .. by which its colours are multiplied */
    bool overrides_profile; /* PNG: cICP comes before an ICC profile */
} PmSignal;

/* Reads no further than the container's head. What is damaged counts as not given. */
PmSignal pm_signal_read(PmFormat format, const void *bytes, size_t size);

#endif
