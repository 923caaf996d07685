/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ipc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"

#define HEADER_MAGIC 0x314D4950u /* "PIM1" */

enum { BODY_IN_MEMFD = 1, WIRE_FDS_MAX = PM_IPC_FDS_MAX + 1 };

/* What goes before the body of every packet. Both ends are processes of one host: native byte order. */
typedef struct Header {
    uint32_t magic;
    uint16_t type;
    uint16_t flags;     /* BODY_IN_MEMFD: the body is in the last descriptor */
    uint32_t body_size; /* bytes */
    uint16_t fd_count;  /* those of the message; the body's memfd is not counted */
    uint16_t reserved;  /* 0 */
} Header;
_Static_assert(sizeof(Header) == 16, "the header has no padding");

static const char *const names[PM_MSG_TYPES] = {
    [PM_MSG_LOAD] = "LOAD",
    [PM_MSG_READY] = "READY",
    [PM_MSG_ERRORS] = "ERRORS",
    [PM_MSG_DESCRIBE] = "DESCRIBE",
    [PM_MSG_DESCRIBED] = "DESCRIBED",
    [PM_MSG_CHECK] = "CHECK",
    [PM_MSG_CHECKED] = "CHECKED",
    [PM_MSG_SPAWN] = "SPAWN",
    [PM_MSG_SPAWNED] = "SPAWNED",
    [PM_MSG_EXITED] = "EXITED",
    [PM_MSG_JOB] = "JOB",
    [PM_MSG_BEGINS] = "BEGINS",
    [PM_MSG_OUTPUT] = "OUTPUT",
    [PM_MSG_SKIPPED] = "SKIPPED",
    [PM_MSG_FETCH] = "FETCH",
    [PM_MSG_FETCHED] = "FETCHED",
    [PM_MSG_DONE] = "DONE",
    [PM_MSG_PLAN] = "PLAN",
    [PM_MSG_PLANNED] = "PLANNED",
    [PM_MSG_LOG] = "LOG",
    [PM_MSG_ROOM] = "ROOM",
};

const char *pm_message_name(PmMessageType type)
{
    size_t i = (size_t)type;
    return i < PM_MSG_TYPES && names[i] != NULL ? names[i] : "unknown";
}

PmStatus pm_ipc_pair(int pair[2], PmError *err)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0) return PM_OK;
    return pm_error_set(err, PM_TRANSIENT, "no socket pair: %s", strerror(errno));
}

/* --- sending --- */

/* 0 or errno: a packet goes whole or not at all. */
static int send_packet(int sock, const struct msghdr *msg)
{
    ssize_t sent;
    do {
        sent = sendmsg(sock, msg, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent >= 0 ? 0 : errno;
}

static PmStatus not_sent(PmMessageType type, int error, PmError *err)
{
    if (error == EAGAIN) return pm_error_set(err, PM_TRANSIENT, "%s: the other end does not read", names[type]);
    return pm_error_set(err, PM_TRANSIENT, "%s cannot be sent: %s", names[type], strerror(error));
}

static int send_body(int sock, Header *header, const void *body, const int *fds, size_t fd_count)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int) * WIRE_FDS_MAX)];
        struct cmsghdr align;
    } control = {0};
    bool in_packet = (header->flags & BODY_IN_MEMFD) == 0;
    struct iovec parts[2] = {{header, sizeof *header}, {(void *)body, in_packet ? header->body_size : 0}};
    struct msghdr msg = {.msg_iov = parts, .msg_iovlen = 2};
    if (fd_count > 0) {
        msg.msg_control = control.bytes;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * fd_count);
    }
    return send_packet(sock, &msg);
}

PmStatus pm_ipc_send_text(int sock, PmMessageType type, const char *text, size_t size, PmError *err)
{
    if ((int)type <= 0 || type >= PM_MSG_TYPES)
        return pm_error_set(err, PM_BUG, "message %d is not in the protocol", (int)type);
    if (size > PM_IPC_PACKET_MAX)
        return pm_error_set(err, PM_LIMIT, "%s: a body of %zu bytes is above %d", names[type], size, PM_IPC_PACKET_MAX);
    Header header = {.magic = HEADER_MAGIC, .type = (uint16_t)type, .body_size = (uint32_t)size};
    int error = send_body(sock, &header, text, NULL, 0);
    return error == 0 ? PM_OK : not_sent(type, error, err);
}

