// SPDX-License-Identifier: Apache-2.0
#include "containers.h"

#include <string.h>

#include "../common/exif.h"
#include "boxes.h"

/* ------------------------------------------------------------------ JPEG (ITU-T T.81, CIPA DC-008 4.7) */

enum { JPEG_SOS = 0xda, JPEG_APP0 = 0xe0, JPEG_APP1 = 0xe1, JPEG_SEGMENT_MAX = 0xffff };

static bool is_jpeg_exif(const uint8_t *segment, size_t size)
{
    return segment[1] == JPEG_APP1 && size >= 4 + EXIF_PREFIX_SIZE &&
           !memcmp(segment + 4, EXIF_PREFIX, EXIF_PREFIX_SIZE);
}

static void put_jpeg_exif(GByteArray *out, const uint8_t *exif, size_t size)
{
    size_t length = size + 2;
    const uint8_t head[4] = {0xff, JPEG_APP1, (uint8_t)(length >> 8), (uint8_t)length};
    g_byte_array_append(out, head, sizeof(head));
    g_byte_array_append(out, exif, (guint)size);
}

/* EXIF comes first, or right after JFIF's own segment. */
static bool splice_jpeg(GByteArray *out, const uint8_t *data, size_t size, const uint8_t *exif, size_t exif_size)
{
    if (size < 4 || exif_size + 2 > JPEG_SEGMENT_MAX) return false;
    g_byte_array_append(out, data, 2);
    bool pending = exif != NULL;
    for (size_t at = 2; size - at >= 4 && data[at] == 0xff;) {
        bool pixels = data[at + 1] == JPEG_SOS;
        size_t length = pixels ? size - at : ((size_t)data[at + 2] << 8 | data[at + 3]) + 2;
        if (length > size - at) return false;
        if (pending && data[at + 1] != JPEG_APP0) {
            put_jpeg_exif(out, exif, exif_size);
            pending = false;
        }
        if (!is_jpeg_exif(data + at, length)) g_byte_array_append(out, data + at, (guint)length);
        at += length;
        if (pixels) return true;
    }
    return false;
}

/* ------------------------------------------------------------------ PNG (third edition, 11.3.4.5) */

