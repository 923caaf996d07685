// SPDX-License-Identifier: Apache-2.0
#include "strip.h"

/* What libvips needs to show and write the picture; none of it says anything about people or places. */
static bool is_structure(const char *name)
{
    static const char *const names[] = {
        VIPS_META_ICC_NAME,
        VIPS_META_PAGE_HEIGHT,
        VIPS_META_N_PAGES,
        VIPS_META_RESOLUTION_UNIT,
        "bits-per-sample",
        "delay",
        "loop",
        "gif-delay",
        "gif-loop",
        "gif-palette",
        "background",
        "palette-bit-depth",
        "interlaced",
        "jpeg-multiscan",
        "jpeg-chroma-subsample",
        "heif-bitdepth",
        "heif-compression",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        if (!strcmp(name, names[i])) return true;
    return g_str_has_prefix(name, "vips-"); /* libvips' notes to itself: the loader, sequential access */
}

/* png-comment-0-Copyright: PNG's own keywords for rights. */
static bool keep_comment(const char *name, unsigned keep)
{
    if (!(keep & KEEP_COPYRIGHT) || !g_str_has_prefix(name, "png-comment-")) return false;
    const char *keyword = strchr(name + strlen("png-comment-"), '-');
    return keyword && (!strcmp(keyword, "-Copyright") || !strcmp(keyword, "-Author"));
}

/* libvips holds a text tag as "TEXT (FORMATTED, ASCII, 9 components, 9 bytes)", and when it writes one takes all from
 * the last parenthesis on for the comment. A formatted "(c) Jane (Photographer)" would then leave a part of itself in
 * the text: this leaves a comment without parentheses. What doesn't look like a text tag stays as it is. */
static void tidy_text(VipsImage *image, const char *name)
{
    const char *value = NULL;
    if (vips_image_get_typeof(image, name) != VIPS_TYPE_REF_STRING || vips_image_get_string(image, name, &value))
        return;
    const char *type = g_strrstr(value, ", ASCII, ");
    const char *bytes = type ? strstr(type, " components, ") : NULL;
    guint64 size = bytes ? g_ascii_strtoull(bytes + strlen(" components, "), NULL, 10) : 0;
    for (guint64 end = size ? size - 1 : 0; size && end <= size; end++) { /* the closing NUL may be missing */
        if (end > strlen(value) || strncmp(value + end, " (", 2) != 0) continue;
        while (end >= size && end > 0 && value[end - 1] == ' ') end--; /* libexif 0.6.25 adds one to a copyright */
        char *tidy = g_strdup_printf("%.*s (ASCII, %d bytes)", (int)end, value, (int)size);
        vips_image_set_string(image, name, tidy);
        g_free(tidy);
        return;
    }
}

static const void *get_blob(VipsImage *image, const char *name, size_t *size)
{
    const void *blob = NULL;
    if (vips_image_get_typeof(image, name) != VIPS_TYPE_BLOB || vips_image_get_blob(image, name, &blob, size) ||
        *size > BLOB_MAX)
        return NULL;
    return blob;
}

/* The kept entries of the block that the source brought, byte for byte. PM_EXIF_EXACT tells our encoder that they are
 * to be written as they are; others write what libvips makes of the fields. Without a block the fields alone are
 * written: libvips puts them into the block that it finds, and an empty one holds nothing of what was there. */
static void renew_exif(VipsImage *image, unsigned keep, const PmList *tags)
{
    static const char empty[] =
        EXIF_PREFIX "\0II*\0\x08\0\0\0\0\0\0\0\0"; /* header, an IFD of no entries, no next one */
    size_t size = 0, kept_size = 0;
    const void *block = get_blob(image, VIPS_META_EXIF_NAME, &size);
    void *kept = block ? exif_filter(block, size, keep, tags, &kept_size) : NULL;
    char **names = vips_image_get_fields(image);
    bool any = false;
    for (int i = 0; names && names[i]; i++) {
        if (!g_str_has_prefix(names[i], "exif-ifd")) continue;
        if (exif_field_is_wanted(names[i], keep, tags)) {
            any = true;
            tidy_text(image, names[i]);
        } else {
            vips_image_remove(image, names[i]);
        }
    }
    g_strfreev(names);
    vips_image_remove(image, PM_EXIF_EXACT);
    if (kept) {
        vips_image_set_blob_copy(image, VIPS_META_EXIF_NAME, kept, kept_size);
        vips_image_set_int(image, PM_EXIF_EXACT, 1);
    } else if (any) {
        vips_image_set_blob_copy(image, VIPS_META_EXIF_NAME, empty, sizeof(empty));
    } else {
        vips_image_remove(image, VIPS_META_EXIF_NAME);
    }
    g_free(kept);
}

static void renew_xmp(VipsImage *image, unsigned keep)
{
    size_t size = 0;
    const char *packet = keep & (KEEP_XMP | KEEP_COPYRIGHT) ? get_blob(image, VIPS_META_XMP_NAME, &size) : NULL;
    if (packet && (keep & KEEP_XMP) && (keep & KEEP_GPS)) return;
    char *kept = !packet ? NULL : keep & KEEP_XMP ? xmp_without_positions(packet, size) : xmp_rights(packet, size);
    if (kept)
        vips_image_set_blob_copy(image, VIPS_META_XMP_NAME, kept, strlen(kept));
    else
        vips_image_remove(image, VIPS_META_XMP_NAME);
    g_free(kept);
}

static void renew_iptc(VipsImage *image, unsigned keep)
{
    size_t size = 0, kept_size = 0;
    const void *block = keep & (KEEP_IPTC | KEEP_COPYRIGHT) ? get_blob(image, VIPS_META_IPTC_NAME, &size) : NULL;
    void *kept = block ? iptc_filter(block, size, keep, &kept_size) : NULL;
    if (kept)
        vips_image_set_blob_copy(image, VIPS_META_IPTC_NAME, kept, kept_size);
    else
        vips_image_remove(image, VIPS_META_IPTC_NAME);
    g_free(kept);
}

void fields_strip(VipsImage *image, unsigned keep, const PmList *tags)
{
    char **names = vips_image_get_fields(image);
    for (int i = 0; names && names[i]; i++) {
        bool block = !strcmp(names[i], VIPS_META_XMP_NAME) || !strcmp(names[i], VIPS_META_IPTC_NAME) ||
                     !strcmp(names[i], VIPS_META_EXIF_NAME) || g_str_has_prefix(names[i], "exif-ifd");
        if (!block && !is_structure(names[i]) && !keep_comment(names[i], keep)) vips_image_remove(image, names[i]);
    }
    g_strfreev(names);
    renew_exif(image, keep, tags);
    renew_xmp(image, keep);
    renew_iptc(image, keep);
    if (vips_image_get_typeof(image, VIPS_META_XMP_NAME) || vips_image_get_typeof(image, VIPS_META_IPTC_NAME))
        vips_image_set_int(image, PM_KEPT, 1);
}
