/* SPDX-License-Identifier: Apache-2.0
 *
 * What a shared object exports and needs, read from the file without opening it as code. Hides ELF; every offset in the
 * file is checked, since `plugin check` is pointed at anything.
 */
#ifndef PM_ENGINE_ELF_H
#define PM_ENGINE_ELF_H

#include <jansson.h>

#include "base/error.h"

typedef struct PmElf {
    json_t *exports; /* owned; names of defined global and weak symbols that others can see */
    json_t *needed;  /* owned; names of libraries: DT_NEEDED */
} PmElf;

/* Fills *out; free with pm_elf_finish. PM_BAD_CONFIG: not a 64-bit little-endian shared object, or damaged. */
PmStatus pm_elf_read(const char *file, PmElf *out, PmError *err);
void pm_elf_finish(PmElf *elf);

#endif
