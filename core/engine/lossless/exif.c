/* SPDX-License-Identifier: Apache-2.0
 *
 * TIFF 6.0, section 2; CIPA DC-008, 4.6.2. The first directory is written anew behind everything else, so that nothing
 * that is there has to move: offsets count from the start of the block.
 */
#include <string.h>

#include "engine/lossless/lossless.h"

enum { PREFIX = 6, TIFF_HEAD = 8, ENTRY = 12, TAG_ORIENTATION = 0x0112, TYPE_SHORT = 3 };

static uint32_t get(const uint8_t *at, int width, bool big)
{
    uint32_t value = 0;
    for (int i = 0; i < width; i++) value = value << 8 | at[big ? i : width - 1 - i];
    return value;
}

static void put(uint8_t *at, uint32_t value, int width, bool big)
{
    for (int i = 0; i < width; i++) at[i] = (uint8_t)(value >> 8 * (big ? width - 1 - i : i));
}

static void put_entry(uint8_t *at, int orientation, bool big)
{
    put(at, TAG_ORIENTATION, 2, big);
    put(at + 2, TYPE_SHORT, 2, big);
    put(at + 4, 1, 4, big);
    put(at + 8, 0, 4, big);
    put(at + 8, (uint32_t)orientation, 2, big);
}

static size_t only_orientation(int orientation, uint8_t *out)
{
    uint8_t *tiff = out + PREFIX;
    memcpy(out, "Exif\0\0MM\0\x2a\0\0\0\x08\0\x01", PREFIX + TIFF_HEAD + 2);
    put_entry(tiff + TIFF_HEAD + 2, orientation, true);
    put(tiff + TIFF_HEAD + 2 + ENTRY, 0, 4, true);
    return PREFIX + TIFF_HEAD + 2 + ENTRY + 4;
}

size_t pm_lossless_set_orientation(PmLosslessBytes block, int orientation, uint8_t *out)
{
    if (block.size < PREFIX + TIFF_HEAD || memcmp(block.at, "Exif\0\0", PREFIX) != 0)
        return only_orientation(orientation, out);
    const uint8_t *tiff = block.at + PREFIX;
    size_t size = block.size - PREFIX;
    bool big = tiff[0] == 'M';
    size_t at = get(tiff + 4, 4, big);
    if (memcmp(tiff, big ? "MM\0*" : "II*\0", 4) != 0 || at < TIFF_HEAD || at > size || size - at < 2)
        return only_orientation(orientation, out);
    size_t count = get(tiff + at, 2, big), begin = size + size % 2;
    if (size - at - 2 < count * ENTRY) return only_orientation(orientation, out);
    size_t need = 2 + (count + 1) * ENTRY + 4;
    if (begin > PM_LOSSLESS_EXIF_MAX - PREFIX || need > PM_LOSSLESS_EXIF_MAX - PREFIX - begin) return 0;

    uint8_t *made = out + PREFIX, *to = made + begin + 2;
    memcpy(out, block.at, block.size);
    if (size % 2 != 0) made[size] = 0;
    const uint8_t *from = tiff + at + 2;
    bool pending = true; /* entries ascend by their tags */
    size_t entries = 0;
    for (size_t i = 0; i < count; i++, from += ENTRY) {
        uint32_t tag = get(from, 2, big);
        if (tag == TAG_ORIENTATION) continue;
        if (pending && tag > TAG_ORIENTATION) {
            put_entry(to + entries++ * ENTRY, orientation, big);
            pending = false;
        }
        memcpy(to + entries++ * ENTRY, from, ENTRY);
    }
    if (pending) put_entry(to + entries++ * ENTRY, orientation, big);
    put(made + begin, (uint32_t)entries, 2, big);
    /* The directory that may follow is the thumbnail's, which lies as the pixels do. */
    uint32_t next = size - (size_t)(from - tiff) >= 4 ? get(from, 4, big) : 0;
    put(to + entries * ENTRY, next, 4, big);
    put(made + 4, (uint32_t)begin, 4, big);
    return PREFIX + begin + 2 + entries * ENTRY + 4;
}
