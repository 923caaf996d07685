/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/tiff_exif.h"

#include <stdbool.h>
#include <string.h>

static const uint8_t prefix[6] = "Exif\0"; /* and the zero that ends the literal */

enum { ENTRY = 12, ENTRIES_MAX = 200, HEADER = 8, TYPE_LONG = 4, TYPE_IFD = 13, TYPE_LONG8 = 16, TYPE_IFD8 = 18 };

/* BigTIFF: wider numbers in the same order. */
enum { BIG_ENTRY = 20, BIG_HEADER = 16 };

typedef enum Directory { PICTURE, SHOT, PLACE, INTEROP } Directory;

typedef struct Entry {
    unsigned tag, type;
    uint32_t count;
    const uint8_t *value;
    size_t size;
} Entry;

typedef struct Copy {
    const uint8_t *in;
    size_t size;
    bool big_endian;
    bool big;     /* what is read is a BigTIFF; what is written never is */
    uint8_t *out; /* the header; offsets count from it */
    size_t used;
} Copy;

static unsigned get16(const Copy *copy, const uint8_t *at)
{
    return copy->big_endian ? (unsigned)at[0] << 8 | at[1] : (unsigned)at[1] << 8 | at[0];
}

static uint32_t get32(const Copy *copy, const uint8_t *at)
{
    uint32_t first = get16(copy, at), second = get16(copy, at + 2);
    return copy->big_endian ? first << 16 | second : second << 16 | first;
}

/* Of as many bytes as this file has for a count or an offset. What does not fit size_t is beyond any file. */
static uint64_t get_wide(const Copy *copy, const uint8_t *at)
{
    if (!copy->big) return get32(copy, at);
    uint64_t first = get32(copy, at), second = get32(copy, at + 4);
    return copy->big_endian ? first << 32 | second : second << 32 | first;
}

static void set16(const Copy *copy, uint8_t *at, unsigned value)
{
    at[copy->big_endian ? 0 : 1] = (uint8_t)(value >> 8);
    at[copy->big_endian ? 1 : 0] = (uint8_t)value;
}

static void set32(const Copy *copy, uint8_t *at, size_t value)
{
    set16(copy, at + (copy->big_endian ? 0 : 2), (unsigned)(value >> 16) & 0xffff);
    set16(copy, at + (copy->big_endian ? 2 : 0), (unsigned)value & 0xffff);
}

/* In the first directory most tags tell how the pixels lie, or hold blocks that libvips reads itself: profile, XMP,
 * IPTC. How a picture is turned and how large it prints, libvips reads too. */
static bool is_wanted(Directory directory, unsigned tag)
{
    static const uint16_t told[] = {
        0x010e, 0x010f, 0x0110, 0x0131, 0x0132,
        0x013b, 0x013c,                         /* description, make, model, software, date, artist, host */
        0x4746, 0x4749, 0x8298,                 /* rating, its percents, copyright */
        0x9c9b, 0x9c9c, 0x9c9d, 0x9c9e, 0x9c9f, /* Windows' title, comment, author, keywords, subject */
    };
    if (directory != PICTURE) return true;
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++)
        if (told[i] == tag) return true;
    return false;
}

/* Only the directory above may point to one, so that there is no way round in a circle. */
static bool points_to(Directory from, unsigned tag, Directory *to)
{
    enum { POINTER_SHOT = 0x8769, POINTER_PLACE = 0x8825, POINTER_INTEROP = 0xa005 };
    if (from == PICTURE && tag == POINTER_SHOT)
        *to = SHOT;
    else if (from == PICTURE && tag == POINTER_PLACE)
        *to = PLACE;
    else if (from == SHOT && tag == POINTER_INTEROP)
        *to = INTEROP;
    else
        return false;
    return true;
}

/* Bytes of one value of a type, 0 for none that the standard knows. 129 is UTF-8, since Exif 3.0. */
static size_t value_size(const Copy *copy, unsigned type)
{
    static const uint8_t sizes[] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4};
    if (copy->big && (type == TYPE_LONG8 || type == TYPE_IFD8)) return 8;
    return type == 129 ? 1 : type < sizeof sizes ? sizes[type] : 0;
}

static bool read_entry(const Copy *copy, const uint8_t *at, Entry *entry)
{
    size_t inside = copy->big ? 8 : 4;
    const uint8_t *field = at + 4 + inside; /* the value, or where it lies */
    uint64_t count = get_wide(copy, at + 4);
    *entry = (Entry){.tag = get16(copy, at), .type = get16(copy, at + 2), .value = field};
    size_t unit = value_size(copy, entry->type);
    if (unit == 0 || count == 0 || count > PM_TIFF_EXIF_MAX / unit) return false;
    entry->count = (uint32_t)count;
    entry->size = unit * entry->count;
    if (entry->size <= inside) return true;
    uint64_t offset = get_wide(copy, field);
    if (offset > copy->size || entry->size > copy->size - offset) return false;
    entry->value = copy->in + offset;
    return true;
}

