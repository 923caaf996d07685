/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether memory ran out. Codecs tell in a dozen ways, or blame the picture, or say nothing: what counts is that an
 * allocation failed while the job was at it. A worker's allocator tells here (worker/allocation.c); elsewhere, the
 * words that libraries use have to do.
 */
#ifndef PM_ENGINE_MEMORY_H
#define PM_ENGINE_MEMORY_H

#include <stdint.h>

#include "base/error.h"

/* A job begins: what failed before is forgotten. */
void pm_memory_begin(void);

/* An allocation failed. Async-signal-safe, from any thread. */
void pm_memory_note(void);

/* Where it is told as well, for who looks at a process that died of it (no handler runs when a thread's stack is full,
 * and GLib fills it, complaining that it has no memory). `place` outlives all allocations; NULL: nowhere. */
void pm_memory_tell(int32_t *place);

/* Since pm_memory_begin; or, when not NULL, by the words of `text`. */
bool pm_memory_ran_out(const char *text);

/* Makes a PM_LIMIT of an error that blames the image or a plugin when it was memory. Returns err->status. */
PmStatus pm_memory_judge(PmError *err);

#endif
