/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes one of a plugin's own allocations fail, and nobody else's: the slots of its global offset table that name an
 * allocator are pointed at ours. What libvips and GLib allocate on its behalf is left alone, because GLib ends the
 * process when it gets no memory, whatever the plugin does.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/check/step.h"

static unsigned until; /* allocations that still succeed */
static bool failed;

static bool fails(void)
{
    if (failed) return false;
    failed = until == 0;
    until--;
    return failed;
}

static void *fail_malloc(size_t size)
{
    return fails() ? NULL : malloc(size);
}

static void *fail_calloc(size_t count, size_t size)
{
    return fails() ? NULL : calloc(count, size);
}

static void *fail_realloc(void *old, size_t size)
{
    return fails() ? NULL : realloc(old, size);
}

static void *fail_reallocarray(void *old, size_t count, size_t size)
{
    return fails() ? NULL : reallocarray(old, count, size);
}

static void *fail_aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : aligned_alloc(alignment, size);
}

static char *fail_strdup(const char *text)
{
    return fails() ? NULL : strdup(text);
}

static char *fail_strndup(const char *text, size_t size)
{
    return fails() ? NULL : strndup(text, size);
}

static void *fail_g_try_malloc(gsize size)
{
    return fails() ? NULL : g_try_malloc(size);
}

static void *fail_g_try_malloc0(gsize size)
{
    return fails() ? NULL : g_try_malloc0(size);
}

static void *fail_vips_tracked_malloc(size_t size)
{
    return fails() ? NULL : vips_tracked_malloc(size);
}

static const PmCheckStub allocators[] = {
    {"malloc", (PmCheckFunction)fail_malloc},
    {"calloc", (PmCheckFunction)fail_calloc},
    {"realloc", (PmCheckFunction)fail_realloc},
    {"reallocarray", (PmCheckFunction)fail_reallocarray},
    {"aligned_alloc", (PmCheckFunction)fail_aligned_alloc},
    {"strdup", (PmCheckFunction)fail_strdup},
    {"strndup", (PmCheckFunction)fail_strndup},
    {"g_try_malloc", (PmCheckFunction)fail_g_try_malloc},
    {"g_try_malloc0", (PmCheckFunction)fail_g_try_malloc0},
    {"vips_tracked_malloc", (PmCheckFunction)fail_vips_tracked_malloc},
};

bool pm_check_fail_allocation(const PmLoaded *loaded, unsigned which)
{
    until = which;
    failed = false;
    return pm_check_redirect(loaded, allocators, sizeof allocators / sizeof allocators[0]);
}

bool pm_check_allocation_failed(void)
{
    return failed;
}
