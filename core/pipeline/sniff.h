/* SPDX-License-Identifier: Apache-2.0
 *
 * What kind of image bytes are, by their first bytes alone: never by name, Content-Type or libvips' guess. Pure.
 */
#ifndef PM_PIPELINE_SNIFF_H
#define PM_PIPELINE_SNIFF_H

#include <stdbool.h>
#include <stddef.h>

typedef enum PmFormat {
    PM_FORMAT_UNKNOWN = 0,
    PM_FORMAT_JPEG,
    PM_FORMAT_PNG,
    PM_FORMAT_WEBP,
    PM_FORMAT_GIF,
    PM_FORMAT_TIFF,
    PM_FORMAT_AVIF,
    PM_FORMAT_HEIF,
    PM_FORMAT_JXL,
    PM_FORMAT_SVG,
    PM_FORMAT_PDF,
    PM_FORMAT_COUNT
} PmFormat;

PmFormat pm_sniff(const void *bytes, size_t size);

/* "jpeg" ... as written in `limits.formats`, facts and `convert`; "unknown". */
const char *pm_format_name(PmFormat format);
PmFormat pm_format_from_name(const char *name);
/* What a file's name says of its format, whatever is in it: "a/b.JPEG" is PM_FORMAT_JPEG. */
PmFormat pm_format_from_ending(const char *name);
const char *pm_format_extension(PmFormat format); /* the usual ending: "jpg" */
const char *pm_format_mime(PmFormat format);      /* "image/jpeg" */

#endif
