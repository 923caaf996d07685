/* SPDX-License-Identifier: Apache-2.0
 *
 * ITU-T T.81, annex B. Only baseline, extended and progressive Huffman coding of 8 bits are copied: what browsers read.
 */
#include <string.h>

#include "engine/lossless/lossless.h"

enum {
    SOF0 = 0xc0,
    SOF2 = 0xc2,
    DHT = 0xc4,
    RST0 = 0xd0,
    RST7 = 0xd7,
    SOI = 0xd8,
    EOI = 0xd9,
    SOS = 0xda,
    DQT = 0xdb,
    DRI = 0xdd,
    APP0 = 0xe0,
    APP1 = 0xe1,
    APP14 = 0xee,
    APP15 = 0xef,
    COM = 0xfe,
    COMPONENTS_MAX = 3,
    SCANS_MAX = 1000,
};

static const char cut_short[] = "it is cut short";
static const char odd[] = "its structure is unusual";

typedef struct Component {
    uint8_t id, across, down, table;
    bool coded; /* a scan has had its first coefficients */
} Component;

typedef struct Jpeg {
    PmLosslessBytes file;
    const PmLosslessOut *out; /* NULL: only judged */
    Component components[COMPONENTS_MAX];
    uint32_t width, height, component_count, interval, scans;
    uint8_t quantizers; /* a bit for each table that there is */
    uint8_t huffman[2]; /* likewise: DC, AC */
    bool progressive, framed, jfif, failed;
} Jpeg;

