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

enum { RIGHTS = KEEP_COPYRIGHT | KEEP_IPTC, ABOUT = KEEP_IPTC, PLACE = KEEP_GPS };

/* Datasets that may stay, and what must be kept for it. An allow-list: previews and what nobody knows go. */
static const struct Dataset {
    uint8_t record, number;
    unsigned keep;
} datasets[] = {
    {1, 90, RIGHTS},  /* coded character set, needed to read the others */
    {2, 0, RIGHTS},   /* record version */
    {2, 80, RIGHTS},  /* by-line */
    {2, 85, RIGHTS},  /* by-line title */
    {2, 110, RIGHTS}, /* credit */
    {2, 116, RIGHTS}, /* copyright notice */
    {2, 3, ABOUT},    /* object type */
    {2, 4, ABOUT},    /* object attribute */
    {2, 5, ABOUT},    /* title */
    {2, 7, ABOUT},    /* edit status */
    {2, 8, ABOUT},    /* editorial update */
    {2, 10, ABOUT},   /* urgency */
    {2, 12, ABOUT},   /* subject reference */
    {2, 15, ABOUT},   /* category */
    {2, 20, ABOUT},   /* supplemental category */
    {2, 22, ABOUT},   /* fixture identifier */
    {2, 25, ABOUT},   /* keywords */
    {2, 30, ABOUT},   /* release date */
    {2, 35, ABOUT},   /* release time */
    {2, 37, ABOUT},   /* expiration date */
    {2, 38, ABOUT},   /* expiration time */
    {2, 40, ABOUT},   /* special instructions */
    {2, 42, ABOUT},   /* action advised */
    {2, 45, ABOUT},   /* reference service */
    {2, 47, ABOUT},   /* reference date */
    {2, 50, ABOUT},   /* reference number */
    {2, 55, ABOUT},   /* date created */
    {2, 60, ABOUT},   /* time created */
    {2, 62, ABOUT},   /* digitization date */
    {2, 63, ABOUT},   /* digitization time */
    {2, 65, ABOUT},   /* originating program */
    {2, 70, ABOUT},   /* program version */
    {2, 75, ABOUT},   /* object cycle */
    {2, 103, ABOUT},  /* original transmission reference */
    {2, 105, ABOUT},  /* headline */
    {2, 115, ABOUT},  /* source */
    {2, 118, ABOUT},  /* contact */
    {2, 120, ABOUT},  /* caption */
    {2, 121, ABOUT},  /* local caption */
    {2, 122, ABOUT},  /* caption writer */
    {2, 130, ABOUT},  /* image type */
    {2, 131, ABOUT},  /* image orientation: portrait or landscape */
    {2, 135, ABOUT},  /* language */
    {2, 26, PLACE},   /* content location code */
    {2, 27, PLACE},   /* content location name */
    {2, 90, PLACE},   /* city */
    {2, 92, PLACE},   /* sublocation */
    {2, 95, PLACE},   /* province or state */
    {2, 100, PLACE},  /* country code */
    {2, 101, PLACE},  /* country */
};

/* Places are part of a kept iptc, and say nothing without it. */
static bool may_stay(unsigned record, unsigned number, unsigned keep)
{
    for (size_t i = 0; i < G_N_ELEMENTS(datasets); i++)
        if (datasets[i].record == record && datasets[i].number == number)
            return (datasets[i].keep & keep) && (datasets[i].keep != PLACE || keep & KEEP_IPTC);
    return false;
}

/* Appends the records to keep; returns how many of them say something. */
static size_t copy_records(const uint8_t *data, size_t size, unsigned keep, GByteArray *out)
{
    size_t said = 0;
    for (size_t at = 0; size - at >= RECORD_HEAD && data[at] == 0x1c;) {
        unsigned record = data[at + 1], number = data[at + 2], length = get16(data + at + 3);
        if (length > 0x7fff || length > size - at - RECORD_HEAD) break; /* extended lengths are for objects, not text */
        size_t whole = RECORD_HEAD + length;
        if (may_stay(record, number, keep)) {
            g_byte_array_append(out, data + at, (guint)whole);
            said += record == 2 && number != 0;
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

void *iptc_filter(const void *block, size_t size, unsigned keep, size_t *out_size)
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
    size_t said = copy_records(records, records_size, keep, out);
    if (boxed) finish_resource(out, head);
    *out_size = out->len;
    return g_byte_array_free(out, said == 0);
}
