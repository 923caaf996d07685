/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/registry.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vips/vips.h>

#include "base/text.h"
#include "engine/handshake.h"
#include "engine/trust.h"

enum { PLUGINS_MAX = 256, DIRS_MAX = 32, FILE_MAX_BYTES = 256 * 1024 * 1024 };

struct PmRegistry {
    char *dirs[DIRS_MAX + 1];
    PmLoaded *loaded[PLUGINS_MAX]; /* entries never move: pm_registry_at reads them in a signal handler */
    size_t count;
    bool by_path; /* pm_registry_open_by_path */
};

PmRegistry *pm_registry_new(const char *const *dirs)
{
    PmRegistry *registry = calloc(1, sizeof *registry);
    if (registry == NULL) return NULL;
    for (size_t i = 0; dirs != NULL && dirs[i] != NULL && i < DIRS_MAX; i++) {
        registry->dirs[i] = strdup(dirs[i]);
        if (registry->dirs[i] == NULL) {
            pm_registry_free(registry);
            return NULL;
        }
    }
    return registry;
}

void pm_registry_open_by_path(PmRegistry *registry)
{
    registry->by_path = true;
}

static void loaded_free(PmLoaded *loaded)
{
    if (loaded == NULL) return;
    pm_handshake_finish(loaded);
    free((char *)loaded->file);
    free(loaded);
}

void pm_registry_free(PmRegistry *registry)
{
    if (registry == NULL) return;
    for (size_t i = 0; i < registry->count; i++) loaded_free(registry->loaded[i]);
    for (size_t i = 0; registry->dirs[i] != NULL; i++) free(registry->dirs[i]);
    free(registry);
}

static PmStatus check_dir(const char *dir, PmError *err)
{
    struct stat st;
    if (stat(dir, &st) != 0) return pm_error_set(err, PM_BAD_CONFIG, "%s: %s", dir, strerror(errno));
    PmStatus status = pm_trust_check(dir, &st, "folder", err);
    return status == PM_OK ? pm_trust_check_above(dir, err) : status;
}

/* --- opening: what is digested is what runs --- */

/* A plugin's file, open: its name may lead to another one at any moment. */
typedef struct Opened {
    int fd;
    struct stat st;
    bool by_path; /* it looks for libraries beside itself ($ORIGIN), which needs its real path */
} Opened;

/* Bytes that were read, with the end of those before: a name may lie across both. */
static bool names_origin(const unsigned char *bytes, size_t size)
{
    static const char *const words[] = {"$ORIGIN", "${ORIGIN}"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (memmem(bytes, size, words[i], strlen(words[i])) != NULL) return true;
    return false;
}

/* SHA-256 of the file as hex. */
static PmStatus digest_file(const char *file, Opened *opened, char digest[65], PmError *err)
{
    enum { CHUNK = 64 * 1024, OVERLAP = 16 };
    PmStatus status = PM_OK;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    unsigned char bytes[OVERLAP + CHUNK] = {0}, sum[EVP_MAX_MD_SIZE];
    bool ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;
    ssize_t got = 0;
    while (ok && (got = read(opened->fd, bytes + OVERLAP, CHUNK)) > 0) {
        ok = EVP_DigestUpdate(md, bytes + OVERLAP, (size_t)got) == 1;
        opened->by_path = opened->by_path || names_origin(bytes, OVERLAP + (size_t)got);
        memmove(bytes, bytes + got, OVERLAP);
    }
    unsigned length = 0;
    if (!ok || got < 0 || EVP_DigestFinal_ex(md, sum, &length) != 1 || length != 32)
        status =
            pm_error_set(err, PM_BAD_CONFIG, "%s: cannot read: %s", file, got < 0 ? strerror(errno) : "no SHA-256");
    for (unsigned i = 0; status == PM_OK && i < length; i++) snprintf(digest + 2 * i, 3, "%02x", sum[i]);
    EVP_MD_CTX_free(md);
    return status;
}

static PmStatus open_file(const char *file, bool check, Opened *opened, PmError *err)
{
    *opened = (Opened){.fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK)}; /* non-blocking: it might be a FIFO */
    if (opened->fd < 0) return pm_error_set(err, PM_BAD_CONFIG, "%s: cannot open: %s", file, strerror(errno));
    if (fstat(opened->fd, &opened->st) != 0 || !S_ISREG(opened->st.st_mode) || opened->st.st_size > FILE_MAX_BYTES)
        return pm_error_set(err, PM_BAD_CONFIG, "%s: expected a regular file of at most %d MiB", file,
                            FILE_MAX_BYTES / 1024 / 1024);
    PmStatus status = check ? pm_trust_check(file, &opened->st, "file", err) : PM_OK;
    return status == PM_OK && check ? pm_trust_check_above(file, err) : status;
}

