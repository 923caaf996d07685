/* SPDX-License-Identifier: Apache-2.0
 *
 * How many threads a child may have. RLIMIT_NPROC counts all processes of a user, a cgroup is not ours to make, and the
 * filter of system calls does not count: so it asks here (seccomp's user notification) whenever a thread is to start.
 */
#ifndef PM_WORKER_THREAD_GUARD_H
#define PM_WORKER_THREAD_GUARD_H

#include <seccomp.h>

#include "base/error.h"

/* Codecs with threads of their own start some dozens; together with those that are just being started a child has at
 * most twice as many. */
enum { PM_CHILD_THREADS = 128 };

typedef struct PmThreadGuard {
    int fd;   /* readable when there is something to serve; -1: the kernel does not ask */
    int proc; /* /proc, opened when it could be */
    struct seccomp_notif *question;
    struct seccomp_notif_resp *answer;
} PmThreadGuard;

/* Before the process is restricted. PM_TRANSIENT. */
PmStatus pm_thread_guard_open(PmThreadGuard *guard, PmError *err);

/* A socket for a child about to be forked, which sends its listener there; the caller closes it after the fork. -1 and
 * errno: there is none. */
int pm_thread_guard_expect(PmThreadGuard *guard);

/* The child's side: sends the listener. Returns 0 or errno. */
int pm_thread_guard_hand_over(int sock, int listener);

/* Answers what is asked, without blocking. */
void pm_thread_guard_serve(PmThreadGuard *guard);

#endif
