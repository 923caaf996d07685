/* SPDX-License-Identifier: Apache-2.0
 *
 * What a process uses, seen from outside: a child's own word is not taken. Hides clocks and /proc.
 */
#ifndef PM_WORKERS_USAGE_H
#define PM_WORKERS_USAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Processor time of all its threads, ms; -1: cannot be known. One system call. */
int64_t pm_usage_cpu_ms(pid_t pid);

/* How long its threads were ready to run and did not, ms, for the lack of a processor; -1: cannot be known. */
int64_t pm_usage_starved_ms(pid_t pid);

/* Whether it is kept from running: stopped, or waiting for the disk (a machine that swaps). */
bool pm_usage_is_held(pid_t pid);

/* Opens what pm_usage_mapped_bytes reads; -1: cannot be known. */
int pm_usage_open_memory(pid_t pid);
/* Address space mapped, bytes; -1: cannot be known. */
int64_t pm_usage_mapped_bytes(int fd);

#endif
