/* SPDX-License-Identifier: Apache-2.0 */
#include "workers/child_stderr.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"

enum { CHUNK_BYTES = 4096, PIPE_CHUNKS = 16 /* what a pipe holds */ };

static void end_line(PmChildStderr *out)
{
    out->line[out->used] = '\0';
    if (out->used > 0 && pm_log_gate_admits(out->gate, out->share)) {
        PmProgress at = out->progress != NULL ? pm_progress_read(out->progress) : (PmProgress){0};
        const char *plugin = at.fault_plugin[0] != '\0' ? at.fault_plugin : at.plugin;
        pm_log(PM_LOG_WARN, "worker.stderr", PM_JOB_NAMES(out->names), "plugin", plugin[0] != '\0' ? plugin : NULL,
               "step", at.step[0] != '\0' ? at.step : NULL, "msg", out->line, NULL);
    }
    out->used = 0;
}

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

int pm_child_stderr_open(PmChildStderr *out, PmLogGate *gate, PmLogShare *share, const PmProgress *progress,
                         const PmJobNames *names, PmError *err)
{
    int ends[2];
    *out = (PmChildStderr){.gate = gate, .share = share, .progress = progress, .names = names, .fd = -1};
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        pm_error_set(err, PM_TRANSIENT, "no pipe for a worker's stderr: %s", strerror(errno));
        return -1;
    }
    out->fd = ends[0];
    return ends[1];
}

/* One pipe's content: a child that writes for ever must not keep us busy. */
void pm_child_stderr_end_job(PmChildStderr *out)
{
    for (int i = 0; i < PIPE_CHUNKS && out->fd >= 0 && take_chunk(out) > 0; i++) continue;
    if (out->fd >= 0) end_line(out);
}

void pm_child_stderr_close(PmChildStderr *out)
{
    pm_child_stderr_end_job(out);
    if (out->fd >= 0) close(out->fd);
    *out = (PmChildStderr){.fd = -1};
}
