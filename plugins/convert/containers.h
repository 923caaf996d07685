/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a file keeps its EXIF block: put in, replaced or taken out without touching a pixel.
 */
#ifndef CONTAINERS_H
#define CONTAINERS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Whether a block can be put into files of the format: jpeg, png, webp. */
bool container_has_exif(const char *format);

/* The file with this EXIF block (with EXIF_PREFIX; NULL: none) in place of the one it has. As encoders write
 * them; out of an avif, too. New, g_byte_array_free() it; NULL for other formats, and when the block does not fit
 * (65,533 bytes in a jpeg). */
GByteArray *container_set_exif(const char *format, const void *bytes, size_t size, const void *exif, size_t exif_size);

#endif
