/* SPDX-License-Identifier: Apache-2.0
 *
 * An HTML <picture> for the renditions of one source: the types a browser tries, in the order of how small they are,
 * each with its widths, and an <img> for the rest. Hides what HTML wants of it.
 */
#ifndef PM_CLI_PICTURE_ELEMENT_H
#define PM_CLI_PICTURE_ELEMENT_H

#include <jansson.h>

#include "base/buffer.h"
#include "base/error.h"

typedef struct PmPictureOptions {
    const char
        *matrix; /* only what this output's `for` made; NULL: all of the first matrix, or all where there is none */
    const char *from; /* what locations begin with and URLs do not; NULL: the bucket, or the folder all lie in */
    const char *url;  /* what URLs begin with instead */
    const char *sizes, *alt;
} PmPictureOptions;

/* Appends the element for a record of a source (see connectors/record.h) and a newline. PM_BAD_CONFIG: the record holds
 * nothing that a browser shows, or locations outside of `from`. */
PmStatus pm_picture_element(const json_t *record, const PmPictureOptions *options, PmBuffer *out, PmError *err);

#endif