static uint32_t be16(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

static void keep(Jpeg *jpeg, const uint8_t *from, size_t size)
{
    if (jpeg->out != NULL && !jpeg->failed && size > 0) jpeg->failed = !jpeg->out->write(jpeg->out->data, from, size);
}

/* ------------------------------------------------------------------ tables */

static const char *read_quantizers(Jpeg *jpeg, const uint8_t *at, size_t size)
{
    while (size > 0) {
        size_t values = at[0] >> 4 == 0 ? 64 : 128;
        if (at[0] >> 4 > 1 || (at[0] & 15) > 3 || size < 1 + values) return odd;
        jpeg->quantizers |= (uint8_t)(1U << (at[0] & 15));
        at += 1 + values;
        size -= 1 + values;
    }
    return NULL;
}

static const char *read_huffman(Jpeg *jpeg, const uint8_t *at, size_t size)
{
    while (size > 0) {
        size_t symbols = 0;
        if (size < 17 || at[0] >> 4 > 1 || (at[0] & 15) > 3) return odd;
        for (int i = 1; i <= 16; i++) symbols += at[i];
        if (symbols > 256 || size < 17 + symbols) return odd;
        jpeg->huffman[at[0] >> 4] |= (uint8_t)(1U << (at[0] & 15));
        at += 17 + symbols;
        size -= 17 + symbols;
    }
    return NULL;
}

static const char *read_frame(Jpeg *jpeg, uint8_t marker, const uint8_t *at, size_t size)
{
    if (jpeg->framed || size < 6) return odd;
    if (at[0] != 8) return "its samples have more than 8 bits";
    jpeg->framed = true;
    jpeg->progressive = marker == SOF2;
    jpeg->height = be16(at + 1);
    jpeg->width = be16(at + 3);
    jpeg->component_count = at[5];
    if (at[5] != 1 && at[5] != 3) return "it is neither grey nor of three colours";
    if (jpeg->height == 0 || jpeg->width == 0 || size != 6 + (size_t)at[5] * 3) return odd;
    for (uint32_t i = 0; i < jpeg->component_count; i++) {
        const uint8_t *entry = at + 6 + i * 3;
        Component *component = &jpeg->components[i];
        *component = (Component){.id = entry[0], .across = entry[1] >> 4, .down = entry[1] & 15, .table = entry[2]};
        if (component->across < 1 || component->across > 4 || component->down < 1 || component->down > 4 ||
            component->table > 3)
            return odd;
    }
    return NULL;
}

/* ------------------------------------------------------------------ scans */

typedef struct Scan {
    uint64_t units;  /* MCUs */
    uint64_t blocks; /* of 8x8, together */
} Scan;

static uint32_t divide_up(uint64_t a, uint64_t b)
{
    return (uint32_t)((a + b - 1) / b);
}

/* How much a scan of these components codes (A.2). */
static Scan measure(const Jpeg *jpeg, Component *const *of, uint32_t count)
{
    uint32_t across = 1, down = 1, blocks = 0;
    for (uint32_t i = 0; i < jpeg->component_count; i++) {
        if (jpeg->components[i].across > across) across = jpeg->components[i].across;
        if (jpeg->components[i].down > down) down = jpeg->components[i].down;
    }
    if (count == 1) {
        uint64_t columns = divide_up(divide_up((uint64_t)jpeg->width * of[0]->across, across), 8);
        uint64_t rows = divide_up(divide_up((uint64_t)jpeg->height * of[0]->down, down), 8);
        return (Scan){columns * rows, columns * rows};
    }
    for (uint32_t i = 0; i < count; i++) blocks += (uint32_t)of[i]->across * of[i]->down;
    uint64_t units = (uint64_t)divide_up(jpeg->width, 8ULL * across) * divide_up(jpeg->height, 8ULL * down);
    return (Scan){units, units * blocks};
}

/* *first: it codes the first coefficients of these components, not later or finer ones. */
static const char *read_scan(Jpeg *jpeg, const uint8_t *at, size_t size, Scan *scan, bool *first)
{
    Component *of[COMPONENTS_MAX] = {0};
    if (!jpeg->framed || ++jpeg->scans > SCANS_MAX) return odd;
    if (size < 1 || at[0] < 1 || at[0] > jpeg->component_count || size != 1 + (size_t)at[0] * 2 + 3) return odd;
    const uint8_t *range = at + 1 + (size_t)at[0] * 2;
    bool direct = range[0] == 0, fine = range[2] >> 4 > 0;
    if (jpeg->progressive ? range[1] > 63 || range[0] > range[1] : !direct || range[1] != 63 || range[2] != 0)
        return odd;
    *first = direct && !fine;
    for (uint32_t i = 0; i < at[0]; i++) {
        const uint8_t *entry = at + 1 + (size_t)i * 2;
        uint32_t j = 0;
        while (j < jpeg->component_count && jpeg->components[j].id != entry[0]) j++;
        if (j == jpeg->component_count) return odd;
        of[i] = &jpeg->components[j];
        bool needs_dc = direct && !fine, needs_ac = range[1] > 0;
        if (needs_dc && (entry[1] >> 4 > 3 || !(jpeg->huffman[0] >> (entry[1] >> 4) & 1))) return odd;
        if (needs_ac && ((entry[1] & 15) > 3 || !(jpeg->huffman[1] >> (entry[1] & 15) & 1))) return odd;
        if (!(jpeg->quantizers >> of[i]->table & 1)) return odd;
        if (*first) of[i]->coded = true;
    }
    *scan = measure(jpeg, of, at[0]);
    return NULL;
}

/* The coded data from `at` on: up to the next marker that is not one of restart. *end: where that begins. A decoder
 * fills up what is missing with grey and says nothing: so there must be as many restarts as there are to be, and at
 * least as many bits as the shortest codes take. */
static const char *skip_coded(const Jpeg *jpeg, size_t at, const Scan *scan, bool first, size_t *end)
{
    const uint8_t *bytes = jpeg->file.at;
    uint64_t restarts = 0, wanted = jpeg->interval > 0 ? (scan->units - 1) / jpeg->interval : 0;
    size_t begin = at;
    for (;;) {
        const uint8_t *found = memchr(bytes + at, 0xff, jpeg->file.size - at);
        if (found == NULL) return cut_short;
        at = (size_t)(found - bytes) + 1;
        if (at >= jpeg->file.size) return cut_short;
        uint8_t marker = bytes[at];
        if (marker == 0xff) continue; /* a fill byte */
        if (marker != 0 && (marker < RST0 || marker > RST7)) break;
        if (marker != 0 && (marker != RST0 + restarts % 8 || ++restarts > wanted)) return odd;
        at++;
    }
    *end = at - 1;
    uint64_t bits = (uint64_t)(*end - begin) * 8, least = !first ? 0 : jpeg->progressive ? 1 : 2;
    return restarts != wanted || bits < least * scan->blocks ? "coded data are missing" : NULL;
}

/* ------------------------------------------------------------------ the file */

/* One marker segment; *at goes behind it. */
static const char *read_segment(Jpeg *jpeg, uint8_t marker, size_t *at)
{
    const uint8_t *bytes = jpeg->file.at;
    size_t begin = *at, room = jpeg->file.size - begin; /* from 0xff on */
    if (room < 4) return cut_short;
    size_t length = be16(bytes + begin + 2);
    if (length < 2) return odd;
    if (length + 2 > room) return cut_short;
    const uint8_t *body = bytes + begin + 4;
    const char *why = NULL;
    size_t body_size = length - 2, end = begin + 2 + length;
    bool kept = true;
    if (marker == DQT) {
        why = read_quantizers(jpeg, body, body_size);
    } else if (marker == DHT) {
        why = read_huffman(jpeg, body, body_size);
    } else if (marker >= SOF0 && marker <= SOF2) {
        why = read_frame(jpeg, marker, body, body_size);
    } else if (marker == DRI) {
        if (body_size != 2) return odd;
        jpeg->interval = be16(body);
    } else if (marker == SOS) {
        Scan scan = {0};
        bool first = false;
        why = read_scan(jpeg, body, body_size, &scan, &first);
        if (why == NULL) why = skip_coded(jpeg, end, &scan, first, &end);
    } else if (marker == APP14) { /* how colours are coded; nothing behind it */
        kept = body_size >= 12 && memcmp(body, "Adobe", 5) == 0;
        if (kept && body_size > 12) return odd;
    } else if ((marker >= APP0 && marker <= APP15) || marker == COM) {
        kept = false;
    } else {
        return "it is coded in a way that few programs read";
    }
    if (why != NULL) return why;
    if (kept) keep(jpeg, bytes + begin, end - begin);
    *at = end;
    return NULL;
}

/* Calls read_segment for all up to the end of the picture; behind it may lie others: thumbnails, gain maps, films. */
static const char *read_file(Jpeg *jpeg, size_t at)
{
    const uint8_t *bytes = jpeg->file.at;
    for (;;) {
        while (jpeg->file.size - at >= 2 && bytes[at] == 0xff && bytes[at + 1] == 0xff) at++; /* fill bytes */
        if (jpeg->file.size - at < 2) return cut_short;
        if (bytes[at] != 0xff) return odd;
        uint8_t marker = bytes[at + 1];
        if (marker == EOI) break;
        const char *why = read_segment(jpeg, marker, &at);
        if (why != NULL) return why;
    }
    for (uint32_t i = 0; i < jpeg->component_count; i++)
        if (!jpeg->components[i].coded) return "coded data are missing";
    if (jpeg->scans == 0) return "coded data are missing";
    keep(jpeg, bytes + at, 2);
    return NULL;
}

static bool begins(PmLosslessBytes file)
{
    return file.size >= 4 && file.at[0] == 0xff && file.at[1] == SOI;
}

const char *pm_lossless_jpeg_judge(PmLosslessBytes source)
{
    Jpeg jpeg = {.file = source};
    return begins(source) ? read_file(&jpeg, 2) : odd;
}

/* ------------------------------------------------------------------ metadata */

static bool starts(const uint8_t *body, size_t size, const char *name, size_t name_size)
{
    return size >= name_size && memcmp(body, name, name_size) == 0;
}

static bool has_jfif(PmLosslessBytes file)
{
    return file.size >= 11 && file.at[2] == 0xff && file.at[3] == APP0 && memcmp(file.at + 6, "JFIF", 5) == 0;
}

static void put_exif(Jpeg *to, PmLosslessBytes block, int orientation)
{
    uint8_t made[PM_LOSSLESS_EXIF_MAX];
    size_t size = pm_lossless_set_orientation(block, orientation, made);
    if (size == 0) { /* the tag is worth more than all others */
        size = pm_lossless_set_orientation((PmLosslessBytes){0}, orientation, made);
    }
    const uint8_t head[4] = {0xff, APP1, (uint8_t)((size + 2) >> 8), (uint8_t)(size + 2)};
    keep(to, head, sizeof head);
    keep(to, made, size);
}

/* The donor's next segment APPn or COM; *at goes behind it. 0: there is none before its tables. */
static uint8_t next_metadata(PmLosslessBytes donor, size_t *at, PmLosslessBytes *body)
{
    const uint8_t *bytes = donor.at + *at;
    if (donor.size - *at < 4 || bytes[0] != 0xff) return 0;
    size_t length = be16(bytes + 2);
    if (length < 2 || length > donor.size - *at - 2) return 0;
    if ((bytes[1] < APP0 || bytes[1] > APP15) && bytes[1] != COM) return 0;
    *body = (PmLosslessBytes){bytes + 4, length - 2};
    *at += length + 2;
    return bytes[1];
}

static bool is_exif(uint8_t marker, PmLosslessBytes body)
{
    return marker == APP1 && starts(body.at, body.size, "Exif\0\0", 6);
}

/* Of the donor's metadata all but what tells how its own pixels are coded. EXIF comes first, or right after JFIF. */
static void put_metadata(Jpeg *to, PmLosslessBytes donor, int orientation)
{
    PmLosslessBytes body, exif = {0};
    bool jfif = has_jfif(to->file), pending = orientation > 1;
    uint8_t marker;
    for (size_t at = 2; (marker = next_metadata(donor, &at, &body)) != 0;)
        if (is_exif(marker, body)) exif = body;
    for (size_t at = 2; (marker = next_metadata(donor, &at, &body)) != 0;) {
        bool is_jfif = marker == APP0 && starts(body.at, body.size, "JFIF", 5);
        if (pending && !is_jfif) put_exif(to, exif, orientation);
        pending = pending && is_jfif;
        if (marker == APP14 || (orientation > 1 && is_exif(marker, body))) continue;
        /* Without the source having it, JFIF would tell that its colours are YCbCr. */
        if (!is_jfif || jfif) keep(to, body.at - 4, body.size + 4);
    }
    if (pending) put_exif(to, exif, orientation);
}

bool pm_lossless_jpeg_write(PmLosslessBytes source, PmLosslessBytes donor, int orientation, const PmLosslessOut *out)
{
    Jpeg jpeg = {.file = source, .out = out};
    if (!begins(source) || !begins(donor)) return false;
    keep(&jpeg, source.at, 2);
    put_metadata(&jpeg, donor, orientation);
    return read_file(&jpeg, 2) == NULL && !jpeg.failed;
}
