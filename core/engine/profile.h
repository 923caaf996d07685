/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether an ICC profile can be used, known from its bytes alone (ICC.1:2022, 7 and 10): libvips tells only when pixels
 * are converted, and then takes sRGB for some pictures and refuses others. Touches no pixel and no library.
 */
#ifndef PM_ENGINE_PROFILE_H
#define PM_ENGINE_PROFILE_H

#include <stdbool.h>
#include <stddef.h>

typedef enum PmProfileUse {
    PM_PROFILE_KEEP,    /* describes the pixels, for every step and every encoder */
    PM_PROFILE_CONVERT, /* describes the pixels, but not every step or encoder would take it: convert to sRGB */
    PM_PROFILE_DROP,    /* says nothing about these pixels that could be used */
} PmProfileUse;

typedef struct PmProfile {
    PmProfileUse use;
    size_t size;     /* of the profile itself, without what a file may have after it */
    bool perceptual; /* has no relative colorimetric rendering: its perceptual one is to be used */
    char why[160];   /* unless KEEP: "it is for RGB pictures" */
} PmProfile;

/* Judges the profile of a picture with that many colours: 1 grey, 3 RGB, 4 CMYK (always converted, so never KEEP). */
PmProfile pm_profile_judge(const void *bytes, size_t size, int colours);

#endif
