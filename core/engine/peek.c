/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/peek.h"

#include <string.h>

enum { PAGES_MAX = 1000000 };

static uint32_t be16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t be32(const uint8_t *p)
{
    return be16(p) << 16 | be16(p + 2);
}

static uint32_t le16(const uint8_t *p)
{
    return (uint32_t)p[1] << 8 | p[0];
}

static uint32_t le24(const uint8_t *p)
{
    return (uint32_t)p[2] << 16 | le16(p);
}

static uint32_t le32(const uint8_t *p)
{
    return le16(p + 2) << 16 | le16(p);
}

/* Signature, then IHDR as the first chunk: length, type, width, height. */
static bool peek_png(const uint8_t *p, size_t size, PmPeek *out)
{
    if (size < 24 || memcmp(p + 12, "IHDR", 4) != 0) return false;
    *out = (PmPeek){.width = be32(p + 16), .height = be32(p + 20)};
    return true;
}

/* The logical screen; frames may still be larger, which libnsgif handles by growing it. */
static bool peek_gif(const uint8_t *p, size_t size, PmPeek *out)
{
    if (size < 10) return false;
    *out = (PmPeek){.width = le16(p + 6), .height = le16(p + 8)};
    return true;
}

/* Markers up to the first SOFn (ITU T.81, B.2.2): length, precision, height, width. */
static bool peek_jpeg(const uint8_t *p, size_t size, PmPeek *out)
{
    size_t at = 2;
    while (at + 4 <= size) {
        if (p[at] != 0xFF) return false;
        uint8_t marker = p[at + 1];
        if (marker == 0xFF) { /* fill byte */
            at++;
            continue;
        }
        if (marker == 0x01 || (marker >= 0xD0 && marker <= 0xD7)) { /* no length follows */
            at += 2;
            continue;
        }
        if (marker == 0xD9 || marker == 0xDA) return false;
        bool frame = marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
        if (frame) {
            if (at + 9 > size) return false;
            *out = (PmPeek){.width = be16(p + at + 7), .height = be16(p + at + 5)};
            return true;
        }
        at += 2 + be16(p + at + 2);
    }
    return false;
}

/* Of the chunks after the first: those that are frames. */
static int64_t count_frames(const uint8_t *p, size_t size)
{
    int64_t frames = 0;
    for (size_t at = 12; at + 8 <= size;) {
        if (memcmp(p + at, "ANMF", 4) == 0) frames++;
        size_t length = le32(p + at + 4);
        if (length > size - at - 8) break;
        at += 8 + length + length % 2;
    }
    return frames;
}

/* RFC 9649: the first chunk is VP8X (canvas), VP8L (14 bits each) or VP8 (key frame header). */
static bool peek_webp(const uint8_t *p, size_t size, PmPeek *out)
{
    if (size < 30) return false;
    const uint8_t *body = p + 20;
    if (memcmp(p + 12, "VP8X", 4) == 0) {
        *out = (PmPeek){(int64_t)le24(body + 4) + 1, (int64_t)le24(body + 7) + 1, count_frames(p, size)};
    } else if (memcmp(p + 12, "VP8L", 4) == 0) {
        uint32_t bits = le32(body + 1);
        *out = (PmPeek){.width = (bits & 0x3FFF) + 1, .height = (bits >> 14 & 0x3FFF) + 1};
    } else if (memcmp(p + 12, "VP8 ", 4) == 0) {
        *out = (PmPeek){.width = le16(body + 6) & 0x3FFF, .height = le16(body + 8) & 0x3FFF};
    } else {
        return false;
    }
    return true;
}

typedef struct Tiff {
    const uint8_t *bytes;
    size_t size;
    bool big_endian, big; /* big: BigTIFF, with offsets of 8 bytes */
} Tiff;

static uint64_t tiff_number(const Tiff *tiff, size_t at, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) value = value << 8 | tiff->bytes[at + (tiff->big_endian ? i : bytes - 1 - i)];
    return value;
}

/* Where the directory after the one at `at` lies; 0: it is the last, or damaged. */
static uint64_t next_directory(const Tiff *tiff, uint64_t at)
{
    size_t count_bytes = tiff->big ? 8 : 2, entry_bytes = tiff->big ? 20 : 12, offset_bytes = tiff->big ? 8 : 4;
    if (at < 8 || at > tiff->size || tiff->size - at < count_bytes) return 0;
    uint64_t count = tiff_number(tiff, at, count_bytes), room = tiff->size - at - count_bytes;
    if (room < offset_bytes || count > (room - offset_bytes) / entry_bytes) return 0;
    return tiff_number(tiff, at + count_bytes + count * entry_bytes, offset_bytes);
}

/* TIFF 6.0, section 2: each directory ends with the place of the next. A chain that bites its own tail ends where it
 * does (Brent's algorithm). */
static bool peek_tiff(const uint8_t *p, size_t size, PmPeek *out)
{
    if (size < 16) return false;
    Tiff tiff = {.bytes = p, .size = size, .big_endian = p[0] == 'M'};
    tiff.big = tiff_number(&tiff, 2, 2) == 43;
    uint64_t at = tiff.big ? tiff_number(&tiff, 8, 8) : tiff_number(&tiff, 4, 4), seen = 0;
    int64_t pages = 0, power = 1, steps = 0;
    while (at != 0 && at < size && at != seen && pages < PAGES_MAX) {
        if (steps == power) {
            seen = at;
            power *= 2;
            steps = 0;
        }
        pages++;
        steps++;
        at = next_directory(&tiff, at);
    }
    *out = (PmPeek){.pages = pages};
    return pages > 0;
}

bool pm_peek(PmFormat format, const void *bytes, size_t size, PmPeek *out)
{
    PmPeek peek = {0};
    bool found = false;
    switch (format) {
    case PM_FORMAT_PNG:
        found = peek_png(bytes, size, &peek);
        break;
    case PM_FORMAT_GIF:
        found = peek_gif(bytes, size, &peek);
        break;
    case PM_FORMAT_JPEG:
        found = peek_jpeg(bytes, size, &peek);
        break;
    case PM_FORMAT_WEBP:
        found = peek_webp(bytes, size, &peek);
        break;
    case PM_FORMAT_TIFF:
        found = peek_tiff(bytes, size, &peek);
        break;
    default:
        break;
    }
    if (found) *out = peek;
    return found;
}
