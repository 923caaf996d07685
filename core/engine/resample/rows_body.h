/* SPDX-License-Identifier: Apache-2.0
 *
 * The loops of rows.h for vectors of LANES floats, 4 or 8: included by a file that defines LANES and the NAME of its
 * table, and is compiled for the processor it is meant for. Vectors are the compilers' own, so there is one text for
 * all of them.
 */
#include <string.h>

#include "engine/resample/rows.h"

/* Wherever a float may lie. */
typedef float Vec __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float)), may_alias));

#define INLINE static inline __attribute__((always_inline))

/* ------------------------------------------------------------------ rows in */

static void widen8(const uint8_t *restrict in, float *restrict out, size_t count)
{
    for (size_t i = 0; i < count; i++) out[i] = (float)in[i];
}

static void widen16(const uint16_t *restrict in, float *restrict out, size_t count)
{
    for (size_t i = 0; i < count; i++) out[i] = (float)in[i];
}

static void weigh(float *row, size_t pixels, int32_t bands, float max)
{
    const float share = 1 / max;
    if (bands == 2) {
        for (size_t i = 0; i < pixels; i++) row[2 * i] *= row[2 * i + 1] * share;
        return;
    }
    for (size_t i = 0; i < pixels; i++) {
        float *pixel = row + 4 * i, alpha = pixel[3] * share;
        pixel[0] *= alpha;
        pixel[1] *= alpha;
        pixel[2] *= alpha;
    }
}

static void halve_down(const float *restrict a, const float *restrict b, float *restrict out, size_t count)
{
    for (size_t i = 0; i < count; i++) out[i] = (a[i] + b[i]) * 0.5F;
}

INLINE void halve_bands(const float *restrict in, float *restrict out, size_t pixels, int32_t bands)
{
    for (size_t i = 0; i < pixels / 2; i++)
        for (int32_t b = 0; b < bands; b++)
            out[i * (size_t)bands + (size_t)b] =
                (in[2 * i * (size_t)bands + (size_t)b] + in[(2 * i + 1) * (size_t)bands + (size_t)b]) * 0.5F;
    if (pixels % 2 == 1)
        memcpy(out + pixels / 2 * (size_t)bands, in + (pixels - 1) * (size_t)bands, (size_t)bands * sizeof *out);
}

static void halve_across(const float *in, float *out, size_t pixels, int32_t bands)
{
    switch (bands) {
    case 1:
        halve_bands(in, out, pixels, 1);
        break;
    case 2:
        halve_bands(in, out, pixels, 2);
        break;
    case 3:
        halve_bands(in, out, pixels, 3);
        break;
    default:
        halve_bands(in, out, pixels, 4);
        break;
    }
}

/* ------------------------------------------------------------------ rows to columns and back */

/* Written out: what a compiler does not unroll, it does in memory. */
#if LANES == 8
#define PAIRS_LOW(a, b)   __builtin_shufflevector((a), (b), 0, 8, 1, 9, 4, 12, 5, 13)
#define PAIRS_HIGH(a, b)  __builtin_shufflevector((a), (b), 2, 10, 3, 11, 6, 14, 7, 15)
#define QUADS_LOW(a, b)   __builtin_shufflevector((a), (b), 0, 1, 8, 9, 4, 5, 12, 13)
#define QUADS_HIGH(a, b)  __builtin_shufflevector((a), (b), 2, 3, 10, 11, 6, 7, 14, 15)
#define HALVES_LOW(a, b)  __builtin_shufflevector((a), (b), 0, 1, 2, 3, 8, 9, 10, 11)
#define HALVES_HIGH(a, b) __builtin_shufflevector((a), (b), 4, 5, 6, 7, 12, 13, 14, 15)
#else
#define PAIRS_LOW(a, b)  __builtin_shufflevector((a), (b), 0, 4, 1, 5)
#define PAIRS_HIGH(a, b) __builtin_shufflevector((a), (b), 2, 6, 3, 7)
#define QUADS_LOW(a, b)  __builtin_shufflevector((a), (b), 0, 1, 4, 5)
#define QUADS_HIGH(a, b) __builtin_shufflevector((a), (b), 2, 3, 6, 7)
#endif

