/* SPDX-License-Identifier: Apache-2.0
 *
 * One pass over a picture, several smaller ones out of it: rows go in from top to bottom, and each target's rows are
 * written as soon as the rows they are mixed from have been seen. Of the source only the rows under the kernels are
 * kept. A target far smaller than the source is made from an average of 2, 4, 8 .. samples a side, which all targets
 * share. Knows samples, not images or files.
 */
#ifndef PM_ENGINE_RESAMPLE_RESAMPLER_H
#define PM_ENGINE_RESAMPLE_RESAMPLER_H

#include <stddef.h>

#include "engine/resample/axis.h"
#include "engine/resample/rows.h"

enum { PM_RESAMPLE_BANDS_MAX = 4 };

typedef struct PmResampleSource {
    int32_t width, height; /* px */
    int32_t bands;         /* 1..4, interleaved */
    bool deep;             /* samples of 16 bits; else of 8 */
    bool alpha;            /* the last of 2 or 4 bands; colours are weighed with it while pixels are mixed */
} PmResampleSource;

typedef struct PmResampleTarget {
    PmResample box;        /* of the source, and the kernel: any but PM_KERNEL_NEAREST */
    int32_t width, height; /* px of what becomes of it */
    double gap; /* at least 1: averages are taken while this many samples are left to the kernel. From 3 on the result
                   cannot be told from that of the kernel alone */
} PmResampleTarget;

typedef struct PmResampler PmResampler;

/* True for sizes, bands and gaps that make sense. */
bool pm_resample_valid(const PmResampleSource *source, const PmResampleTarget *targets, size_t count);

/* The memory that a resampler for these takes, at most; what it writes to is not counted. For a valid request. */
int64_t pm_resample_bytes(const PmResampleSource *source, const PmResampleTarget *targets, size_t count);

/* For pictures of one size, one after the other. `ops`: one of pm_rows_all(); NULL: the fastest. NULL: not valid, or no
 * memory. New. */
PmResampler *pm_resampler_new(const PmResampleSource *source, const PmResampleTarget *targets, size_t count,
                              const PmRowsOps *ops);
void pm_resampler_free(PmResampler *resampler);

/* Starts a picture. pixels[i] is where target i goes, row after row without gaps, samples as the source's. Borrowed
 * until the picture is complete. */
void pm_resampler_begin(PmResampler *resampler, void *const *pixels);

/* The next `count` rows, `stride` bytes from one to the next. Rows beyond the picture's height are not looked at. */
void pm_resampler_push(PmResampler *resampler, const void *rows, size_t stride, int32_t count);

/* True when every row of every target has been written. */
bool pm_resampler_complete(const PmResampler *resampler);

#endif
