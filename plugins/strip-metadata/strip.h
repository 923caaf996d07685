/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of strip-metadata share. The rule of the house: nothing is taken out of a blob by editing it in
 * place; what may stay is read, checked and written anew, and the blob is dropped. Unknown fields go.
 */
#ifndef STRIP_H
#define STRIP_H

#include <vips/vips.h>

#include <pixmill/plugin.h>

enum { KEEP_ICC = 1, KEEP_COPYRIGHT = 2, KEEP_EXIF = 4, KEEP_GPS = 8, KEEP_XMP = 16, KEEP_IPTC = 32 };

typedef enum IccMode { ICC_CONVERT, ICC_KEEP, ICC_STRIP } IccMode;

/* Blobs beyond this are dropped rather than read. */
enum { BLOB_MAX = 1024 * 1024 };

/* Removes every metadata field of `image` that neither `keep` nor `tags` (EXIF tag names) allows. Blobs that are kept
 * in part (EXIF, XMP, IPTC) are replaced; the ICC profile is left alone. */
void fields_strip(VipsImage *image, unsigned keep, const PmList *tags);

/* The packet without positions (GPS properties), or with the rights only; new text, g_free() it; NULL when nothing is
 * left or it can't be read. */
char *xmp_without_gps(const char *packet, size_t size);
char *xmp_rights(const char *packet, size_t size);

/* An IPTC block in the container that it came in ("Photoshop 3.0" resources, or bare records), holding IPTC records
 * only, and with `rights_only` of those by-line, credit and copyright notice. New bytes, g_free() them, or NULL. */
void *iptc_filter(const void *block, size_t size, bool rights_only, size_t *out_size);

/* `in` in sRGB (grey stays grey, but with sRGB's curve) and without its profile; no pixel is touched when the profile
 * is sRGB's own. New; NULL with libvips' message when the profile can't be used. */
VipsImage *icc_to_srgb(VipsImage *in);

#endif
