/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of strip-metadata share. The rule of the house: nothing is taken out of a blob by editing it in
 * place; what may stay is read, checked and written anew, and the blob is dropped. Unknown fields go.
 */
#ifndef STRIP_H
#define STRIP_H

#include <vips/vips.h>

#include <pixmill/plugin.h>

#include "../common/exif.h"

enum { KEEP_ICC = 1, KEEP_COPYRIGHT = 2, KEEP_EXIF = 4, KEEP_GPS = 8, KEEP_XMP = 16, KEEP_IPTC = 32 };

typedef enum IccMode { ICC_CONVERT, ICC_KEEP, ICC_STRIP } IccMode;

/* Blobs beyond this are dropped rather than read. */
enum { BLOB_MAX = 1024 * 1024 };

/* Removes every metadata field of `image` that neither `keep` nor `tags` (EXIF tag names) allows. Blobs that are kept
 * in part (EXIF, XMP, IPTC) are replaced; the ICC profile is left alone. */
void fields_strip(VipsImage *image, unsigned keep, const PmList *tags);

/* The packet with properties that are known to reveal no position and no place, or with the rights only; new text,
 * g_free() it; NULL when nothing is left or it can't be read. */
char *xmp_without_positions(const char *packet, size_t size);
char *xmp_rights(const char *packet, size_t size);

/* An IPTC block in the container that it came in ("Photoshop 3.0" resources, or bare records), holding IPTC records
 * only: with KEEP_IPTC what describes the picture, with KEEP_GPS the names of places too, with neither by-line, credit
 * and copyright notice. New bytes, g_free() them, or NULL. */
void *iptc_filter(const void *block, size_t size, unsigned keep, size_t *out_size);

/* The entries of an EXIF block that `keep` and `names` (of tags) allow, byte for byte; see exif_copy(). */
void *exif_filter(const void *block, size_t size, unsigned keep, const PmList *names, size_t *out_size);
/* The same question about one of libvips' fields, "exif-ifd0-Make". */
bool exif_field_is_wanted(const char *field, unsigned keep, const PmList *names);
bool exif_tag_is_known(const char *name);

#endif
