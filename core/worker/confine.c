/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/confine.h"

#include <errno.h>
#include <limits.h>
#include <link.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"

enum { PATHS_MAX = 512, SCOPED_ABI = 6 };

/* Of libraries, what they read when they start, and what the C library asks about the machine. None of it is secret. */
static const char *const system_paths[] = {"/lib",
                                           "/lib32",
                                           "/lib64",
                                           "/usr/lib",
                                           "/usr/lib32",
                                           "/usr/lib64",
                                           "/usr/libexec",
                                           "/usr/share",
                                           "/usr/local/lib",
                                           "/usr/local/lib64",
                                           "/usr/local/share",
                                           "/etc/ld.so.cache",
                                           "/etc/ld.so.preload",
                                           "/etc/localtime",
                                           "/etc/locale.alias",
                                           "/etc/ssl/openssl.cnf",
                                           "/etc/pki/tls/openssl.cnf",
                                           "/etc/crypto-policies",
                                           "/etc/ImageMagick-6",
                                           "/etc/ImageMagick-7",
                                           "/etc/OpenCL",
                                           "/dev/null",
                                           "/dev/zero",
                                           "/dev/random",
                                           "/dev/urandom",
                                           "/proc/self",
                                           "/proc/cpuinfo",
                                           "/proc/meminfo",
                                           "/proc/stat",
                                           "/proc/version",
                                           "/proc/sys/vm",
                                           "/proc/sys/kernel",
                                           "/sys/devices/system",
                                           "/sys/fs/cgroup",
                                           "/sys/kernel/mm"};

typedef struct Paths {
    char *items[PATHS_MAX + 1]; /* owned */
    size_t count;
    bool full;
} Paths;

static bool is_below(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

static void add(Paths *paths, const char *path)
{
    if (path == NULL || path[0] != '/' || path[1] == '\0') return; /* never all files */
    for (size_t i = 0; i < paths->count; i++)
        if (is_below(path, paths->items[i])) return;
    char *copy = paths->count < PATHS_MAX ? strdup(path) : NULL;
    if (copy == NULL)
        paths->full = true;
    else
        paths->items[paths->count++] = copy;
}

/* "a:b", as in LD_LIBRARY_PATH. */
static void add_list(Paths *paths, const char *list)
{
    char *copy = list != NULL ? strdup(list) : NULL, *save = NULL;
    for (char *path = copy != NULL ? strtok_r(copy, ":", &save) : NULL; path != NULL; path = strtok_r(NULL, ":", &save))
        add(paths, path);
    free(copy);
}

/* Where a library was found others lie that it opens later: codecs of libheif, modules of libvips. */
static int add_library(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    char *real = info->dlpi_name[0] == '/' ? realpath(info->dlpi_name, NULL) : NULL;
    char *slash = real != NULL ? strrchr(real, '/') : NULL;
    if (slash != NULL) {
        *slash = '\0';
        add(data, real);
    }
    free(real);
    return 0;
}

/* Which parameter is an asset is known only with its plugin: whatever names a file could be one. Its folder stays
 * closed: that may be a home. */
static void add_files(Paths *paths, const PmPipeline *pipeline, const PmNode *node)
{
    if (node == NULL) return;
    if (node->kind == PM_NODE_SCALAR) {
        struct stat info;
        char *path = node->text != NULL && node->text[0] != '\0' ? pm_pipeline_path(pipeline, node->text) : NULL;
        if (path != NULL && stat(path, &info) == 0 && S_ISREG(info.st_mode)) add(paths, path);
        free(path);
    }
    for (size_t i = 0; i < node->count; i++)
        add_files(paths, pipeline, node->kind == PM_NODE_SEQUENCE ? node->items[i] : node->pairs[i].value);
}

static void add_assets(Paths *paths, const PmPipeline *pipeline)
{
    for (size_t i = 0; i < pipeline->step_count; i++) add_files(paths, pipeline, pipeline->steps[i].params);
    for (size_t i = 0; i < pipeline->output_count; i++)
        for (size_t k = 0; k < pipeline->outputs[i].step_count; k++)
            add_files(paths, pipeline, pipeline->outputs[i].steps[k].params);
}

static int close_files(const PmSandbox *sandbox, const char *const *plugin_dirs, const PmPipeline *pipeline)
{
    Paths paths = {.count = 0};
    /* First, or /usr/share would stand for those below it: they keep their rule where children see them without it, in
     * an empty root. */
    for (size_t i = 0; sandbox->fonts.folders[i] != NULL; i++) add(&paths, sandbox->fonts.folders[i]);
    for (size_t i = 0; i < sizeof system_paths / sizeof system_paths[0]; i++) add(&paths, system_paths[i]);
    dl_iterate_phdr(add_library, &paths);
    add_list(&paths, getenv("LD_LIBRARY_PATH"));
    add_list(&paths, getenv("GIO_MODULE_DIR"));
    add_list(&paths, getenv("VIPSHOME"));
    for (size_t i = 0; plugin_dirs[i] != NULL; i++) add(&paths, plugin_dirs[i]);
    if (pipeline != NULL) add_assets(&paths, pipeline);
    int error = paths.full ? E2BIG : pm_landlock_enter(sandbox->landlock_abi, (const char *const *)paths.items);
    for (size_t i = 0; i < paths.count; i++) free(paths.items[i]);
    return error;
}

PmStatus pm_confine(const PmSandbox *sandbox, const char *const *plugin_dirs, const PmPipeline *pipeline, PmError *err)
{
    /* A root that may read what others own keeps that: pipelines and plugins may lie in a user's home. */
    enum { READING = 1 << CAP_DAC_OVERRIDE | 1 << CAP_DAC_READ_SEARCH };
    bool landlocked = (sandbox->layers & PM_LAYER_LANDLOCK) != 0;
    const char *what = "no_new_privs";
    int error = pm_sandbox_no_new_privs();
    if (error == 0) {
        what = "capabilities";
        error = pm_sandbox_drop_capabilities(READING);
    }
    if (error == 0 && landlocked) {
        what = "landlock";
        error = close_files(sandbox, plugin_dirs, pipeline);
    }
    if (error == 0 && (sandbox->layers & PM_LAYER_SECCOMP) != 0) {
        what = "seccomp";
        error = pm_seccomp_confine(landlocked && sandbox->landlock_abi >= SCOPED_ABI);
    }
    if (error == 0) return PM_OK;
    return pm_error_set(err, PM_BUG, "the worker's own sandbox: %s: %s", what, strerror(error));
}
