/* SPDX-License-Identifier: Apache-2.0
 *
 * Where files of renditions lie, and what their writing depends on, as text.
 */
#ifndef PM_CONNECTORS_FILE_LOCATION_H
#define PM_CONNECTORS_FILE_LOCATION_H

#include <stdbool.h>
#include <stddef.h>

/* The key without a leading "/", "./" or "../": `apply` moves every place below its folder. */
const char *pm_location_below(const char *key);

/* The path of `key` in `folder` (absolute); confined: below it, whatever the key begins with. New; NULL: out of memory.
 */
char *pm_location_new(const char *folder, const char *key, bool confined);

/* "file:/srv/out" for what is written to `path`, which may be the beginning of a name: the folder is what counts.
 * whole: `path` is that folder. */
void pm_location_name(const char *folder, const char *path, bool whole, char *out, size_t size);

#endif
