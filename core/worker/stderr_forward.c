/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/stderr_forward.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

enum { CHUNKS_PER_PUMP = 16 }; /* so that a noisy child cannot keep the zygote from its work */

PmStatus pm_stderr_forward_open(PmStderrForward *stderr_forward, PmError *err)
{
    int ends[2];
    *stderr_forward = (PmStderrForward){.read_fd = -1, .write_fd = -1};
    if (pipe2(ends, O_CLOEXEC) != 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0)
        return pm_error_set(err, PM_TRANSIENT, "no pipe for the children's stderr: %s", strerror(errno));
    stderr_forward->read_fd = ends[0];
    stderr_forward->write_fd = ends[1];
    return PM_OK;
}

void pm_stderr_forward_plugin_log(int sock, int level, const char *plugin, const char *step, const char *text)
{
    char clean[2 * PM_STDERR_FORWARD_LINE_MAX];
    pm_text_utf8(clean, sizeof clean, text);
    json_t *body = json_pack("{siss}", "level", level, "text", clean);
    if (body != NULL && plugin[0] != '\0') json_object_set_new(body, "plugin", json_string(plugin));
    if (body != NULL && step[0] != '\0') json_object_set_new(body, "step", json_string(step));
    (void)pm_ipc_send(sock, PM_MSG_LOG, body, NULL, 0, NULL); /* when the broker is gone, we learn it elsewhere */
    json_decref(body);
}

void pm_stderr_forward_log(int sock, int level, const char *text)
{
    pm_stderr_forward_plugin_log(sock, level, "", "", text);
}

static void flush_line(PmStderrForward *stderr_forward, int sock)
{
    int64_t second = pm_clock_mono_ms() / 1000;
    if (second != stderr_forward->second) {
        if (stderr_forward->dropped > 0) {
            char text[64];
            snprintf(text, sizeof text, "%u lines on stderr dropped", stderr_forward->dropped);
            pm_stderr_forward_log(sock, PM_LOG_WARN, text);
        }
        stderr_forward->second = second;
        stderr_forward->lines = stderr_forward->dropped = 0;
    }
    stderr_forward->line[stderr_forward->used] = '\0';
    if (stderr_forward->used > 0 && stderr_forward->lines++ < PM_STDERR_FORWARD_LINES_PER_SECOND)
        pm_stderr_forward_log(sock, PM_LOG_WARN, stderr_forward->line);
    else if (stderr_forward->used > 0)
        stderr_forward->dropped++;
    stderr_forward->used = 0;
}

void pm_stderr_forward_pump(PmStderrForward *stderr_forward, int sock)
{
    char chunk[4096];
    for (int i = 0; i < CHUNKS_PER_PUMP; i++) {
        ssize_t n = read(stderr_forward->read_fd, chunk, sizeof chunk);
        if (n <= 0) break;
        for (ssize_t k = 0; k < n; k++) {
            if (chunk[k] != '\n') stderr_forward->line[stderr_forward->used++] = chunk[k];
            if (chunk[k] == '\n' || stderr_forward->used == sizeof stderr_forward->line - 1)
                flush_line(stderr_forward, sock);
        }
    }
}
