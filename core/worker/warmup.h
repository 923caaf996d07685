/* SPDX-License-Identifier: Apache-2.0
 *
 * What libraries load or look up late, done early: in a child there is no file left to load it from.
 */
#ifndef PM_WORKER_WARMUP_H
#define PM_WORKER_WARMUP_H

#include "base/error.h"

/* Who and where we are, which libraries ask later and would have to look up. Before the process is confined. */
void pm_warm_up_names(void);

/* After pm_engine_setup, before the first fork. Reads no image but a few made-up bytes, computes no pixels, and does
 * not fail: what is not there now is not there later. fonts: text will be drawn; reading Fontconfig's configuration and
 * caches takes as long as all the rest. False: it would be lost, since no font is found. */
bool pm_warm_up(bool fonts);

/* Waits until no thread but this one can be at work; *waited_ms tells how long. libvips' workers are told to end, and
 * would by themselves after 15 idle seconds, so it has patience for a little more. Pango's may stay, asleep: then
 * pm_thread_count is above 1, and a fork is needed before anything that takes a process of one thread. PM_BUG when
 * others are left. */
PmStatus pm_warm_up_settle(int64_t *waited_ms, PmError *err);

/* Whether this libvips compiles code while it runs (Orc, before 8.15; later ones do not). */
bool pm_warm_up_jit(void);

/* Threads of this process; 0 if unknown. */
int pm_thread_count(void);

#endif
