// SPDX-License-Identifier: Apache-2.0
#include "boxes.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Nothing but bytes that go away: ranges of the file, and numbers in what stays. */

enum { HEAD = 8, FULL_HEAD = HEAD + 4, CUTS_MAX = 8 };

typedef struct Range {
    size_t at, size;
} Range;

typedef struct Edit {
    uint8_t *file; // a copy, whose numbers are set before the cuts are made
    size_t size;
    Range cuts[CUTS_MAX];
    size_t cut_count;
    uint32_t item; // the one to leave out
} Edit;

static uint64_t get(const Edit *edit, size_t at, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) value = value << 8 | edit->file[at + i];
    return value;
}

static void set(Edit *edit, size_t at, size_t bytes, uint64_t value)
{
    for (size_t i = bytes; i-- > 0; value >>= 8) edit->file[at + i] = (uint8_t)value;
}

static bool cut(Edit *edit, size_t at, size_t size)
{
    if (edit->cut_count == CUTS_MAX || size > edit->size || at > edit->size - size) return false;
    edit->cuts[edit->cut_count++] = (Range){at, size};
    return true;
}

static bool box_at(const Edit *edit, size_t at, size_t end, Range *box)
{
    if (end - at < HEAD) return false;
    size_t size = get(edit, at, 4); // 0 and 1 stand for sizes that libheif does not write
    *box = (Range){at, size};
    return size >= HEAD && size <= end - at;
}

static bool is_type(const Edit *edit, Range box, const char *type)
{
    return !memcmp(edit->file + box.at + 4, type, 4);
}

static bool find(const Edit *edit, size_t at, size_t end, const char *type, Range *box)
{
    for (; at < end && box_at(edit, at, end, box); at += box->size)
        if (is_type(edit, *box, type)) return true;
    return false;
}

static void shrink(Edit *edit, Range box, size_t by)
{
    set(edit, box.at, 4, box.size - by);
}

/* The item's entry in `iinf`: version, flags, count, then a box for each. How many bytes go; 0: no EXIF. */
static size_t cut_entry(Edit *edit, Range iinf)
{
    if (iinf.size < FULL_HEAD + 2 || edit->file[iinf.at + HEAD] != 0) return 0;
    size_t count_at = iinf.at + FULL_HEAD;
    Range entry;
    for (size_t at = count_at + 2, end = iinf.at + iinf.size; at < end && box_at(edit, at, end, &entry);
         at += entry.size) {
        if (!is_type(edit, entry, "infe") || entry.size < FULL_HEAD + 8) continue;
        size_t id_bytes = edit->file[entry.at + HEAD] == 2 ? 2 : 4;
        size_t type_at = entry.at + FULL_HEAD + id_bytes + 2;
        if (type_at + 4 > entry.at + entry.size || memcmp(edit->file + type_at, "Exif", 4) != 0) continue;
        edit->item = (uint32_t)get(edit, entry.at + FULL_HEAD, id_bytes);
        set(edit, count_at, 2, get(edit, count_at, 2) - 1);
        shrink(edit, iinf, entry.size);
        return cut(edit, entry.at, entry.size) ? entry.size : 0;
    }
    return 0;
}

/* What `iloc` says of one item with a single extent: where it lies, as a base and what is added to it. */
typedef struct Place {
    Range entry;
    uint32_t item;
    size_t number_at; // what is to be changed when it moves
    size_t offset, size;
} Place;

typedef struct Places {
    size_t next, end, base_bytes;
    bool has_method;
} Places;

static bool open_places(const Edit *edit, Range iloc, Places *places)
{
    if (iloc.size < FULL_HEAD + 4 || edit->file[iloc.at + HEAD] > 1) return false;
    uint8_t sizes = edit->file[iloc.at + FULL_HEAD], more = edit->file[iloc.at + FULL_HEAD + 1];
    *places = (Places){iloc.at + FULL_HEAD + 4, iloc.at + iloc.size, more >> 4, edit->file[iloc.at + HEAD] == 1};
    return sizes == 0x44 && (more == 0x40 || more == 0); // offsets and sizes of four bytes, no index
}

static bool next_place(const Edit *edit, Places *places, Place *place)
{
    size_t at = places->next, reference = at + (places->has_method ? 4 : 2), base = reference + 2;
    size_t extents = base + places->base_bytes, extent = extents + 2, end = extent + 8;
    if (end > places->end) return false;
    bool in_file = !places->has_method || get(edit, at + 2, 2) == 0;
    if (!in_file || get(edit, reference, 2) != 0 || get(edit, extents, 2) != 1) return false;
    *place = (Place){.entry = {at, end - at},
                     .item = (uint32_t)get(edit, at, 2),
                     .number_at = places->base_bytes ? base : extent,
                     .offset = get(edit, base, places->base_bytes) + get(edit, extent, 4),
                     .size = get(edit, extent + 4, 4)};
    places->next = end;
    return true;
}

