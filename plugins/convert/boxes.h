/* SPDX-License-Identifier: Apache-2.0
 *
 * EXIF out of files that are made of boxes (ISO/IEC 14496-12 and 23008-12), as libheif writes them.
 */
#ifndef CONVERT_BOXES_H
#define CONVERT_BOXES_H

#include <glib.h>
#include <stdint.h>

/* The file without its EXIF item: entry, place, reference and bytes. New, g_byte_array_free() it; NULL where there is
 * none, or where the file is laid out in a way that libheif does not write. */
GByteArray *boxes_without_exif(const uint8_t *data, size_t size);

#endif
