/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/heif_codec.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Bytes still to be read; `failed` once more were asked for than there are. */
typedef struct Cursor {
    const uint8_t *at;
    size_t left;
    bool failed;
} Cursor;

typedef struct Box {
    char type[5];
    Cursor body;
} Box;

static uint64_t take(Cursor *cursor, size_t bytes)
{
    uint64_t value = 0;
    if (cursor->left < bytes) {
        cursor->failed = true;
        cursor->left = 0;
        return 0;
    }
    for (size_t i = 0; i < bytes; i++) value = value << 8 | cursor->at[i];
    cursor->at += bytes;
    cursor->left -= bytes;
    return value;
}

static void take_type(Cursor *cursor, char type[5])
{
    uint64_t code = take(cursor, 4);
    for (int i = 0; i < 4; i++) type[i] = (char)(code >> (24 - 8 * i) & 0xFF);
    type[4] = '\0';
}

/* ISO/IEC 14496-12, 4.2: size 1 means that 64 bits of it follow the type, 0 that the box ends with what holds it. One
 * that claims more than there is, is cut: libheif says what is wrong with it. */
static bool next_box(Cursor *cursor, Box *box)
{
    size_t before = cursor->left;
    uint64_t size = take(cursor, 4);
    take_type(cursor, box->type);
    if (size == 1) size = take(cursor, 8);
    size_t header = before - cursor->left;
    if (cursor->failed || (size != 0 && size < header)) return false;
    size_t body = size == 0 || size - header > cursor->left ? cursor->left : (size_t)size - header;
    box->body = (Cursor){.at = cursor->at, .left = body};
    cursor->at += body;
    cursor->left -= body;
    return true;
}

static bool find_box(Cursor cursor, const char *type, Box *box)
{
    while (next_box(&cursor, box))
        if (strcmp(box->type, type) == 0) return true;
    return false;
}

static unsigned take_version(Cursor *cursor)
{
    return (unsigned)(take(cursor, 4) >> 24); /* 24 bits of flags behind it */
}

static bool primary_item(Cursor meta, uint64_t *id)
{
    Box pitm;
    if (!find_box(meta, "pitm", &pitm)) return false;
    *id = take(&pitm.body, take_version(&pitm.body) == 0 ? 2 : 4);
    return !pitm.body.failed;
}

static bool item_type(Cursor meta, uint64_t id, char type[5])
{
    Box iinf, infe;
    if (!find_box(meta, "iinf", &iinf)) return false;
    take(&iinf.body, take_version(&iinf.body) == 0 ? 2 : 4); /* how many: the box's end tells */
    while (next_box(&iinf.body, &infe)) {
        if (strcmp(infe.type, "infe") != 0) continue;
        unsigned version = take_version(&infe.body);
        if (version < 2) continue; /* has no type */
        uint64_t own = take(&infe.body, version == 2 ? 2 : 4);
        take(&infe.body, 2); /* protection */
        take_type(&infe.body, type);
        if (!infe.body.failed && own == id) return true;
    }
    return false;
}

/* The first item that the picture is derived from. */
static bool first_part(Cursor meta, uint64_t id, uint64_t *part)
{
    Box iref, reference;
    if (!find_box(meta, "iref", &iref)) return false;
    size_t bytes = take_version(&iref.body) == 0 ? 2 : 4;
    while (next_box(&iref.body, &reference)) {
        if (strcmp(reference.type, "dimg") != 0 || take(&reference.body, bytes) != id) continue;
        uint64_t count = take(&reference.body, 2);
        *part = take(&reference.body, bytes);
        return count > 0 && !reference.body.failed;
    }
    return false;
}

bool pm_heif_codec(const void *bytes, size_t size, char codec[5])
{
    enum { DERIVED_MAX = 8 }; /* of a part of a part ..; libheif has a limit, too */
    Cursor file = {.at = bytes, .left = size};
    Box meta;
    uint64_t id = 0;
    codec[0] = '\0';
    if (!find_box(file, "meta", &meta)) return false;
    take_version(&meta.body);
    bool found = primary_item(meta.body, &id);
    for (int i = 0; found && i < DERIVED_MAX; i++) {
        found = item_type(meta.body, id, codec);
        bool derived = strcmp(codec, "grid") == 0 || strcmp(codec, "iden") == 0 || strcmp(codec, "iovl") == 0;
        if (!found || !derived) break;
        found = i + 1 < DERIVED_MAX && first_part(meta.body, id, &id);
    }
    if (!found) codec[0] = '\0';
    return found;
}

/* ------------------------------------------------------------------ references */

enum { LINKS_MAX = 16384, DEPTH_MAX = 8 }; /* a photo of 48 Mpx has 200 tiles, two or three deep */

/* To decode `whole`, `part` is decoded. */
typedef struct Link {
    uint64_t whole, part;
} Link;

typedef struct Links {
    Link *items;
    size_t count;
    bool full;
} Links;

static void add_links(Cursor iref, Links *links)
{
    Box reference;
    size_t bytes = take_version(&iref) == 0 ? 2 : 4;
    while (next_box(&iref, &reference)) {
        bool parts = strcmp(reference.type, "dimg") == 0, plane = strcmp(reference.type, "auxl") == 0;
        if (!parts && !plane) continue;
        uint64_t from = take(&reference.body, bytes), count = take(&reference.body, 2);
        for (; count > 0; count--) {
            uint64_t to = take(&reference.body, bytes);
            if (reference.body.failed) break;
            links->full = links->full || links->count == LINKS_MAX;
            if (links->full) return;
            links->items[links->count++] = parts ? (Link){from, to} : (Link){to, from}; /* a plane tells whose it is */
        }
    }
}

static int compare_wholes(const void *a, const void *b)
{
    const Link *x = a, *y = b;
    return (x->whole > y->whole) - (x->whole < y->whole);
}

/* Takes away, level by level, the links to what has no parts of its own: what is left goes round, or too deep. */
static bool all_end(Links *links)
{
    qsort(links->items, links->count, sizeof *links->items, compare_wholes);
    for (int level = 0; level < DEPTH_MAX && links->count > 0; level++) {
        Link *kept = malloc(links->count * sizeof *kept);
        size_t count = 0;
        if (kept == NULL) return false;
        for (size_t i = 0; i < links->count; i++) {
            Link wanted = {.whole = links->items[i].part};
            if (bsearch(&wanted, links->items, links->count, sizeof wanted, compare_wholes) != NULL)
                kept[count++] = links->items[i];
        }
        memcpy(links->items, kept, count * sizeof *kept);
        links->count = count;
        free(kept);
    }
    return links->count == 0;
}

/* Of every box that a reader might take for the one. */
bool pm_heif_is_finite(const void *bytes, size_t size)
{
    Cursor file = {.at = bytes, .left = size};
    Links links = {.items = malloc(LINKS_MAX * sizeof *links.items)};
    Box meta, iref;
    if (links.items == NULL) return false;
    while (next_box(&file, &meta)) {
        if (strcmp(meta.type, "meta") != 0) continue;
        take_version(&meta.body);
        while (next_box(&meta.body, &iref))
            if (strcmp(iref.type, "iref") == 0) add_links(iref.body, &links);
    }
    bool finite = !links.full && all_end(&links);
    free(links.items);
    return finite;
}
