/* SPDX-License-Identifier: Apache-2.0
 *
 * Sends to one worker process. The kernel counts descriptors that are on their way per user, not per process: a program
 * of the same user that leaves many unread makes our own sends fail (ETOOMANYREFS). That says nothing about the child
 * or its job, so what could not go waits here and goes a little later, in order.
 */
#ifndef PM_WORKERS_OUTBOX_H
#define PM_WORKERS_OUTBOX_H

#include "base/ipc.h"
#include "base/loop.h"

enum { PM_OUTBOX_MAX = 4 }; /* a job, a room of each kind, an answer: a child is owed no more at a time */

typedef struct PmOutboxSink {
    void *data;
    void (*sent)(void *data, PmMessageType type);   /* also from within pm_outbox_send */
    void (*failed)(void *data, const PmError *err); /* of one that had waited; the others are dropped */
    void (*crowded)(void *data);                    /* one begins to wait */
} PmOutboxSink;

typedef struct PmOutboxItem {
    PmMessageType type;
    json_t *body;
    int fds[PM_IPC_FDS_MAX];
    size_t fd_count;
} PmOutboxItem;

typedef struct PmOutbox {
    PmLoop *loop; /* borrowed */
    int sock;     /* borrowed */
    PmOutboxSink sink;
    PmOutboxItem items[PM_OUTBOX_MAX];
    size_t count;
    PmTimer *timer;
} PmOutbox;

void pm_outbox_open(PmOutbox *box, PmLoop *loop, int sock, const PmOutboxSink *sink);
void pm_outbox_close(PmOutbox *box); /* drops what waits; a zeroed one is fine */

/* Body and fds are borrowed. PM_OK: sent, or waits. PM_TRANSIENT: the other end is gone or does not read. */
PmStatus pm_outbox_send(PmOutbox *box, PmMessageType type, const json_t *body, const int *fds, size_t fd_count,
                        PmError *err);

#endif
