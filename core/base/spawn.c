/* SPDX-License-Identifier: Apache-2.0 */
#include "base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define HANDED_OVER "PIXMILL_WORKER_STARTED"

enum { WORKER_FD = 3, EXIT_NO_SETUP = 126, EXIT_NO_PROGRAM = 127 };

/* What a worker may know of our environment: nothing that could hold a secret. */
static char *const *clean_environment(void)
{
    static const char *const kept[] = {"LANG",
                                       "LC_ALL",
                                       "TZ",
                                       "PIXMILL_ENGINE",
                                       "VIPS_NOVECTOR",
                                       "VIPS_WARNING",
                                       "FONTCONFIG_PATH",
                                       "FONTCONFIG_FILE",
                                       "LD_LIBRARY_PATH",
                                       "VIPSHOME",
                                       "ASAN_OPTIONS",
                                       "UBSAN_OPTIONS",
                                       "LSAN_OPTIONS",
                                       "GIO_MODULE_DIR"};
    static char values[sizeof kept / sizeof kept[0] + 4][1024];
    static char *environment[sizeof kept / sizeof kept[0] + 5];
    size_t n = 0;
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        const char *value = getenv(kept[i]);
        if (value == NULL || snprintf(values[n], sizeof values[n], "%s=%s", kept[i], value) >= (int)sizeof values[n])
            continue;
        environment[n] = values[n];
        n++;
    }
    snprintf(values[n], sizeof values[n], "VIPS_CONCURRENCY=1");
    environment[n] = values[n];
    n++;
    /* libimagequant asks for one per core, and libgomp ends the process when it cannot have them. */
    snprintf(values[n], sizeof values[n], "OMP_NUM_THREADS=1");
    environment[n] = values[n];
    n++;
    snprintf(values[n], sizeof values[n], "HOME=/nonexistent");
    environment[n] = values[n];
    n++;
    environment[n] = NULL;
    return environment;
}

/* In the new process: only async-signal-safe calls. `channel` is above WORKER_FD. */
static void become_worker(const char *program, char *const *arguments, int channel, pid_t parent,
                          char *const *environment)
{
    static const char no_null[] = "pixmill: no worker without /dev/null, which cannot be opened\n";
    int null = open("/dev/null", O_RDWR);
    if (null < 0 && write(STDERR_FILENO, no_null, sizeof no_null - 1) > 0) _exit(EXIT_NO_SETUP);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
        _exit(EXIT_NO_SETUP);
    if (dup2(channel, WORKER_FD) < 0) _exit(EXIT_NO_SETUP);
    if (close_range(WORKER_FD + 1, ~0U, 0) != 0)
        for (int fd = WORKER_FD + 1; fd < 4096; fd++) close(fd);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(program, arguments, environment);
    _exit(EXIT_NO_PROGRAM);
}

int pm_spawn_worker(const char *program, char *const *arguments, int *sock, pid_t *pid)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return errno;
    int channel = fcntl(pair[1], F_DUPFD_CLOEXEC, WORKER_FD + 1), error = channel < 0 ? errno : 0;
    close(pair[1]);
    char *const *environment = clean_environment();
    pid_t parent = getpid(), child = error == 0 ? fork() : -1;
    if (child == 0) become_worker(program, arguments, channel, parent, environment);
    if (error == 0 && child < 0) error = errno;
    if (channel >= 0) close(channel);
    if (error != 0) {
        close(pair[0]);
        return error;
    }
    *sock = pair[0];
    *pid = child;
    return 0;
}

int pm_spawn_hand_over(int sock, pid_t pid)
{
    char text[32];
    snprintf(text, sizeof text, "%d:%d", sock, (int)pid);
    return fcntl(sock, F_SETFD, 0) == 0 && setenv(HANDED_OVER, text, 1) == 0 ? 0 : errno;
}

/* "12:345" */
static bool read_note(const char *text, int *fd, pid_t *pid)
{
    char *end = NULL;
    long first = strtol(text, &end, 10), second = *end == ':' ? strtol(end + 1, &end, 10) : -1;
    if (*end != '\0' || first < 0 || first > INT_MAX || second <= 0 || second > INT_MAX) return false;
    *fd = (int)first;
    *pid = (pid_t)second;
    return true;
}

bool pm_spawn_take_over(int *sock, pid_t *pid)
{
    const char *text = getenv(HANDED_OVER);
    int fd = -1, type = 0, status;
    pid_t child = 0;
    socklen_t size = sizeof type;
    if (text == NULL) return false;
    bool fine = read_note(text, &fd, &child);
    unsetenv(HANDED_OVER);
    /* Another program may have set it: only our own socket to a living child will do. */
    if (!fine || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_SEQPACKET ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        return false;
    if (waitpid(child, &status, WNOHANG) != 0) {
        close(fd);
        return false;
    }
    *sock = fd;
    *pid = child;
    return true;
}
