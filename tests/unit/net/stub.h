/* SPDX-License-Identifier: Apache-2.0
 *
 * A scripted HTTP server on the test's own loop: answers come in the order they were queued, requests are kept. One
 * request a connection. An empty answer closes the connection without a word.
 */
#ifndef PM_TEST_STUB_H
#define PM_TEST_STUB_H

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
#define STUB_BEGINS failing_pause()
#define STUB_ENDS   failing_resume()
#else
#define STUB_BEGINS ((void)0)
#define STUB_ENDS   ((void)0)
#endif

enum { STUB_MAX = 32, STUB_BYTES = 512 * 1024 };

typedef struct Stub {
    PmLoop *loop;
    PmWatch *watch;
    int fd, port;
    char origin[64];
    const char *answers[STUB_MAX];
    size_t answer_count, answered;
    char *requests[STUB_MAX];
    size_t request_count;
} Stub;

typedef struct StubConnection {
    Stub *stub;
    PmWatch *watch;
    char bytes[STUB_BYTES];
    size_t size;
} StubConnection;

static inline bool stub_complete(const char *request)
{
    const char *end = strstr(request, "\r\n\r\n"), *length = strcasestr(request, "\r\ncontent-length:");
    if (end == NULL) return false;
    size_t body = length != NULL && length < end ? strtoul(length + 17, NULL, 10) : 0;
    return strlen(end + 4) >= body;
}

static inline void stub_read(void *data, int fd, unsigned events)
{
    (void)events;
    StubConnection *c = data;
    Stub *stub = c->stub;
    ssize_t n = read(fd, c->bytes + c->size, sizeof c->bytes - c->size - 1);
    if (n > 0) {
        c->size += (size_t)n;
        c->bytes[c->size] = '\0';
        if (!stub_complete(c->bytes)) return;
        STUB_BEGINS;
        if (stub->request_count < STUB_MAX) stub->requests[stub->request_count++] = strdup(c->bytes);
        STUB_ENDS;
        const char *answer = stub->answered < stub->answer_count ? stub->answers[stub->answered++] : "";
        if (answer[0] != '\0' && write(fd, answer, strlen(answer)) < 0) perror("stub");
    }
    pm_loop_unwatch(c->watch);
    close(fd);
    free(c);
}

static inline void stub_accept(void *data, int fd, unsigned events)
{
    (void)events;
    Stub *stub = data;
    int peer = accept(fd, NULL, NULL);
    STUB_BEGINS;
    StubConnection *c = calloc(1, sizeof *c);
    c->stub = stub;
    c->watch = pm_loop_watch(stub->loop, peer, PM_READABLE, stub_read, c);
    STUB_ENDS;
}

static inline void stub_start(Stub *stub, PmLoop *loop)
{
    memset(stub, 0, sizeof *stub);
    stub->loop = loop;
    stub->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (bind(stub->fd, (struct sockaddr *)&address, size) != 0 || listen(stub->fd, 16) != 0 ||
        getsockname(stub->fd, (struct sockaddr *)&address, &size) != 0)
        abort();
    stub->port = ntohs(address.sin_port);
    snprintf(stub->origin, sizeof stub->origin, "http://127.0.0.1:%d", stub->port);
    stub->watch = pm_loop_watch(loop, stub->fd, PM_READABLE, stub_accept, stub);
}

static inline void stub_answer(Stub *stub, const char *answer)
{
    stub->answers[stub->answer_count++] = answer;
}

static inline void stub_stop(Stub *stub)
{
    pm_loop_unwatch(stub->watch);
    close(stub->fd);
    for (size_t i = 0; i < stub->request_count; i++) free(stub->requests[i]);
}

#endif
