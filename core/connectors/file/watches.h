/* SPDX-License-Identifier: Apache-2.0
 *
 * The folders that inotify watches for us: which descriptor stands for which path. Hides the live set; a folder that is
 * gone makes room for another.
 */
#ifndef PM_CONNECTORS_FILE_WATCHES_H
#define PM_CONNECTORS_FILE_WATCHES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct PmWatches PmWatches;

/* inotify is borrowed; mask as for inotify_add_watch. At most `max` live watches. New; NULL without memory. */
PmWatches *pm_watches_new(int inotify, uint32_t mask, size_t max);
void pm_watches_free(PmWatches *watches); /* NULL is fine */

/* Watches `path`, or notes the new path of a folder that is watched already. False and errno set: ENOSPC when there are
 * too many. */
bool pm_watches_add(PmWatches *watches, const char *path);

/* The path of a watch descriptor, or NULL; borrowed until the next change. */
const char *pm_watches_path(const PmWatches *watches, int wd);

/* The kernel has ended it (IN_IGNORED). */
void pm_watches_forget(PmWatches *watches, int wd);

/* The folder was moved away: ends the watches on it and on all below. */
void pm_watches_remove(PmWatches *watches, const char *path);

size_t pm_watches_count(const PmWatches *watches);

#endif
