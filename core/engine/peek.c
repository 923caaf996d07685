/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/peek.h"

#include <string.h>

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
    *out = (PmPeek){be32(p + 16), be32(p + 20)};
    return true;
}

/* The logical screen; frames may still be larger, which libnsgif handles by growing it. */
static bool peek_gif(const uint8_t *p, size_t size, PmPeek *out)
{
    if (size < 10) return false;
    *out = (PmPeek){le16(p + 6), le16(p + 8)};
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
            *out = (PmPeek){be16(p + at + 7), be16(p + at + 5)};
            return true;
        }
        at += 2 + be16(p + at + 2);
    }
    return false;
}

/* RFC 9649: the first chunk is VP8X (canvas), VP8L (14 bits each) or VP8 (key frame header). */
static bool peek_webp(const uint8_t *p, size_t size, PmPeek *out)
{
    if (size < 30) return false;
    const uint8_t *body = p + 20;
    if (memcmp(p + 12, "VP8X", 4) == 0) {
        *out = (PmPeek){(int64_t)le24(body + 4) + 1, (int64_t)le24(body + 7) + 1};
    } else if (memcmp(p + 12, "VP8L", 4) == 0) {
        uint32_t bits = le32(body + 1);
        *out = (PmPeek){(bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1};
    } else if (memcmp(p + 12, "VP8 ", 4) == 0) {
        *out = (PmPeek){le16(body + 6) & 0x3FFF, le16(body + 8) & 0x3FFF};
    } else {
        return false;
    }
    return true;
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
    default:
        break;
    }
    if (found) *out = peek;
    return found;
}
