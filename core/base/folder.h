/* SPDX-License-Identifier: Apache-2.0
 *
 * Folders below a fixed one. The operator's part of a path is taken as it is; below it no symbolic link is followed and
 * no "..": the kernel sees to it (openat2). Hides openat2 and what stands in for it where it is missing.
 */
#ifndef PM_BASE_FOLDER_H
#define PM_BASE_FOLDER_H

#include "base/error.h"

/* What went wrong, from errno: "cannot <what> <path>: <why>". PM_BAD_CONFIG: somebody must grant a right or mount
 * something. PM_BAD_INPUT: it is this path (a link in the way, a name that is too long, that the file system refuses).
 * PM_TRANSIENT: the rest: no space, no inodes, no quota, a failing disk, too many open files. Returns err->status. */
PmStatus pm_folder_failed(PmError *err, const char *what, const char *path);

/* Opens an operator's folder (O_PATH), links followed, made where needed. -1 and err set. */
int pm_folder_open(const char *path, PmError *err);

/* Opens, and with `make` makes where needed, the folder of `rest` below `fd`; *name points at rest's last segment,
 * which is a name and neither "." nor "..". Changes `rest`; takes fd. -1 and err set. */
int pm_folder_below(int fd, char *rest, bool make, char **name, PmError *err);

/* One name below `folder`, never through a link. flags as for open(2); O_CLOEXEC is added. -1 and errno set. */
int pm_folder_open_file(int folder, const char *name, int flags, unsigned mode);

/* A new name survives a power cut only once its folder is synced. False and errno set. */
bool pm_folder_sync(int folder);

/* As renameat, but what has the new name already stays: then -1 and errno is EEXIST. */
int pm_folder_rename_new(int from, const char *name, int to, const char *target);

/* A name that nobody else uses, hidden from folder triggers: ".pixmill-0123456789abcdef.tmp". False and errno set. */
enum { PM_FOLDER_TEMPORARY = 40 };
bool pm_folder_temporary(char out[PM_FOLDER_TEMPORARY]);

#endif
