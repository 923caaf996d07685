/* SPDX-License-Identifier: Apache-2.0
 *
 * What a child that was taken over could send: any packet, with any descriptors. The first byte chooses those, the rest
 * is the packet, or after a header put right the body. Nothing may crash, and no descriptor may stay open.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ipc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FD_KINDS = 4, HEADER_BYTES = 16, FDS_MAX = 7 };

/* A sealed memfd with `bytes`, an unsealed one, a device, or a socket. */
static int descriptor(unsigned kind, const uint8_t *bytes, size_t size)
{
    int fd = -1;
    switch (kind % FD_KINDS) {
    case 0:
        return pm_memfd_new("fuzz", bytes, size, NULL);
    case 1:
        fd = pm_memfd_open("fuzz", NULL);
        if (write(fd, bytes, size) < 0) abort();
        return fd;
    case 2:
        return open("/dev/null", O_RDWR | O_CLOEXEC);
    default:
        return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    }
}

static void send_raw(int sock, const void *bytes, size_t size, const int *fds, size_t count)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int) * FDS_MAX)];
        struct cmsghdr align;
    } control = {0};
    struct iovec part = {(void *)bytes, size};
    struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        msg.msg_control = control.bytes;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * count);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * count);
    }
    (void)!sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* As the broker would: looks at what came. */
static void look_at(const PmMessage *message)
{
    PmError err = {0};
    pm_error_from_json(json_object_get(message->body, "error"), &err);
    for (size_t i = 0; i < message->fd_count; i++) {
        PmMapping map = {0};
        if (pm_memfd_map(message->fds[i], 1 << 20, &map, NULL) != PM_OK) continue;
        volatile uint8_t last = map.size > 0 ? ((const uint8_t *)map.bytes)[map.size - 1] : 0;
        (void)last;
        pm_memfd_unmap(&map);
    }
    if (!json_is_object(message->body) || message->fd_count > PM_IPC_FDS_MAX) abort();
}

static int lowest_free(void)
{
    int fd = dup(0);
    close(fd);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    unsigned kind = data[0] & 3, fd_kind = (data[0] >> 2) & 3, in_memfd = (data[0] >> 4) & 1,
             fixed = (data[0] >> 5) & 1;
    size_t fd_count = data[1] % (FDS_MAX + 1);
    data += 2;
    size -= 2;
    int pair[2], fds[FDS_MAX], lowest = lowest_free();
    if (pm_ipc_pair(pair, NULL) != PM_OK) return 0;
    for (size_t i = 0; i < fd_count; i++) fds[i] = descriptor(fd_kind, data, size);
    uint8_t *packet = malloc(HEADER_BYTES + size);
    size_t packet_size = size;
    if (fixed != 0) { /* a header that promises what comes, so that the body is reached */
        uint32_t words[4] = {0x314D4950u, (uint32_t)(kind + 10) | (in_memfd << 16), (uint32_t)size,
                             (uint32_t)(fd_count > in_memfd ? fd_count - in_memfd : 0)};
        memcpy(packet, words, sizeof words);
        if (in_memfd == 0 && size > 0) memcpy(packet + HEADER_BYTES, data, size);
        packet_size = HEADER_BYTES + (in_memfd == 0 ? size : 0);
    } else if (size > 0) {
        memcpy(packet, data, size);
    }
    send_raw(pair[0], packet, packet_size, fds, fd_count);
    free(packet);
    for (size_t i = 0; i < fd_count; i++) close(fds[i]);
    PmMessage message;
    bool got = false;
    if (pm_ipc_receive(pair[1], MSG_DONTWAIT, &message, &got, NULL) == PM_OK && got) look_at(&message);
    pm_message_finish(&message);
    close(pair[0]);
    close(pair[1]);
    if (lowest_free() != lowest) abort(); /* something stayed open */
    return 0;
}
