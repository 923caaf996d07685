// SPDX-License-Identifier: Apache-2.0
#include "exif.h"

#include <glib.h>
#include <stdlib.h>
#include <string.h>

enum {
    ENTRY = 12,
    ENTRIES_MAX = 1000,
    POINTER_SHOT = 0x8769,
    POINTER_GPS = 0x8825,
    POINTER_INTEROP = 0xa005,
    TYPE_LONG = 4
};

typedef struct Block {
    const uint8_t *data; /* the TIFF header */
    size_t size;
    bool big_endian;
} Block;

typedef struct Entry {
    unsigned tag, type;
    uint32_t count;
    const uint8_t *value; /* of a pointer: NULL */
    size_t size;
    ExifDirectory to; /* of a pointer */
} Entry;

typedef struct Directory {
    Entry *entries;
    size_t count;
} Directory;

typedef struct Reader {
    Block block;
    ExifKeep *keep;
    void *data;
    Directory directories[EXIF_DIRECTORIES];
} Reader;

static unsigned get16(const Block *block, const uint8_t *at)
{
    return block->big_endian ? (unsigned)at[0] << 8 | at[1] : (unsigned)at[1] << 8 | at[0];
}

static uint32_t get32(const Block *block, const uint8_t *at)
{
    uint32_t first = get16(block, at), second = get16(block, at + 2);
    return block->big_endian ? first << 16 | second : second << 16 | first;
}

static bool open_block(const void *bytes, size_t size, Block *block)
{
    const uint8_t *data = bytes;
    if (size >= EXIF_PREFIX_SIZE && !memcmp(data, EXIF_PREFIX, EXIF_PREFIX_SIZE)) {
        data += EXIF_PREFIX_SIZE;
        size -= EXIF_PREFIX_SIZE;
    }
    if (size < 8 || size > UINT32_MAX) return false;
    *block = (Block){.data = data, .size = size, .big_endian = data[0] == 'M'};
    return (!memcmp(data, "II*\0", 4) || !memcmp(data, "MM\0*", 4));
}

/* Bytes of one value of a type, 0 for none that the standard knows. 129 is UTF-8, since Exif 3.0. */
static size_t value_size(unsigned type)
{
    static const uint8_t sizes[] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4};
    return type == 129 ? 1 : type < sizeof(sizes) ? sizes[type] : 0;
}

static bool read_value(const Block *block, const uint8_t *at, Entry *entry)
{
    *entry = (Entry){.tag = get16(block, at), .type = get16(block, at + 2), .count = get32(block, at + 4)};
    size_t unit = value_size(entry->type);
    if (!unit || !entry->count || entry->count > block->size / unit) return false;
    entry->size = unit * entry->count;
    if (entry->size <= 4) {
        entry->value = at + 8;
        return true;
    }
    size_t offset = get32(block, at + 8);
    if (offset > block->size || entry->size > block->size - offset) return false;
    entry->value = block->data + offset;
    return true;
}

static bool has_tag(const Directory *directory, unsigned tag)
{
    for (size_t i = 0; i < directory->count; i++)
        if (directory->entries[i].tag == tag) return true;
    return false;
}

/* Only the directory above may point to one, so that there is no way round in a circle. */
static bool points_to(ExifDirectory from, unsigned tag, ExifDirectory *to)
{
    if (from == EXIF_PICTURE && tag == POINTER_SHOT)
        *to = EXIF_SHOT;
    else if (from == EXIF_PICTURE && tag == POINTER_GPS)
        *to = EXIF_GPS;
    else if (from == EXIF_SHOT && tag == POINTER_INTEROP)
        *to = EXIF_INTEROP;
    else
        return false;
    return true;
}

