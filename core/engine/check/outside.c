/* SPDX-License-Identifier: Apache-2.0
 *
 * The question of `pixmill plugin check` about what a plugin wants of the world outside. The sandbox refuses it anyway;
 * here the author is told, in words that say what to do instead. The calls that the plugin itself makes are led to us
 * by its global offset table; calls of libraries that it brings are left to the sandbox.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <threads.h>
#include <unistd.h>

#include "engine/check/rules.h"

static char seen[400]; /* what it wanted first */

static void note(const char *fmt, ...) PM_PRINTF(1, 2);

static void note(const char *fmt, ...)
{
    if (seen[0] != '\0') return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(seen, sizeof seen, fmt, ap);
    va_end(ap);
}

/* --- what is answered as the sandbox would --- */

static int refuse(void)
{
    errno = EACCES;
    return -1;
}

static int no_socket(int domain, int type, int protocol)
{
    (void)domain, (void)type, (void)protocol;
    note("asks for a socket: declare a PM_ENDPOINT and use host->fetch()");
    return refuse();
}

static int no_program(void)
{
    note("starts a program or a process");
    return refuse();
}

static int no_spawn(void)
{
    no_program();
    return EACCES;
}

static void *no_pipe(void)
{
    no_program();
    return NULL;
}

static void note_file(const char *path)
{
    note("opens %.300s: declare a PM_ASSET and use host->open_asset()", path != NULL ? path : "a file without a name");
}

static int no_open(const char *path)
{
    note_file(path);
    return refuse();
}

static int no_openat(int folder, const char *path)
{
    (void)folder;
    return no_open(path);
}

static void *no_fopen(const char *path)
{
    note_file(path);
    (void)refuse();
    return NULL;
}

static gboolean no_contents(const char *path, char **contents, gsize *size, GError **error)
{
    note_file(path);
    *contents = NULL;
    if (size != NULL) *size = 0;
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_ACCES, "%s: %s", path, g_strerror(EACCES));
    return FALSE;
}

/* --- what is done nevertheless --- */

static void note_thread(void)
{
    note("starts a thread: pixmill runs one process for each processor, and calls a plugin from one thread");
}

static int see_pthread(pthread_t *thread, const pthread_attr_t *attributes, void *(*call)(void *), void *data)
{
    note_thread();
    return pthread_create(thread, attributes, call, data);
}

static int see_thrd(thrd_t *thread, thrd_start_t call, void *data)
{
    note_thread();
    return thrd_create(thread, call, data);
}

static GThread *see_g_thread(const char *name, GThreadFunc call, gpointer data)
{
    note_thread();
    return g_thread_new(name, call, data);
}

static GThread *see_g_try_thread(const char *name, GThreadFunc call, gpointer data, GError **error)
{
    note_thread();
    return g_thread_try_new(name, call, data, error);
}

/* Looked up: a libvips that has GLib within it need not have this part of it, and then no plugin that loads calls it.
 */
static GThreadPool *see_g_pool(GFunc call, gpointer data, gint max, gboolean exclusive, GError **error)
{
    GThreadPool *(*make)(GFunc, gpointer, gint, gboolean, GError **) = NULL;
    note_thread();
    *(void **)&make = dlsym(RTLD_DEFAULT, "g_thread_pool_new");
    return make != NULL ? make(call, data, max, exclusive, error) : NULL;
}

static void see_g_log(const char *domain, GLogLevelFlags level, const char *fmt, ...)
{
    note("logs through GLib: use host->log(), whose lines name the step and the image");
    if ((level & G_LOG_LEVEL_ERROR) == 0) return;
    va_list ap;
    va_start(ap, fmt);
    g_logv(domain, level, fmt, ap); /* does not come back */
    va_end(ap);
}

static void see_g_log_structured(const char *domain, GLogLevelFlags level)
{
    see_g_log(domain, level, "from the plugin");
}

#define STUB(name_, function)                                \
    {                                                        \
        .name = (name_), .stub = (PmCheckFunction)(function) \
    }

static const PmCheckStub stubs[] = {
    STUB("socket", no_socket),
    STUB("execve", no_program),
    STUB("execv", no_program),
    STUB("execvp", no_program),
    STUB("execvpe", no_program),
    STUB("execl", no_program),
    STUB("execlp", no_program),
    STUB("execle", no_program),
    STUB("fork", no_program),
    STUB("vfork", no_program),
    STUB("system", no_program),
    STUB("popen", no_pipe),
    STUB("posix_spawn", no_spawn),
    STUB("posix_spawnp", no_spawn),
    STUB("open", no_open),
    STUB("open64", no_open),
    STUB("__open_2", no_open),
    STUB("__open64_2", no_open),
    STUB("creat", no_open),
    STUB("openat", no_openat),
    STUB("openat64", no_openat),
    STUB("fopen", no_fopen),
    STUB("fopen64", no_fopen),
    STUB("opendir", no_fopen),
    STUB("g_fopen", no_fopen),
    STUB("g_open", no_open),
    STUB("g_file_get_contents", no_contents),
    STUB("pthread_create", see_pthread),
    STUB("thrd_create", see_thrd),
    STUB("g_thread_new", see_g_thread),
    STUB("g_thread_try_new", see_g_try_thread),
    STUB("g_thread_pool_new", see_g_pool),
    STUB("g_log", see_g_log),
    STUB("g_log_structured", see_g_log_structured),
    STUB("g_log_structured_standard", see_g_log_structured),
};

/* A file stands for stdout in the children of check.c. */
static bool has_printed(void)
{
    struct stat file;
    fflush(stdout);
    return fstat(STDOUT_FILENO, &file) == 0 && S_ISREG(file.st_mode) && file.st_size > 0;
}

/* A whole life; what goes wrong in it is the other questions' concern. */
static void live(PmCheck *check)
{
    PmCheckStep *step = pm_check_make_step(check);
    PmCheckPicture pictures[PM_CHECK_PICTURES];
    if (step == NULL) return;
    bool made = pm_check_pictures_new(pictures);
    for (size_t i = 0; made && i < PM_CHECK_PICTURES; i++) {
        PmPlan plan;
        PmCheckResult result;
        if (pm_check_step_plan(step, &pictures[i].shape, &plan) != PM_OK || (plan.flags & PM_SKIP)) continue;
        (void)pm_check_step_run(step, pictures[i].image, &pictures[i].shape, &plan, &result);
        pm_check_result_finish(&result);
    }
    if (made) pm_check_pictures_free(pictures);
    pm_check_step_free(step);
}

bool pm_check_outside(PmCheck *check)
{
    static const char tier_1[] = "; this host has no sandbox that refuses it (tier 1)";
    pm_check_redirect(check->loaded, stubs, sizeof stubs / sizeof stubs[0]);
    live(check);
    if (seen[0] == '\0' && has_printed()) note("writes to stdout: use host->log()");
    if (seen[0] != '\0') return pm_check_say(check, false, "%s", seen);
    return pm_check_say(check, true, "asks for nothing%s", check->room != NULL && check->room->tier < 2 ? tier_1 : "");
}
