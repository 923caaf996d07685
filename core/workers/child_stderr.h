/* SPDX-License-Identifier: Apache-2.0
 *
 * What one child writes to stdout and stderr. It reads most of that itself, and says whose it is (engine/printed.h).
 * What is left when its job ends, or it does, becomes lines of our log here (glibc's last words, a sanitizer's report,
 * a plugin's printf before it crashed), so that third-party code cannot write to the operator's terminal, forge a line,
 * or write it under another's name.
 */
#ifndef PM_WORKERS_CHILD_STDERR_H
#define PM_WORKERS_CHILD_STDERR_H

#include "base/ipc.h"
#include "workers/log_gate.h"
#include "workers/names.h"

typedef struct PmChildStderr {
    PmLogGate *gate; /* borrowed, as the next three */
    PmLogShare *share;
    const PmProgress *progress; /* whose code was at work */
    const PmJobNames *names;    /* of the job */
    int fd;                     /* our end; -1: none */
    size_t used;
    char line[512];
} PmChildStderr;

/* Returns the child's end of a new pipe, CLOEXEC, which never blocks the child: what does not fit is lost. The reading
 * end, `fd`, is to be given to the child as well. -1: there is none, and `err` says why. */
int pm_child_stderr_open(PmChildStderr *out, PmLogGate *gate, PmLogShare *share, const PmProgress *progress,
                         const PmJobNames *names, PmError *err);
/* The job ends: what the child wrote so far belongs to it, and is read now. */
void pm_child_stderr_end_job(PmChildStderr *out);
void pm_child_stderr_close(PmChildStderr *out); /* after a last look */

#endif
