/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/embedded.h"

#include <string.h>

const PmEmbeddedFile *pm_embedded_find(const char *name)
{
    const PmEmbeddedFile *file = pm_embedded_files;
    while (file->name != NULL && strcmp(file->name, name) != 0) file++;
    return file;
}
