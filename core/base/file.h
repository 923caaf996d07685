/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole files of an operator, read into memory.
 */
#ifndef PM_BASE_FILE_H
#define PM_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads a regular file that is not empty, of at most `max` bytes; 0: of any size. `limit` names the setting that `max`
 * is of. *bytes is new. False with the reason in `why`. */
bool pm_file_read(const char *path, int64_t max, const char *limit, void **bytes, size_t *size, char *why,
                  size_t why_size);

#endif