static void read_directory(Reader *reader, ExifDirectory which, size_t offset)
{
    const Block *block = &reader->block;
    Directory *directory = &reader->directories[which];
    if (directory->entries || offset > block->size || block->size - offset < 2) return;
    size_t count = get16(block, block->data + offset), room = (block->size - offset - 2) / ENTRY;
    count = MIN(MIN(count, room), ENTRIES_MAX);
    directory->entries = g_new(Entry, count + 1);
    for (size_t i = 0; i < count; i++) {
        Entry entry;
        ExifDirectory to;
        if (!read_value(block, block->data + offset + 2 + i * ENTRY, &entry) || has_tag(directory, entry.tag)) continue;
        if (points_to(which, entry.tag, &to)) {
            if (entry.type != TYPE_LONG || entry.count != 1) continue;
            read_directory(reader, to, get32(block, entry.value));
            if (!reader->directories[to].count) continue;
            entry.value = NULL;
            entry.to = to;
        } else if (!reader->keep(reader->data, which, entry.tag)) {
            continue;
        }
        directory->entries[directory->count++] = entry;
    }
}

/* ------------------------------------------------------------------ writing */

typedef struct Writer {
    const Reader *reader;
    GByteArray *out;
} Writer;

static void set16(const Block *block, uint8_t *at, unsigned value)
{
    at[block->big_endian ? 0 : 1] = (uint8_t)(value >> 8);
    at[block->big_endian ? 1 : 0] = (uint8_t)value;
}

static void set32(const Block *block, uint8_t *at, uint32_t value)
{
    set16(block, at + (block->big_endian ? 0 : 2), value >> 16);
    set16(block, at + (block->big_endian ? 2 : 0), value & 0xffff);
}

static int by_tag(const void *a, const void *b)
{
    unsigned first = ((const Entry *)a)->tag, second = ((const Entry *)b)->tag;
    return first < second ? -1 : first > second;
}

/* Offsets count from the TIFF header and are even. */
static uint32_t end_of(const Writer *writer)
{
    static const uint8_t pad = 0;
    if (writer->out->len % 2) g_byte_array_append(writer->out, &pad, 1);
    return writer->out->len - EXIF_PREFIX_SIZE;
}

/* The directory, then its long values, then the directories that it points to. Returns its offset. */
static uint32_t write_directory(Writer *writer, ExifDirectory which)
{
    const Block *block = &writer->reader->block;
    const Directory *directory = &writer->reader->directories[which];
    uint32_t offset = end_of(writer);
    guint at = writer->out->len;
    if (directory->count) qsort(directory->entries, directory->count, sizeof(Entry), by_tag);
    g_byte_array_set_size(writer->out, at + 2 + (guint)directory->count * ENTRY + 4);
    memset(writer->out->data + at, 0, writer->out->len - at);
    set16(block, writer->out->data + at, (unsigned)directory->count);
    for (size_t i = 0; i < directory->count; i++) {
        const Entry *entry = &directory->entries[i];
        guint head = at + 2 + (guint)i * ENTRY;
        uint32_t far = 0;
        if (!entry->value) {
            far = write_directory(writer, entry->to);
        } else if (entry->size > 4) {
            far = end_of(writer);
            g_byte_array_append(writer->out, entry->value, (guint)entry->size);
        }
        uint8_t *bytes = writer->out->data + head;
        set16(block, bytes, entry->tag);
        set16(block, bytes + 2, entry->type);
        set32(block, bytes + 4, entry->count);
        if (!entry->value || entry->size > 4)
            set32(block, bytes + 8, far);
        else
            memcpy(bytes + 8, entry->value, entry->size);
    }
    return offset;
}

void *exif_copy(const void *block, size_t size, ExifKeep *keep, void *data, size_t *out_size)
{
    Reader reader = {.keep = keep, .data = data};
    GByteArray *out = NULL;
    if (!open_block(block, size, &reader.block)) return NULL;
    read_directory(&reader, EXIF_PICTURE, get32(&reader.block, reader.block.data + 4));
    if (reader.directories[EXIF_PICTURE].count) {
        Writer writer = {.reader = &reader, .out = out = g_byte_array_new()};
        g_byte_array_append(out, (const uint8_t *)EXIF_PREFIX, EXIF_PREFIX_SIZE);
        g_byte_array_append(out, reader.block.data, 8);
        uint32_t first = write_directory(&writer, EXIF_PICTURE);
        set32(&reader.block, out->data + EXIF_PREFIX_SIZE + 4, first);
    }
    for (size_t i = 0; i < EXIF_DIRECTORIES; i++) g_free(reader.directories[i].entries);
    if (!out) return NULL;
    *out_size = out->len;
    return g_byte_array_free(out, FALSE);
}
