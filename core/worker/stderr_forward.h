/* SPDX-License-Identifier: Apache-2.0
 *
 * What children write to stderr that were given none (sanitizers, glibc's last words) becomes log lines of the broker,
 * so that third-party code cannot write to the operator's terminal, or forge a line in the log.
 */
#ifndef PM_WORKER_STDERR_FORWARD_H
#define PM_WORKER_STDERR_FORWARD_H

#include "base/ipc.h"

enum { PM_STDERR_FORWARD_LINE_MAX = 512, PM_STDERR_FORWARD_LINES_PER_SECOND = 50 };

typedef struct PmStderrForward {
    int read_fd, write_fd; /* a pipe; children get the write end as stderr */
    char line[PM_STDERR_FORWARD_LINE_MAX];
    size_t used;
    int64_t second; /* in which `lines` were sent */
    unsigned lines, dropped;
} PmStderrForward;

PmStatus pm_stderr_forward_open(PmStderrForward *stderr_forward, PmError *err);

/* Passes on what is there, without blocking, as LOG on `sock`. */
void pm_stderr_forward_pump(PmStderrForward *stderr_forward, int sock);

/* One LOG line on the control channel; and one of a plugin, whose names may be "". */
void pm_stderr_forward_log(int sock, int level, const char *text);
void pm_stderr_forward_plugin_log(int sock, int level, const char *plugin, const char *step, const char *text);

#endif
