/* SPDX-License-Identifier: Apache-2.0
 *
 * EXIF blocks: TIFF directories of tagged values (CIPA DC-008, Exif 2.32). Reads one, checked throughout, and writes
 * the entries that may stay into a new one, their bytes as they were: no value goes through text.
 */
#ifndef PLUGINS_COMMON_EXIF_H
#define PLUGINS_COMMON_EXIF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ExifDirectory {
    EXIF_PICTURE, /* IFD0 */
    EXIF_SHOT,    /* the Exif IFD */
    EXIF_GPS,
    EXIF_INTEROP,
    EXIF_DIRECTORIES
} ExifDirectory;

enum { EXIF_ORIENTATION = 0x0112 };

/* Whether an entry may stay. Never asked about pointers to directories, nor about the thumbnail, which always goes. */
typedef bool ExifKeep(void *data, ExifDirectory directory, unsigned tag);

/* What libvips prepends to a block from a JPEG, and what exif_copy() begins with. */
#define EXIF_PREFIX "Exif\0"
enum { EXIF_PREFIX_SIZE = 6 };

/* Name of a field of an image, an integer: its EXIF block is to be written as it is. libvips would take it apart and
 * write what it understands of it through text, which changes values. */
#define PM_EXIF_EXACT "pixmill-exif-exact"

/* Name of a field of an image, an integer: its XMP and IPTC were kept on purpose, so that their loss is worth a word.
 */
#define PM_KEPT "pixmill-kept"

/* The kept entries of `block` (with or without the prefix) as a new block with the prefix; g_free() it. NULL when none
 * is kept or the block is no EXIF. What is damaged in it is left out. */
void *exif_copy(const void *block, size_t size, ExifKeep *keep, void *data, size_t *out_size);

#endif
