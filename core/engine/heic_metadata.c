/* SPDX-License-Identifier: Apache-2.0 */
#ifdef PIXMILL_HEIC
#include "engine/heic_metadata.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ profile */

/* One in numbers is read from the file by signal.c. */
static bool set_profile(VipsImage *image, const struct heif_image_handle *handle)
{
    size_t size = heif_image_handle_get_raw_color_profile_size(handle);
    if (size == 0) return true;
    void *data = malloc(size);
    if (data == NULL) return false;
    if (heif_image_handle_get_raw_color_profile(handle, data).code == heif_error_Ok)
        vips_image_set_blob_copy(image, VIPS_META_ICC_NAME, data, size);
    free(data);
    return true;
}

/* ------------------------------------------------------------------ EXIF */

/* libvips takes the block apart as it is set. What turns a HEIC is in the container and was done by libheif; the
 * orientation in its EXIF says the same once more and must not be followed. */
static bool set_exif(VipsImage *image, const uint8_t *exif, size_t size)
{
    static const char mark[] = "Exif\0"; /* and one more zero, which ends the literal */
    uint8_t *block = malloc(sizeof mark + size);
    if (block == NULL) return false;
    memcpy(block, mark, sizeof mark);
    memcpy(block + sizeof mark, exif, size);
    vips_image_set_blob_copy(image, VIPS_META_EXIF_NAME, block, sizeof mark + size);
    vips_autorot_remove_angle(image);
    vips_error_clear();
    free(block);
    return true;
}

/* ISO/IEC 23008-12, A.2.1: four bytes say how many come before the TIFF header. */
static bool set_exif_item(VipsImage *image, const uint8_t *data, size_t size)
{
    if (size < 4) return true;
    size_t skip = (size_t)data[0] << 24 | (size_t)data[1] << 16 | (size_t)data[2] << 8 | data[3];
    if (skip > size - 4) return true;
    return set_exif(image, data + 4 + skip, size - 4 - skip);
}

/* ------------------------------------------------------------------ all items */

static bool set_item(VipsImage *image, const struct heif_image_handle *handle, heif_item_id id)
{
    const char *type = heif_image_handle_get_metadata_type(handle, id);
    const char *content = heif_image_handle_get_metadata_content_type(handle, id);
    bool exif = type != NULL && strcmp(type, "Exif") == 0;
    bool xmp =
        type != NULL && strcmp(type, "mime") == 0 && content != NULL && strcmp(content, "application/rdf+xml") == 0;
    size_t size = exif || xmp ? heif_image_handle_get_metadata_size(handle, id) : 0;
    if (size == 0) return true;
    void *data = malloc(size);
    bool good = data != NULL;
    if (good && heif_image_handle_get_metadata(handle, id, data).code == heif_error_Ok) {
        if (exif)
            good = set_exif_item(image, data, size);
        else
            vips_image_set_blob_copy(image, VIPS_META_XMP_NAME, data, size);
    }
    free(data);
    return good;
}

bool pm_heic_metadata(VipsImage *image, const struct heif_image_handle *handle)
{
    enum { ITEMS_MAX = 32 };
    heif_item_id ids[ITEMS_MAX];
    int count = heif_image_handle_get_list_of_metadata_block_IDs(handle, NULL, ids, ITEMS_MAX);
    bool good = set_profile(image, handle);
    for (int i = 0; i < count && good; i++) good = set_item(image, handle, ids[i]);
    return good;
}
#endif
