/* SPDX-License-Identifier: Apache-2.0
 *
 * From bytes to an upright picture in a colour space that plugins know. Hides the loaders and their options, the
 * checks before decoding, EXIF orientation and CMYK.
 */
#ifndef PM_ENGINE_LOAD_H
#define PM_ENGINE_LOAD_H

#include <vips/vips.h>

#include "engine/colours.h"
#include "pipeline/pipeline.h"
#include "pipeline/sniff.h"

/* Options for the decoder. */
typedef struct PmLoadOptions {
    double scale;   /* webp: 0..1; svg, pdf: above 0 */
    int32_t shrink; /* jpeg: 1, 2, 4 or 8 */
    int32_t pages;  /* 1, or -1 for all */
} PmLoadOptions;

typedef struct PmSource {
    const void *bytes; /* borrowed */
    size_t size;
    PmFormat format;
    VipsImage *header;     /* opened with the options of a full, one-page decode; no pixel read */
    PmLoadOptions options; /* those of `header` */
    PmShape shape;         /* as plugins see it: upright, all pages, colours converted */
    PmColours colours;
} PmSource;

/* Once per process: only the loaders that pixmill names may run, and those that read from a VipsSource, for assets. */
void pm_load_setup(void);

/* True when this libvips reads the format. */
bool pm_load_supports(PmFormat format);

/* The first page of these bytes, which are of that format; no pixel is read. New; NULL with libvips' message set. */
VipsImage *pm_load_header(const void *bytes, size_t size, PmFormat format);

/* "jpegload_buffer", or NULL */
const char *pm_load_name(PmFormat format);

/* Sniffs, checks every limit that the header shows, and fills `source` (zeroed by the caller). PM_BAD_INPUT: no image,
 * or damaged; PM_LIMIT. Finish in either case. */
PmStatus pm_source_open(PmSource *source, const void *bytes, size_t size, const PmLimits *limits, PmError *err);
void pm_source_finish(PmSource *source);

/* Checks what these options will decode, which gives `loaded`: all frames where all are needed, a drawing at the size
 * at which it is rendered. PM_LIMIT. */
PmStatus pm_source_check(const PmSource *source, const PmLoadOptions *options, const PmShape *loaded,
                         const PmLimits *limits, PmError *err);

/* Drawings, which have no pixels of their own: rendered at any size. */
bool pm_load_scales_up(PmFormat format);

/* The options that decode the least of which at least width x height (upright, one page) remain. What a JPEG's decoder
 * shrinks lacks some of the detail of what is left, so a little more must remain; `fine`: so much more that the loss
 * does not show, where width x height are twice what will be made of it (docs/decisions/jpeg-shrink.md). Pure. */
PmLoadOptions pm_load_choose(PmFormat format, const PmShape *full, int32_t width, int32_t height, int32_t pages,
                             bool fine);

/* Renders no larger than the limits allow; the rest is left to resampling. Pure. */
void pm_load_bound(PmLoadOptions *options, const PmShape *full, const PmLimits *limits);

/* Size of one page after decoding with these options, upright. Pure; what the decoders of libvips do. */
PmShape pm_load_shape(PmFormat format, const PmShape *full, const PmLoadOptions *options);

/* The picture, upright and in sRGB, grey or RGB with its own profile; lazy, top to bottom, unless *in_memory says
 * that it had to be held in memory to be turned. New reference. */
PmStatus pm_source_load(const PmSource *source, const PmLoadOptions *options, VipsImage **out, bool *in_memory,
                        PmError *err);

/* Decodes and forgets: tells a damaged source from a failing encoder. */
PmStatus pm_source_probe(const PmSource *source, const PmLoadOptions *options, PmError *err);
/* The same in full size, all frames. */
PmStatus pm_source_probe_all(const PmSource *source, PmError *err);

/* Width, height, pages, bands .. of an image; source_* equal to its own size, orientation 1. */
PmShape pm_shape_of(VipsImage *image);

#endif
