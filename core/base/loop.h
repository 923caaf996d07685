/* SPDX-License-Identifier: Apache-2.0
 *
 * The event loop: descriptors, timers, deferred calls and signals on one thread. Hides epoll and signalfd. It knows
 * nobody: the broker's processes and sockets and the HTTP client's sockets all sit on it.
 *
 * Callbacks may add and remove any watch or timer, their own included; a removed one is never called again.
 */
#ifndef PM_BASE_LOOP_H
#define PM_BASE_LOOP_H

#include <stdint.h>

#include "base/error.h"

typedef struct PmLoop PmLoop;
typedef struct PmWatch PmWatch;
typedef struct PmTimer PmTimer;

enum { PM_READABLE = 1, PM_WRITABLE = 2, PM_HANGUP = 4 }; /* PM_HANGUP is reported, never asked for */

typedef void PmFdCallback(void *data, int fd, unsigned events);
typedef void PmTimerCallback(void *data);

/* New; NULL and `err` set when the kernel refuses. */
PmLoop *pm_loop_new(PmError *err);
void pm_loop_free(PmLoop *loop); /* frees all watches and timers; closes no descriptor of others */

/* Watches `fd` (borrowed) for `events`. The watch belongs to the loop; end it with pm_loop_unwatch before
 * closing fd. NULL on failure. */
PmWatch *pm_loop_watch(PmLoop *loop, int fd, unsigned events, PmFdCallback *call, void *data);
void pm_loop_watch_events(PmWatch *watch, unsigned events);
void pm_loop_unwatch(PmWatch *watch); /* NULL is fine */

/* Calls once after `delay_ms` (0: in the next turn). The timer frees itself after the call; until then
 * pm_loop_cancel may end it. NULL on failure. */
PmTimer *pm_loop_after(PmLoop *loop, int64_t delay_ms, PmTimerCallback *call, void *data);
void pm_loop_cancel(PmTimer *timer); /* NULL is fine */

/* Blocks `signo` for the process and calls back from the loop instead. false on failure. */
bool pm_loop_signal(PmLoop *loop, int signo, PmTimerCallback *call, void *data);

/* Runs until pm_loop_stop, called meanwhile, or until no watch and no timer is left. */
void pm_loop_run(PmLoop *loop);
void pm_loop_stop(PmLoop *loop);

#endif
