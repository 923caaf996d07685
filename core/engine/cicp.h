/* SPDX-License-Identifier: Apache-2.0
 *
 * An ICC profile for colours that are told by code points or by PNG's numbers, so that every step and encoder
 * understands them. Hides matrices, curves and how high dynamic range is fitted into sRGB.
 */
#ifndef PM_ENGINE_CICP_H
#define PM_ENGINE_CICP_H

#include <stdint.h>

#include "engine/signal.h"

enum { PM_CICP_PROFILE_MAX = 12288 };

typedef enum PmCicp {
    PM_CICP_SRGB,    /* sRGB, or nothing is known that says otherwise: no profile is needed */
    PM_CICP_PROFILE, /* another space of standard dynamic range */
    PM_CICP_HDR,     /* PQ or HLG; the profile's curves end at the white of a screen */
    PM_CICP_UNKNOWN, /* a curve or primaries that are not known here */
} PmCicp;

/* What the signal means for a grey or RGB picture; *size bytes are written for PROFILE and HDR. */
PmCicp pm_cicp_profile(const PmSignal *signal, bool grey, uint8_t out[PM_CICP_PROFILE_MAX], size_t *size);

#endif