/* The item's entry in `iloc`, and its bytes. */
static size_t cut_place(Edit *edit, Range iloc, Range data)
{
    Places places;
    Place place;
    if (!open_places(edit, iloc, &places)) return 0;
    while (next_place(edit, &places, &place)) {
        if (place.item != edit->item) continue;
        if (place.offset < data.at + HEAD || place.size > data.size || place.offset > data.at + data.size - place.size)
            return 0;
        size_t count_at = iloc.at + FULL_HEAD + 2;
        set(edit, count_at, 2, get(edit, count_at, 2) - 1);
        shrink(edit, iloc, place.entry.size);
        shrink(edit, data, place.size);
        return cut(edit, place.entry.at, place.entry.size) && cut(edit, place.offset, place.size) ? place.entry.size
                                                                                                  : 0;
    }
    return 0;
}

/* What the item says that it describes: a box each in `iref`, which goes when it would be empty. */
static bool cut_references(Edit *edit, Range iref, size_t *gone)
{
    size_t begin = iref.at + FULL_HEAD, end = iref.at + iref.size, cut_here = 0;
    if (iref.size < FULL_HEAD || edit->file[iref.at + HEAD] != 0) return false;
    size_t before = edit->cut_count;
    Range reference;
    for (size_t at = begin; at < end; at += reference.size) {
        if (!box_at(edit, at, end, &reference) || reference.size < HEAD + 2) return false;
        if (get(edit, at + HEAD, 2) != edit->item) continue;
        if (!cut(edit, at, reference.size)) return false;
        cut_here += reference.size;
    }
    if (cut_here == end - begin) {
        edit->cut_count = before;
        if (!cut(edit, iref.at, iref.size)) return false;
        cut_here = iref.size;
    } else {
        shrink(edit, iref, cut_here);
    }
    *gone += cut_here;
    return true;
}

/* The bytes of every other item lie further ahead. */
static bool move_places(Edit *edit, Range iloc)
{
    Places places;
    Place place;
    if (!open_places(edit, iloc, &places)) return false;
    while (places.next < places.end) {
        if (!next_place(edit, &places, &place)) return false;
        size_t gone = 0;
        for (size_t i = 0; i < edit->cut_count; i++)
            if (edit->cuts[i].at < place.offset) gone += edit->cuts[i].size;
        if (place.item == edit->item) continue;
        size_t number = get(edit, place.number_at, 4);
        if (number < gone) return false;
        set(edit, place.number_at, 4, number - gone);
    }
    return true;
}

static bool plan(Edit *edit)
{
    Range meta, data, iinf, iloc, iref;
    if (!find(edit, 0, edit->size, "meta", &meta) || !find(edit, 0, edit->size, "mdat", &data) || meta.size < FULL_HEAD)
        return false;
    size_t inside = meta.at + FULL_HEAD, end = meta.at + meta.size;
    if (!find(edit, inside, end, "iinf", &iinf) || !find(edit, inside, end, "iloc", &iloc)) return false;
    size_t entry = cut_entry(edit, iinf), place = entry ? cut_place(edit, iloc, data) : 0, gone = entry + place;
    if (!place || (find(edit, inside, end, "iref", &iref) && !cut_references(edit, iref, &gone))) return false;
    shrink(edit, meta, gone);
    return move_places(edit, iloc);
}

static int by_place(const void *a, const void *b)
{
    const Range *left = a, *right = b;
    return (left->at > right->at) - (left->at < right->at);
}

GByteArray *boxes_without_exif(const uint8_t *data, size_t size)
{
    if (size > G_MAXUINT) return NULL;
    Edit edit = {.file = g_memdup2(data, size), .size = size};
    GByteArray *out = plan(&edit) ? g_byte_array_sized_new((guint)size) : NULL;
    if (out) {
        size_t at = 0;
        qsort(edit.cuts, edit.cut_count, sizeof(*edit.cuts), by_place);
        for (size_t i = 0; i < edit.cut_count; i++) {
            g_byte_array_append(out, edit.file + at, (guint)(edit.cuts[i].at - at));
            at = edit.cuts[i].at + edit.cuts[i].size;
        }
        g_byte_array_append(out, edit.file + at, (guint)(size - at));
    }
    g_free(edit.file);
    return out;
}
