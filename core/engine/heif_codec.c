/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/heif_codec.h"

#include <stdlib.h>
#include <string.h>

#include "engine/boxes.h"

static bool primary_item(PmCursor meta, uint64_t *id)
{
    PmBox pitm;
    if (!pm_box_find(meta, "pitm", &pitm)) return false;
    *id = pm_cursor_take(&pitm.body, pm_box_version(&pitm.body, NULL) == 0 ? 2 : 4);
    return !pitm.body.failed;
}

static bool item_type(PmCursor meta, uint64_t id, char type[5])
{
    PmBox iinf, infe;
    if (!pm_box_find(meta, "iinf", &iinf)) return false;
    pm_cursor_take(&iinf.body, pm_box_version(&iinf.body, NULL) == 0 ? 2 : 4); /* how many: the box's end tells */
    while (pm_box_next(&iinf.body, &infe)) {
        if (strcmp(infe.type, "infe") != 0) continue;
        unsigned version = pm_box_version(&infe.body, NULL);
        if (version < 2) continue; /* has no type */
        uint64_t own = pm_cursor_take(&infe.body, version == 2 ? 2 : 4);
        pm_cursor_take(&infe.body, 2); /* protection */
        pm_cursor_take_type(&infe.body, type);
        if (!infe.body.failed && own == id) return true;
    }
    return false;
}

/* The first item that the picture is derived from. */
static bool first_part(PmCursor meta, uint64_t id, uint64_t *part)
{
    PmBox iref, reference;
    if (!pm_box_find(meta, "iref", &iref)) return false;
    size_t bytes = pm_box_version(&iref.body, NULL) == 0 ? 2 : 4;
    while (pm_box_next(&iref.body, &reference)) {
        if (strcmp(reference.type, "dimg") != 0 || pm_cursor_take(&reference.body, bytes) != id) continue;
        uint64_t count = pm_cursor_take(&reference.body, 2);
        *part = pm_cursor_take(&reference.body, bytes);
        return count > 0 && !reference.body.failed;
    }
    return false;
}

bool pm_heif_codec(const void *bytes, size_t size, char codec[5])
{
    enum { DERIVED_MAX = 8 }; /* of a part of a part ..; libheif has a limit, too */
    PmCursor file = {.at = bytes, .left = size};
    PmBox meta;
    uint64_t id = 0;
    codec[0] = '\0';
    if (!pm_box_find(file, "meta", &meta)) return false;
    pm_box_version(&meta.body, NULL);
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

static void add_links(PmCursor iref, Links *links)
{
    PmBox reference;
    size_t bytes = pm_box_version(&iref, NULL) == 0 ? 2 : 4;
    while (pm_box_next(&iref, &reference)) {
        bool parts = strcmp(reference.type, "dimg") == 0, plane = strcmp(reference.type, "auxl") == 0;
        if (!parts && !plane) continue;
        uint64_t from = pm_cursor_take(&reference.body, bytes), count = pm_cursor_take(&reference.body, 2);
        for (; count > 0; count--) {
            uint64_t to = pm_cursor_take(&reference.body, bytes);
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

/* Of every box that a reader might pm_cursor_take for the one. */
bool pm_heif_is_finite(const void *bytes, size_t size)
{
    PmCursor file = {.at = bytes, .left = size};
    Links links = {.items = malloc(LINKS_MAX * sizeof *links.items)};
    PmBox meta, iref;
    if (links.items == NULL) return false;
    while (pm_box_next(&file, &meta)) {
        if (strcmp(meta.type, "meta") != 0) continue;
        pm_box_version(&meta.body, NULL);
        while (pm_box_next(&meta.body, &iref))
            if (strcmp(iref.type, "iref") == 0) add_links(iref.body, &links);
    }
    bool finite = !links.full && all_end(&links);
    free(links.items);
    return finite;
}
