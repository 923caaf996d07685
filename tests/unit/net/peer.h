/* SPDX-License-Identifier: Apache-2.0
 *
 * An HTTP server on the test's own loop that keeps connections and behaves as the path asks for:
 *
 *     /ok          200 "hi"                      /late/MS     the same, after a while
 *     /mute        reads, never answers          /half        half of a body, then silence
 *     /drip/MS/N   N bytes, one every MS ms      /error/MIB   503 with a body of so many MiB
 *     /sink        accepts, reads no more        /sip/MS      reads 32 KiB every MS ms, then 200
 *     /page/MIB    200 with a body of so many MiB
 *
 * Anything else: `peer->other` decides, which gives such a path for a request's head, or a whole answer ("HTTP/1.1
 * ...").
 */
#ifndef PM_TEST_PEER_H
#define PM_TEST_PEER_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/loop.h"

#ifdef PM_TESTS_FAILING_H /* the server is not what is tested */
#define PEER_BEGINS failing_pause()
#define PEER_ENDS   failing_resume()
#else
#define PEER_BEGINS ((void)0)
#define PEER_ENDS   ((void)0)
#endif

enum { PEER_HEAD_MAX = 64 * 1024, PEER_CHUNK = 32 * 1024 };

typedef struct PeerConnection PeerConnection;

typedef struct Peer {
    PmLoop *loop;
    PmWatch *watch;
    int fd;
    char origin[64];
    int accepted, open, open_max, requests, answered;
    PeerConnection *connections;
    const char *(*other)(void *data, const char *head);
    void *data;
} Peer;

struct PeerConnection {
    Peer *peer;
    PeerConnection *next;
    int fd;
    PmWatch *watch;
    PmTimer *timer;
    char head[PEER_HEAD_MAX], path[64];
    const char *raw;
    size_t size, body_left;
    long every_ms, left; /* drip, sip, error */
};

static inline void peer_close(PeerConnection *c)
{
    PeerConnection **at = &c->peer->connections;
    while (*at != c) at = &(*at)->next;
    *at = c->next;
    c->peer->open--;
    pm_loop_unwatch(c->watch);
    pm_loop_cancel(c->timer);
    close(c->fd);
    free(c);
}

