/* SPDX-License-Identifier: Apache-2.0
 *
 * Pictures that HEVC encodes in a HEIF container (HEIC, what iPhones make), by libheif and libde265: libvips' own
 * loader lacks HEVC where libvips is prebuilt. Hides libheif. docs/decisions/heic.md tells why, and what is built how.
 */
#ifndef PM_ENGINE_HEIC_H
#define PM_ENGINE_HEIC_H

#include <stdbool.h>
#include <vips/vips.h>

/* Once per process, before children are forked: looks for the decoder. */
void pm_heic_setup(void);

/* True when there is one. */
bool pm_heic_works(void);

/* "1.15.1", or "" without libheif. */
const char *pm_heic_version(void);

/* True when the primary picture of these bytes is coded with HEVC. */
bool pm_heic_is(const void *bytes, size_t size);

/* False, with libvips' message set, for a file that no reader of HEIF should be given. For AVIF, too. */
bool pm_heic_is_sound(const void *bytes, size_t size);

/* After libvips' own loader has failed with the file: replaces its message where the codec is one that it lacks. */
void pm_heic_explain(const void *bytes, size_t size);

/* The primary picture, RGB or RGBA of 8 or 16 bits, rotated, mirrored and cropped as the file says, with its ICC
 * profile, EXIF and XMP. The header is read now; pixels are decoded, all of them, when the first of them is asked for,
 * and stay in memory as long as the image. `bytes` are borrowed as long. New; NULL with libvips' message set. */
VipsImage *pm_heic_open(const void *bytes, size_t size);

#endif
