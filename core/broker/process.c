/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"

/* Where an installed pixmill finds its parts, from the folder of its own executable: the prefix may be moved. */
#ifndef PIXMILL_TO_LIBEXEC
#define PIXMILL_TO_LIBEXEC "../libexec/pixmill"
#endif
#ifndef PIXMILL_TO_PLUGINS
#define PIXMILL_TO_PLUGINS "../lib/pixmill/plugins"
#endif

enum { WORKER_FD = 3 };

static void own_folder(char *out, size_t size)
{
    /* Not /proc/self/exe: in a bundle that is the dynamic linker. */
    char *own = realpath((const char *)getauxval(AT_EXECFN), NULL);
    pm_text_copy(out, size, own != NULL ? own : "");
    free(own);
    char *slash = strrchr(out, '/');
    if (slash != NULL) *slash = '\0';
}

static bool find_worker(const PmPoolOptions *options, char *out, size_t size, PmError *err)
{
    const char *configured = options->worker != NULL ? options->worker : getenv("PIXMILL_WORKER");
    char folder[2048];
    own_folder(folder, sizeof folder);
    if (configured != NULL && configured[0] != '\0') {
        pm_text_copy(out, size, configured);
        if (access(out, X_OK) == 0) return true;
        pm_error_set(err, PM_BAD_CONFIG, "cannot start %.300s: %s", out, strerror(errno));
        return false;
    }
    static const char *const places[] = {"pixmill-worker", PIXMILL_TO_LIBEXEC "/pixmill-worker"};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        int n = snprintf(out, size, "%s/%s", folder, places[i]);
        if (n > 0 && (size_t)n < size && access(out, X_OK) == 0) return true;
    }
    pm_error_set(err, PM_BAD_CONFIG, "pixmill-worker is neither in %.300s nor in " PIXMILL_TO_LIBEXEC " from there",
                 folder);
    pm_error_hint(err, "say where it is with PIXMILL_WORKER");
    return false;
}

static void add_folder(json_t *list, const char *path)
{
    struct stat st;
    char *real = realpath(path, NULL);
    if (real == NULL || stat(real, &st) != 0 || !S_ISDIR(st.st_mode)) {
        free(real);
        return;
    }
    bool known = false;
    for (size_t i = 0; i < json_array_size(list); i++)
        known = known || strcmp(json_string_value(json_array_get(list, i)), real) == 0;
    if (!known) json_array_append_new(list, json_string(real));
    free(real);
}

static void add_folders(json_t *list, const char *paths)
{
    char *copy = paths != NULL ? strdup(paths) : NULL, *save = NULL;
    for (char *path = copy != NULL ? strtok_r(copy, ":", &save) : NULL; path != NULL; path = strtok_r(NULL, ":", &save))
        add_folder(list, path);
    free(copy);
}

json_t *pm_pool_plugin_dirs(const PmPoolOptions *options)
{
    json_t *list = json_array();
    char folder[2048], path[2200];
    add_folders(list, options->plugin_dirs);
    add_folders(list, getenv("PIXMILL_PLUGIN_PATH"));
    own_folder(folder, sizeof folder);
    static const char *const places[] = {"../plugins", PIXMILL_TO_PLUGINS}; /* a build tree; an installation */
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, places[i]);
        add_folder(list, path);
    }
    return list;
}

/* What a worker may know of our environment: nothing that could hold a secret. */
static char *const *clean_environment(void)
{
    static const char *const kept[] = {"LANG",
                                       "LC_ALL",
                                       "TZ",
                                       "VIPS_NOVECTOR",
                                       "VIPS_WARNING",
                                       "FONTCONFIG_PATH",
                                       "FONTCONFIG_FILE",
                                       "LD_LIBRARY_PATH",
                                       "VIPSHOME",
                                       "ASAN_OPTIONS",
                                       "UBSAN_OPTIONS",
                                       "LSAN_OPTIONS",
                                       "GIO_MODULE_DIR"};
    static char values[sizeof kept / sizeof kept[0] + 3][1024];
    static char *environment[sizeof kept / sizeof kept[0] + 4];
    size_t n = 0;
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        const char *value = getenv(kept[i]);
        if (value == NULL || snprintf(values[n], sizeof values[n], "%s=%s", kept[i], value) >= (int)sizeof values[n])
            continue;
        environment[n] = values[n];
        n++;
    }
    snprintf(values[n], sizeof values[n], "VIPS_CONCURRENCY=1");
    environment[n] = values[n];
    n++;
    snprintf(values[n], sizeof values[n], "HOME=/nonexistent");
    environment[n] = values[n];
    n++;
    environment[n] = NULL;
    return environment;
}

/* In the new process: only async-signal-safe calls. `channel` is above WORKER_FD. */
static void become_worker(const char *path, int channel, pid_t parent, char *const *environment)
{
    static const char no_null[] = "pixmill: no worker without /dev/null, which cannot be opened\n";
    int null = open("/dev/null", O_RDWR);
    if (null < 0 && write(STDERR_FILENO, no_null, sizeof no_null - 1) > 0) _exit(126);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
        _exit(126);
    if (dup2(channel, WORKER_FD) < 0) _exit(126);
    if (close_range(WORKER_FD + 1, ~0U, 0) != 0)
        for (int fd = WORKER_FD + 1; fd < 4096; fd++) close(fd);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    char *const arguments[] = {(char *)"pixmill-worker", (char *)"--fd", (char *)"3", NULL};
    execve(path, arguments, environment);
    _exit(127);
}

PmStatus pm_process_start(const PmPoolOptions *options, int *sock, pid_t *pid, PmError *err)
{
    char path[4096];
    int pair[2];
    if (!find_worker(options, path, sizeof path, err)) return err->status;
    if (pm_ipc_pair(pair, err) != PM_OK) return err->status;
    int channel = fcntl(pair[1], F_DUPFD_CLOEXEC, WORKER_FD + 1);
    close(pair[1]);
    if (channel < 0) {
        close(pair[0]);
        return pm_error_set(err, PM_TRANSIENT, "no channel to a worker: %s", strerror(errno));
    }
    char *const *environment = clean_environment();
    pid_t parent = getpid(), child = fork();
    if (child == 0) become_worker(path, channel, parent, environment);
    close(channel);
    if (child < 0) {
        close(pair[0]);
        return pm_error_set(err, PM_TRANSIENT, "cannot start a process: %s", strerror(errno));
    }
    *sock = pair[0];
    *pid = child;
    return PM_OK;
}

int pm_process_end(pid_t pid)
{
    int status = 0;
    if (pid <= 0) return 0;
    kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

json_t *pm_pool_ask(const PmPoolOptions *options, PmMessageType type, const json_t *body, PmError *err)
{
    int sock = -1;
    pid_t pid = 0;
    json_t *answer = NULL;
    if (pm_process_start(options, &sock, &pid, err) != PM_OK) return NULL;
    PmMessage message = {0};
    bool got = false;
    if (pm_ipc_send(sock, type, body, NULL, 0, err) == PM_OK && pm_ipc_receive(sock, 0, &message, &got, err) == PM_OK &&
        got) {
        if (message.type == PM_MSG_ERRORS)
            pm_error_from_json(json_array_get(json_object_get(message.body, "errors"), 0), err);
        else
            answer = json_incref(message.body);
        pm_message_finish(&message);
    }
    pm_error_context(err, "pixmill-worker");
    close(sock);
    pm_process_end(pid);
    return answer;
}
