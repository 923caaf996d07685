/* SPDX-License-Identifier: Apache-2.0
 *
 * RFC 9649, 2.3 to 2.7. Frames are copied without the unknown chunks that they may hold.
 */
#include <string.h>

#include "engine/lossless/lossless.h"

enum {
    HEAD = 12,
    CHUNK = 8,
    CANVAS = 10,
    FRAME = 16,
    FLAG_ANIMATION = 0x02,
    FLAG_XMP = 0x04,
    FLAG_EXIF = 0x08,
    FLAG_ALPHA = 0x10,
    FLAG_ICC = 0x20,
    FRAMES_MAX = 1000000,
};

static const char cut_short[] = "it is cut short";
static const char odd[] = "its structure is unusual";

typedef struct Chunk {
    const uint8_t *at; /* its name, from which on it is copied */
    size_t size;       /* in the file, with the byte that makes it even */
    size_t length;     /* of what it holds */
} Chunk;

static uint32_t le32(const uint8_t *at)
{
    return (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 | at[0];
}

static void put_le(uint8_t *at, uint64_t value, int width)
{
    for (int i = 0; i < width; i++) at[i] = (uint8_t)(value >> 8 * i);
}

static bool is(const Chunk *chunk, const char *name)
{
    return memcmp(chunk->at, name, 4) == 0;
}

static const char *next(PmLosslessBytes in, size_t *at, Chunk *chunk)
{
    if (in.size - *at < CHUNK) return cut_short;
    size_t length = le32(in.at + *at + 4), padded = length + length % 2;
    if (padded > in.size - *at - CHUNK) return cut_short;
    *chunk = (Chunk){in.at + *at, padded + CHUNK, length};
    *at += chunk->size;
    return NULL;
}

/* The chunks of a file, without what lies behind them. */
static const char *open_file(PmLosslessBytes file, PmLosslessBytes *chunks)
{
    if (file.size < HEAD || memcmp(file.at, "RIFF", 4) != 0 || memcmp(file.at + 8, "WEBP", 4) != 0) return odd;
    size_t size = le32(file.at + 4);
    if (size > file.size - 8) return cut_short;
    if (size < HEAD - 8) return odd;
    *chunks = (PmLosslessBytes){file.at + HEAD, size - (HEAD - 8)};
    return NULL;
}

static bool is_still(const Chunk *chunk)
{
    return is(chunk, "VP8 ") || is(chunk, "VP8L");
}

typedef struct Webp {
    uint8_t flags;          /* of those, what the pixels ask for */
    uint8_t canvas[CANVAS]; /* flags left out */
    bool extended;
} Webp;

/* Width and height less one, 3 bytes each, and whether there is alpha: of a picture that has no canvas. */
static bool read_still(const Chunk *chunk, Webp *webp)
{
    const uint8_t *body = chunk->at + CHUNK;
    uint32_t width, height;
    if (is(chunk, "VP8L")) {
        if (chunk->length < 5 || body[0] != 0x2f) return false;
        uint32_t bits = le32(body + 1);
        width = bits & 0x3fff;
        height = bits >> 14 & 0x3fff;
        if (bits >> 28 & 1) webp->flags |= FLAG_ALPHA;
    } else {
        if (chunk->length < 10 || memcmp(body + 3, "\x9d\x01\x2a", 3) != 0) return false;
        width = (uint32_t)(body[6] | body[7] << 8) & 0x3fff;
        height = (uint32_t)(body[8] | body[9] << 8) & 0x3fff;
        if (width == 0 || height == 0) return false;
        width--;
        height--;
    }
    put_le(webp->canvas + 4, width, 3);
    put_le(webp->canvas + 7, height, 3);
    return true;
}

/* Called for what is kept of the pixels, in the file's order; with `frame`, its head was told first. */
typedef struct Visit {
    bool (*piece)(void *data, const void *bytes, size_t size);
    void *data;
} Visit;

static bool visit(const Visit *to, const void *bytes, size_t size)
{
    return to == NULL || to->piece(to->data, bytes, size);
}

/* The ALPH and VP8 or VP8L of a picture. *kept: their bytes. */
static const char *read_picture(PmLosslessBytes in, const Visit *to, size_t *kept, Webp *still)
{
    Chunk chunk;
    bool alpha = false, pixels = false;
    *kept = 0;
    for (size_t at = 0; at < in.size;) {
        const char *why = next(in, &at, &chunk);
        if (why != NULL) return why;
        if (is(&chunk, "ALPH") ? alpha || pixels : is_still(&chunk) && pixels) return odd;
        if (is_still(&chunk) && !read_still(&chunk, &(Webp){0})) return odd;
        if (is_still(&chunk) && still != NULL && !still->extended && !read_still(&chunk, still)) return odd;
        alpha = alpha || is(&chunk, "ALPH");
        pixels = pixels || is_still(&chunk);
        if (!is(&chunk, "ALPH") && !is_still(&chunk)) continue;
        *kept += chunk.size;
        if (!visit(to, chunk.at, chunk.size)) return odd;
    }
    return pixels ? NULL : "coded data are missing";
}

static const char *read_frame(const Chunk *frame, const Visit *to, size_t *kept)
{
    size_t inner;
    if (frame->length < FRAME) return odd;
    PmLosslessBytes body = {frame->at + CHUNK + FRAME, frame->length - FRAME};
    const char *why = read_picture(body, NULL, &inner, NULL);
    if (why != NULL) return why;
    uint8_t head[CHUNK + FRAME];
    memcpy(head, frame->at, sizeof head);
    put_le(head + 4, FRAME + inner, 4);
    *kept = sizeof head + inner;
    if (!visit(to, head, sizeof head)) return odd;
    return to != NULL ? read_picture(body, to, &inner, NULL) : NULL;
}

/* NULL, or why not; *kept: bytes that `to` is told, if it is there. */
static const char *read_pixels(PmLosslessBytes chunks, Webp *webp, const Visit *to, size_t *kept)
{
    Chunk chunk;
    size_t at = 0;
    *webp = (Webp){0};
    const char *why = next(chunks, &at, &chunk);
    if (why != NULL) return why;
    webp->extended = is(&chunk, "VP8X");
    if (!webp->extended) return read_picture((PmLosslessBytes){chunk.at, chunk.size}, to, kept, webp);
    if (chunk.length != CANVAS) return odd;
    memcpy(webp->canvas, chunk.at + CHUNK, CANVAS);
    webp->flags = webp->canvas[0] & (FLAG_ANIMATION | FLAG_ALPHA);
    memset(webp->canvas, 0, 4);
    if (!(webp->flags & FLAG_ANIMATION))
        return read_picture((PmLosslessBytes){chunks.at + at, chunks.size - at}, to, kept, webp);

    size_t frames = 0;
    bool begun = false;
    *kept = 0;
    while (at < chunks.size) {
        size_t frame = 0;
        why = next(chunks, &at, &chunk);
        if (why != NULL) return why;
        if (is(&chunk, "ANIM")) {
            if (begun || chunk.length != 6 || !visit(to, chunk.at, chunk.size)) return odd;
            begun = true;
            *kept += chunk.size;
        } else if (is(&chunk, "ANMF")) {
            if (!begun || ++frames > FRAMES_MAX) return odd;
            why = read_frame(&chunk, to, &frame);
            if (why != NULL) return why;
            *kept += frame;
        }
    }
    return frames > 0 ? NULL : "coded data are missing";
}

const char *pm_lossless_webp_judge(PmLosslessBytes source)
{
    PmLosslessBytes chunks;
    Webp webp;
    size_t kept;
    const char *why = open_file(source, &chunks);
    return why != NULL ? why : read_pixels(chunks, &webp, NULL, &kept);
}

/* The donor's chunk of that name; its size is 0 when there is none. */
static Chunk find(PmLosslessBytes chunks, const char *name)
{
    Chunk chunk;
    for (size_t at = 0; at < chunks.size && next(chunks, &at, &chunk) == NULL;)
        if (is(&chunk, name)) return chunk;
    return (Chunk){0};
}

bool pm_lossless_webp_write(PmLosslessBytes source, PmLosslessBytes donor, const PmLosslessOut *out)
{
    PmLosslessBytes chunks, others;
    Webp webp;
    size_t pixels;
    if (open_file(source, &chunks) != NULL || open_file(donor, &others) != NULL ||
        read_pixels(chunks, &webp, NULL, &pixels) != NULL)
        return false;
    Chunk icc = find(others, "ICCP"), exif = find(others, "EXIF"), xmp = find(others, "XMP ");
    uint8_t flags = (uint8_t)(webp.flags | (icc.size > 0 ? FLAG_ICC : 0) | (exif.size > 0 ? FLAG_EXIF : 0) |
                              (xmp.size > 0 ? FLAG_XMP : 0));
    /* Alpha beside lossy pixels needs a canvas, and so does metadata; whatever has one keeps it. */
    bool extended = webp.extended || (flags & ~FLAG_ALPHA) != 0;
    uint64_t size = 4 + (extended ? CHUNK + CANVAS : 0U) + (uint64_t)icc.size + exif.size + xmp.size + pixels;
    if (size > UINT32_MAX - 8) return false;
    uint8_t head[HEAD + CHUNK + CANVAS];
    memcpy(head, "RIFF....WEBPVP8X\x0a\0\0", HEAD + CHUNK);
    put_le(head + 4, size, 4);
    memcpy(head + HEAD + CHUNK, webp.canvas, CANVAS);
    head[HEAD + CHUNK] = flags;
    Visit to = {out->write, out->data};
    return visit(&to, head, extended ? sizeof head : HEAD) && (icc.size == 0 || visit(&to, icc.at, icc.size)) &&
           read_pixels(chunks, &webp, &to, &pixels) == NULL && (exif.size == 0 || visit(&to, exif.at, exif.size)) &&
           (xmp.size == 0 || visit(&to, xmp.at, xmp.size));
}
