/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/alive.h"

#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"

enum { ANSWER_MAX = 4096, BACKLOG = 8, PER_TURN = 4 };

struct PmAlive {
    int fd;
    PmWatch *watch;
    PmAliveAnswer *answer;
    void *data;
};

/* An abstract name: of the user and of the file, wherever it is called from. */
static PmStatus address_of(const char *file, struct sockaddr_un *address, socklen_t *size, PmError *err)
{
    char path[PATH_MAX + 32], whole[PATH_MAX], hex[33];
    unsigned char digest[32];
    if (realpath(file, whole) == NULL) return pm_error_set(err, PM_BAD_CONFIG, "%s: %s", file, strerror(errno));
    snprintf(path, sizeof path, "%u %s", (unsigned)geteuid(), whole);
    if (EVP_Digest(path, strlen(path), digest, NULL, EVP_sha256(), NULL) != 1)
        return pm_error_set(err, PM_TRANSIENT, "SHA-256 failed");
    for (size_t i = 0; i < 16; i++) snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int n = snprintf(address->sun_path + 1, sizeof address->sun_path - 1, "pixmill-run-%s", hex);
    *size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
    return PM_OK;
}

/* --- the one that is asked --- */

static bool may_ask(int fd)
{
    struct ucred who;
    socklen_t size = sizeof who;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 && (who.uid == geteuid() || who.uid == 0);
}

/* The answer fits the socket's buffer, so nobody has to be waited for; a few each turn, so nobody keeps us busy. */
static void on_asked(void *data, int fd, unsigned events)
{
    PmAlive *alive = data;
    (void)events;
    for (int i = 0; i < PER_TURN; i++) {
        int peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (peer < 0) return;
        PmBuffer out;
        pm_buffer_init(&out, ANSWER_MAX);
        pm_buffer_adds(&out, "");
        if (may_ask(peer)) alive->answer(alive->data, &out);
        if (!out.failed && out.size > 0 && send(peer, out.data, out.size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
            /* it has gone; what it learns is up to it */
        }
        pm_buffer_finish(&out);
        close(peer);
    }
}

PmAlive *pm_alive_new(PmLoop *loop, const char *file, PmAliveAnswer *answer, void *data, PmError *err)
{
    struct sockaddr_un address = {0};
    socklen_t size = 0;
    if (address_of(file, &address, &size, err) != PM_OK) return NULL;
    PmAlive *alive = calloc(1, sizeof *alive);
    if (alive == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    *alive = (PmAlive){.answer = answer, .data = data};
    alive->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (alive->fd >= 0 && bind(alive->fd, (const struct sockaddr *)&address, size) == 0 &&
        listen(alive->fd, BACKLOG) == 0)
        alive->watch = pm_loop_watch(loop, alive->fd, PM_READABLE, on_asked, alive);
    if (alive->watch != NULL) return alive;
    if (errno == EADDRINUSE)
        pm_error_set(err, PM_TRANSIENT, "another process runs this file, and answers `pixmill alive`");
    else
        pm_error_set(err, PM_TRANSIENT, "cannot answer `pixmill alive`: %s", strerror(errno));
    pm_alive_free(alive);
    return NULL;
}

void pm_alive_free(PmAlive *alive)
{
    if (alive == NULL) return;
    pm_loop_unwatch(alive->watch);
    if (alive->fd >= 0) close(alive->fd);
    free(alive);
}

/* --- the one that asks --- */

static PmStatus read_answer(int fd, char *answer, size_t size, int timeout_ms, PmError *err)
{
    size_t used = 0;
    ssize_t n;
    while (used + 1 < size && (n = recv(fd, answer + used, size - 1 - used, 0)) > 0) used += (size_t)n;
    answer[used] = '\0';
    answer[strcspn(answer, "\n")] = '\0';
    if (answer[0] != '\0') return PM_OK;
    return pm_error_set(err, PM_TRANSIENT, "the process does not answer within %d ms", timeout_ms);
}

PmStatus pm_alive_ask(const char *file, int timeout_ms, char *answer, size_t size, PmError *err)
{
    struct sockaddr_un address = {0};
    socklen_t length = 0;
    if (address_of(file, &address, &length, err) != PM_OK) return err->status;
    struct timeval limit = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0)
        pm_error_set(err, PM_TRANSIENT, "cannot ask: %s", strerror(errno));
    else if (connect(fd, (const struct sockaddr *)&address, length) == 0)
        read_answer(fd, answer, size, timeout_ms, err);
    else if (errno == ECONNREFUSED)
        pm_error_set(err, PM_BAD_CONFIG, "no process of this user runs %s", file);
    else
        pm_error_set(err, PM_TRANSIENT, "the process does not answer: %s", strerror(errno));
    if (fd >= 0) close(fd);
    return err->status;
}
