// SPDX-License-Identifier: Apache-2.0
#include "../common/exif.h"
#include "containers.h"
#include "convert.h"

/* libvips makes EXIF of the fields that an image has, and writes a block of its own where there is none. A picture
 * without EXIF is to have none, and one whose block is exact (see exif.h) that one. Where a saver cannot be told so,
 * the block is put in or taken out of the written file. */

static void *exif_field(VipsImage *image, const char *name, GValue *value, void *data)
{
    (void)image;
    (void)value;
    (void)data;
    return g_str_has_prefix(name, "exif-ifd") || !strcmp(name, VIPS_META_EXIF_NAME) || !strcmp(name, PM_EXIF_EXACT)
               ? (void *)name
               : NULL;
}

static bool has_exif(VipsImage *image)
{
    return vips_image_map(image, exif_field, NULL) != NULL;
}

/* libvips 8.14 has only one switch for all metadata. */
static bool keeps_by_kind(void)
{
    return vips_version(0) > 8 || vips_version(1) >= 15;
}

static bool has_other_metadata(VipsImage *image)
{
    return vips_image_get_typeof(image, VIPS_META_ICC_NAME) || vips_image_get_typeof(image, VIPS_META_XMP_NAME) ||
           vips_image_get_typeof(image, VIPS_META_IPTC_NAME);
}

SaveOption metadata_option(VipsImage *image, bool strips)
{
    enum { KEEP_ALL_BUT_EXIF = 2 | 4 | 8 | 16 }; /* VIPS_FOREIGN_KEEP_XMP, _IPTC, _ICC, _OTHER */
    if (has_exif(image)) return (SaveOption){NULL, 0};
    if (keeps_by_kind()) return (SaveOption){"keep", KEEP_ALL_BUT_EXIF};
    return !strips || has_other_metadata(image) ? (SaveOption){NULL, 0} : (SaveOption){"strip", TRUE};
}

static VipsImage *without_exif(VipsImage *in)
{
    VipsImage *out = NULL;
    if (vips_copy(in, &out, NULL)) return NULL;
    for (const char *field; (field = vips_image_map(out, exif_field, NULL));) vips_image_remove(out, field);
    return out;
}

static VipsBlob *save_to_memory(VipsImage *image, const Format *format, const Config *config, int quality)
{
    VipsTarget *target = vips_target_new_to_memory();
    VipsBlob *blob = NULL;
    if (target && !format->save(image, target, config, quality)) g_object_get(target, "blob", &blob, NULL);
    g_clear_object(&target);
    return blob;
}

static int write_all(VipsTarget *target, const void *bytes, size_t size)
{
    return vips_target_write(target, bytes, size) || vips_target_end(target);
}

/* The saver's file with this block (NULL: none) in it. *lost: it does not fit, and the file has none. The picture may
 * be readable only once, so that there is no second try. */
static int save_spliced(VipsImage *image, VipsTarget *target, const Format *format, const Config *config, int quality,
                        const void *exif, size_t exif_size, bool *lost)
{
    size_t size = 0;
    VipsBlob *blob = save_to_memory(image, format, config, quality);
    if (!blob) return -1;
    const void *bytes = vips_blob_get(blob, &size);
    GByteArray *spliced = container_set_exif(format->name, bytes, size, exif, exif_size);
    *lost = !spliced;
    int result = spliced ? write_all(target, spliced->data, spliced->len) : write_all(target, bytes, size);
    if (spliced) g_byte_array_free(spliced, TRUE);
    vips_area_unref(VIPS_AREA(blob));
    return result;
}

/* The last block that begins before `end`: the name of its kind stands further ahead in the file, too. */
static char *find_block(char *bytes, const char *end)
{
    char *found = NULL;
    for (char *at = bytes; (at = memmem(at, (size_t)(end - at), EXIF_PREFIX, EXIF_PREFIX_SIZE)); at++) found = at;
    return found;
}

/* In a container made of boxes the saver reserves the room: it is given a description as long as the block, and the
 * block is written over what it made of it. The rest of the room is zeros, which TIFF allows. */
static int save_reserved(VipsImage *image, VipsTarget *target, const Format *format, const Config *config, int quality,
                         const void *exif, size_t exif_size, bool *lost)
{
    char *filler = g_strnfill(exif_size, '#');
    vips_image_set_string(image, "exif-ifd0-ImageDescription", filler);
    size_t size = 0;
    int result = -1;
    VipsBlob *blob = save_to_memory(image, format, config, quality);
    if (blob) {
        const void *bytes = vips_blob_get(blob, &size);
        char *copy = g_memdup2(bytes, size), *room = memmem(copy, size, filler, exif_size);
        char *block = room ? find_block(copy, room) : NULL;
        *lost = !block;
        if (block) {
            memcpy(block, exif, exif_size);
            memset(block + exif_size, 0, (size_t)(room - block));
        } else if (room) {
            memset(room, ' ', exif_size);
        }
        result = write_all(target, copy, size);
        g_free(copy);
        vips_area_unref(VIPS_AREA(blob));
    }
    g_free(filler);
    return result;
}

static bool is_boxes(const Format *format)
{
    return format == &formats[FORMAT_AVIF] || format == &formats[FORMAT_JXL];
}

static int save_exact(VipsImage *in, VipsTarget *target, const Format *format, const Config *config, int quality,
                      bool *lost)
{
    const void *exif = NULL;
    size_t size = 0;
    VipsImage *image = without_exif(in);
    int result = image ? vips_image_get_blob(in, VIPS_META_EXIF_NAME, &exif, &size) : -1;
    if (!result && is_boxes(format)) {
        result = save_reserved(image, target, format, config, quality, exif, size, lost);
    } else if (!result && container_has_exif(format->name)) {
        result = save_spliced(image, target, format, config, quality, exif, size, lost);
    } else if (!result) {
        *lost = true;
        result = format->save(image, target, config, quality);
    }
    g_clear_object(&image);
    return result;
}

int save_with_metadata(VipsImage *image, VipsTarget *target, const Format *format, const Config *config, int quality,
                       bool *lost)
{
    *lost = false;
    if (vips_image_get_typeof(image, PM_EXIF_EXACT) && vips_image_get_typeof(image, VIPS_META_EXIF_NAME))
        return save_exact(image, target, format, config, quality, lost);
    /* libvips 8.14 strips everything but EXIF from a webp. */
    bool with_others = format == &formats[FORMAT_JPEG] || format == &formats[FORMAT_AVIF];
    bool invents = !keeps_by_kind() && !has_exif(image) &&
                   (format == &formats[FORMAT_WEBP] || (with_others && has_other_metadata(image)));
    return invents ? save_spliced(image, target, format, config, quality, NULL, 0, &(bool){false})
                   : format->save(image, target, config, quality);
}
