/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes one of a plugin's own allocations fail, and nobody else's: the slots of its global offset table that name an
 * allocator are pointed at ours. What libvips and GLib allocate on its behalf is left alone, because GLib ends the
 * process when it gets no memory, whatever the plugin does.
 */
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/check_step.h"

#if defined(__x86_64__)
enum { JUMP_SLOT = R_X86_64_JUMP_SLOT, GLOB_DAT = R_X86_64_GLOB_DAT };
#elif defined(__aarch64__)
enum { JUMP_SLOT = R_AARCH64_JUMP_SLOT, GLOB_DAT = R_AARCH64_GLOB_DAT };
#else
#error "name this machine's relocations of function slots"
#endif

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

typedef void (*Function)(void);
static const struct {
    const char *name;
    Function stub;
} allocators[] = {
    {"malloc", (Function)fail_malloc},
    {"calloc", (Function)fail_calloc},
    {"realloc", (Function)fail_realloc},
    {"reallocarray", (Function)fail_reallocarray},
    {"aligned_alloc", (Function)fail_aligned_alloc},
    {"strdup", (Function)fail_strdup},
    {"strndup", (Function)fail_strndup},
    {"g_try_malloc", (Function)fail_g_try_malloc},
    {"g_try_malloc0", (Function)fail_g_try_malloc0},
    {"vips_tracked_malloc", (Function)fail_vips_tracked_malloc},
};

typedef struct Tables {
    const ElfW(Rela) * relocations[2];
    size_t sizes[2]; /* bytes */
    const ElfW(Sym) * symbols;
    const char *strings;
} Tables;

static Tables find_tables(const struct link_map *map)
{
    Tables t = {0};
    for (const ElfW(Dyn) *d = map->l_ld; d->d_tag != DT_NULL; d++) {
        switch (d->d_tag) {
        case DT_JMPREL:
            t.relocations[0] = (const void *)d->d_un.d_ptr;
            break;
        case DT_PLTRELSZ:
            t.sizes[0] = d->d_un.d_val;
            break;
        case DT_RELA:
            t.relocations[1] = (const void *)d->d_un.d_ptr;
            break;
        case DT_RELASZ:
            t.sizes[1] = d->d_un.d_val;
            break;
        case DT_SYMTAB:
            t.symbols = (const void *)d->d_un.d_ptr;
            break;
        case DT_STRTAB:
            t.strings = (const char *)d->d_un.d_ptr;
            break;
        default:
            break;
        }
    }
    return t;
}

/* Points one slot elsewhere, though the linker may have made it read-only. */
static bool point(uintptr_t slot, Function stub)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    if (mprotect((void *)(slot & ~(page - 1)), page, PROT_READ | PROT_WRITE) != 0) return false;
    memcpy((void *)slot, &stub, sizeof stub);
    return true;
}

bool pm_check_fail_allocation(const PmLoaded *loaded, unsigned which)
{
    until = which;
    failed = false;
    struct link_map *map = NULL;
    if (loaded->handle == NULL || dlinfo(loaded->handle, RTLD_DI_LINKMAP, &map) != 0) return false;
    Tables t = find_tables(map);
    bool found = false;
    for (int table = 0; table < 2 && t.symbols != NULL && t.strings != NULL; table++) {
        size_t count = t.relocations[table] != NULL ? t.sizes[table] / sizeof(ElfW(Rela)) : 0;
        for (size_t i = 0; i < count; i++) {
            const ElfW(Rela) *r = &t.relocations[table][i];
            unsigned long type = ELF64_R_TYPE(r->r_info);
            if (type != JUMP_SLOT && type != GLOB_DAT) continue;
            const char *name = t.strings + t.symbols[ELF64_R_SYM(r->r_info)].st_name;
            for (size_t a = 0; a < sizeof allocators / sizeof allocators[0]; a++)
                if (strcmp(name, allocators[a].name) == 0 && point(map->l_addr + r->r_offset, allocators[a].stub))
                    found = true;
        }
    }
    return found;
}

bool pm_check_allocation_failed(void)
{
    return failed;
}
