/* SPDX-License-Identifier: Apache-2.0
 *
 * Who did it: a handler of fatal signals that writes into the progress page in which plugin's code the signal struck,
 * then lets it kill as it would have. Hides stack scanning, the alternate stack and address maps.
 */
#ifndef PM_WORKER_FAULT_H
#define PM_WORKER_FAULT_H

#include <jansson.h>

#include "base/ipc.h"

/* Remembers where the code of these plugins is mapped: [{name, file}..] as pm_engine_describe gives. What is loaded
 * later is not known. */
void pm_fault_learn(const json_t *plugins);

/* Handles SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS, SIGXCPU and SIGALRM for the process, on a stack of
 * its own for the calling thread. `progress` (borrowed, may be NULL) outlives the process; a second call only changes
 * it. In a child SIGSYS also stands for an fstat() that the filter cannot judge, and which is carried out then. */
PmStatus pm_fault_install(PmProgress *progress, PmError *err);

/* Calls, and gives it `seconds`. When a fatal signal strikes on this thread meanwhile, or time is up (SIGALRM), returns
 * the signal instead of dying of it: this process is broken then, and is only to say so and end. 0 when the call came
 * back. */
int pm_fault_survive(void (*call)(void *data), void *data, unsigned seconds);

/* The number of the system call for which SIGSYS struck last; -1: it did not. */
int pm_fault_refused_call(void);

/* The plugin whose code contains `address`, or NULL. Async-signal-safe. */
const char *pm_fault_plugin_at(uintptr_t address);

#endif
