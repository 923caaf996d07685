/* SPDX-License-Identifier: Apache-2.0
 *
 * The C library's allocator, with one thing added: that it gave no memory is noted. Every library of the process calls
 * these, since a program's own malloc comes before the C library's ("Replacing malloc" in glibc's manual). What they
 * hand out is glibc's, so its free() stays.
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "engine/memory.h"
#include "worker/sanitized.h"

#ifndef PM_SANITIZED

#define EXPORTED __attribute__((visibility("default")))

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

/* A sanitizer that was preloaded, for a plugin that is built with one (docs/plugin-authors.md): what its free() is to
 * take back must come from it. NULL: there is none. */
#define PRELOADED __attribute__((weak))
extern void *__interceptor_malloc(size_t size) PRELOADED;
extern void *__interceptor_calloc(size_t count, size_t size) PRELOADED;
extern void *__interceptor_realloc(void *old, size_t size) PRELOADED;
extern void *__interceptor_memalign(size_t alignment, size_t size) PRELOADED;

static void *get(size_t size)
{
    return __interceptor_malloc != NULL ? __interceptor_malloc(size) : __libc_malloc(size);
}

static void *get_zeroed(size_t count, size_t size)
{
    return __interceptor_calloc != NULL ? __interceptor_calloc(count, size) : __libc_calloc(count, size);
}

static void *resize(void *old, size_t size)
{
    return __interceptor_realloc != NULL ? __interceptor_realloc(old, size) : __libc_realloc(old, size);
}

static void *get_aligned(size_t alignment, size_t size)
{
    return __interceptor_memalign != NULL ? __interceptor_memalign(alignment, size) : __libc_memalign(alignment, size);
}

static void *noted(void *memory, size_t size)
{
    if (memory == NULL && size > 0) pm_memory_note();
    return memory;
}

EXPORTED void *malloc(size_t size)
{
    return noted(get(size), size);
}

EXPORTED void *calloc(size_t count, size_t size)
{
    return noted(get_zeroed(count, size), count > 0 ? size : 0);
}

EXPORTED void *realloc(void *old, size_t size)
{
    return noted(resize(old, size), size);
}

EXPORTED void *memalign(size_t alignment, size_t size)
{
    return noted(get_aligned(alignment, size), size);
}

EXPORTED void *aligned_alloc(size_t alignment, size_t size)
{
    return noted(get_aligned(alignment, size), size);
}

EXPORTED int posix_memalign(void **out, size_t alignment, size_t size)
{
    if (alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0 || alignment == 0) return EINVAL;
    int saved = errno; /* POSIX: errno is left alone */
    void *memory = noted(get_aligned(alignment, size), size);
    errno = saved;
    if (memory == NULL) return ENOMEM;
    *out = memory;
    return 0;
}

#endif
