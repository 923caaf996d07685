/* SPDX-License-Identifier: Apache-2.0
 *
 * Files that are part of the program: those of config/starters, which `pixmill init` writes, and of cli/page, which the
 * page of `preview` is made of. The build makes the table.
 */
#ifndef PM_CLI_EMBEDDED_H
#define PM_CLI_EMBEDDED_H

#include <stddef.h>

typedef struct PmEmbeddedFile {
    const char *name; /* "avatar.yaml" */
    const unsigned char *bytes;
    size_t size;
} PmEmbeddedFile;

extern const PmEmbeddedFile pm_embedded_files[]; /* ended by a NULL name */

/* Never NULL: callers pass only names that exist. */
const PmEmbeddedFile *pm_embedded_find(const char *name);

#endif
