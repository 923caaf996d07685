/* SPDX-License-Identifier: Apache-2.0
 *
 * PNG (third edition), 5. Chunks are copied with their checksums. Those of an animation (acTL, fcTL, fdAT) are not: the
 * picture that programs without animation show is what pixmill reads of a PNG.
 */
#include <string.h>

#include "engine/lossless/lossless.h"

enum { SIGNATURE = 8, AROUND = 12, CHUNKS_MAX = 1000000 };

static const char cut_short[] = "it is cut short";
static const char odd[] = "its structure is unusual";
static const uint8_t signature[SIGNATURE] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

typedef struct Chunk {
    const uint8_t *at; /* its length, from which on it is copied */
    size_t size;       /* in the file */
} Chunk;

static bool is(const Chunk *chunk, const char *name)
{
    return memcmp(chunk->at + 4, name, 4) == 0;
}

/* NULL, or why there is no chunk at *at; *at goes behind it. */
static const char *next(PmLosslessBytes file, size_t *at, Chunk *chunk)
{
    if (file.size - *at < AROUND) return cut_short;
    const uint8_t *p = file.at + *at;
    size_t length = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    if (length > 0x7fffffff) return odd;
    if (length > file.size - *at - AROUND) return cut_short;
    *chunk = (Chunk){p, length + AROUND};
    *at += chunk->size;
    return NULL;
}

static bool is_png(PmLosslessBytes file)
{
    return file.size >= SIGNATURE && memcmp(file.at, signature, SIGNATURE) == 0;
}

static bool is_critical(const Chunk *chunk)
{
    return !(chunk->at[4] & 0x20);
}

static bool is_picture(const Chunk *chunk)
{
    return is(chunk, "IHDR") || is(chunk, "PLTE") || is(chunk, "IDAT") || is(chunk, "IEND") || is(chunk, "tRNS") ||
           is(chunk, "sBIT");
}

/* What colours the numbers stand for; with a profile they are a second word on what it says. */
static bool is_colour(const Chunk *chunk)
{
    return is(chunk, "gAMA") || is(chunk, "cHRM") || is(chunk, "sRGB");
}

static bool is_profile(const Chunk *chunk)
{
    return is(chunk, "iCCP") || is(chunk, "cICP");
}

static bool is_metadata(const Chunk *chunk)
{
    return is(chunk, "iCCP") || is(chunk, "eXIf") || is(chunk, "iTXt") || is(chunk, "tEXt") || is(chunk, "zTXt") ||
           is(chunk, "pHYs");
}

/* *profile: it has one. */
static const char *look_through(PmLosslessBytes file, bool *profile)
{
    Chunk chunk;
    size_t at = SIGNATURE;
    bool pixels = false, ended = false;
    *profile = false;
    if (!is_png(file)) return odd;
    for (int i = 0; i < CHUNKS_MAX; i++) {
        const char *why = next(file, &at, &chunk);
        if (why != NULL) return why;
        if ((i == 0) != is(&chunk, "IHDR") || (i == 0 && chunk.size != AROUND + 13)) return odd;
        if (is_critical(&chunk) && !is_picture(&chunk)) return odd;
        if (is(&chunk, "PLTE") && pixels) return odd;
        if (is(&chunk, "IDAT") && ended) return odd; /* they follow on each other */
        pixels = pixels || is(&chunk, "IDAT");
        ended = pixels && !is(&chunk, "IDAT");
        *profile = *profile || is_profile(&chunk);
        if (is(&chunk, "IEND")) return pixels ? NULL : "coded data are missing";
    }
    return odd;
}

const char *pm_lossless_png_judge(PmLosslessBytes source)
{
    bool profile;
    return look_through(source, &profile);
}

static bool put(const PmLosslessOut *out, const Chunk *chunk)
{
    return out->write(out->data, chunk->at, chunk->size);
}

static bool put_metadata(PmLosslessBytes donor, const PmLosslessOut *out)
{
    Chunk chunk;
    for (size_t at = SIGNATURE; next(donor, &at, &chunk) == NULL && !is(&chunk, "IEND");)
        if (is_metadata(&chunk) && !put(out, &chunk)) return false;
    return true;
}

bool pm_lossless_png_write(PmLosslessBytes source, PmLosslessBytes donor, const PmLosslessOut *out)
{
    bool profile, donor_profile;
    Chunk chunk;
    if (look_through(source, &profile) != NULL || look_through(donor, &donor_profile) != NULL) return false;
    if (!out->write(out->data, signature, SIGNATURE)) return false;
    for (size_t at = SIGNATURE; next(source, &at, &chunk) == NULL;) {
        bool colour = is_colour(&chunk) && !profile && !donor_profile;
        if ((is_picture(&chunk) || colour) && !put(out, &chunk)) return false;
        if (is(&chunk, "IHDR") && !put_metadata(donor, out)) return false;
        if (is(&chunk, "IEND")) return true;
    }
    return false;
}