static uint32_t crc32(const uint8_t *data, size_t size)
{
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

static uint32_t get32_big(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put32_big(GByteArray *out, uint32_t value)
{
    const uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};
    g_byte_array_append(out, bytes, 4);
}

static void put_png_exif(GByteArray *out, const uint8_t *exif, size_t size)
{
    put32_big(out, (uint32_t)size);
    guint at = out->len;
    g_byte_array_append(out, (const uint8_t *)"eXIf", 4);
    g_byte_array_append(out, exif, (guint)size);
    put32_big(out, crc32(out->data + at, size + 4));
}

static bool splice_png(GByteArray *out, const uint8_t *data, size_t size, const uint8_t *exif, size_t exif_size)
{
    enum { SIGNATURE = 8, AROUND = 12 };
    if (size < SIGNATURE) return false;
    g_byte_array_append(out, data, SIGNATURE);
    bool pending = exif != NULL;
    for (size_t at = SIGNATURE; size - at >= AROUND;) {
        size_t length = get32_big(data + at);
        if (length > size - at - AROUND) return false;
        if (pending && !memcmp(data + at + 4, "IDAT", 4)) {
            put_png_exif(out, exif + EXIF_PREFIX_SIZE, exif_size - EXIF_PREFIX_SIZE);
            pending = false;
        }
        if (memcmp(data + at + 4, "eXIf", 4) != 0) g_byte_array_append(out, data + at, (guint)(length + AROUND));
        at += length + AROUND;
        if (at == size) return !pending;
    }
    return false;
}

/* ------------------------------------------------------------------ WebP (RFC 9649) */

enum { WEBP_HEAD = 12, WEBP_CHUNK = 8, WEBP_FLAGS = 10, WEBP_ALPHA = 0x10, WEBP_EXIF = 0x08 };

static uint32_t get32_little(const uint8_t *at)
{
    return (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 | at[0];
}

static void set32_little(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> (8 * i));
}

static void put_webp_chunk(GByteArray *out, const char *name, const uint8_t *data, size_t size)
{
    uint8_t length[4];
    set32_little(length, (uint32_t)size);
    g_byte_array_append(out, (const uint8_t *)name, 4);
    g_byte_array_append(out, length, 4);
    g_byte_array_append(out, data, (guint)size);
    if (size % 2) g_byte_array_append(out, (const uint8_t *)"", 1);
}

/* A file of one chunk has no place for flags: it gets the chunk that has. Its picture's own header tells the size. */
static bool put_webp_flags(GByteArray *out, const uint8_t *chunk, size_t size)
{
    uint8_t flags[WEBP_FLAGS] = {0};
    uint32_t width, height;
    if (!memcmp(chunk, "VP8 ", 4) && size >= WEBP_CHUNK + 10) {
        width = (uint32_t)((chunk[15] << 8 | chunk[14]) & 0x3fff);
        height = (uint32_t)((chunk[17] << 8 | chunk[16]) & 0x3fff);
    } else if (!memcmp(chunk, "VP8L", 4) && size >= WEBP_CHUNK + 5) {
        uint32_t bits = get32_little(chunk + WEBP_CHUNK + 1);
        width = (bits & 0x3fff) + 1;
        height = (bits >> 14 & 0x3fff) + 1;
        if (bits >> 28 & 1) flags[0] |= WEBP_ALPHA;
    } else {
        return false;
    }
    for (int i = 0; i < 3; i++) {
        flags[4 + i] = (uint8_t)((width - 1) >> (8 * i));
        flags[7 + i] = (uint8_t)((height - 1) >> (8 * i));
    }
    put_webp_chunk(out, "VP8X", flags, sizeof(flags));
    return true;
}

static bool splice_webp(GByteArray *out, const uint8_t *data, size_t size, const uint8_t *exif, size_t exif_size)
{
    if (size < WEBP_HEAD + WEBP_CHUNK) return false;
    g_byte_array_append(out, data, WEBP_HEAD);
    bool extended = !memcmp(data + WEBP_HEAD, "VP8X", 4), pending = exif != NULL;
    if (!extended && exif && !put_webp_flags(out, data + WEBP_HEAD, size - WEBP_HEAD)) return false;
    for (size_t at = WEBP_HEAD; at < size;) {
        if (size - at < WEBP_CHUNK) return false;
        size_t length = get32_little(data + at + 4);
        length += WEBP_CHUNK + length % 2;
        if (length > size - at) return false;
        if (pending && !memcmp(data + at, "XMP ", 4)) {
            put_webp_chunk(out, "EXIF", exif + EXIF_PREFIX_SIZE, exif_size - EXIF_PREFIX_SIZE);
            pending = false;
        }
        if (memcmp(data + at, "EXIF", 4) != 0) g_byte_array_append(out, data + at, (guint)length);
        at += length;
    }
    if (pending) put_webp_chunk(out, "EXIF", exif + EXIF_PREFIX_SIZE, exif_size - EXIF_PREFIX_SIZE);
    if (extended || exif) {
        uint8_t *flags = out->data + WEBP_HEAD + WEBP_CHUNK;
        *flags = (uint8_t)(exif ? *flags | WEBP_EXIF : *flags & ~WEBP_EXIF);
        if (*flags == 0)
            g_byte_array_remove_range(out, WEBP_HEAD, WEBP_CHUNK + WEBP_FLAGS); /* needs no flags any more */
    }
    set32_little(out->data + 4, out->len - 8);
    return true;
}

/* ------------------------------------------------------------------ all */

typedef bool Splice(GByteArray *out, const uint8_t *data, size_t size, const uint8_t *exif, size_t exif_size);

static Splice *splice_of(const char *format)
{
    static const struct {
        const char *format;
        Splice *splice;
    } all[] = {{"jpeg", splice_jpeg}, {"png", splice_png}, {"webp", splice_webp}};
    for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
        if (!strcmp(all[i].format, format)) return all[i].splice;
    return NULL;
}

bool container_has_exif(const char *format)
{
    return splice_of(format) != NULL;
}

GByteArray *container_set_exif(const char *format, const void *bytes, size_t size, const void *exif, size_t exif_size)
{
    if (!exif && !strcmp(format, "avif")) return boxes_without_exif(bytes, size);
    Splice *splice = splice_of(format);
    GByteArray *out = splice ? g_byte_array_new() : NULL;
    if (out && splice(out, bytes, size, exif, exif_size)) return out;
    if (out) g_byte_array_free(out, TRUE);
    return NULL;
}
