/* SPDX-License-Identifier: Apache-2.0
 *
 * The inner loops of the resampler: rows of samples as floats, and blocks of `lanes` result rows side by side. One
 * table of functions for what every processor of the kind can do, one for those that can do more. They differ in
 * speed, and in whether a product is rounded before it is added.
 */
#ifndef PM_ENGINE_RESAMPLE_ROWS_H
#define PM_ENGINE_RESAMPLE_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PM_ROWS_LANES_MAX = 8,
    /* Floats that may be read, and of a block be written, beyond what was asked for. */
    PM_ROWS_SLACK = 128,
};

/* `lanes` rows mixed of source rows. */
typedef struct PmRowsDown {
    const float *const *rows[PM_ROWS_LANES_MAX]; /* of each result row: the source rows it is mixed from .. */
    const float *weights[PM_ROWS_LANES_MAX];     /* .. and their weights; `taps` of both */
    int32_t taps;
    size_t from, count; /* the stretch of samples; `count` floats from `from` of every row */
    float *out;         /* [count + PM_ROWS_SLACK][lanes] */
} PmRowsDown;

/* The samples of a block's rows mixed of their neighbours. */
typedef struct PmRowsAcross {
    const float *in; /* [..][lanes]: what PmRowsDown gave; the first sample belongs to column `column` */
    int32_t column;
    const int32_t *first; /* [count] columns */
    const float *weights; /* [count][taps] */
    int32_t taps, count, bands;
    float *out; /* [count * bands + PM_ROWS_SLACK][lanes] */
} PmRowsAcross;

typedef struct PmRowsOps {
    const char *name;
    int32_t lanes;
    void (*widen8)(const uint8_t *in, float *out, size_t count);
    void (*widen16)(const uint16_t *in, float *out, size_t count);
    /* Colours times alpha, the last of 2 or 4 bands, which is `max` where a pixel is opaque. */
    void (*weigh)(float *row, size_t pixels, int32_t bands, float max);
    void (*halve_down)(const float *a, const float *b, float *out, size_t count);
    /* `pixels` of the source to half as many, the odd one kept. */
    void (*halve_across)(const float *in, float *out, size_t pixels, int32_t bands);
    void (*down)(const PmRowsDown *down);
    void (*across)(const PmRowsAcross *across);
    /* The reverse of weigh, on a block. */
    void (*unweigh)(float *block, size_t pixels, int32_t bands, float max);
    /* The first `rows` rows of a block, rounded. */
    void (*narrow8)(const float *block, size_t count, uint8_t *const *out, int32_t rows);
    void (*narrow16)(const float *block, size_t count, uint16_t *const *out, int32_t rows);
} PmRowsOps;

/* The tables that this processor can run, fastest first, ended by NULL. */
const PmRowsOps *const *pm_rows_all(void);

#endif
