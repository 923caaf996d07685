/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/profile.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum {
    HEADER = 128,
    ENTRY = 12,
    TAGS_MAX = 100,     /* what Little CMS takes */
    CURVE_MAX = 0x7fff, /* likewise, in a curve */
    SIZE_AT = 0,
    VERSION_AT = 8,
    CLASS_AT = 12,
    SPACE_AT = 16,
    PCS_AT = 20,
    MAGIC_AT = 36,
    INTENT_AT = 64
};

typedef struct Reader {
    const uint8_t *data;
    size_t size;
    uint32_t tags;
} Reader;

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static unsigned get16(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static bool is(const uint8_t *at, const char *name)
{
    return memcmp(at, name, 4) == 0;
}

static PmProfile say(PmProfile profile, PmProfileUse use, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(profile.why, sizeof profile.why, fmt, ap);
    va_end(ap);
    profile.use = use;
    return profile;
}

/* ------------------------------------------------------------------ tags */

static bool in_bounds(const Reader *reader, const uint8_t *entry)
{
    size_t offset = get32(entry + 4), size = get32(entry + 8);
    return offset <= reader->size && size <= reader->size - offset;
}

/* NULL when there is none, or it lies outside of the profile. */
static const uint8_t *find_tag(const Reader *reader, const char *name, size_t *size)
{
    for (uint32_t i = 0; i < reader->tags; i++) {
        const uint8_t *entry = reader->data + HEADER + 4 + (size_t)i * ENTRY;
        if (!is(entry, name)) continue;
        if (!in_bounds(reader, entry)) return NULL;
        *size = get32(entry + 8);
        return reader->data + get32(entry + 4);
    }
    return NULL;
}

static bool all_in_bounds(const Reader *reader)
{
    for (uint32_t i = 0; i < reader->tags; i++)
        if (!in_bounds(reader, reader->data + HEADER + 4 + (size_t)i * ENTRY)) return false;
    return true;
}

static bool has_colorant(const Reader *reader, const char *name)
{
    size_t size;
    const uint8_t *tag = find_tag(reader, name, &size);
    return tag != NULL && size >= 20 && is(tag, "XYZ ");
}

static bool has_curve(const Reader *reader, const char *name)
{
    static const uint8_t parameters[] = {1, 3, 4, 5, 7}; /* of the kinds of `para` */
    size_t size;
    const uint8_t *tag = find_tag(reader, name, &size);
    if (tag == NULL || size < 12) return false;
    if (is(tag, "para")) {
        unsigned kind = get16(tag + 8);
        return kind < sizeof parameters && size >= 12 + 4 * (size_t)parameters[kind];
    }
    uint32_t count = get32(tag + 8);
    return is(tag, "curv") && count <= CURVE_MAX && size - 12 >= 2 * (size_t)count;
}

/* Colours in, three out, and as many values as its sizes ask for. */
static bool has_table(const Reader *reader, const char *name, unsigned colours)
{
    size_t size;
    const uint8_t *tag = find_tag(reader, name, &size);
    if (tag == NULL || size < 32) return false;
    unsigned in = tag[8], out = tag[9], grid = tag[10];
    if (in != colours || out != 3) return false;
    if (is(tag, "mAB ")) return true;
    bool wide = is(tag, "mft2");
    if (!wide && !is(tag, "mft1")) return false;
    size_t head = wide ? 52 : 48, unit = wide ? 2 : 1;
    if (size < head) return false;
    size_t in_size = wide ? get16(tag + 48) : 256, out_size = wide ? get16(tag + 50) : 256, nodes = 1;
    if (in_size < 2 || out_size < 2 || in_size > CURVE_MAX || out_size > CURVE_MAX || grid < 2) return false;
    for (unsigned i = 0; i < in; i++) nodes *= grid; /* at most 255^4 */
    return size - head >= unit * (in * in_size + nodes * out + out * out_size);
}

static bool has_matrix(const Reader *reader, int colours)
{
    if (colours == 1) return has_curve(reader, "kTRC");
    return colours == 3 && has_colorant(reader, "rXYZ") && has_colorant(reader, "gXYZ") &&
           has_colorant(reader, "bXYZ") && has_curve(reader, "rTRC") && has_curve(reader, "gTRC") &&
           has_curve(reader, "bTRC");
}

/* ------------------------------------------------------------------ judging */

static const char *space_of(const uint8_t *header)
{
    static const struct {
        const char *name, *means;
    } all[] = {{"RGB ", "RGB"}, {"GRAY", "grey"}, {"CMYK", "CMYK"}, {"Lab ", "Lab"}, {"XYZ ", "XYZ"}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (is(header + SPACE_AT, all[i].name)) return all[i].means;
    return "other";
}

static int colours_of(const uint8_t *header)
{
    return is(header + SPACE_AT, "RGB ")   ? 3
           : is(header + SPACE_AT, "GRAY") ? 1
           : is(header + SPACE_AT, "CMYK") ? 4
                                           : 0;
}

static bool describes_a_device(const uint8_t *header)
{
    static const char *const classes[] = {"scnr", "mntr", "prtr", "spac"};
    bool space = is(header + PCS_AT, "XYZ ") || is(header + PCS_AT, "Lab ");
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (is(header + CLASS_AT, classes[i])) return space;
    return false;
}

/* Nothing that an encoder may refuse; libpng is the strictest. */
static bool is_clean(const Reader *reader)
{
    const uint8_t *header = reader->data;
    if (get32(header + SIZE_AT) != reader->size || get32(header + INTENT_AT) >= 0xffff) return false;
    return all_in_bounds(reader) && (header[VERSION_AT] < 4 || reader->size % 4 == 0);
}

PmProfile pm_profile_judge(const void *bytes, size_t size, int colours)
{
    PmProfile profile = {.size = size};
    Reader reader = {.data = bytes, .size = size};
    if (size < HEADER + 4 || !is(reader.data + MAGIC_AT, "acsp"))
        return say(profile, PM_PROFILE_DROP, "it is no ICC profile");
    const uint8_t *header = reader.data;
    if (header[VERSION_AT] > 4)
        return say(profile, PM_PROFILE_DROP, "it is of version %d, and only 2 to 4 are read", header[VERSION_AT]);
    uint32_t declared = get32(header + SIZE_AT);
    if (declared < size && declared >= HEADER + 4) reader.size = profile.size = declared;
    reader.tags = get32(header + HEADER);
    if (reader.tags > TAGS_MAX || reader.tags > (reader.size - HEADER - 4) / ENTRY)
        return say(profile, PM_PROFILE_DROP, "its table of %lu tags is damaged", (unsigned long)reader.tags);
    if (colours_of(header) != colours) return say(profile, PM_PROFILE_DROP, "it is for %s pictures", space_of(header));
    if (!describes_a_device(header)) return say(profile, PM_PROFILE_DROP, "it describes no device");

    bool matrix = has_matrix(&reader, colours), relative = has_table(&reader, "A2B1", (unsigned)colours);
    bool perceptual = has_table(&reader, "A2B0", (unsigned)colours);
    size_t ignored;
    /* Tables come before curves, and a damaged one is not passed over. */
    if ((!perceptual && find_tag(&reader, "A2B0", &ignored)) || (!relative && find_tag(&reader, "A2B1", &ignored)))
        return say(profile, PM_PROFILE_DROP, "its tables are damaged");
    if (!matrix && !relative && !perceptual)
        return say(profile, PM_PROFILE_DROP, "it is damaged, or has neither curves nor tables");
    profile.perceptual = !matrix && !relative;
    if (profile.perceptual && colours != 4)
        return say(profile, PM_PROFILE_CONVERT, "it has only a table for the perceptual intent");
    if (!is_clean(&reader)) return say(profile, PM_PROFILE_CONVERT, "it breaks rules of the ICC");
    if (colours == 4) profile.use = PM_PROFILE_CONVERT;
    return profile;
}