static bool unchanged(const char *file, const struct stat *before)
{
    struct stat now;
    return stat(file, &now) == 0 && now.st_dev == before->st_dev && now.st_ino == before->st_ino &&
           now.st_size == before->st_size && now.st_ctim.tv_sec == before->st_ctim.tv_sec &&
           now.st_ctim.tv_nsec == before->st_ctim.tv_nsec;
}

/* The descriptor's name, another one each time: to the dynamic linker a name that it knows is a file that it has, and
 * numbers of descriptors come again. */
static bool descriptor_path(int fd, char *out, size_t size)
{
    static unsigned times;
    size_t used = (size_t)snprintf(out, size, "/proc/self/fd/");
    for (unsigned i = 0; i < times && used + 2 < size; i++) used += (size_t)snprintf(out + used, size - used, "./");
    if (used + 12 > size) return false;
    snprintf(out + used, size - used, "%d", fd);
    times++;
    struct stat st;
    return stat(out, &st) == 0;
}

/* From here on it goes by its real name: for who names the plugin that crashed, and for debuggers. The linker's own
 * text stays where it is, since others may hold it. */
static void rename_object(void *handle, const char *file)
{
    struct link_map *map = NULL;
    if (dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0 || map == NULL) return;
    static char *kept[2 * PLUGINS_MAX];
    static size_t count;
    char *name = strdup(file);
    if (name == NULL || count + 2 > sizeof kept / sizeof kept[0] || strcmp(map->l_name, file) == 0) {
        free(name);
        return;
    }
    kept[count++] = map->l_name;
    kept[count++] = name;
    map->l_name = name;
}

static void *open_object(const char *file, const Opened *opened)
{
    char path[PATH_MAX];
    if (opened->by_path || !descriptor_path(opened->fd, path, sizeof path)) return dlopen(file, RTLD_NOW | RTLD_LOCAL);
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle != NULL) rename_object(handle, file);
    return handle;
}

/* The dynamic linker's message, told as a refusal: a missing symbol is the commonest one and needs its own fix. */
static PmStatus refuse_open(const char *file, const char *reason, PmError *err)
{
    static const char undefined[] = "undefined symbol: ";
    const char *symbol = reason != NULL ? strstr(reason, undefined) : NULL;
    if (symbol != NULL) {
        symbol += sizeof undefined - 1;
        int length = (int)strcspn(symbol, " ,(");
        pm_error_set(err, PM_BAD_CONFIG,
                     "%s: expected only symbols of libvips %s, GLib and the libraries it names, found %.*s", file,
                     vips_version_string(), length, symbol);
        if (strncmp(symbol, "vips_", 5) == 0)
            pm_error_hint(err, "update libvips, or rebuild the plugin with the libvips that runs here");
        else
            pm_error_hint(err, "link what defines %.*s into the plugin", length, symbol);
        return PM_BAD_CONFIG;
    }
    /* The linker knows the file by its descriptor. */
    bool descriptor = reason != NULL && strncmp(reason, "/proc/self/fd/", 14) == 0 && strchr(reason, ':') != NULL;
    pm_error_set(err, PM_BAD_CONFIG, "%s: cannot be opened: %s%s", file, descriptor ? file : "",
                 reason == NULL ? "no reason given"
                 : descriptor   ? strchr(reason, ':')
                                : reason);
    pm_error_hint(err, "expected a shared object for this machine, with every library it names installed");
    return PM_BAD_CONFIG;
}

typedef struct CodeSearch {
    ElfW(Addr) base;
    uintptr_t begin, end;
} CodeSearch;

static int find_code(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    CodeSearch *search = data;
    if (info->dlpi_addr != search->base) return 0;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X)) continue;
        uintptr_t begin = info->dlpi_addr + segment->p_vaddr;
        uintptr_t end = begin + segment->p_memsz;
        if (search->end == 0 || begin < search->begin) search->begin = begin;
        if (end > search->end) search->end = end;
    }
    return 1;
}

