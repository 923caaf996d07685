/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/empty_root.h"
#include "worker/sandbox.h"

enum { CROWDED_MS = 20 };
enum { KINDS = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS };

/* In the order of entering: the user namespace gives the right to enter the others, the mount namespace takes /proc
 * away. */
static const struct {
    const char *name;
    int kind;
} all[PM_NAMESPACES] = {{"user", CLONE_NEWUSER}, {"pid", CLONE_NEWPID}, {"net", CLONE_NEWNET},
                        {"ipc", CLONE_NEWIPC},   {"uts", CLONE_NEWUTS}, {"mnt", CLONE_NEWNS}};

/* What the processes on the other end say. */
typedef struct Said {
    enum { MADE = 1, READY, CLOSED } what; /* by the maker; by the first process, with the namespaces; at its end */
    int error, root_error;
    pid_t init;
} Said;

/* --- the two processes on the other end; their socket is descriptor 0 --- */

static void say(Said said, const int *fds)
{
    union {
        char bytes[CMSG_SPACE(PM_NAMESPACES * sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct iovec part = {.iov_base = &said, .iov_len = sizeof said};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (fds != NULL) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(PM_NAMESPACES * sizeof(int));
        memcpy(CMSG_DATA(header), fds, PM_NAMESPACES * sizeof(int));
    }
    while (sendmsg(STDIN_FILENO, &message, MSG_NOSIGNAL) != (ssize_t)sizeof said) {
        if (errno != ETOOMANYREFS) _exit(1);
        poll(NULL, 0, CROWDED_MS); /* other programs' descriptors are in the way */
    }
}

static int open_all(int fds[PM_NAMESPACES])
{
    int folder = open("/proc/self/ns", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return errno;
    for (size_t i = 0; i < PM_NAMESPACES; i++)
        if ((fds[i] = openat(folder, all[i].name, O_RDONLY | O_CLOEXEC)) < 0) return errno;
    close(folder);
    return 0;
}

__attribute__((noreturn)) static void be_init(const char *const *folders)
{
    int fds[PM_NAMESPACES];
    char command = 0;
    prctl(PR_SET_NAME, "pixmill-init", 0, 0, 0);
    sigset_t signals;
    sigfillset(&signals);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    Said said = {.what = READY, .error = open_all(fds)};
    if (said.error == 0) said.root_error = pm_empty_root_make(folders);
    say(said, said.error == 0 ? fds : NULL);
    close_range(STDIN_FILENO + 1, ~0U, 0);
    if (said.error != 0 || read(STDIN_FILENO, &command, 1) != 1) _exit(0);
    said = (Said){.what = CLOSED, .error = said.root_error == 0 ? pm_empty_root_close(folders, command == 'f') : 0};
    if (said.error == 0) said.error = pm_sandbox_drop_capabilities(0);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    say(said, NULL);
    while (read(STDIN_FILENO, &command, 1) > 0) {
    }
    _exit(0); /* and the kernel ends all others in here */
}

static int put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return errno;
    int error = write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : errno;
    close(fd);
    return error;
}

/* Who has no number in a user namespace makes no files there, not even in a file system of its own. */
static int map_ids(uid_t uid, gid_t gid)
{
    char text[64];
    snprintf(text, sizeof text, "%u %u 1", uid, uid);
    int error = put("/proc/self/uid_map", text);
    if (error == 0) error = put("/proc/self/setgroups", "deny");
    snprintf(text, sizeof text, "%u %u 1", gid, gid);
    return error == 0 ? put("/proc/self/gid_map", text) : error;
}

/* The first process in the pid namespace is to be a child of the caller, so that nobody else has to reap it. */
__attribute__((noreturn)) static void make(int sock, const char *const *folders)
{
    if (dup2(sock, STDIN_FILENO) < 0 || close_range(STDIN_FILENO + 1, ~0U, 0) != 0) _exit(1);
    Said said = {.what = MADE};
    uid_t uid = geteuid();
    gid_t gid = getegid();
    said.error = unshare(KINDS) == 0 ? 0 : errno;
    /* What the kernel does not dump has a /proc/self of root's. There is nothing to see here yet. */
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    if (said.error == 0) said.error = map_ids(uid, gid);
    if (said.error == 0) said.init = (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
    if (said.error == 0 && said.init == 0) be_init(folders);
    if (said.init < 0) said.error = errno;
    say(said, NULL);
    _exit(0);
}

/* --- the caller --- */

PmStatus pm_namespaces_begin(PmNamespaces *namespaces, const char *const *folders, PmError *err)
{
    int ends[2];
    *namespaces = (PmNamespaces){.sock = -1, .fds = {-1, -1, -1, -1, -1, -1}};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return pm_error_set(err, PM_TRANSIENT, "no socket for a process: %s", strerror(errno));
    pid_t pid = fork();
    if (pid == 0) make(ends[1], folders);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return pm_error_set(err, PM_TRANSIENT, "no process to make namespaces: %s", strerror(errno));
    }
    namespaces->sock = ends[0];
    namespaces->maker = pid;
    return PM_OK;
}

static void close_all(int fds[PM_NAMESPACES])
{
    for (size_t i = 0; i < PM_NAMESPACES; i++) {
        if (fds[i] >= 0) close(fds[i]);
        fds[i] = -1;
    }
}

/* The next message; false: there is none, the other end is gone. */
static bool hear(PmNamespaces *namespaces, Said *said)
{
    union {
        char bytes[CMSG_SPACE(PM_NAMESPACES * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec part = {.iov_base = said, .iov_len = sizeof *said};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    ssize_t n;
    while ((n = recvmsg(namespaces->sock, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {
    }
    if (n != (ssize_t)sizeof *said) return false;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header != NULL && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(PM_NAMESPACES * sizeof(int)))
        memcpy(namespaces->fds, CMSG_DATA(header), sizeof namespaces->fds);
    return true;
}

static void reap(pid_t *pid)
{
    while (*pid > 0 && waitpid(*pid, NULL, 0) < 0 && errno == EINTR) {
    }
    *pid = 0;
}

int pm_namespaces_wait(PmNamespaces *namespaces, int *root_error)
{
    Said said;
    bool made = false, ready = false;
    int error = 0;
    *root_error = 0;
    while (namespaces->sock >= 0 && error == 0 && !(made && ready)) {
        if (!hear(namespaces, &said)) {
            error = -1;
            break;
        }
        made = made || said.what == MADE;
        ready = ready || said.what == READY;
        if (said.what == MADE) namespaces->init = said.init > 0 ? said.init : 0;
        if (said.what == READY) *root_error = said.root_error;
        error = said.error;
    }
    reap(&namespaces->maker);
    if (namespaces->sock < 0) return ENOENT;
    if (error != 0) pm_namespaces_drop(namespaces);
    return error;
}

PmStatus pm_namespaces_enter(PmNamespaces *namespaces, bool root, bool fonts, PmError *err)
{
    Said said = {0};
    char command = fonts ? 'f' : 'n';
    if (write(namespaces->sock, &command, 1) != 1 || !hear(namespaces, &said))
        return pm_error_set(err, PM_TRANSIENT, "the first process of the children's namespace is gone");
    if (said.error != 0) return pm_error_set(err, PM_BUG, "the children's root directory: %s", strerror(said.error));
    for (size_t i = 0; i < PM_NAMESPACES; i++) {
        if (all[i].kind == CLONE_NEWNS && !root) continue;
        if (setns(namespaces->fds[i], all[i].kind) != 0)
            return pm_error_set(err, PM_BUG, "the children's %s namespace: %s", all[i].name, strerror(errno));
    }
    close_all(namespaces->fds);
    int error = pm_sandbox_drop_capabilities(0);
    return error == 0 ? PM_OK : pm_error_set(err, PM_BUG, "capabilities: %s", strerror(error));
}

void pm_namespaces_drop(PmNamespaces *namespaces)
{
    close_all(namespaces->fds);
    if (namespaces->sock >= 0) close(namespaces->sock);
    namespaces->sock = -1;
    reap(&namespaces->maker);
    if (namespaces->init > 0) kill(namespaces->init, SIGKILL);
    reap(&namespaces->init);
}
