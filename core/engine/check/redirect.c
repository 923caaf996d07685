/* SPDX-License-Identifier: Apache-2.0
 *
 * The calls that a plugin itself makes, led elsewhere: slots of its global offset table are pointed at functions of
 * ours. What libvips and GLib call on its behalf is left alone.
 */
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/check/step.h"

#if defined(__x86_64__)
enum { JUMP_SLOT = R_X86_64_JUMP_SLOT, GLOB_DAT = R_X86_64_GLOB_DAT };
#elif defined(__aarch64__)
enum { JUMP_SLOT = R_AARCH64_JUMP_SLOT, GLOB_DAT = R_AARCH64_GLOB_DAT };
#else
#error "name this machine's relocations of function slots"
#endif

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
static bool point(uintptr_t slot, PmCheckFunction stub)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    if (mprotect((void *)(slot & ~(page - 1)), page, PROT_READ | PROT_WRITE) != 0) return false;
    memcpy((void *)slot, &stub, sizeof stub);
    return true;
}

bool pm_check_redirect(const PmLoaded *loaded, const PmCheckStub *stubs, size_t stub_count)
{
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
            for (size_t a = 0; a < stub_count; a++)
                if (strcmp(name, stubs[a].name) == 0 && point(map->l_addr + r->r_offset, stubs[a].stub)) found = true;
        }
    }
    return found;
}
