/* SPDX-License-Identifier: Apache-2.0
 *
 * A source file that is finished with, moved to another folder, with a reason beside it when it did not work. Hides
 * what can come between: a newer version of the file, a taken name, links and FIFOs that somebody put there.
 */
#ifndef PM_CONNECTORS_FILE_DISPOSITION_H
#define PM_CONNECTORS_FILE_DISPOSITION_H

#include "connectors/file/file_version.h"
#include "connectors/object.h"

typedef struct PmDispositionRequest {
    const char *root;   /* the trigger's folder, absolute; the object's key is below it */
    const char *folder; /* where to, absolute; made when needed; the key keeps its folders below it */
    const PmObject *object;
    const PmFileVersion *version; /* the one that is finished with */
    const PmError *reason;        /* NULL: none is written */
    const char *tag;              /* or NULL */
    int attempts;
} PmDispositionRequest;

typedef enum PmDispositionOutcome {
    PM_DISPOSITION_MOVED,
    PM_DISPOSITION_GONE,    /* somebody took it away: nothing is left to move */
    PM_DISPOSITION_CHANGED, /* what lies there is another version: it stays, or is put back */
    PM_DISPOSITION_OPEN,    /* somebody has it open for writing */
    PM_DISPOSITION_FAILED   /* see err: PM_BAD_INPUT when it is this file's own trouble; it is where it was */
} PmDispositionOutcome;

typedef struct PmDisposition PmDisposition;

/* New; copies everything, so that it may be run on another thread. NULL: out of memory. */
PmDisposition *pm_disposition_new(const PmDispositionRequest *request);
void pm_disposition_free(PmDisposition *disposition); /* NULL is fine */

/* Moves the file. A name that is taken becomes NAME-1.EXT, NAME-2.EXT, ... The reason, <file>.reason.json, is written
 * first: a file in `failed` always has one. Below `root` and `folder` no link is followed. May be tried again. Blocks.
 */
PmDispositionOutcome pm_disposition_move(PmDisposition *disposition, PmError *err);

/* The n-th name to try for a file called `name`: itself, then with a number before the ending, then something random.
 */
enum { PM_DISPOSITION_NAMES = 116, PM_DISPOSITION_NAME_SIZE = 256 };
void pm_disposition_name(const char *name, int n, char out[PM_DISPOSITION_NAME_SIZE]);

#endif
