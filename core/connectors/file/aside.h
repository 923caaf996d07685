/* SPDX-License-Identifier: Apache-2.0
 *
 * A source file that is finished with, moved to another folder, with a reason beside it when it did not work. Hides
 * what can come between: a newer version of the file, a taken name, links and FIFOs that somebody put there.
 */
#ifndef PM_CONNECTORS_FILE_ASIDE_H
#define PM_CONNECTORS_FILE_ASIDE_H

#include "connectors/file/file_version.h"
#include "connectors/object.h"

typedef struct PmAsideRequest {
    const char *root;   /* the trigger's folder, absolute; the object's key is below it */
    const char *folder; /* where to, absolute; made when needed; the key keeps its folders below it */
    const PmObject *object;
    const PmFileVersion *version; /* the one that is finished with */
    const PmError *reason;        /* NULL: none is written */
    const char *tag;              /* or NULL */
    int attempts;
} PmAsideRequest;

typedef enum PmAsideOutcome {
    PM_ASIDE_MOVED,
    PM_ASIDE_GONE,    /* somebody took it away: nothing is left to move */
    PM_ASIDE_CHANGED, /* what lies there is another version: it stays, or is put back */
    PM_ASIDE_OPEN,    /* somebody has it open for writing */
    PM_ASIDE_FAILED   /* see err: PM_BAD_INPUT when it is this file's own trouble; it is where it was */
} PmAsideOutcome;

typedef struct PmAside PmAside;

/* New; copies everything, so that it may be run on another thread. NULL: out of memory. */
PmAside *pm_aside_new(const PmAsideRequest *request);
void pm_aside_free(PmAside *aside); /* NULL is fine */

/* Moves the file. A name that is taken becomes NAME-1.EXT, NAME-2.EXT, ... The reason, <file>.reason.json, is written
 * first: a file in `failed` always has one. Below `root` and `folder` no link is followed. May be tried again. Blocks.
 */
PmAsideOutcome pm_aside_move(PmAside *aside, PmError *err);

/* The n-th name to try for a file called `name`: itself, then with a number before the ending, then something random.
 */
enum { PM_ASIDE_NAMES = 116, PM_ASIDE_NAME_SIZE = 256 };
void pm_aside_name(const char *name, int n, char out[PM_ASIDE_NAME_SIZE]);

#endif
