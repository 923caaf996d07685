/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/warmup.h"

#include <dirent.h>
#include <dlfcn.h>
#include <glib.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <vips/vips.h>
#if VIPS_MAJOR_VERSION == 8 && VIPS_MINOR_VERSION < 15
#include <vips/vector.h> /* needs vips.h before it */
#define VIPS_MAY_USE_ORC 1
#endif

#include "base/clock.h"
#include "worker/idle_threads.h"
#include "worker/stacks.h"

enum { NAP_MS = 2, QUIET_LOOKS = 3, PATIENCE_MS = 20 * 1000 };

/* The first bytes of an AVIF: enough for libheif to be asked, which then opens its codecs, plugins of its own since
 * 1.14. The image behind them is missing, and the error is forgotten. */
static void warm_up_heif(void)
{
    static const char bytes[] = "\0\0\0\x1c"
                                "ftypavif\0\0\0\0avifmif1miaf";
    VipsImage *image = NULL;
    if (vips_type_find("VipsOperation", "heifload_buffer") != 0 &&
        vips_heifload_buffer((void *)bytes, sizeof bytes - 1, &image, NULL) == 0)
        g_object_unref(image);
    vips_error_clear();
}

/* The size of the ink of a line of text; false: it is not drawn. */
static bool measure(const char *letters, int *width, int *height)
{
    VipsImage *image = NULL;
    if (vips_text(&image, letters, "font", "sans 12", NULL) != 0) return false;
    *width = image->Xsize;
    *height = image->Ysize;
    g_object_unref(image);
    return true;
}

/* Fontconfig reads its configuration and caches once per process; Pango and FreeType load with it. False: where there
 * is no font, Pango draws boxes, which are of one size whichever letter they stand for. */
static bool warm_up_text(void)
{
    int narrow[2], wide[2];
    if (vips_type_find("VipsOperation", "text") == 0) return true; /* there is no asking */
    bool drawn = measure("iii", &narrow[0], &narrow[1]) && measure("WWW", &wide[0], &wide[1]) &&
                 (narrow[0] != wide[0] || narrow[1] != wide[1]);
    vips_error_clear();
    return drawn;
}

void pm_warm_up_names(void)
{
    json_object_seed(0); /* else the first object of a child would look for /dev/urandom */
    tzset();
    (void)g_get_home_dir(); /* would ask for the user over a socket, which kills */
    (void)g_get_user_name();
}

bool pm_warm_up(bool fonts)
{
    /* glibc loads it when the first thread ends by pthread_exit(). Never closed. */
    (void)dlopen("libgcc_s.so.1", RTLD_NOW | RTLD_GLOBAL);
    warm_up_heif();
    bool good = !fonts || warm_up_text();
    pm_stacks_reserve();
    return good;
}

bool pm_warm_up_jit(void)
{
#ifdef VIPS_MAY_USE_ORC
    return vips_version(1) < 15 && vips_vector_isenabled();
#else
    return false;
#endif
}

int pm_thread_count(void)
{
    DIR *dir = opendir("/proc/self/task");
    if (dir == NULL) return 0;
    int count = 0;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

/* From 1.52 on Pango has a thread that asks Fontconfig, and keeps it as long as its font map, which libvips keeps for
 * good. Asleep it holds no lock. */
static bool is_pango_asleep(const char *tid)
{
    char path[300], line[200] = "";
    snprintf(path, sizeof path, "/proc/self/task/%s/stat", tid);
    FILE *file = fopen(path, "re");
    if (file == NULL) return false;
    const char *read = fgets(line, sizeof line, file), *name_end = strrchr(line, ')');
    fclose(file);
    return read != NULL && strstr(line, "([pango] ") != NULL && name_end != NULL && strncmp(name_end, ") S", 3) == 0;
}

/* Threads besides this one that may be at work. */
static int busy_threads(void)
{
    DIR *dir = opendir("/proc/self/task");
    if (dir == NULL) return 0;
    int count = -1; /* this one */
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
        count += entry->d_name[0] != '.' && !is_pango_asleep(entry->d_name);
    closedir(dir);
    return count;
}

PmStatus pm_warm_up_settle(int64_t *waited_ms, PmError *err)
{
    int64_t start_ms = pm_clock_mono_ms();
    int quiet = 0, threads = 0;
    *waited_ms = 0;
    pm_idle_threads_end();
    if (pm_thread_count() <= 1) return PM_OK;
    while (quiet < QUIET_LOOKS && *waited_ms < PATIENCE_MS) {
        threads = busy_threads();
        quiet = threads <= 0 ? quiet + 1 : 0;
        nanosleep(&(struct timespec){.tv_nsec = NAP_MS * 1000L * 1000}, NULL);
        *waited_ms = pm_clock_mono_ms() - start_ms;
    }
    if (quiet == QUIET_LOOKS) return PM_OK;
    pm_error_set(err, PM_BUG, "a plugin or library keeps %d threads running after loading, so nothing can be forked",
                 threads);
    pm_error_hint(err, "a plugin must not start threads in create()");
    return PM_BUG;
}
