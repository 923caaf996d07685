/* SPDX-License-Identifier: Apache-2.0
 *
 * A JPEG that tells everything: EXIF with thumbnail, maker note and position, XMP, IPTC, a profile. Every text in it
 * is one of the constants below, so that a test can look for it among the bytes of a result.
 */
#ifndef TESTS_PLUGINS_METADATA_H
#define TESTS_PLUGINS_METADATA_H

#include "harness.h"

/* New bytes, g_free() them. `profile`: "srgb", "p3" or NULL; the pixels are red 230, green 60, blue 40 in sRGB. */
void *metadata_jpeg(const char *profile, size_t *size);

/* The pieces, as libvips holds them. */
extern const char metadata_xmp[];
void *metadata_exif(size_t *size); /* new */
void *metadata_iptc(size_t *size); /* new */

bool bytes_contain(const void *bytes, size_t size, const char *text);

#endif
