/* SPDX-License-Identifier: Apache-2.0
 *
 * The image formats that pixmill stores, each with the MIME type and the ending that its files get. A worker names a
 * format and nothing else: what it says must never become "text/html" on somebody's web site.
 */
#ifndef PM_WORKERS_FORMATS_H
#define PM_WORKERS_FORMATS_H

#include "base/error.h"

typedef struct PmFileFormat {
    const char *name, *mime, *extension;
} PmFileFormat;

/* NULL: unknown. */
const PmFileFormat *pm_file_format(const char *name);

/* READY's body: every MIME type that an encoder declares must be one of an image format here, else an error naming the
 * plugin is added. */
void pm_file_formats_check(const json_t *ready, PmErrorList *errors);

#endif