/* LANES vectors at `in` to LANES at `out`: rows become columns. */
INLINE void transpose(const float *in, size_t in_stride, float *out, size_t out_stride)
{
    Vec r[LANES], s[LANES];
#if LANES == 8
    r[0] = *(const Vec *)(in + 0 * in_stride);
    r[1] = *(const Vec *)(in + 1 * in_stride);
    r[2] = *(const Vec *)(in + 2 * in_stride);
    r[3] = *(const Vec *)(in + 3 * in_stride);
    r[4] = *(const Vec *)(in + 4 * in_stride);
    r[5] = *(const Vec *)(in + 5 * in_stride);
    r[6] = *(const Vec *)(in + 6 * in_stride);
    r[7] = *(const Vec *)(in + 7 * in_stride);
    s[0] = PAIRS_LOW(r[0], r[1]);
    s[1] = PAIRS_HIGH(r[0], r[1]);
    s[2] = PAIRS_LOW(r[2], r[3]);
    s[3] = PAIRS_HIGH(r[2], r[3]);
    s[4] = PAIRS_LOW(r[4], r[5]);
    s[5] = PAIRS_HIGH(r[4], r[5]);
    s[6] = PAIRS_LOW(r[6], r[7]);
    s[7] = PAIRS_HIGH(r[6], r[7]);
    r[0] = QUADS_LOW(s[0], s[2]);
    r[1] = QUADS_HIGH(s[0], s[2]);
    r[2] = QUADS_LOW(s[1], s[3]);
    r[3] = QUADS_HIGH(s[1], s[3]);
    r[4] = QUADS_LOW(s[4], s[6]);
    r[5] = QUADS_HIGH(s[4], s[6]);
    r[6] = QUADS_LOW(s[5], s[7]);
    r[7] = QUADS_HIGH(s[5], s[7]);
    s[0] = HALVES_LOW(r[0], r[4]);
    s[4] = HALVES_HIGH(r[0], r[4]);
    s[1] = HALVES_LOW(r[1], r[5]);
    s[5] = HALVES_HIGH(r[1], r[5]);
    s[2] = HALVES_LOW(r[2], r[6]);
    s[6] = HALVES_HIGH(r[2], r[6]);
    s[3] = HALVES_LOW(r[3], r[7]);
    s[7] = HALVES_HIGH(r[3], r[7]);
#else
    s[0] = *(const Vec *)(in + 0 * in_stride);
    s[1] = *(const Vec *)(in + 1 * in_stride);
    s[2] = *(const Vec *)(in + 2 * in_stride);
    s[3] = *(const Vec *)(in + 3 * in_stride);
    r[0] = PAIRS_LOW(s[0], s[1]);
    r[1] = PAIRS_HIGH(s[0], s[1]);
    r[2] = PAIRS_LOW(s[2], s[3]);
    r[3] = PAIRS_HIGH(s[2], s[3]);
    s[0] = QUADS_LOW(r[0], r[2]);
    s[1] = QUADS_HIGH(r[0], r[2]);
    s[2] = QUADS_LOW(r[1], r[3]);
    s[3] = QUADS_HIGH(r[1], r[3]);
#endif
    *(Vec *)(out + 0 * out_stride) = s[0];
    *(Vec *)(out + 1 * out_stride) = s[1];
    *(Vec *)(out + 2 * out_stride) = s[2];
    *(Vec *)(out + 3 * out_stride) = s[3];
#if LANES == 8
    *(Vec *)(out + 4 * out_stride) = s[4];
    *(Vec *)(out + 5 * out_stride) = s[5];
    *(Vec *)(out + 6 * out_stride) = s[6];
    *(Vec *)(out + 7 * out_stride) = s[7];
#endif
}

/* ------------------------------------------------------------------ rows mixed */

enum { TILE = PM_ROWS_SLACK, AT_ONCE = 8 * LANES };

/* AT_ONCE samples of one result row. Several sums at once, as each product waits for the one before it; by name, so
 * that they stay in registers. */
INLINE void mix_rows(const float *const *rows, const float *weights, int32_t taps, size_t at, float *out)
{
    Vec a = {0}, b = {0}, c = {0}, d = {0}, e = {0}, f = {0}, g = {0}, h = {0};
    for (int32_t t = 0; t < taps; t++) {
        const Vec *row = (const Vec *)(rows[t] + at);
        const float weight = weights[t];
        a += row[0] * weight;
        b += row[1] * weight;
        c += row[2] * weight;
        d += row[3] * weight;
        e += row[4] * weight;
        f += row[5] * weight;
        g += row[6] * weight;
        h += row[7] * weight;
    }
    Vec *sums = (Vec *)out;
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    sums[3] = d;
    sums[4] = e;
    sums[5] = f;
    sums[6] = g;
    sums[7] = h;
}

