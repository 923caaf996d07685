/* SPDX-License-Identifier: Apache-2.0
 *
 * What a HEIC tells besides its pixels, in the fields that libvips' loaders use. For heic.c only.
 */
#ifndef PM_ENGINE_HEIC_METADATA_H
#define PM_ENGINE_HEIC_METADATA_H

#include <libheif/heif.h>
#include <stdbool.h>
#include <vips/vips.h>

/* Adds the profile, EXIF without its orientation, and XMP. What is damaged is left out: the picture may be fine. False:
 * no memory. */
bool pm_heic_metadata(VipsImage *image, const struct heif_image_handle *handle);

#endif
