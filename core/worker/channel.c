/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/channel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"

static const char *const names[PM_ROOMS] = {[PM_ROOM_OUTPUT] = "output", [PM_ROOM_BODY] = "body"};

void pm_channel_init(PmChannel *channel, int sock)
{
    *channel = (PmChannel){.sock = sock, .rooms = {-1, -1}};
}

void pm_channel_finish(PmChannel *channel)
{
    for (size_t i = 0; i < PM_ROOMS; i++) pm_channel_leave_room(channel, (PmRoom)i);
}

/* A second one for the same purpose takes the place of the first. */
static void keep_room(PmChannel *channel, PmMessage *message)
{
    const char *purpose = json_string_value(json_object_get(message->body, "for"));
    for (size_t i = 0; purpose != NULL && i < PM_ROOMS; i++) {
        if (strcmp(purpose, names[i]) != 0) continue;
        if (channel->rooms[i] >= 0) close(channel->rooms[i]);
        channel->rooms[i] = pm_message_take_fd(message, 0);
    }
}

/* *room: one has come, and *message is empty. */
static PmStatus receive_any(PmChannel *channel, PmMessage *message, bool *room, PmError *err)
{
    bool got = false;
    PmStatus status = PM_OK;
    *room = false;
    while (status == PM_OK && !got) status = pm_ipc_receive(channel->sock, 0, message, &got, err);
    if (status != PM_OK || message->type != PM_MSG_ROOM) return status;
    *room = true;
    keep_room(channel, message);
    pm_message_finish(message);
    return PM_OK;
}

PmStatus pm_channel_receive(PmChannel *channel, PmMessage *message, PmError *err)
{
    bool room = true;
    PmStatus status = PM_OK;
    while (status == PM_OK && room) status = receive_any(channel, message, &room, err);
    return status;
}

static PmStatus await_room(PmChannel *channel, PmRoom purpose, PmError *err)
{
    PmStatus status = PM_OK;
    if (purpose == PM_ROOM_BODY && channel->rooms[purpose] < 0)
        status = pm_ipc_send_text(channel->sock, PM_MSG_ROOM, "{}", 2, err);
    while (status == PM_OK && channel->rooms[purpose] < 0) {
        PmMessage message;
        bool room = false;
        status = receive_any(channel, &message, &room, err);
        if (status != PM_OK || room) continue;
        status = pm_error_set(err, PM_BUG, "%s came where ROOM was due", pm_message_name(message.type));
        pm_message_finish(&message);
    }
    return status;
}

PmStatus pm_channel_room(PmChannel *channel, PmRoom room, int *fd, PmError *err)
{
    PmStatus status = await_room(channel, room, err);
    if (status != PM_OK) return status;
    /* A rendition that failed half-way, or gave way to the source, has left something in it. */
    if (ftruncate(channel->rooms[room], 0) != 0)
        return pm_error_set(err, PM_TRANSIENT, "a memory file cannot be emptied: %s", strerror(errno));
    *fd = channel->rooms[room];
    return PM_OK;
}

void pm_channel_leave_room(PmChannel *channel, PmRoom room)
{
    if (channel->rooms[room] >= 0) close(channel->rooms[room]);
    channel->rooms[room] = -1;
}

PmStatus pm_channel_write(PmChannel *channel, PmRoom room, const void *bytes, size_t size, PmError *err)
{
    int fd = -1;
    PmStatus status = pm_channel_room(channel, room, &fd, err);
    if (status == PM_OK) status = pm_memfd_write(fd, bytes, size, err);
    if (status == PM_OK) pm_channel_leave_room(channel, room);
    return status;
}

PmStatus pm_channel_send(PmChannel *channel, PmMessageType type, const json_t *body, PmError *err)
{
    char *text = pm_json_text(body, JSON_COMPACT);
    if (text == NULL) return pm_error_set(err, PM_BUG, "%s: its body cannot be written as JSON", pm_message_name(type));
    size_t size = strlen(text);
    PmStatus status;
    if (size <= PM_IPC_PACKET_MAX) {
        status = pm_ipc_send_text(channel->sock, type, text, size, err);
    } else if (size > PM_IPC_BODY_MAX) {
        status = pm_error_set(err, PM_LIMIT, "%s: a body of %zu bytes is above %d", pm_message_name(type), size,
                              PM_IPC_BODY_MAX);
    } else if ((status = pm_channel_write(channel, PM_ROOM_BODY, text, size, err)) == PM_OK) {
        json_t *where = json_pack("{sI}", "in_room", (json_int_t)size);
        status = pm_ipc_send(channel->sock, type, where, NULL, 0, err);
        json_decref(where);
    }
    free(text);
    return status;
}
