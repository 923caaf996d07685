/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/signal.h"

#include <stdint.h>
#include <string.h>

#include "engine/boxes.h"

typedef struct Span {
    const uint8_t *data;
    size_t size;
} Span;

static uint32_t get16(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t get32(const uint8_t *at)
{
    return get16(at) << 16 | get16(at + 2);
}

static bool is(const uint8_t *at, const char *name)
{
    return memcmp(at, name, 4) == 0;
}

/* ------------------------------------------------------------------ PNG (third edition, 11.3.2) */

enum { PNG_SIGNATURE = 8, PNG_AROUND = 12, PNG_UNIT = 100000 };

static void read_chroma(const uint8_t *data, PmSignal *signal)
{
    signal->has_xy = true;
    for (int i = 0; i < 8; i++) signal->xy[i / 2][i % 2] = (double)get32(data + (size_t)i * 4) / PNG_UNIT;
}

/* Before the first IDAT; cICP comes before iCCP, that before sRGB, and that before gAMA and cHRM. */
static void read_png(Span file, PmSignal *signal)
{
    bool srgb = false;
    for (size_t at = PNG_SIGNATURE; at + PNG_AROUND <= file.size;) {
        const uint8_t *chunk = file.data + at, *data = chunk + 8;
        size_t length = get32(chunk);
        if (length > file.size - at - PNG_AROUND || is(chunk + 4, "IDAT")) break;
        if (is(chunk + 4, "cICP") && length == 4) {
            signal->coded = signal->overrides_profile = true;
            signal->primaries = data[0];
            signal->transfer = data[1];
        } else if (is(chunk + 4, "sRGB")) {
            srgb = true;
        } else if (is(chunk + 4, "gAMA") && length == 4 && get32(data) > 0) {
            signal->gamma = (double)PNG_UNIT / get32(data);
        } else if (is(chunk + 4, "cHRM") && length == 32) {
            read_chroma(data, signal);
        }
        at += length + PNG_AROUND;
    }
    if (srgb || signal->coded) {
        signal->gamma = 0;
        signal->has_xy = false;
    }
}

/* ------------------------------------------------------------------ HEIF (ISO/IEC 14496-12, 23008-12) */

/* What is cut counts as not there. */
static bool next_box(PmCursor *rest, PmBox *box)
{
    return pm_box_next(rest, box) && box->whole;
}

static bool find_box(PmCursor in, const char *type, PmCursor *body)
{
    PmBox box;
    while (next_box(&in, &box))
        if (strcmp(box.type, type) == 0) {
            *body = box.body;
            return true;
        }
    return false;
}

/* A full box: past its version and flags. */
static bool find_full_box(PmCursor in, const char *type, unsigned *version, unsigned *flags, PmCursor *body)
{
    if (!find_box(in, type, body) || body->left < 4) return false;
    *version = pm_box_version(body, flags);
    return true;
}

static bool take(PmCursor *cursor, size_t bytes, uint32_t *value)
{
    *value = (uint32_t)pm_cursor_take(cursor, bytes);
    return !cursor->failed;
}

static bool primary_item(PmCursor meta, uint32_t *id)
{
    unsigned version, flags;
    PmCursor body;
    return find_full_box(meta, "pitm", &version, &flags, &body) && take(&body, version == 0 ? 2 : 4, id);
}

/* After its version, auxC names what an auxiliary picture is. */
static bool tells_of_alpha(const uint8_t *name, size_t size)
{
    static const char *const names[] = {"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", "urn:mpeg:hevc:2015:auxid:1"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t length = strlen(names[i]) + 1;
        if (size >= length && memcmp(name, names[i], length) == 0) return true;
    }
    return false;
}

/* Properties are numbered from 1. */
static void read_property(PmCursor properties, uint32_t number, PmSignal *signal)
{
    PmBox box;
    for (uint32_t i = 1; next_box(&properties, &box); i++) {
        if (i != number) continue;
        if (strcmp(box.type, "colr") == 0 && box.body.left >= 10 && memcmp(box.body.at, "nclx", 4) == 0) {
            signal->coded = true;
            signal->primaries = get16(box.body.at + 4);
            signal->transfer = get16(box.body.at + 6);
        } else if (strcmp(box.type, "auxC") == 0 && box.body.left > 4) {
            signal->alpha = tells_of_alpha(box.body.at + 4, box.body.left - 4);
        }
        return;
    }
}

/* Which properties the item has: `ipma` lists items, each with the numbers of its properties. */
static void read_properties(PmCursor meta, uint32_t item, PmSignal *signal)
{
    unsigned version, flags;
    uint32_t entries, id, count, number;
    PmCursor container, properties, list;
    if (!find_box(meta, "iprp", &container) || !find_box(container, "ipco", &properties) ||
        !find_full_box(container, "ipma", &version, &flags, &list) || !take(&list, 4, &entries))
        return;
    size_t number_size = flags & 1 ? 2 : 1;
    while (entries-- > 0) {
        if (!take(&list, version < 1 ? 2 : 4, &id) || !take(&list, 1, &count)) return;
        while (count-- > 0) {
            if (!take(&list, number_size, &number)) return;
            if (id == item)
                read_property(properties, number & (flags & 1 ? 0x7fff : 0x7f), signal); /* the top bit: essential */
        }
    }
}

/* `auxl` points from an auxiliary picture (transparency, depth) to that which it belongs to, `prem` from a picture to
 * its transparency. */
static void read_references(PmCursor meta, uint32_t item, PmSignal *signal)
{
    unsigned version, flags;
    PmCursor references;
    PmBox box;
    if (!find_full_box(meta, "iref", &version, &flags, &references)) return;
    size_t id_size = version == 0 ? 2 : 4;
    while (next_box(&references, &box)) {
        uint32_t from, count, to;
        if (!take(&box.body, id_size, &from) || !take(&box.body, 2, &count)) continue;
        if (strcmp(box.type, "prem") == 0 && from == item) signal->premultiplied = true;
        if (strcmp(box.type, "auxl") != 0) continue;
        while (count-- > 0 && take(&box.body, id_size, &to)) {
            PmSignal plane = {0};
            if (to == item) read_properties(meta, from, &plane);
            signal->alpha = signal->alpha || plane.alpha;
        }
    }
}

static void read_heif(PmCursor file, PmSignal *signal)
{
    unsigned version, flags;
    uint32_t item;
    PmCursor meta;
    if (!find_full_box(file, "meta", &version, &flags, &meta) || !primary_item(meta, &item)) return;
    read_properties(meta, item, signal);
    read_references(meta, item, signal);
}

PmSignal pm_signal_read(PmFormat format, const void *bytes, size_t size)
{
    PmSignal signal = {.primaries = PM_UNSPECIFIED, .transfer = PM_UNSPECIFIED};
    if (format == PM_FORMAT_PNG) read_png((Span){bytes, size}, &signal);
    if (format == PM_FORMAT_AVIF || format == PM_FORMAT_HEIF) read_heif((PmCursor){.at = bytes, .left = size}, &signal);
    return signal;
}