/* What a plugin imports is known by name alone: the string table of its symbols holds nothing else of that name. */
static bool names(const struct link_map *map, const char *symbol)
{
    const char *strings = NULL;
    size_t size = 0;
    for (const ElfW(Dyn) *entry = map->l_ld; entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_STRTAB) strings = (const char *)entry->d_un.d_ptr; /* relocated by the dynamic linker */
        if (entry->d_tag == DT_STRSZ) size = entry->d_un.d_val;
    }
    return strings != NULL && memmem(strings, size, symbol, strlen(symbol) + 1) != NULL;
}

static void look_into(void *handle, PmLoaded *loaded)
{
    struct link_map *map = NULL;
    if (dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0 || map == NULL) return;
    CodeSearch search = {.base = map->l_addr};
    dl_iterate_phdr(find_code, &search);
    loaded->begin = search.begin;
    loaded->end = search.end;
    loaded->draws_text = names(map, "vips_text");
}

/* `file` is absolute. The handle is never closed: a plugin may have left threads, atexit handlers or GObject types that
 * point into its code. */
static PmStatus open_plugin(PmRegistry *registry, const char *file, bool check, PmError *err)
{
    PmLoaded *loaded = NULL;
    PmStatus status;
    Opened opened = {.fd = -1};
    if (registry->count == PLUGINS_MAX)
        return pm_error_set(err, PM_LIMIT, "%s: expected at most %d plugins", file, PLUGINS_MAX);
    loaded = calloc(1, sizeof *loaded);
    if (loaded == NULL || (loaded->file = strdup(file)) == NULL) {
        status = pm_error_set(err, PM_LIMIT, "%s: out of memory", file);
        goto fail;
    }
    status = open_file(file, check, &opened, err);
    if (status == PM_OK) status = digest_file(file, &opened, loaded->digest, err);
    if (status != PM_OK) goto fail;

    opened.by_path = opened.by_path || registry->by_path;
    void *handle = open_object(file, &opened);
    if (handle == NULL) {
        status = refuse_open(file, dlerror(), err);
        goto fail;
    }
    if (opened.by_path && !unchanged(file, &opened.st)) {
        status = pm_error_set(err, PM_BAD_CONFIG, "%s: changed while it was opened", file);
        goto fail;
    }
    loaded->handle = handle;
    PmPluginEntry entry;
    void *symbol = dlsym(handle, "pixmill_plugin");
    if (symbol == NULL) {
        status =
            pm_error_set(err, PM_BAD_CONFIG, "%s: expected the exported function pixmill_plugin, found none", file);
        pm_error_hint(err, "it is not a pixmill plugin; define pixmill_plugin() with PM_PLUGIN()");
        goto fail;
    }
    memcpy(&entry, &symbol, sizeof entry); /* ISO C knows no cast from object to function pointer */
    status = pm_handshake(file, entry(), loaded, err);
    if (status != PM_OK) goto fail;
    look_into(handle, loaded);
    registry->loaded[registry->count] = loaded;
    registry->count++;
    close(opened.fd);
    return PM_OK;
fail:
    if (opened.fd >= 0) close(opened.fd);
    loaded_free(loaded);
    return status;
}

bool pm_registry_draws_text(const PmRegistry *registry)
{
    for (size_t i = 0; i < registry->count; i++)
        if (registry->loaded[i]->draws_text) return true;
    return false;
}

static const PmLoaded *find_loaded(const PmRegistry *registry, const char *name)
{
    for (size_t i = 0; i < registry->count; i++)
        if (strcmp(registry->loaded[i]->transform.name, name) == 0) return registry->loaded[i];
    return NULL;
}

