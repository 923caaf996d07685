/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/signal.h"

#include <stdint.h>
#include <string.h>

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

typedef struct Box {
    const uint8_t *type;
    Span body;
} Box;

/* The box at the front of `rest`, which is shortened by it. */
static bool next_box(Span *rest, Box *box)
{
    if (rest->size < 8) return false;
    uint64_t size = get32(rest->data);
    size_t head = 8;
    if (size == 1) {
        if (rest->size < 16) return false;
        size = (uint64_t)get32(rest->data + 8) << 32 | get32(rest->data + 12);
        head = 16;
    } else if (size == 0) {
        size = rest->size;
    }
    if (size < head || size > rest->size) return false;
    *box = (Box){.type = rest->data + 4, .body = {rest->data + head, (size_t)size - head}};
    rest->data += size;
    rest->size -= (size_t)size;
    return true;
}

static bool find_box(Span in, const char *type, Span *body)
{
    Box box;
    while (next_box(&in, &box))
        if (is(box.type, type)) {
            *body = box.body;
            return true;
        }
    return false;
}

/* A full box: past its version and flags. */
static bool find_full_box(Span in, const char *type, unsigned *version, unsigned *flags, Span *body)
{
    if (!find_box(in, type, body) || body->size < 4) return false;
    *version = body->data[0];
    *flags = get32(body->data) & 0xffffff;
    body->data += 4;
    body->size -= 4;
    return true;
}

static bool take(Span *span, size_t bytes, uint32_t *value)
{
    if (span->size < bytes) return false;
    *value = 0;
    for (size_t i = 0; i < bytes; i++) *value = *value << 8 | span->data[i];
    span->data += bytes;
    span->size -= bytes;
    return true;
}

static bool primary_item(Span meta, uint32_t *id)
{
    unsigned version, flags;
    Span body;
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
static void read_property(Span properties, uint32_t number, PmSignal *signal)
{
    Box box;
    for (uint32_t i = 1; next_box(&properties, &box); i++) {
        if (i != number) continue;
        if (is(box.type, "colr") && box.body.size >= 10 && is(box.body.data, "nclx")) {
            signal->coded = true;
            signal->primaries = get16(box.body.data + 4);
            signal->transfer = get16(box.body.data + 6);
        } else if (is(box.type, "auxC") && box.body.size > 4) {
            signal->alpha = tells_of_alpha(box.body.data + 4, box.body.size - 4);
        }
        return;
    }
}

/* Which properties the item has: `ipma` lists items, each with the numbers of its properties. */
static void read_properties(Span meta, uint32_t item, PmSignal *signal)
{
    unsigned version, flags;
    uint32_t entries, id, count, number;
    Span container, properties, list;
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
static void read_references(Span meta, uint32_t item, PmSignal *signal)
{
    unsigned version, flags;
    Span references;
    Box box;
    if (!find_full_box(meta, "iref", &version, &flags, &references)) return;
    size_t id_size = version == 0 ? 2 : 4;
    while (next_box(&references, &box)) {
        uint32_t from, count, to;
        if (!take(&box.body, id_size, &from) || !take(&box.body, 2, &count)) continue;
        if (is(box.type, "prem") && from == item) signal->premultiplied = true;
        if (!is(box.type, "auxl")) continue;
        while (count-- > 0 && take(&box.body, id_size, &to)) {
            PmSignal plane = {0};
            if (to == item) read_properties(meta, from, &plane);
            signal->alpha = signal->alpha || plane.alpha;
        }
    }
}

static void read_heif(Span file, PmSignal *signal)
{
    unsigned version, flags;
    uint32_t item;
    Span meta;
    if (!find_full_box(file, "meta", &version, &flags, &meta) || !primary_item(meta, &item)) return;
    read_properties(meta, item, signal);
    read_references(meta, item, signal);
}

PmSignal pm_signal_read(PmFormat format, const void *bytes, size_t size)
{
    PmSignal signal = {.primaries = PM_UNSPECIFIED, .transfer = PM_UNSPECIFIED};
    Span file = {bytes, size};
    if (format == PM_FORMAT_PNG) read_png(file, &signal);
    if (format == PM_FORMAT_AVIF || format == PM_FORMAT_HEIF) read_heif(file, &signal);
    return signal;
}
