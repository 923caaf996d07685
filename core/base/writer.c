/* SPDX-License-Identifier: Apache-2.0 */
#include "base/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

typedef enum WriterKind {
    WRITER_FILE,     /* never waits for anybody */
    WRITER_SOCKET,   /* can be asked not to wait */
    WRITER_OWN,      /* opened a second time, without waiting: O_NONBLOCK on `fd` itself would be everybody's */
    WRITER_ONE_BLOCK /* that was refused: one block after poll. A pipe that is writable has room for PIPE_BUF bytes */
} WriterKind;

struct PmWriter {
    int fd, own; /* own: -1, or ours */
    WriterKind kind;
    PmLoop *loop;
    PmWatch *watch;
    char *data;
    size_t size, room, max;
};

static WriterKind kind_of(int fd, int *own)
{
    struct stat st;
    char path[40];
    if (fstat(fd, &st) != 0 || S_ISREG(st.st_mode)) return WRITER_FILE;
    if (S_ISSOCK(st.st_mode)) return WRITER_SOCKET;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    *own = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    return *own >= 0 ? WRITER_OWN : WRITER_ONE_BLOCK;
}

PmWriter *pm_writer_new(int fd, size_t max)
{
    PmWriter *writer = calloc(1, sizeof *writer);
    if (writer == NULL) return NULL;
    *writer = (PmWriter){.fd = fd, .own = -1, .max = max};
    writer->kind = kind_of(fd, &writer->own);
    return writer;
}

void pm_writer_free(PmWriter *writer)
{
    if (writer == NULL) return;
    pm_loop_unwatch(writer->watch);
    if (writer->own >= 0) close(writer->own);
    free(writer->data);
    free(writer);
}

static int fd_of(const PmWriter *writer)
{
    return writer->own >= 0 ? writer->own : writer->fd;
}

static ssize_t write_once(const PmWriter *writer)
{
    struct pollfd ready = {.fd = writer->fd, .events = POLLOUT};
    switch (writer->kind) {
    case WRITER_SOCKET:
        return send(writer->fd, writer->data, writer->size, MSG_DONTWAIT | MSG_NOSIGNAL);
    case WRITER_ONE_BLOCK:
        if (poll(&ready, 1, 0) == 0) {
            errno = EAGAIN;
            return -1;
        }
        return write(writer->fd, writer->data, writer->size < PIPE_BUF ? writer->size : PIPE_BUF);
    case WRITER_FILE:
    case WRITER_OWN:
        break;
    }
    return write(fd_of(writer), writer->data, writer->size);
}

/* As much as goes without waiting. */
static void write_some(PmWriter *writer)
{
    while (writer->size > 0) {
        ssize_t n = write_once(writer);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) { /* nobody will ever read it, or the disk is full: nowhere left to say it */
            writer->size = 0;
            return;
        }
        writer->size -= (size_t)n;
        memmove(writer->data, writer->data + n, writer->size);
    }
}

static void watch_or_not(PmWriter *writer);

static void on_writable(void *data, int fd, unsigned events)
{
    PmWriter *writer = data;
    (void)fd, (void)events;
    write_some(writer);
    watch_or_not(writer);
}

static void watch_or_not(PmWriter *writer)
{
    bool wanted = writer->loop != NULL && writer->size > 0;
    if (wanted && writer->watch == NULL)
        writer->watch = pm_loop_watch(writer->loop, fd_of(writer), PM_WRITABLE, on_writable, writer);
    if (wanted || writer->watch == NULL) return;
    pm_loop_unwatch(writer->watch);
    writer->watch = NULL;
}

void pm_writer_attach(PmWriter *writer, PmLoop *loop)
{
    pm_loop_unwatch(writer->watch);
    writer->watch = NULL;
    writer->loop = loop;
    watch_or_not(writer);
}

static bool make_room(PmWriter *writer, size_t more)
{
    if (more > writer->max - writer->size) return false;
    if (more <= writer->room - writer->size) return true;
    size_t room = (writer->size + more) * 2;
    if (room > writer->max) room = writer->max;
    char *data = realloc(writer->data, room);
    if (data == NULL) return false;
    writer->data = data;
    writer->room = room;
    return true;
}

bool pm_writer_line(PmWriter *writer, const char *text, size_t size)
{
    write_some(writer);
    bool fits = size < writer->max && make_room(writer, size + 1);
    if (fits) {
        memcpy(writer->data + writer->size, text, size);
        writer->data[writer->size + size] = '\n';
        writer->size += size + 1;
        write_some(writer);
    }
    watch_or_not(writer);
    return fits;
}

bool pm_writer_flush(PmWriter *writer, int idle_ms)
{
    struct pollfd ready = {.fd = fd_of(writer), .events = POLLOUT};
    write_some(writer);
    while (writer->size > 0 && poll(&ready, 1, idle_ms) > 0) write_some(writer);
    watch_or_not(writer);
    return writer->size == 0;
}
