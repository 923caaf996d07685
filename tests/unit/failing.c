/* SPDX-License-Identifier: Apache-2.0 */
#include "failing.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

/* By the linker: --wrap. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t size);

static atomic_size_t left; /* until one fails; 0: none does */
static atomic_bool failed;
static _Thread_local int paused;
static _Atomic(const void *) caller;

static bool fails(const void *from)
{
    if (paused > 0) return false;
    for (size_t n = atomic_load(&left); n > 0;) {
        if (!atomic_compare_exchange_weak(&left, &n, n - 1)) continue;
        if (n > 1) return false;
        atomic_store(&caller, from);
        atomic_store(&failed, true);
        errno = ENOMEM;
        return true;
    }
    return false;
}

void *__wrap_malloc(size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __real_realloc(block, size);
}

char *__wrap_strdup(const char *text)
{
    return fails(__builtin_return_address(0)) ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __real_strndup(text, size);
}

static void *json_allocate(size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __real_malloc(size);
}

__attribute__((constructor)) static void set_jansson(void)
{
    json_set_alloc_funcs(json_allocate, free);
}

void failing_nth(size_t n)
{
    atomic_store(&failed, false);
    atomic_store(&left, n);
}

bool failing_stop(void)
{
    atomic_store(&left, 0);
    return atomic_load(&failed);
}

void failing_pause(void)
{
    paused++;
}

void failing_resume(void)
{
    paused--;
}

const void *failing_caller(void)
{
    return atomic_load(&caller);
}
