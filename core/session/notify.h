/* SPDX-License-Identifier: Apache-2.0
 *
 * A record of each finished source for the waiting party, as `notify` says: a message or a file. It is out before
 * the source's event is settled; after a crash it may come twice.
 */
#ifndef PM_SESSION_NOTIFY_H
#define PM_SESSION_NOTIFY_H

#include "session/job.h"

typedef struct PmNotice PmNotice;

/* Sends or writes the record of a result (borrowed for the call) by run->notifier. `done` comes once, never from
 * here; err NULL: it is out. NULL and err set when it cannot start. */
typedef void PmNoticeDone(void *data, const PmError *err);
PmNotice *pm_notice_start(const PmRunContext *run, const PmJobResult *result, PmNoticeDone *done, void *data,
                          PmError *err);
void pm_notice_cancel(PmNotice *notice); /* NULL is fine */

#endif
