// SPDX-License-Identifier: Apache-2.0
#include "metadata.h"

bool bytes_contain(const void *bytes, size_t size, const char *text)
{
    return memmem(bytes, size, text, strlen(text)) != NULL;
}

/* ------------------------------------------------------------------ EXIF */

typedef struct Tag {
    unsigned tag, type; /* 2 text, 3 short, 4 long, 5 rational, 7 bytes */
    const void *data;
    uint32_t count;
} Tag;

static void put16(GByteArray *out, unsigned value)
{
    uint8_t bytes[2] = {(uint8_t)value, (uint8_t)(value >> 8)};
    g_byte_array_append(out, bytes, 2);
}

static void put32(GByteArray *out, uint32_t value)
{
    put16(out, value & 0xffff);
    put16(out, value >> 16);
}

static uint32_t tag_size(const Tag *tag)
{
    static const uint32_t sizes[] = {[2] = 1, [3] = 2, [4] = 4, [5] = 8, [7] = 1};
    return tag->count * sizes[tag->type];
}

/* An IFD at the end of `out`, its long values behind it; offsets count from byte 6, after "Exif\0\0". Returns where the
 * offset of the next IFD stands. */
static guint put_ifd(GByteArray *out, const Tag *tags, unsigned count)
{
    uint32_t extra = out->len - 6 + 2 + count * 12 + 4;
    put16(out, count);
    for (unsigned i = 0; i < count; i++) {
        put16(out, tags[i].tag);
        put16(out, tags[i].type);
        put32(out, tags[i].count);
        uint32_t size = tag_size(&tags[i]);
        if (size > 4) {
            put32(out, extra);
            extra += size;
        } else {
            uint8_t value[4] = {0};
            memcpy(value, tags[i].data, size);
            g_byte_array_append(out, value, 4);
        }
    }
    guint next = out->len;
    put32(out, 0);
    for (unsigned i = 0; i < count; i++)
        if (tag_size(&tags[i]) > 4) g_byte_array_append(out, tags[i].data, tag_size(&tags[i]));
    return next;
}

static uint32_t tiff_offset(const GByteArray *out)
{
    return out->len - 6;
}

static void patch32(GByteArray *out, guint at, uint32_t value)
{
    for (guint i = 0; i < 4; i++) out->data[at + i] = (uint8_t)(value >> (8 * i));
}

#define TEXT(tag, text)            \
    {                              \
        tag, 2, text, sizeof(text) \
    }
#define BYTES(tag, text)               \
    {                                  \
        tag, 7, text, sizeof(text) - 1 \
    }
#define LONG(tag, pointer) \
    {                      \
        tag, 4, pointer, 1 \
    }
#define SHORT(tag, pointer) \
    {                       \
        tag, 3, pointer, 1  \
    }
#define RATIONALS(tag, values)             \
    {                                      \
        tag, 5, values, sizeof(values) / 8 \
    }

void *metadata_exif(size_t *size)
{
    static const uint16_t upright = 1, jpeg = 6;
    static const uint32_t latitude[] = {48, 1, 7, 1, 30, 1}, zero = 0;
    static const uint8_t thumbnail[] = "\xff\xd8\xff\xd9 the THUMBNAIL-PIXELS";
    static const uint32_t thumbnail_size = sizeof(thumbnail);
    GByteArray *out = g_byte_array_new();
    g_byte_array_append(out, (const uint8_t *)"Exif\0\0II*\0\x08\0\0", 14);

    const Tag main_tags[] = {
        TEXT(0x010e, "DESCRIPTION-TEXT"),
        TEXT(0x010f, "ACME-CAMERAS"),
        TEXT(0x0110, "MODEL-X1"),
        SHORT(0x0112, &upright),
        TEXT(0x013b, "EXIF-ARTIST"),
        TEXT(0x8298, "(c) EXIF-COPYRIGHT (all rights)"),
        LONG(0x8769, &zero),
        LONG(0x8825, &zero),
    };
    guint entries = out->len + 2;
    guint next = put_ifd(out, main_tags, 8);
    patch32(out, entries + 6 * 12 + 8, tiff_offset(out));
    const Tag shot_tags[] = {
        TEXT(0x9003, "2020:01:02 03:04:05"),
        BYTES(0x927c, "MAKER-NOTE-DATA"),
        BYTES(0x9286, "ASCII\0\0\0USER-COMMENT"),
        TEXT(0xa431, "SERIAL-NUMBER"),
    };
    put_ifd(out, shot_tags, 4);
    patch32(out, entries + 7 * 12 + 8, tiff_offset(out));
    const Tag gps_tags[] = {TEXT(0x0001, "N"), RATIONALS(0x0002, latitude), TEXT(0x001d, "2020:01:02")};
    put_ifd(out, gps_tags, 3);

    patch32(out, next, tiff_offset(out));
    uint32_t at = tiff_offset(out) + 2 + 3 * 12 + 4;
    const Tag thumbnail_tags[] = {SHORT(0x0103, &jpeg), LONG(0x0201, &at), LONG(0x0202, &thumbnail_size)};
    put_ifd(out, thumbnail_tags, 3);
    g_byte_array_append(out, thumbnail, sizeof(thumbnail));
    *size = out->len;
    return g_byte_array_free(out, FALSE);
}

/* ------------------------------------------------------------------ IPTC */

static void put_record(GByteArray *out, uint8_t record, uint8_t dataset, const char *text)
{
    size_t length = strlen(text);
    const uint8_t head[5] = {0x1c, record, dataset, (uint8_t)(length >> 8), (uint8_t)length};
    g_byte_array_append(out, head, 5);
    g_byte_array_append(out, (const uint8_t *)text, (guint)length);
}

