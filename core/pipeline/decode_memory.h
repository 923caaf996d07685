/* SPDX-License-Identifier: Apache-2.0
 *
 * What decoding takes of limits.memory, by format: measured, in one table for messages and the reference page. Pure.
 */
#ifndef PM_PIPELINE_DECODE_MEMORY_H
#define PM_PIPELINE_DECODE_MEMORY_H

#include "base/buffer.h"
#include "base/error.h"
#include "pipeline/sniff.h"

typedef struct PmDecodeMemory {
    PmFormat format;
    bool interlaced;     /* the row of progressive JPEG and interlaced PNG */
    const char *name;    /* "JPEG, progressive" */
    int32_t fixed_mib;   /* of a small picture, with the resizing and writing of a small rendition */
    int32_t mib_per_100; /* more for each 100 megapixels */
} PmDecodeMemory;
extern const PmDecodeMemory pm_decode_memory_table[]; /* ended by a NULL name */

/* The row for the format, or for its interlaced kind where that has one; NULL: not measured. */
const PmDecodeMemory *pm_decode_memory(PmFormat format, bool interlaced);
/* To decode a page of so many pixels to a small rendition. */
int64_t pm_decode_memory_bytes(const PmDecodeMemory *row, int64_t pixels);
/* The most pixels that so many bytes are enough for; 0: none. */
int64_t pm_decode_memory_pixels(const PmDecodeMemory *row, int64_t bytes);

/* The hint for a job that ran out of limits.memory (`limit` bytes): what its format takes, and what to do. `pixels`: of
 * one page, 0 when not known; `held`: bytes of pictures that the job holds beside the decoder. */
void pm_decode_memory_hint(PmFormat format, bool interlaced, int64_t pixels, int64_t held, int64_t limit, PmError *err);

/* The table as a page of the reference has it. */
void pm_decode_memory_markdown(PmBuffer *page);

#endif