/* "there is no plugin x", with the nearest name or those there are, and where was looked. */
static void refuse_unknown(const PmRegistry *registry, const char *name, PmError *err)
{
    pm_error_set(err, PM_BAD_CONFIG, "there is no plugin %.60s", name);
    json_t *names = pm_registry_names(registry);
    size_t count = json_array_size(names);
    const char **words = calloc(count + 1, sizeof *words);
    const char *near = NULL;
    char all[160] = "", dirs[90] = "";
    if (words != NULL) {
        for (size_t i = 0; i < count; i++) words[i] = json_string_value(json_array_get(names, i));
        near = pm_text_nearest(name, words);
        pm_text_join(words, ", ", all, sizeof all);
    }
    pm_text_join((const char *const *)registry->dirs, ", ", dirs, sizeof dirs);
    if (near != NULL)
        pm_error_hint(err, "did you mean %s? looked in %s", near, dirs);
    else if (all[0] != '\0')
        pm_error_hint(err, "there are %s; in %s", all, dirs);
    else
        pm_error_hint(err, "looked for %.60s.so in %s", name, dirs[0] != '\0' ? dirs : "no folder: none is set");
    free(words);
    json_decref(names);
}

const PmLoaded *pm_registry_load(PmRegistry *registry, const char *name, PmError *err)
{
    /* The name becomes part of a path, so this comes first. */
    if (!pm_plugin_name_ok(name)) {
        pm_error_set(err, PM_BAD_CONFIG, "expected a plugin's name in lower-case-with-dashes, found \"%.60s\"", name);
        pm_error_hint(err, "a to z, 0 to 9 and -, a letter first, at most %d characters", PM_PLUGIN_NAME_MAX);
        return NULL;
    }
    const PmLoaded *loaded = find_loaded(registry, name);
    if (loaded != NULL) return loaded;
    for (size_t i = 0; registry->dirs[i] != NULL; i++) {
        const char *dir = registry->dirs[i];
        if (dir[0] != '/') {
            pm_error_set(err, PM_BAD_CONFIG, "%s: expected a plugin folder as an absolute path", dir);
            pm_error_hint(err, "a relative one would depend on where pixmill is started");
            return NULL;
        }
        char file[PATH_MAX];
        int length = snprintf(file, sizeof file, "%s/%s.so", dir, name);
        if (length < 0 || (size_t)length >= sizeof file || access(file, F_OK) != 0) continue;
        if (check_dir(dir, err) != PM_OK || open_plugin(registry, file, true, err) != PM_OK) return NULL;
        return registry->loaded[registry->count - 1];
    }
    refuse_unknown(registry, name, err);
    return NULL;
}

const PmLoaded *pm_registry_load_file(PmRegistry *registry, const char *file, PmError *err)
{
    char *path = realpath(file, NULL);
    if (path == NULL) {
        pm_error_set(err, PM_BAD_CONFIG, "%s: %s", file, strerror(errno));
        return NULL;
    }
    const PmLoaded *loaded = NULL;
    for (size_t i = 0; i < registry->count && loaded == NULL; i++)
        if (strcmp(registry->loaded[i]->file, path) == 0) loaded = registry->loaded[i];
    if (loaded == NULL && open_plugin(registry, path, false, err) == PM_OK)
        loaded = registry->loaded[registry->count - 1];
    free(path);
    return loaded;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

json_t *pm_registry_names(const PmRegistry *registry)
{
    char names[PLUGINS_MAX][PM_PLUGIN_NAME_MAX + 1];
    const char *sorted[PLUGINS_MAX];
    size_t count = 0;
    for (size_t i = 0; registry->dirs[i] != NULL; i++) {
        DIR *dir = opendir(registry->dirs[i]);
        if (dir == NULL) continue;
        for (struct dirent *entry; (entry = readdir(dir)) != NULL && count < PLUGINS_MAX;) {
            size_t length = strlen(entry->d_name);
            if (length < 4 || length > PM_PLUGIN_NAME_MAX + 3 || strcmp(entry->d_name + length - 3, ".so") != 0)
                continue;
            memcpy(names[count], entry->d_name, length - 3);
            names[count][length - 3] = '\0';
            if (pm_plugin_name_ok(names[count])) count++;
        }
        closedir(dir);
    }
    for (size_t i = 0; i < count; i++) sorted[i] = names[i];
    qsort(sorted, count, sizeof *sorted, compare_names);
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        if (i == 0 || strcmp(sorted[i], sorted[i - 1]) != 0) json_array_append_new(array, json_string(sorted[i]));
    return array;
}

const PmLoaded *pm_registry_at(const PmRegistry *registry, uintptr_t address)
{
    for (size_t i = 0; i < registry->count; i++)
        if (address >= registry->loaded[i]->begin && address < registry->loaded[i]->end) return registry->loaded[i];
    return NULL;
}
