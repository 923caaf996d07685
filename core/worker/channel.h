/* SPDX-License-Identifier: Apache-2.0
 *
 * A child's end of the job channel. Sends no descriptor ever: what is too large for a packet is written into memory
 * files ("rooms") that the broker hands over. Hides when one is asked for, and that one may come before it is needed.
 */
#ifndef PM_WORKER_CHANNEL_H
#define PM_WORKER_CHANNEL_H

#include "base/ipc.h"

typedef enum PmRoom { PM_ROOM_OUTPUT, PM_ROOM_BODY, PM_ROOMS } PmRoom;

typedef struct PmChannel {
    int sock;            /* borrowed */
    int rooms[PM_ROOMS]; /* owned; -1: not here */
} PmChannel;

void pm_channel_init(PmChannel *channel, int sock);
void pm_channel_finish(PmChannel *channel);

/* As pm_ipc_send; a large body goes through a room, which blocks until the broker has sent it. */
PmStatus pm_channel_send(PmChannel *channel, PmMessageType type, const json_t *body, PmError *err);

/* Blocks for the next message that is not ROOM. PM_TRANSIENT: the broker is gone. */
PmStatus pm_channel_receive(PmChannel *channel, PmMessage *message, PmError *err);

/* The room, empty, to write to; borrowed. Blocks until it is here. The room for an output has been asked for by BEGINS;
 * that for a body is asked for here. */
PmStatus pm_channel_room(PmChannel *channel, PmRoom room, int *fd, PmError *err);

/* The next OUTPUT or FETCH is about what was written into the room: it is the broker's again. */
void pm_channel_leave_room(PmChannel *channel, PmRoom room);

/* Both, with `bytes` written in between. */
PmStatus pm_channel_write(PmChannel *channel, PmRoom room, const void *bytes, size_t size, PmError *err);

#endif
