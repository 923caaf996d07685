/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/elf.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ELF_FILE_MAX = 256 * 1024 * 1024 };

typedef struct Image {
    const char *bytes;
    size_t size;
} Image;

/* `size` bytes at `offset`, or NULL when the file has no such bytes or they are not aligned as their type asks. */
static const void *at(const Image *image, uint64_t offset, uint64_t size)
{
    if (offset > image->size || size > image->size - offset || offset % 8 != 0) return NULL;
    return image->bytes + offset;
}

/* A string of the table in `section`, or NULL. */
static const char *string_at(const Image *image, const Elf64_Shdr *section, uint64_t index)
{
    if (section->sh_offset > image->size || section->sh_size > image->size - section->sh_offset) return NULL;
    if (index >= section->sh_size) return NULL;
    const char *text = image->bytes + section->sh_offset + index;
    return memchr(text, '\0', section->sh_size - index) != NULL ? text : NULL;
}

static bool add(json_t *array, const char *text)
{
    if (text == NULL) return false;
    json_t *string = json_string(text);
    return json_array_append_new(array, string != NULL ? string : json_string("(not UTF-8)")) == 0;
}

static bool read_symbols(const Image *image, const Elf64_Shdr *section, const Elf64_Shdr *strings, json_t *exports)
{
    const Elf64_Sym *symbols = at(image, section->sh_offset, section->sh_size);
    if (symbols == NULL) return false;
    for (uint64_t i = 0; i < section->sh_size / sizeof *symbols; i++) {
        const Elf64_Sym *s = &symbols[i];
        unsigned bind = ELF64_ST_BIND(s->st_info), visible = ELF64_ST_VISIBILITY(s->st_other);
        if (s->st_shndx == SHN_UNDEF || (bind != STB_GLOBAL && bind != STB_WEAK && bind != STB_GNU_UNIQUE)) continue;
        if (visible != STV_DEFAULT && visible != STV_PROTECTED) continue;
        if (!add(exports, string_at(image, strings, s->st_name))) return false;
    }
    return true;
}

static bool read_needed(const Image *image, const Elf64_Shdr *section, const Elf64_Shdr *strings, json_t *needed)
{
    const Elf64_Dyn *entries = at(image, section->sh_offset, section->sh_size);
    if (entries == NULL) return false;
    for (uint64_t i = 0; i < section->sh_size / sizeof *entries && entries[i].d_tag != DT_NULL; i++)
        if (entries[i].d_tag == DT_NEEDED && !add(needed, string_at(image, strings, entries[i].d_un.d_val)))
            return false;
    return true;
}

static bool read_sections(const Image *image, PmElf *out)
{
    const Elf64_Ehdr *header = at(image, 0, sizeof *header);
    if (header == NULL || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64 ||
        header->e_ident[EI_DATA] != ELFDATA2LSB || header->e_type != ET_DYN ||
        header->e_shentsize != sizeof(Elf64_Shdr))
        return false;
    const Elf64_Shdr *sections = at(image, header->e_shoff, (uint64_t)header->e_shnum * sizeof *sections);
    bool found = false;
    for (unsigned i = 0; sections != NULL && i < header->e_shnum; i++) {
        const Elf64_Shdr *section = &sections[i];
        if (section->sh_type != SHT_DYNSYM && section->sh_type != SHT_DYNAMIC) continue;
        if (section->sh_link >= header->e_shnum) return false;
        const Elf64_Shdr *strings = &sections[section->sh_link];
        bool ok = section->sh_type == SHT_DYNSYM ? read_symbols(image, section, strings, out->exports)
                                                 : read_needed(image, section, strings, out->needed);
        if (!ok) return false;
        found = true;
    }
    return found;
}

PmStatus pm_elf_read(const char *file, PmElf *out, PmError *err)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return pm_error_set(err, PM_BAD_CONFIG, "%s: cannot open: %s", file, strerror(errno));
    struct stat st;
    Image image = {0};
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && st.st_size <= ELF_FILE_MAX) {
        void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (map != MAP_FAILED) image = (Image){map, (size_t)st.st_size};
    }
    close(fd);
    PmElf elf = {json_array(), json_array()};
    bool ok = image.bytes != NULL && read_sections(&image, &elf);
    if (image.bytes != NULL) munmap((void *)image.bytes, image.size);
    if (!ok) {
        pm_elf_finish(&elf);
        pm_error_set(err, PM_BAD_CONFIG, "%s: expected a 64-bit shared object with its section headers", file);
        pm_error_hint(err, "build it with `cc -shared`, and strip it with nothing sharper than `strip`");
        return PM_BAD_CONFIG;
    }
    *out = elf;
    return PM_OK;
}

void pm_elf_finish(PmElf *elf)
{
    if (elf == NULL) return;
    json_decref(elf->exports);
    json_decref(elf->needed);
    *elf = (PmElf){0};
}
