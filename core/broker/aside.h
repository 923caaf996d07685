/* SPDX-License-Identifier: Apache-2.0
 *
 * A source file that is finished with, moved to another folder, with a reason beside it when it did not work.
 */
#ifndef PM_BROKER_ASIDE_H
#define PM_BROKER_ASIDE_H

#include "broker/object.h"

typedef struct PmAside {
    const char *folder; /* absolute; made when needed; the object's key keeps its folders below it */
    const PmObject *object;
    const PmError *reason; /* NULL: none is written */
    const char *tag;       /* or NULL */
    int attempts;
} PmAside;

/* Moves the file. A name that is taken becomes NAME-1.EXT, NAME-2.EXT, ... The reason, <file>.reason.json, is written
 * first: a file in `failed` always has one. PM_TRANSIENT or PM_BAD_CONFIG with what could not be done; then the file is
 * where it was. */
PmStatus pm_aside_move(const PmAside *aside, PmError *err);

/* {status, message, hint?, step?, plugin?, file?, line?, tag?, source, attempts, time}: new. */
json_t *pm_aside_reason(const PmAside *aside);

#endif
