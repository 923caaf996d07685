/* SPDX-License-Identifier: Apache-2.0
 *
 * What plugins print. In a worker stdout and stderr lead into a pipe whose other end is here: a line becomes a log line
 * of the step whose call wrote it, when that call returns. What a crash leaves behind in the pipe is the broker's.
 */
#ifndef PM_ENGINE_PRINTED_H
#define PM_ENGINE_PRINTED_H

/* Where it is read from now on, borrowed: a descriptor that never blocks. -1, as at first: nowhere. */
void pm_printed_from(int fd);

/* Calls `line` for each line since the last time; the last one need not have an end. It is
 * bounded by what a pipe holds. */
typedef void PmPrintedLine(void *data, const char *text);
void pm_printed_take(PmPrintedLine *line, void *data);

#endif
