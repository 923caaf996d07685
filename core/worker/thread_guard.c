/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/thread_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EVENTS = 32 };

/* What epoll tells with a descriptor. */
#define IS_LISTENER (UINT64_C(1) << 32)

PmStatus pm_thread_guard_open(PmThreadGuard *guard, PmError *err)
{
    *guard = (PmThreadGuard){.fd = -1, .proc = -1};
    /* A host without it does not limit threads, and the probe says so. */
    if (seccomp_notify_alloc(&guard->question, &guard->answer) != 0) return PM_OK;
    guard->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    guard->fd = epoll_create1(EPOLL_CLOEXEC);
    return guard->fd >= 0 ? PM_OK : pm_error_set(err, PM_TRANSIENT, "cannot watch threads: %s", strerror(errno));
}

static int watch(PmThreadGuard *guard, int fd, uint64_t what)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = what | (uint64_t)(unsigned)fd};
    return epoll_ctl(guard->fd, EPOLL_CTL_ADD, fd, &event);
}

/* Children inherit descriptors for a moment, and epoll forgets one only when all its copies are closed. */
static void forget(PmThreadGuard *guard, int fd)
{
    epoll_ctl(guard->fd, EPOLL_CTL_DEL, fd, NULL);
    close(fd);
}

int pm_thread_guard_expect(PmThreadGuard *guard)
{
    int ends[2];
    if (guard->fd < 0) {
        errno = ENOSYS;
        return -1;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) return -1;
    if (watch(guard, ends[0], 0) == 0) return ends[1];
    int error = errno;
    close(ends[0]);
    close(ends[1]);
    errno = error;
    return -1;
}

enum { CROWDED_MS = 20 };

typedef union Control {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
} Control;

int pm_thread_guard_hand_over(int sock, int listener)
{
    char byte = 0;
    Control control = {0};
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &listener, sizeof listener);
    while (sendmsg(sock, &message, MSG_NOSIGNAL) != 1) {
        if (errno != ETOOMANYREFS) return errno;
        poll(NULL, 0, CROWDED_MS); /* other programs' descriptors are in the way */
    }
    return 0;
}

/* The child's listener, or -1: it died before. */
static int take_over(int sock)
{
    char byte = 0;
    int listener = -1;
    Control control;
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    if (recvmsg(sock, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) != 1) return -1;
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header != NULL && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&listener, CMSG_DATA(header), sizeof listener);
    return listener;
}

/* Of the process to which thread `id` belongs: the kernel tells it as the links of a folder, which can be asked for
 * whatever else of /proc is closed. 0: not to be had. */
static nlink_t count_threads(const PmThreadGuard *guard, uint32_t id)
{
    char path[32];
    struct stat info;
    snprintf(path, sizeof path, "%u/task", id);
    return fstatat(guard->proc, path, &info, 0) == 0 && info.st_nlink > 2 ? info.st_nlink - 2 : 0;
}

static void decide(PmThreadGuard *guard, int listener)
{
    memset(guard->question, 0, sizeof *guard->question);
    if (seccomp_notify_receive(listener, guard->question) != 0) return; /* it was killed meanwhile */
    *guard->answer = (struct seccomp_notif_resp){.id = guard->question->id};
    if (count_threads(guard, guard->question->pid) < PM_CHILD_THREADS)
        guard->answer->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    else
        guard->answer->error = -EAGAIN;
    (void)seccomp_notify_respond(listener, guard->answer);
}

void pm_thread_guard_serve(PmThreadGuard *guard)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(guard->fd, events, EVENTS, 0);
    for (int i = 0; i < count; i++) {
        int fd = (int)(events[i].data.u64 & 0xffffffff);
        bool asks = (events[i].events & EPOLLIN) != 0;
        if ((events[i].data.u64 & IS_LISTENER) == 0) {
            int listener = asks ? take_over(fd) : -1;
            if (listener >= 0 && watch(guard, listener, IS_LISTENER) != 0) close(listener);
            forget(guard, fd);
        } else if (asks) {
            decide(guard, fd);
        } else {
            forget(guard, fd); /* the child is gone */
        }
    }
}
