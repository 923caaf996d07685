/* SPDX-License-Identifier: Apache-2.0
 *
 * The stamps of renditions that are files: in an extended attribute (user.pixmill.stamp), which is written before the
 * file has its name, so that both appear at once. Where the file system has none, in a hidden file beside it, which
 * says which file it is about: when a kill comes between the two, that shows.
 */
#ifndef PM_CONNECTORS_FILE_STAMP_FILE_H
#define PM_CONNECTORS_FILE_STAMP_FILE_H

#include "base/error.h"
#include "connectors/stamp.h"

typedef struct PmStampFile {
    PmStamp stamp;  /* borrows from `json`; digest NULL: there is no file, or none of pixmill's */
    bool certain;   /* it is about the file that lies there; else a newer one was about to be written */
    bool no_memory; /* there may be one that could not be read */
    json_t *json;   /* owned, or NULL */
} PmStampFile;

/* What lies at `name` in `folder`. */
void pm_stamp_file_read(int folder, const char *name, PmStampFile *out);
void pm_stamp_file_finish(PmStampFile *stamp);
bool pm_stamp_file_same(const PmStampFile *a, const PmStampFile *b);

/* pm_stamp_judge, for a stamp that may not be certain. */
PmStampVerdict pm_stamp_file_judge(const PmStampFile *existing, const PmStamp *ours);

/* The file is open, has no name yet, and becomes `name` next. attributes: false writes the hidden file, to be done
 * under the lock. Returns whether it was written; false with err clear: the file system has no extended attributes. */
bool pm_stamp_file_write(int file, int folder, const char *name, const PmStamp *stamp, bool attributes, PmError *err);

/* Between the last look and the new name nobody else may write: a lock on the folder, for the processes of this host
 * and, where the file system can, of others. -1 and err set: PM_TRANSIENT when somebody holds it for seconds,
 * PM_BAD_CONFIG when the file system has no locks. Closing the descriptor ends it. Blocks. */
int pm_stamp_file_lock(int folder, PmError *err);

#endif
