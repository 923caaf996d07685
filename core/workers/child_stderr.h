/* SPDX-License-Identifier: Apache-2.0
 *
 * What one child writes to stderr (glibc's last words, a sanitizer's report, a plugin's printf) as lines of our log, so
 * that third-party code cannot write to the operator's terminal, forge a line, or write it under another's name.
 */
#ifndef PM_WORKERS_CHILD_STDERR_H
#define PM_WORKERS_CHILD_STDERR_H

#include "base/ipc.h"
#include "workers/log_gate.h"
#include "workers/names.h"

typedef struct PmChildStderr {
    PmLoop *loop; /* borrowed, as the next four */
    PmLogGate *gate;
    PmLogShare *share;
    const PmProgress *progress; /* whose code was at work when a line came */
    const PmJobNames *names;    /* of the job at work then */
    int fd;                     /* our end; -1: none */
    PmWatch *watch;
    PmTimer *pause; /* read no more before it rings */
    int64_t second; /* in which `bytes` were read */
    size_t bytes, used;
    char line[512];
} PmChildStderr;

/* Returns the child's end of a new pipe, CLOEXEC, which never blocks the child: what does not fit is lost. -1: there
 * is none, and `err` says why. */
int pm_child_stderr_open(PmChildStderr *out, PmLoop *loop, PmLogGate *gate, PmLogShare *share,
                         const PmProgress *progress, const PmJobNames *names, PmError *err);
/* The job ends: what the child wrote so far belongs to it, and is read now. */
void pm_child_stderr_end_job(PmChildStderr *out);
void pm_child_stderr_close(PmChildStderr *out); /* after a last look */

#endif