PmStatus pm_ipc_try_send(int sock, PmMessageType type, const json_t *body, const int *fds, size_t fd_count,
                         bool *crowded, PmError *err)
{
    *crowded = false;
    if ((int)type <= 0 || type >= PM_MSG_TYPES || fd_count > PM_IPC_FDS_MAX)
        return pm_error_set(err, PM_BUG, "message %d with %zu descriptors is not in the protocol", (int)type, fd_count);
    char *text = body != NULL ? pm_json_text(body, JSON_COMPACT) : strdup("{}");
    if (text == NULL) return pm_error_set(err, PM_BUG, "%s: its body cannot be written as JSON", names[type]);
    size_t size = strlen(text);
    int wire_fds[WIRE_FDS_MAX], memfd = -1;
    for (size_t i = 0; i < fd_count; i++) wire_fds[i] = fds[i];
    Header header = {.magic = HEADER_MAGIC, .type = (uint16_t)type, .fd_count = (uint16_t)fd_count};
    PmStatus status;
    if (size > PM_IPC_BODY_MAX) {
        status = pm_error_set(err, PM_LIMIT, "%s: a body of %zu bytes is above %d", names[type], size, PM_IPC_BODY_MAX);
        goto out;
    }
    header.body_size = (uint32_t)size;
    if (size > PM_IPC_PACKET_MAX) {
        memfd = pm_memfd_new("pixmill-body", text, size, err);
        if (memfd < 0) {
            status = err != NULL ? err->status : PM_TRANSIENT;
            goto out;
        }
        header.flags = BODY_IN_MEMFD;
        wire_fds[fd_count++] = memfd;
    }
    int error = send_body(sock, &header, text, wire_fds, fd_count);
    *crowded = error == ETOOMANYREFS;
    status = error == 0 ? PM_OK : *crowded ? PM_TRANSIENT : not_sent(type, error, err);
out:
    if (memfd >= 0) close(memfd);
    free(text);
    return status;
}

PmStatus pm_ipc_send(int sock, PmMessageType type, const json_t *body, const int *fds, size_t fd_count, PmError *err)
{
    bool crowded;
    PmStatus status = pm_ipc_try_send(sock, type, body, fds, fd_count, &crowded, err);
    return crowded ? not_sent(type, ETOOMANYREFS, err) : status;
}

/* --- receiving --- */

static size_t collect_fds(struct msghdr *msg, int *fds, size_t max)
{
    size_t count = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
            if (count < max)
                fds[count++] = fd;
            else
                close(fd);
        }
    }
    return count;
}

static PmStatus parse_body(const char *text, size_t size, PmMessage *message, PmError *err)
{
    json_error_t why;
    bool no_memory = false;
    message->body = pm_json_read(text, size, JSON_REJECT_DUPLICATES, &why, &no_memory);
    if (json_is_object(message->body)) return PM_OK;
    const char *name = pm_message_name(message->type);
    if (no_memory) return pm_error_set(err, PM_TRANSIENT, "%s: out of memory", name);
    if (message->body != NULL) return pm_error_set(err, PM_BUG, "%s: its body is no JSON object", name);
    return pm_error_set(err, PM_BUG, "%s: its body is no JSON: %s", name, why.text);
}

