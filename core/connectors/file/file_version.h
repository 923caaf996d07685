/* SPDX-License-Identifier: Apache-2.0
 *
 * Which version of which file, and whether it is finished. Hides stat and leases.
 */
#ifndef PM_CONNECTORS_FILE_FILE_VERSION_H
#define PM_CONNECTORS_FILE_FILE_VERSION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

typedef struct PmFileVersion {
    dev_t device; /* of what reading the name gets */
    ino_t inode;
    off_t size;
    struct timespec time; /* of the last change */
    ino_t name_inode;     /* of the name itself: another one where it is a symbolic link */
} PmFileVersion;

/* folder: descriptor of the folder that `name` is relative to, or AT_FDCWD. False: there is no regular file of that
 * name, nor a link to one. */
bool pm_file_version(int folder, const char *name, PmFileVersion *out);

bool pm_file_version_same(const PmFileVersion *a, const PmFileVersion *b);

/* Milliseconds since the last change by the wall clock; -1: it lies in the future, so the clocks differ. */
int64_t pm_file_version_age_ms(const PmFileVersion *version);

/* Milliseconds since 1970 of the last change. */
int64_t pm_file_version_time_ms(const PmFileVersion *version);

/* Has somebody opened it for writing? Told by asking for a read lease (fcntl(2)), which the kernel grants for local
 * our own files, which nobody writes to. False also where it cannot be told: files of others, network file systems. The
 * process must ignore SIGIO. */
bool pm_file_is_open_for_writing(int folder, const char *name);

#endif
