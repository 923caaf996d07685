/* SPDX-License-Identifier: Apache-2.0 */
#include "workers/child_stderr.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

enum {
    BYTES_PER_SECOND = 32 * 1024, /* that we read: a child that writes for ever must not keep us busy */
    CHUNK_BYTES = 4096,
    PIPE_CHUNKS = 16 /* what a pipe holds */
};

static void end_line(PmChildStderr *out)
{
    out->line[out->used] = '\0';
    if (out->used > 0 && pm_log_gate_admits(out->gate, out->share)) {
        PmProgress at = out->progress != NULL ? pm_progress_read(out->progress) : (PmProgress){0};
        const char *plugin = at.fault_plugin[0] != '\0' ? at.fault_plugin : at.plugin;
        pm_log(PM_LOG_WARN, "worker.stderr", PM_JOB_NAMES(out->names), "plugin", plugin[0] != '\0' ? plugin : NULL,
               "msg", out->line, NULL);
    }
    out->used = 0;
}

static void on_pause_over(void *data);

/* What read() returned. */
static ssize_t take_chunk(PmChildStderr *out)
{
    char chunk[CHUNK_BYTES];
    ssize_t n = read(out->fd, chunk, sizeof chunk);
    for (ssize_t i = 0; i < n; i++) {
        if (chunk[i] != '\n') out->line[out->used++] = chunk[i];
        if (chunk[i] == '\n' || out->used == sizeof out->line - 1) end_line(out);
    }
    return n;
}

static void on_bytes(void *data, int fd, unsigned events)
{
    (void)fd, (void)events;
    PmChildStderr *out = data;
    ssize_t n = take_chunk(out);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) { /* the child is gone */
        pm_loop_unwatch(out->watch);
        out->watch = NULL;
        return;
    }
    int64_t now = pm_clock_mono_ms(), second = now / 1000;
    if (second != out->second) {
        out->second = second;
        out->bytes = 0;
    }
    out->bytes += (size_t)n;
    if (out->bytes < BYTES_PER_SECOND) return;
    pm_loop_unwatch(out->watch);
    out->watch = NULL;
    out->pause = pm_loop_after(out->loop, 1000 - now % 1000, on_pause_over, out);
}

static void on_pause_over(void *data)
{
    PmChildStderr *out = data;
    out->pause = NULL;
    out->watch = pm_loop_watch(out->loop, out->fd, PM_READABLE, on_bytes, out);
}

int pm_child_stderr_open(PmChildStderr *out, PmLoop *loop, PmLogGate *gate, PmLogShare *share,
                         const PmProgress *progress, const PmJobNames *names, PmError *err)
{
    int ends[2];
    *out = (PmChildStderr){.loop = loop, .gate = gate, .share = share, .progress = progress, .names = names, .fd = -1};
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        pm_error_set(err, PM_TRANSIENT, "no pipe for a worker's stderr: %s", strerror(errno));
        return -1;
    }
    out->watch = pm_loop_watch(loop, ends[0], PM_READABLE, on_bytes, out);
    if (out->watch == NULL) {
        close(ends[0]);
        close(ends[1]);
        pm_error_set(err, PM_TRANSIENT, "no watch for a worker's stderr");
        return -1;
    }
    out->fd = ends[0];
    return ends[1];
}

/* However much it wrote this second: one pipe's content a job is little. */
void pm_child_stderr_end_job(PmChildStderr *out)
{
    for (int i = 0; i < PIPE_CHUNKS && out->fd >= 0 && take_chunk(out) > 0; i++) continue;
    if (out->fd >= 0) end_line(out);
}

void pm_child_stderr_close(PmChildStderr *out)
{
    /* Last words. A watch that is gone was told to read no more. */
    for (int i = 0; i < BYTES_PER_SECOND / CHUNK_BYTES && out->watch != NULL; i++) {
        size_t before = out->bytes;
        on_bytes(out, out->fd, PM_READABLE);
        if (out->bytes == before) break;
    }
    if (out->fd >= 0) end_line(out);
    pm_loop_unwatch(out->watch);
    pm_loop_cancel(out->pause);
    if (out->fd >= 0) close(out->fd);
    *out = (PmChildStderr){.fd = -1};
}
