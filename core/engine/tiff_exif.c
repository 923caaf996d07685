/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/tiff_exif.h"

#include <stdbool.h>
#include <string.h>

static const uint8_t prefix[6] = "Exif\0"; /* and the zero that ends the literal */

enum { ENTRY = 12, ENTRIES_MAX = 200, HEADER = 8, TYPE_LONG = 4, TYPE_IFD = 13 };

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
static size_t value_size(unsigned type)
{
    static const uint8_t sizes[] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4};
    return type == 129 ? 1 : type < sizeof sizes ? sizes[type] : 0;
}

static bool read_entry(const Copy *copy, const uint8_t *at, Entry *entry)
{
    *entry =
        (Entry){.tag = get16(copy, at), .type = get16(copy, at + 2), .count = get32(copy, at + 4), .value = at + 8};
    size_t unit = value_size(entry->type);
    if (unit == 0 || entry->count == 0 || entry->count > PM_TIFF_EXIF_MAX / unit) return false;
    entry->size = unit * entry->count;
    if (entry->size <= 4) return true;
    size_t offset = get32(copy, at + 8);
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

static size_t copy_directory(Copy *copy, Directory which, size_t offset);

/* The value, or the directory, that an entry points to, and the entry itself at `at`; false leaves it out. */
static bool copy_entry(Copy *copy, Directory which, const Entry *entry, size_t at)
{
    Directory to;
    size_t far = 0;
    bool pointer = points_to(which, entry->tag, &to);
    if (pointer) {
        if ((entry->type != TYPE_LONG && entry->type != TYPE_IFD) || entry->count != 1) return false;
        far = copy_directory(copy, to, get32(copy, entry->value));
        if (far == 0) return false;
    } else if (!is_wanted(which, entry->tag)) {
        return false;
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
static size_t copy_directory(Copy *copy, Directory which, size_t offset)
{
    if (offset < HEADER || offset > copy->size || copy->size - offset < 2) return 0;
    const uint8_t *from = copy->in + offset;
    size_t count = get16(copy, from), room = (copy->size - offset - 2) / ENTRY, kept = 0, before = copy->used;
    if (count > room) count = room;
    if (count > ENTRIES_MAX) count = ENTRIES_MAX;
    size_t start = reserve(copy, 2 + count * ENTRY + 4);
    if (start == 0) return 0;
    for (size_t i = 0; i < count; i++) {
        Entry entry;
        if (read_entry(copy, from + 2 + i * ENTRY, &entry) && copy_entry(copy, which, &entry, start + 2 + kept * ENTRY))
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
    Copy copy = {.in = bytes, .size = size, .out = out + sizeof prefix, .used = HEADER};
    if (size < HEADER || (memcmp(bytes, "II*\0", 4) != 0 && memcmp(bytes, "MM\0*", 4) != 0)) return 0;
    copy.big_endian = copy.in[0] == 'M';
    memcpy(out, prefix, sizeof prefix);
    memcpy(copy.out, bytes, HEADER);
    size_t first = copy_directory(&copy, PICTURE, get32(&copy, copy.in + 4));
    if (first == 0) return 0;
    set32(&copy, copy.out + 4, first);
    return sizeof prefix + copy.used;
}
