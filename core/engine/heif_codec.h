/* SPDX-License-Identifier: Apache-2.0
 *
 * Which codec a HEIF file needs: the container is the same for HEVC, AV1, JPEG and others, and its brands need not
 * tell. Hides the boxes of ISO/IEC 14496-12 and 23008-12. Pure.
 */
#ifndef PM_ENGINE_HEIF_CODEC_H
#define PM_ENGINE_HEIF_CODEC_H

#include <stdbool.h>
#include <stddef.h>

/* Fills `codec` with the type of the item that holds the primary picture, or the first part of it where it is put
 * together of others: "hvc1", "av01". False, with `codec` empty, when the file does not tell. */
bool pm_heif_codec(const void *bytes, size_t size, char codec[5]);

/* False when a picture is put together of itself, by whatever way round, or of parts of parts of parts beyond reason:
 * libheif follows such references until its stack is full. */
bool pm_heif_is_finite(const void *bytes, size_t size);

#endif
