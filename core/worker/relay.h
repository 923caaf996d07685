/* SPDX-License-Identifier: Apache-2.0
 *
 * What children write to stderr (sanitizers, glibc's last words, a plugin's printf) becomes log lines of the broker,
 * so that third-party code cannot write to the operator's terminal, or forge a line in the log.
 */
#ifndef PM_WORKER_RELAY_H
#define PM_WORKER_RELAY_H

#include "base/ipc.h"

enum { PM_RELAY_LINE_MAX = 512, PM_RELAY_LINES_PER_SECOND = 50 };

typedef struct PmRelay {
    int read_fd, write_fd; /* a pipe; children get the write end as stderr */
    char line[PM_RELAY_LINE_MAX];
    size_t used;
    int64_t second; /* in which `lines` were sent */
    unsigned lines, dropped;
} PmRelay;

PmStatus pm_relay_open(PmRelay *relay, PmError *err);

/* Passes on what is there, without blocking, as LOG on `sock`. */
void pm_relay_pump(PmRelay *relay, int sock);

/* One LOG line on the control channel. */
void pm_relay_log(int sock, int level, const char *text);

#endif
