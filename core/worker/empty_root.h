/* SPDX-License-Identifier: Apache-2.0
 *
 * A root directory with nothing in it: for a process that is the first in a new mount namespace.
 */
#ifndef PM_WORKER_EMPTY_ROOT_H
#define PM_WORKER_EMPTY_ROOT_H

#include <stdbool.h>

/* Makes an empty file system the root of the calling process and of its mount namespace, with `folders` (absolute,
 * NULL-terminated; what does not exist is left out) at their places, read-only. Returns 0 or errno. */
int pm_empty_root_make(const char *const *folders);

/* Afterwards: takes the folders away again unless `keep`, and makes the root read-only. Returns 0 or errno. */
int pm_empty_root_close(const char *const *folders, bool keep);

#endif
