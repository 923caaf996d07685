/* SPDX-License-Identifier: Apache-2.0
 *
 * The EXIF of a TIFF, which lies in the file's own directories, where libvips does not look for it: the tags of the
 * first directory that tell of the picture, and the directories of the shot and of the place, as a block of the form
 * that JPEG has. Never what says where and how the pixels lie. Pure.
 */
#ifndef PM_ENGINE_TIFF_EXIF_H
#define PM_ENGINE_TIFF_EXIF_H

#include <stddef.h>
#include <stdint.h>

/* What one segment of a JPEG holds. */
enum { PM_TIFF_EXIF_MAX = 65500 };

/* Size of the block that is written to `out`, which has PM_TIFF_EXIF_MAX bytes; 0 when there is nothing to tell. What
 * is damaged, and what has no room, is left out. A BigTIFF, too, becomes a block of the usual form. */
size_t pm_tiff_exif(const void *bytes, size_t size, uint8_t *out);

#endif
