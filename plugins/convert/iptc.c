// SPDX-License-Identifier: Apache-2.0
#include "convert.h"

/* libvips hands IPTC on as it found it, and each format keeps it in another way: JPEG within Photoshop's image
 * resources (Adobe Photoshop File Formats Specification), TIFF as bare records. */

static const char photoshop[] = "Photoshop 3.0"; /* ended by a NUL in the block too */

enum { RESOURCE_IPTC = 0x0404, RESOURCE_HEAD = 12, RECORD_MARK = 0x1c };

typedef struct Span {
    const uint8_t *data;
    size_t size;
} Span;

static size_t get32(const uint8_t *at)
{
    return (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
}

static bool is_wrapped(Span block)
{
    return block.size > sizeof(photoshop) && !memcmp(block.data, photoshop, sizeof(photoshop));
}

/* The records within the resources: signature, number, a name with its length (even in all), size, bytes (even). */
static Span records_of(Span block)
{
    if (!is_wrapped(block)) return block;
    for (size_t at = sizeof(photoshop); block.size - at >= RESOURCE_HEAD && !memcmp(block.data + at, "8BIM", 4);) {
        size_t name = ((size_t)block.data[at + 6] + 2) & ~(size_t)1;
        if (block.size - at < 10 + name) break;
        size_t size = get32(block.data + at + 6 + name), begin = at + 10 + name;
        if (size > block.size - begin) break;
        if ((block.data[at + 4] << 8 | block.data[at + 5]) == RESOURCE_IPTC) return (Span){block.data + begin, size};
        at = begin + size + size % 2;
        if (at > block.size) break;
    }
    return (Span){block.data, 0};
}

static GByteArray *wrap(Span records)
{
    static const uint8_t zero = 0;
    uint8_t head[RESOURCE_HEAD] = {'8', 'B', 'I', 'M', RESOURCE_IPTC >> 8, RESOURCE_IPTC & 0xff};
    for (int i = 0; i < 4; i++) head[8 + i] = (uint8_t)(records.size >> (24 - 8 * i));
    GByteArray *out = g_byte_array_new();
    g_byte_array_append(out, (const uint8_t *)photoshop, sizeof(photoshop));
    g_byte_array_append(out, head, sizeof(head));
    g_byte_array_append(out, records.data, (guint)records.size);
    if (records.size % 2) g_byte_array_append(out, &zero, 1);
    return out;
}

/* libvips counts the block in fours and libtiff, as it is today, in bytes: a quarter of it is written. So it is given
 * four times as much, of which what follows the records is zeros, should another version write all. */
static GByteArray *bare(Span records)
{
    GByteArray *out = g_byte_array_new();
    g_byte_array_append(out, records.data, (guint)records.size);
    g_byte_array_set_size(out, 4 * (guint)records.size);
    memset(out->data + records.size, 0, out->len - records.size);
    return out;
}

VipsImage *fit_iptc(VipsImage *in, const Format *format)
{
    Span block = {0};
    const void *data = NULL;
    VipsImage *out = NULL;
    bool tiff = format == &formats[FORMAT_TIFF];
    enum { IPTC_MAX = 64 * 1024 * 1024 };
    if (!format->iptc || !vips_image_get_typeof(in, VIPS_META_IPTC_NAME) ||
        vips_image_get_blob(in, VIPS_META_IPTC_NAME, &data, &block.size))
        return in;
    block.data = data;
    bool known = is_wrapped(block) || (block.size > 0 && block.data[0] == RECORD_MARK);
    if (block.size > IPTC_MAX) return in;
    if (!known || (!tiff && is_wrapped(block))) return in;
    Span records = records_of(block);
    if (!vips_copy(in, &out, NULL)) {
        vips_image_remove(out, VIPS_META_IPTC_NAME);
        if (records.size > 0) {
            GByteArray *fitting = tiff ? bare(records) : wrap(records);
            vips_image_set_blob_copy(out, VIPS_META_IPTC_NAME, fitting->data, fitting->len);
            g_byte_array_free(fitting, TRUE);
        }
    }
    g_object_unref(in);
    return out;
}
