/* SPDX-License-Identifier: Apache-2.0
 *
 * The files of config/starters, which `pixmill init` writes. The build makes the table.
 */
#ifndef PM_CLI_STARTERS_H
#define PM_CLI_STARTERS_H

#include <stddef.h>

typedef struct PmStarterFile {
    const char *name; /* "avatar.yaml" */
    const unsigned char *bytes;
    size_t size;
} PmStarterFile;

extern const PmStarterFile pm_starter_files[]; /* ended by a NULL name */

#endif