static void put_resource(GByteArray *out, unsigned id, const void *data, size_t size)
{
    const uint8_t head[12] = {'8', 'B', 'I', 'M', (uint8_t)(id >> 8),   (uint8_t)id,
                              0,   0,   0,   0,   (uint8_t)(size >> 8), (uint8_t)size};
    g_byte_array_append(out, head, 12);
    g_byte_array_append(out, data, (guint)size);
    if (size & 1) g_byte_array_append(out, (const uint8_t *)"", 1);
}

void *metadata_iptc(size_t *size)
{
    GByteArray *records = g_byte_array_new(), *out = g_byte_array_new();
    put_record(records, 1, 90, "\x1b%G");
    put_record(records, 2, 5, "IPTC-TITLE");
    put_record(records, 2, 80, "IPTC-BYLINE");
    put_record(records, 2, 90, "IPTC-CITY");
    put_record(records, 2, 110, "IPTC-CREDIT");
    put_record(records, 2, 116, "IPTC-COPYRIGHT");
    g_byte_array_append(out, (const uint8_t *)"Photoshop 3.0", 14);
    put_resource(out, 0x040c, "PHOTOSHOP-THUMBNAIL", 19);
    put_resource(out, 0x0404, records->data, records->len);
    put_resource(out, 0x0424, "PHOTOSHOP-XMP", 13);
    g_byte_array_free(records, TRUE);
    *size = out->len;
    return g_byte_array_free(out, FALSE);
}

/* ------------------------------------------------------------------ all together */

const char metadata_xmp[] =
    "<?xpacket begin='\xef\xbb\xbf' id='W5M0MpCehiHzreSzNTczkc9d'?>\n"
    "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>\n"
    "<rdf:Description rdf:about='' xmlns:dc='http://purl.org/dc/elements/1.1/'\n"
    " xmlns:exif='http://ns.adobe.com/exif/1.0/' xmlns:ps='http://ns.adobe.com/photoshop/1.0/'\n"
    " xmlns:xmpRights='http://ns.adobe.com/xap/1.0/rights/'\n"
    " exif:GPSLatitude='XMP-LATITUDE' ps:Credit='XMP-CREDIT' ps:City='XMP-CITY' xmpRights:Marked='True'>\n"
    "<dc:creator><rdf:Seq><rdf:li>XMP-CREATOR-1</rdf:li><rdf:li>XMP-CREATOR-2 &amp; &lt;Co&gt;</rdf:li></rdf:Seq>"
    "</dc:creator>\n"
    "<dc:rights><rdf:Alt><rdf:li xml:lang='x-default'>XMP-RIGHTS</rdf:li>"
    "<rdf:li xml:lang='de'>XMP-RECHTE</rdf:li></rdf:Alt></dc:rights>\n"
    "<dc:subject><rdf:Bag><rdf:li>XMP-SUBJECT</rdf:li></rdf:Bag></dc:subject>\n"
    "<exif:GPSLongitude>XMP-LONGITUDE</exif:GPSLongitude>\n"
    "<xmpRights:WebStatement>https://example.org/XMP-WEB</xmpRights:WebStatement>\n"
    "</rdf:Description></rdf:RDF></x:xmpmeta>\n"
    "                                                          \n"
    "<?xpacket end='w'?>";

void *metadata_jpeg(const char *profile, size_t *size)
{
    VipsImage *flat = image_flat(64, 48, 3, 230, 60, 40, 255), *image = NULL;
    if (profile)
        assert_int_equal(vips_icc_transform(flat, &image, profile, "input_profile", "srgb", NULL), 0);
    else
        assert_int_equal(vips_copy(flat, &image, NULL), 0);
    void *exif, *iptc, *bytes = NULL;
    size_t exif_size, iptc_size;
    exif = metadata_exif(&exif_size);
    iptc = metadata_iptc(&iptc_size);
    vips_image_set_blob_copy(image, VIPS_META_XMP_NAME, metadata_xmp, strlen(metadata_xmp));
    vips_image_set_blob_copy(image, VIPS_META_IPTC_NAME, iptc, iptc_size);
    assert_int_equal(vips_jpegsave_buffer(image, &bytes, size, "Q", 95, NULL), 0);
    /* libvips would rewrite EXIF from fields and leave things out: put the block in as it is. */
    GByteArray *out = g_byte_array_new();
    const uint8_t *jpeg = bytes;
    assert_true(exif_size + 2 < 0xffff);
    const uint8_t app1[4] = {0xff, 0xe1, (uint8_t)((exif_size + 2) >> 8), (uint8_t)(exif_size + 2)};
    g_byte_array_append(out, jpeg, 2);
    g_byte_array_append(out, app1, 4);
    g_byte_array_append(out, exif, (guint)exif_size);
    for (size_t at = 2; at < *size;) { /* copy the rest without libvips' EXIF */
        size_t length = ((size_t)jpeg[at + 2] << 8 | jpeg[at + 3]) + 2;
        if (jpeg[at + 1] == 0xda) length = *size - at;
        if (jpeg[at + 1] != 0xe1 || memcmp(jpeg + at + 4, "Exif", 4))
            g_byte_array_append(out, jpeg + at, (guint)length);
        at += length;
    }
    g_free(exif);
    g_free(iptc);
    g_free(bytes);
    g_object_unref(image);
    g_object_unref(flat);
    *size = out->len;
    return g_byte_array_free(out, FALSE);
}
