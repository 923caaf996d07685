/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/idle_threads.h"

#include <dlfcn.h>
#include <glib.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { SLICE_US = 5 * 1000 };

static atomic_bool watching, ending;

void pm_idle_threads_watch(void)
{
    watching = true;
}

void pm_idle_threads_end(void)
{
    ending = true;
}

void pm_idle_threads_leave(void)
{
    watching = ending = false;
}

typedef gboolean WaitUntil(GCond *cond, GMutex *mutex, gint64 end_us);
typedef gpointer TimeoutPop(GAsyncQueue *queue, guint64 timeout_us);

static void *next_symbol(void *_Atomic *cache, const char *name)
{
    void *found = *cache;
    if (found == NULL) *cache = found = dlsym(RTLD_NEXT, name);
    if (found == NULL) g_error("%s is not where GLib has it", name);
    return found;
}

/* libvips up to 8.14 sleeps here, by way of its semaphores. A slice that is over is told as a wakeup, and the caller
 * looks at its condition, as after any: a signal that came after the wait had ended and before the mutex was ours again
 * would be missed by waiting on, and the semaphore's thread would sleep over its task. */
__attribute__((visibility("default"))) gboolean g_cond_wait_until(GCond *cond, GMutex *mutex, gint64 end_us)
{
    static void *_Atomic cache;
    WaitUntil *wait_until = (WaitUntil *)next_symbol(&cache, "g_cond_wait_until");
    gint64 slice_us = g_get_monotonic_time() + SLICE_US;
    if (!watching || (slice_us >= end_us && !ending)) return wait_until(cond, mutex, end_us);
    if (ending) return FALSE;
    wait_until(cond, mutex, slice_us);
    return TRUE;
}

/* libvips from 8.15 on sleeps here. */
__attribute__((visibility("default"))) gpointer g_async_queue_timeout_pop_unlocked(GAsyncQueue *queue,
                                                                                   guint64 timeout_us)
{
    static void *_Atomic cache;
    TimeoutPop *timeout_pop = (TimeoutPop *)next_symbol(&cache, "g_async_queue_timeout_pop_unlocked");
    gint64 end_us = g_get_monotonic_time() + (gint64)timeout_us;
    while (watching) {
        gint64 left_us = end_us - g_get_monotonic_time();
        if (left_us <= SLICE_US) return timeout_pop(queue, left_us > 0 ? (guint64)left_us : 0);
        gpointer item = timeout_pop(queue, SLICE_US);
        if (item != NULL || ending) return item;
    }
    return timeout_pop(queue, timeout_us);
}