static inline bool peer_say(PeerConnection *c, const char *text)
{
    return write(c->fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static inline void peer_ok(void *data)
{
    PeerConnection *c = data;
    c->timer = NULL;
    c->peer->answered++;
    c->size = 0;
    peer_say(c, "HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: 2\r\n\r\nhi");
}

static inline void peer_drip(void *data)
{
    PeerConnection *c = data;
    c->timer = NULL;
    if (!peer_say(c, " ") || --c->left == 0) {
        c->size = 0;
        return;
    }
    c->timer = pm_loop_after(c->peer->loop, c->every_ms, peer_drip, c);
}

static inline void peer_read(void *data, int fd, unsigned events);

static inline void peer_sip(void *data)
{
    PeerConnection *c = data;
    char chunk[PEER_CHUNK];
    c->timer = NULL;
    ssize_t n = read(c->fd, chunk, sizeof chunk);
    if (n > 0) c->body_left -= (size_t)n;
    if (c->body_left == 0) {
        c->watch = pm_loop_watch(c->peer->loop, c->fd, PM_READABLE, peer_read, c);
        peer_ok(c);
        return;
    }
    c->timer = pm_loop_after(c->peer->loop, c->every_ms, peer_sip, c);
}

static inline void peer_error(void *data, int fd, unsigned events)
{
    PeerConnection *c = data;
    char chunk[PEER_CHUNK];
    memset(chunk, 'x', sizeof chunk);
    ssize_t n = (events & PM_HANGUP) != 0 ? -1 : write(fd, chunk, sizeof chunk);
    if (n > 0) c->left -= n;
    if (n <= 0 || c->left <= 0) peer_close(c);
}

static inline void peer_behave(PeerConnection *c, const char *path)
{
    char text[200];
    PmLoop *loop = c->peer->loop;
    if (c->raw != NULL) {
        peer_say(c, c->raw);
        c->size = 0;
    } else if (strncmp(path, "/late/", 6) == 0) {
        c->timer = pm_loop_after(loop, strtol(path + 6, NULL, 10), peer_ok, c);
    } else if (strcmp(path, "/half") == 0) {
        peer_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf");
    } else if (strncmp(path, "/drip/", 6) == 0) {
        char *rest = NULL;
        c->every_ms = strtol(path + 6, &rest, 10);
        c->left = strtol(rest + 1, NULL, 10);
        snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Length: %ld\r\n\r\n", c->left);
        peer_say(c, text);
        c->timer = pm_loop_after(loop, c->every_ms, peer_drip, c);
    } else if (strncmp(path, "/error/", 7) == 0 || strncmp(path, "/page/", 6) == 0) {
        c->left = strtol(strchr(path + 1, '/') + 1, NULL, 10) << 20;
        snprintf(text, sizeof text,
                 "HTTP/1.1 %s\r\nETag: \"e\"\r\nContent-Length: %ld\r\n\r\n<Error><Code>SlowDown</Code></Error>",
                 path[1] == 'e' ? "503 Slow" : "200 OK", c->left + 36);
        peer_say(c, text);
        pm_loop_unwatch(c->watch);
        c->watch = pm_loop_watch(loop, c->fd, PM_WRITABLE, peer_error, c);
    } else if (strcmp(path, "/mute") != 0) {
        peer_ok(c);
    }
}

static inline void peer_begin_body(PeerConnection *c)
{
    if (strcmp(c->path, "/sink") == 0 || strncmp(c->path, "/sip/", 5) == 0) {
        pm_loop_unwatch(c->watch);
        c->watch = NULL;
        c->every_ms = strtol(c->path + 5, NULL, 10);
        if (c->path[2] == 'i' && c->path[3] == 'p') peer_sip(c);
    }
}

static inline void peer_read(void *data, int fd, unsigned events)
{
    (void)events;
    PeerConnection *c = data;
    char chunk[PEER_CHUNK];
    size_t room = sizeof c->head - c->size - 1;
    ssize_t n = c->body_left > 0 ? read(fd, chunk, c->body_left < sizeof chunk ? c->body_left : sizeof chunk)
                                 : read(fd, c->head + c->size, room < 1024 ? room : 1024);
    if (n <= 0) {
        peer_close(c);
        return;
    }
    if (c->body_left > 0) {
        c->body_left -= (size_t)n;
        PEER_BEGINS;
        if (c->body_left == 0) peer_behave(c, c->path);
        PEER_ENDS;
        return;
    }
    c->size += (size_t)n;
    c->head[c->size] = '\0';
    const char *end = strstr(c->head, "\r\n\r\n"), *length = strcasestr(c->head, "\r\ncontent-length:");
    if (end == NULL) return;
    c->peer->requests++;
    const char *begin = strchr(c->head, ' ') + 1;
    snprintf(c->path, sizeof c->path, "%.*s", (int)strcspn(begin, " ?"), begin);
    const char *other = c->peer->other != NULL ? c->peer->other(c->peer->data, c->head) : NULL;
    c->raw = other != NULL && strncmp(other, "HTTP/", 5) == 0 ? other : NULL;
    if (other != NULL) snprintf(c->path, sizeof c->path, "%s", other);
    size_t body = length != NULL && length < end ? strtoul(length + 17, NULL, 10) : 0;
    size_t have = c->size - (size_t)(end + 4 - c->head);
    c->body_left = body > have ? body - have : 0;
    PEER_BEGINS;
    if (c->body_left == 0)
        peer_behave(c, c->path);
    else
        peer_begin_body(c);
    PEER_ENDS;
}

static inline void peer_accept(void *data, int fd, unsigned events)
{
    (void)events;
    Peer *peer = data;
    PEER_BEGINS;
    PeerConnection *c = calloc(1, sizeof *c);
    if (c == NULL) abort();
    c->peer = peer;
    c->fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    c->next = peer->connections;
    peer->connections = c;
    peer->accepted++;
    if (++peer->open > peer->open_max) peer->open_max = peer->open;
    c->watch = pm_loop_watch(peer->loop, c->fd, PM_READABLE, peer_read, c);
    PEER_ENDS;
}

static inline void peer_start(Peer *peer, PmLoop *loop)
{
    memset(peer, 0, sizeof *peer);
    peer->loop = loop;
    peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int small = 64 * 1024; /* so that a body stays in the sender's hands */
    setsockopt(peer->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (bind(peer->fd, (struct sockaddr *)&address, size) != 0 || listen(peer->fd, 200) != 0 ||
        getsockname(peer->fd, (struct sockaddr *)&address, &size) != 0)
        abort();
    snprintf(peer->origin, sizeof peer->origin, "http://127.0.0.1:%d", ntohs(address.sin_port));
    peer->watch = pm_loop_watch(loop, peer->fd, PM_READABLE, peer_accept, peer);
}

static inline void peer_stop(Peer *peer)
{
    while (peer->connections != NULL) peer_close(peer->connections);
    pm_loop_unwatch(peer->watch);
    close(peer->fd);
}

#endif
