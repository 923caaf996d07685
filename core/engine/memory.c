/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/memory.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static atomic_bool failed;
static int32_t nobody_reads;
static int32_t *_Atomic told = &nobody_reads;

void pm_memory_begin(void)
{
    atomic_store_explicit(&failed, false, memory_order_relaxed);
    *atomic_load_explicit(&told, memory_order_relaxed) = 0;
}

void pm_memory_note(void)
{
    atomic_store_explicit(&failed, true, memory_order_relaxed);
    *atomic_load_explicit(&told, memory_order_relaxed) = 1;
}

void pm_memory_tell(int32_t *place)
{
    atomic_store_explicit(&told, place != NULL ? place : &nobody_reads, memory_order_relaxed);
}

/* libvips, libspng and libnsgif; libwebp; libheif and libaom; strerror(ENOMEM); GLib and libtiff; libjpeg; C++; glib's
 * threads, whose stacks are memory, too. */
static bool tells_of_memory(const char *text)
{
    static const char *const words[] = {
        "out of memory",      "memory error",        "memory allocation", "cannot allocate", "failed to allocate",
        "unable to allocate", "insufficient memory", "not enough memory", "bad_alloc",       "error creating thread"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcasestr(text, words[i]) != NULL) return true;
    return false;
}

bool pm_memory_ran_out(const char *text)
{
    return atomic_load_explicit(&failed, memory_order_relaxed) || (text != NULL && tells_of_memory(text));
}

PmStatus pm_memory_judge(PmError *err)
{
    if ((err->status != PM_BAD_INPUT && err->status != PM_BUG) || !pm_memory_ran_out(err->message)) return err->status;
    static const char what[] = "not enough memory within limits.memory: ";
    char text[sizeof err->message];
    pm_text_copy(text, sizeof text, err->message);
    snprintf(err->message, sizeof err->message, "%s%.*s", what, (int)(sizeof text - sizeof what), text);
    err->status = PM_LIMIT;
    return PM_LIMIT;
}