/* In tiles, so that the source rows that the result rows share stay in the processor's first cache. */
static void down(const PmRowsDown *d)
{
    float tile[LANES][TILE];
    for (size_t x = 0; x < d->count; x += TILE) {
        size_t wide = d->count - x < TILE ? d->count - x : TILE;
        for (size_t r = 0; r < LANES; r++)
            for (size_t i = 0; i < wide; i += AT_ONCE)
                mix_rows(d->rows[r], d->weights[r], d->taps, d->from + x + i, &tile[r][i]);
        for (size_t i = 0; i < wide; i += LANES) transpose(&tile[0][i], TILE, d->out + (x + i) * LANES, LANES);
    }
}

INLINE void mix_columns(const PmRowsAcross *x, size_t bands)
{
    const float *weights = x->weights;
    Vec *out = (Vec *)x->out;
    for (size_t i = 0; i < (size_t)x->count; i++, weights += x->taps, out += bands) {
        const Vec *in = (const Vec *)x->in + (size_t)(x->first[i] - x->column) * bands;
        Vec a = {0}, b = {0}, c = {0}, d = {0};
        for (int32_t t = 0; t < x->taps; t++, in += bands) {
            const float weight = weights[t];
            a += in[0] * weight;
            if (bands > 1) b += in[1] * weight;
            if (bands > 2) c += in[2] * weight;
            if (bands > 3) d += in[3] * weight;
        }
        out[0] = a;
        if (bands > 1) out[1] = b;
        if (bands > 2) out[2] = c;
        if (bands > 3) out[3] = d;
    }
}

static void across(const PmRowsAcross *a)
{
    switch (a->bands) {
    case 1:
        mix_columns(a, 1);
        break;
    case 2:
        mix_columns(a, 2);
        break;
    case 3:
        mix_columns(a, 3);
        break;
    default:
        mix_columns(a, 4);
        break;
    }
}

/* ------------------------------------------------------------------ rows out */

/* Where alpha rounds to 0 nothing is left of the colour: 0, as libvips has it. No colour is above its alpha, but for
 * what a kernel overshoots. */
static void unweigh(float *block, size_t pixels, int32_t bands, float max)
{
    for (size_t i = 0; i < pixels; i++) {
        float *pixel = block + i * (size_t)bands * LANES, *alpha = pixel + (size_t)(bands - 1) * LANES;
        for (size_t b = 0; b + 1 < (size_t)bands; b++)
            for (size_t r = 0; r < LANES; r++) {
                float *colour = &pixel[b * LANES + r];
                float solid = alpha[r] < 0.5F ? 1 : alpha[r], share = alpha[r] < 0.5F ? 0 : max / solid;
                *colour = (*colour < alpha[r] ? *colour : alpha[r]) * share;
            }
    }
}

/* TILE samples of a block as rows. */
INLINE void to_rows(const float *block, size_t wide, float rows[LANES][TILE])
{
    for (size_t i = 0; i < wide; i += LANES) transpose(block + i * LANES, LANES, &rows[0][i], TILE);
}

/* A sum is never so far outside of the range that it would not fit. */
INLINE int32_t rounded(float value, int32_t max)
{
    int32_t whole = (int32_t)(value + 0.5F);
    whole = whole < 0 ? 0 : whole;
    return whole > max ? max : whole;
}

static void narrow8(const float *block, size_t count, uint8_t *const *out, int32_t rows)
{
    float tile[LANES][TILE];
    for (size_t x = 0; x < count; x += TILE) {
        size_t wide = count - x < TILE ? count - x : TILE;
        to_rows(block + x * LANES, wide, tile);
        for (int32_t r = 0; r < rows; r++) {
            uint8_t *restrict to = out[r] + x;
            const float *restrict from = tile[r];
            for (size_t i = 0; i < wide; i++) to[i] = (uint8_t)rounded(from[i], UINT8_MAX);
        }
    }
}

static void narrow16(const float *block, size_t count, uint16_t *const *out, int32_t rows)
{
    float tile[LANES][TILE];
    for (size_t x = 0; x < count; x += TILE) {
        size_t wide = count - x < TILE ? count - x : TILE;
        to_rows(block + x * LANES, wide, tile);
        for (int32_t r = 0; r < rows; r++) {
            uint16_t *restrict to = out[r] + x;
            const float *restrict from = tile[r];
            for (size_t i = 0; i < wide; i++) to[i] = (uint16_t)rounded(from[i], UINT16_MAX);
        }
    }
}

extern const PmRowsOps NAME;
const PmRowsOps NAME = {
    .name = TITLE,
    .lanes = LANES,
    .widen8 = widen8,
    .widen16 = widen16,
    .weigh = weigh,
    .halve_down = halve_down,
    .halve_across = halve_across,
    .down = down,
    .across = across,
    .unweigh = unweigh,
    .narrow8 = narrow8,
    .narrow16 = narrow16,
};