/* Room for so many bytes, at an even offset; 0 when there is none. */
static size_t reserve(Copy *copy, size_t size)
{
    size_t at = copy->used + copy->used % 2;
    if (at > PM_TIFF_EXIF_MAX - sizeof prefix || size > PM_TIFF_EXIF_MAX - sizeof prefix - at) return 0;
    memset(copy->out + copy->used, 0, at + size - copy->used);
    copy->used = at + size;
    return at;
}

static size_t copy_directory(Copy *copy, Directory which, uint64_t offset);

/* Where the directory lies that an entry points to; 0: nowhere. */
static uint64_t pointed_to(const Copy *copy, const Entry *entry)
{
    if (entry->count != 1) return 0;
    if (entry->type == TYPE_LONG || entry->type == TYPE_IFD) return get32(copy, entry->value);
    return entry->size == 8 && (entry->type == TYPE_LONG8 || entry->type == TYPE_IFD8) ? get_wide(copy, entry->value)
                                                                                       : 0;
}

/* The value, or the directory, that an entry points to, and the entry itself at `at`; false leaves it out. */
static bool copy_entry(Copy *copy, Directory which, const Entry *entry, size_t at)
{
    Directory to;
    size_t far = 0;
    bool pointer = points_to(which, entry->tag, &to);
    if (pointer) {
        far = copy_directory(copy, to, pointed_to(copy, entry));
        if (far == 0) return false;
    } else if (!is_wanted(which, entry->tag) || entry->type == TYPE_LONG8 || entry->type == TYPE_IFD8) {
        return false; /* EXIF has no such types */
    } else if (entry->size > 4) {
        far = reserve(copy, entry->size);
        if (far == 0) return false;
        memcpy(copy->out + far, entry->value, entry->size);
    }
    uint8_t *bytes = copy->out + at;
    set16(copy, bytes, entry->tag);
    set16(copy, bytes + 2, pointer ? TYPE_LONG : entry->type);
    set32(copy, bytes + 4, entry->count);
    if (far != 0)
        set32(copy, bytes + 8, far);
    else
        memcpy(bytes + 8, entry->value, entry->size);
    return true;
}

/* Where the copy lies, 0 when nothing of it is left. Entries that are left out leave zeros behind the others. A
 * directory of more entries than there ever are costs no more than this. */
static size_t copy_directory(Copy *copy, Directory which, uint64_t offset)
{
    size_t head = copy->big ? 8 : 2, entry_size = copy->big ? BIG_ENTRY : ENTRY;
    if (offset < HEADER || offset > copy->size || copy->size - offset < head) return 0;
    const uint8_t *from = copy->in + offset;
    size_t room = (copy->size - (size_t)offset - head) / entry_size, kept = 0, before = copy->used;
    uint64_t stated = copy->big ? get_wide(copy, from) : get16(copy, from);
    size_t count = stated < room ? (size_t)stated : room;
    if (count > ENTRIES_MAX) count = ENTRIES_MAX;
    size_t start = reserve(copy, 2 + count * ENTRY + 4);
    if (start == 0) return 0;
    for (size_t i = 0; i < count; i++) {
        Entry entry;
        if (read_entry(copy, from + head + i * entry_size, &entry) &&
            copy_entry(copy, which, &entry, start + 2 + kept * ENTRY))
            kept++;
    }
    if (kept == 0) {
        copy->used = before;
        return 0;
    }
    set16(copy, copy->out + start, (unsigned)kept);
    return start;
}

size_t pm_tiff_exif(const void *bytes, size_t size, uint8_t *out)
{
    static const uint8_t marks[2][HEADER] = {"II*\0", {'M', 'M', 0, '*'}};
    Copy copy = {.in = bytes, .size = size, .out = out + sizeof prefix, .used = HEADER};
    if (size < BIG_HEADER) return 0;
    copy.big_endian = copy.in[0] == 'M';
    copy.big = get16(&copy, copy.in + 2) == 43;
    if (memcmp(copy.in, marks[copy.big_endian], 2) != 0 || (!copy.big && get16(&copy, copy.in + 2) != 42)) return 0;
    memcpy(out, prefix, sizeof prefix);
    memcpy(copy.out, marks[copy.big_endian], HEADER);
    size_t first = copy_directory(&copy, PICTURE, get_wide(&copy, copy.in + (copy.big ? 8 : 4)));
    if (first == 0) return 0;
    set32(&copy, copy.out + 4, first);
    return sizeof prefix + copy.used;
}
