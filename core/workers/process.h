/* SPDX-License-Identifier: Apache-2.0
 *
 * Starting pixmill-worker, and where it and its plugins are found. Used by pool.c alone.
 */
#ifndef PM_WORKERS_PROCESS_H
#define PM_WORKERS_PROCESS_H

#include <sys/types.h>

#include "workers/pool.h"

/* Starts a worker with a cleared environment and nothing open but its end of a new channel. *sock is ours (CLOEXEC,
 * blocking); *pid its process. PM_BAD_CONFIG: no such executable (where was looked). */
PmStatus pm_process_start(const PmPoolOptions *options, int *sock, pid_t *pid, PmError *err);

/* Where pixmill-worker is. PM_BAD_CONFIG as above. */
PmStatus pm_process_worker(const PmPoolOptions *options, char *out, size_t size, PmError *err);

/* Kills and reaps; returns the status for WIFEXITED and friends: how it had ended by itself, if it had. */
int pm_process_end(pid_t pid);

#endif
