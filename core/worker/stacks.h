/* SPDX-License-Identifier: Apache-2.0
 *
 * Stacks of threads. A child's limit of memory is one of address space, and a thread's stack is the largest thing in
 * it that a picture has no part in: whether a library finds an idle thread or starts one more is a matter of
 * microseconds, and was 8 MiB of the limit. So stacks are mapped before the limit is set, and lie ready.
 */
#ifndef PM_WORKER_STACKS_H
#define PM_WORKER_STACKS_H

/* Threads that a child can have at a time at no cost to limits.memory. Encoding AVIF takes 8. */
enum { PM_STACKS_READY = 9 };

/* The size of stacks from here on. Before the first thread. */
void pm_stacks_size(void);

/* Maps PM_STACKS_READY of them, which the C library keeps for the next threads, those of forked children included.
 * Fewer where threads cannot be had. Threads that end are seen by pm_warm_up_settle. */
void pm_stacks_reserve(void);

#endif
