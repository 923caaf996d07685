/* SPDX-License-Identifier: Apache-2.0
 *
 * A worker process: what it inherits, which is little. Needs libc alone, so that a bundle's launcher can start the
 * first worker while pixmill itself is still being loaded (core/launcher).
 */
#ifndef PM_BASE_SPAWN_H
#define PM_BASE_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

/* The arguments of a worker: its channel is descriptor 3. */
#define PM_SPAWN_ARGUMENTS (char *)"pixmill-worker", (char *)"--fd", (char *)"3"

/* Starts `program` with `arguments` (NULL-terminated) as a worker: nothing open but its end of a new SOCK_SEQPACKET
 * channel, /dev/null and our standard error, an environment that holds no secret, and it dies with the calling thread.
 * *sock is our end (CLOEXEC, blocking), *pid the process, for the caller to reap. Returns 0 or errno; what goes wrong
 * later shows as the end of the channel and an exit code of 126 or 127. */
int pm_spawn_worker(const char *program, char *const *arguments, int *sock, pid_t *pid);

/* Keeps a worker for the program that this process becomes by exec: clears CLOEXEC and notes both numbers in the
 * environment. Returns 0 or errno. */
int pm_spawn_hand_over(int sock, pid_t pid);

/* The worker that was handed over, once; false: there is none. *sock is CLOEXEC. */
bool pm_spawn_take_over(int *sock, pid_t *pid);

#endif
