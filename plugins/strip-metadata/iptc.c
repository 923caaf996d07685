// SPDX-License-Identifier: Apache-2.0
#include "strip.h"

/* IPTC-IIM (IPTC NAA Information Interchange Model 4.2) inside Photoshop image resources (Adobe Photoshop File Formats
 * Specification, "Image Resource Blocks"). A malformed record ends the reading: what came before it is kept. */

static const char photoshop[] = "Photoshop 3.0"; /* ended by a NUL in the block too */

enum { RESOURCE_IPTC = 0x0404, RESOURCE_HEAD = 12, RECORD_HEAD = 5 };

static unsigned get16(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static size_t get32(const uint8_t *at)
{
    return (size_t)get16(at) << 16 | get16(at + 2);
}

/* Who made it and who owns it, and what is needed to read those: the record's version and its character set. */
static bool is_rights(unsigned record, unsigned dataset)
{
    static const struct {
        unsigned record, dataset;
    } kept[] = {
        {1, 90},  /* coded character set */
        {2, 0},   /* record version */
        {2, 80},  /* by-line */
        {2, 85},  /* by-line title */
        {2, 110}, /* credit */
        {2, 116}, /* copyright notice */
    };
    for (size_t i = 0; i < G_N_ELEMENTS(kept); i++)
        if (kept[i].record == record && kept[i].dataset == dataset) return true;
    return false;
}

static bool is_content(unsigned record, unsigned dataset)
{
    return record == 2 && dataset != 0;
}

/* Appends the records to keep; returns how many of them say something. */
static size_t copy_records(const uint8_t *data, size_t size, bool rights_only, GByteArray *out)
{
    size_t said = 0;
    for (size_t at = 0; size - at >= RECORD_HEAD && data[at] == 0x1c;) {
        unsigned record = data[at + 1], dataset = data[at + 2], length = get16(data + at + 3);
        if (length > 0x7fff || length > size - at - RECORD_HEAD) break; /* extended lengths are for objects, not text */
        size_t whole = RECORD_HEAD + length;
        if (!rights_only || is_rights(record, dataset)) {
            g_byte_array_append(out, data + at, (guint)whole);
            said += !rights_only || is_content(record, dataset);
        }
        at += whole;
    }
    return said;
}

/* The records among Photoshop's resources, each "8BIM", id, padded name, size, padded data. */
static bool find_records(const uint8_t *data, size_t size, const uint8_t **records, size_t *records_size)
{
    size_t at = 0;
    while (size - at >= RESOURCE_HEAD && !memcmp(data + at, "8BIM", 4)) {
        unsigned id = get16(data + at + 4);
        size_t name = ((size_t)data[at + 6] + 2) & ~(size_t)1; /* its length byte included */
        if (size - at - 6 < name + 4) return false;
        size_t body = at + 6 + name + 4, length = get32(data + body - 4);
        if (length > size - body) return false;
        if (id == RESOURCE_IPTC) {
            *records = data + body;
            *records_size = length;
            return true;
        }
        length += length & 1;
        if (length > size - body) return false;
        at = body + length;
    }
    return false;
}

static void put_resource_head(GByteArray *out)
{
    static const uint8_t head[RESOURCE_HEAD] = {'8', 'B', 'I', 'M', RESOURCE_IPTC >> 8, RESOURCE_IPTC & 0xff};
    g_byte_array_append(out, head, RESOURCE_HEAD);
}

static void finish_resource(GByteArray *out, size_t head)
{
    static const uint8_t pad = 0;
    size_t length = out->len - head - RESOURCE_HEAD;
    uint8_t *at = out->data + head + RESOURCE_HEAD - 4;
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)(length >> (24 - 8 * i));
    if (length & 1) g_byte_array_append(out, &pad, 1);
}

void *iptc_filter(const void *block, size_t size, bool rights_only, size_t *out_size)
{
    const uint8_t *data = block, *records = data;
    size_t records_size = size, head = 0;
    bool named = size >= sizeof(photoshop) && !memcmp(data, photoshop, sizeof(photoshop));
    size_t skip = named ? sizeof(photoshop) : 0;
    bool boxed = named || (size >= 4 && !memcmp(data, "8BIM", 4));
    if (boxed && !find_records(data + skip, size - skip, &records, &records_size)) return NULL;

    GByteArray *out = g_byte_array_new();
    g_byte_array_append(out, data, (guint)skip);
    head = out->len;
    if (boxed) put_resource_head(out);
    size_t said = copy_records(records, records_size, rights_only, out);
    if (boxed) finish_resource(out, head);
    *out_size = out->len;
    return g_byte_array_free(out, said == 0);
}
