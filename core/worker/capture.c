/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/capture.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "worker/sanitized.h"

/* A sanitizer's report is the end of this process, and nobody would read it then. */
#ifdef PM_SANITIZED
enum { STREAMS = 1 };
#else
enum { STREAMS = 2 };
#endif

static const int streams[] = {STDOUT_FILENO, STDERR_FILENO};
static int kept[] = {-1, -1}, ends[] = {-1, -1};

static void close_fd(int *fd)
{
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

void pm_capture_begin(void)
{
    fflush(stdout);
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        ends[0] = ends[1] = -1;
        return;
    }
    for (int i = 0; i < STREAMS; i++) {
        kept[i] = fcntl(streams[i], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        if (kept[i] >= 0) dup2(ends[1], streams[i]);
    }
    pm_printed_from(ends[0]);
}

void pm_capture_end(PmPrintedLine *line, void *data)
{
    if (ends[0] < 0) return;
    pm_printed_take(line, data);
    pm_printed_from(-1);
    for (int i = 0; i < STREAMS; i++) {
        if (kept[i] >= 0) dup2(kept[i], streams[i]);
        close_fd(&kept[i]);
        close_fd(&ends[i]);
    }
    close_fd(&ends[0]);
    close_fd(&ends[1]);
}
