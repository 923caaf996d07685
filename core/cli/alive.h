/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a running pixmill still turns its event loop: asked and answered over an abstract Unix socket, which needs no
 * file, no port and no right, so that it works on a read-only root and for any user. Hides the socket and its name.
 */
#ifndef PM_CLI_ALIVE_H
#define PM_CLI_ALIVE_H

#include "base/buffer.h"
#include "base/loop.h"

typedef struct PmAlive PmAlive;
typedef void PmAliveAnswer(void *data, PmBuffer *out);

/* Answers for the pipeline in `file`, for this user in this network namespace, with one line that `answer` writes. New.
 * NULL and err set: another process answers already, or the kernel refuses. */
PmAlive *pm_alive_new(PmLoop *loop, const char *file, PmAliveAnswer *answer, void *data, PmError *err);
void pm_alive_free(PmAlive *alive); /* NULL is fine */

/* Queries the process that runs `file`; blocks for timeout_ms at most. PM_BAD_CONFIG: none runs it; PM_TRANSIENT: it
 * does not answer. */
PmStatus pm_alive_ask(const char *file, int timeout_ms, char *answer, size_t size, PmError *err);

#endif