/* Everything in `packet` and the descriptors come from the other end: nothing is believed. */
static PmStatus parse_packet(const char *packet, size_t size, PmMessage *message, PmError *err)
{
    Header header;
    if (size < sizeof header) return pm_error_set(err, PM_BUG, "a packet of %zu bytes is too short", size);
    memcpy(&header, packet, sizeof header);
    if (header.magic != HEADER_MAGIC || header.reserved != 0 || (header.flags & ~BODY_IN_MEMFD) != 0)
        return pm_error_set(err, PM_BUG, "a packet does not begin with pixmill's header");
    if (header.type == 0 || header.type >= PM_MSG_TYPES)
        return pm_error_set(err, PM_BUG, "message type %u is unknown", header.type);
    message->type = (PmMessageType)header.type;
    bool in_memfd = (header.flags & BODY_IN_MEMFD) != 0;
    if (header.fd_count > PM_IPC_FDS_MAX || message->fd_count != header.fd_count + (in_memfd ? 1u : 0u))
        return pm_error_set(err, PM_BUG, "%s: %u descriptors promised, %zu came", names[header.type], header.fd_count,
                            message->fd_count);
    if (!in_memfd) {
        if (header.body_size != size - sizeof header)
            return pm_error_set(err, PM_BUG, "%s: a body of %u bytes promised, %zu came", names[header.type],
                                header.body_size, size - sizeof header);
        return parse_body(packet + sizeof header, header.body_size, message, err);
    }
    PmMapping mapping = {0};
    if (pm_memfd_map(message->fds[header.fd_count], PM_IPC_BODY_MAX, &mapping, err) != PM_OK) {
        pm_error_context(err, "%s: body", names[header.type]);
        return PM_BUG;
    }
    PmStatus status;
    if (mapping.size != header.body_size || size != sizeof header)
        status = pm_error_set(err, PM_BUG, "%s: a body of %u bytes promised, %zu came", names[header.type],
                              header.body_size, mapping.size);
    else
        status = parse_body(mapping.bytes, mapping.size, message, err);
    pm_memfd_unmap(&mapping);
    close(message->fds[header.fd_count]);
    message->fds[header.fd_count] = -1;
    message->fd_count = header.fd_count;
    return status;
}

static PmStatus receive(int sock, int flags, bool plain, PmMessage *message, bool *got, PmError *err)
{
    *message = (PmMessage){0};
    *got = false;
    union {
        char bytes[CMSG_SPACE(sizeof(int) * WIRE_FDS_MAX)];
        struct cmsghdr align;
    } control;
    char packet[sizeof(Header) + PM_IPC_PACKET_MAX];
    struct iovec part = {packet, sizeof packet};
    struct msghdr msg = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    if (plain) { /* descriptors that come are closed by the kernel, which says MSG_CTRUNC */
        msg.msg_control = NULL;
        msg.msg_controllen = 0;
    }
    ssize_t size;
    do {
        size = recvmsg(sock, &msg, flags | MSG_CMSG_CLOEXEC);
    } while (size < 0 && errno == EINTR);
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return PM_OK;
    if (size < 0) return pm_error_set(err, PM_TRANSIENT, "the other end is gone: %s", strerror(errno));
    message->fd_count = collect_fds(&msg, message->fds, WIRE_FDS_MAX);
    PmStatus status;
    if (size == 0)
        status = pm_error_set(err, PM_TRANSIENT, "the other end closed the connection");
    else if ((msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
        status = pm_error_set(err, PM_BUG, "a packet is larger, or carries more descriptors, than allowed");
    else
        status = parse_packet(packet, (size_t)size, message, err);
    if (status != PM_OK)
        pm_message_finish(message);
    else
        *got = true;
    return status;
}

PmStatus pm_ipc_receive(int sock, int flags, PmMessage *message, bool *got, PmError *err)
{
    return receive(sock, flags, false, message, got, err);
}

PmStatus pm_ipc_receive_plain(int sock, int flags, PmMessage *message, bool *got, PmError *err)
{
    return receive(sock, flags, true, message, got, err);
}

void pm_message_finish(PmMessage *message)
{
    if (message == NULL) return;
    for (size_t i = 0; i < message->fd_count; i++)
        if (message->fds[i] >= 0) close(message->fds[i]);
    json_decref(message->body);
    *message = (PmMessage){0};
}

int pm_message_take_fd(PmMessage *message, size_t i)
{
    if (i >= message->fd_count) return -1;
    int fd = message->fds[i];
    message->fds[i] = -1;
    return fd;
}
