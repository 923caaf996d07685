/* SPDX-License-Identifier: Apache-2.0 */
#include "workers/process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/spawn.h"
#include "base/text.h"

/* Where an installed pixmill finds its parts, from the folder of its own executable: the prefix may be moved. */
#ifndef PIXMILL_TO_LIBEXEC
#define PIXMILL_TO_LIBEXEC "../libexec/pixmill"
#endif
#ifndef PIXMILL_TO_PLUGINS
#define PIXMILL_TO_PLUGINS "../lib/pixmill/plugins"
#endif

static void own_folder(char *out, size_t size)
{
    /* Not /proc/self/exe: in a bundle that is the dynamic linker. */
    char *own = realpath((const char *)getauxval(AT_EXECFN), NULL);
    pm_text_copy(out, size, own != NULL ? own : "");
    free(own);
    char *slash = strrchr(out, '/');
    if (slash != NULL) *slash = '\0';
}

PmStatus pm_process_worker(const PmPoolOptions *options, char *out, size_t size, PmError *err)
{
    const char *configured = options->worker != NULL ? options->worker : getenv("PIXMILL_WORKER");
    char folder[2048];
    own_folder(folder, sizeof folder);
    if (configured != NULL && configured[0] != '\0') {
        pm_text_copy(out, size, configured);
        if (access(out, X_OK) == 0) return PM_OK;
        pm_error_set(err, PM_BAD_CONFIG, "cannot start %.300s: %s", out, strerror(errno));
        return PM_BAD_CONFIG;
    }
    static const char *const places[] = {"pixmill-worker", PIXMILL_TO_LIBEXEC "/pixmill-worker"};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        int n = snprintf(out, size, "%s/%s", folder, places[i]);
        if (n > 0 && (size_t)n < size && access(out, X_OK) == 0) return PM_OK;
    }
    pm_error_set(err, PM_BAD_CONFIG, "pixmill-worker is neither in %.300s nor in " PIXMILL_TO_LIBEXEC " from there",
                 folder);
    pm_error_hint(err, "say where it is with PIXMILL_WORKER");
    return PM_BAD_CONFIG;
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

PmStatus pm_process_start(const PmPoolOptions *options, int *sock, pid_t *pid, PmError *err)
{
    char path[4096];
    if (options->worker == NULL && pm_spawn_take_over(sock, pid)) return PM_OK;
    if (pm_process_worker(options, path, sizeof path, err) != PM_OK) return err->status;
    int error = pm_spawn_worker(path, (char *const[]){PM_SPAWN_ARGUMENTS, NULL}, sock, pid);
    return error == 0 ? PM_OK : pm_error_set(err, PM_TRANSIENT, "cannot start a process: %s", strerror(error));
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

/* What plugins and libraries log comes in between, as often as they like. True: the answer is still to come. */
static bool take_answer(const PmMessage *message, PmMessageType asked, json_t **answer, PmError *err)
{
    const json_t *error = json_array_get(json_object_get(message->body, "errors"), 0);
    if (message->type == PM_MSG_LOG) {
        json_int_t level = json_integer_value(json_object_get(message->body, "level"));
        pm_log(level >= PM_LOG_ERROR && level <= PM_LOG_DEBUG ? (int)level : PM_LOG_DEBUG, "worker.log", "plugin",
               json_string_value(json_object_get(message->body, "plugin")), "msg",
               json_string_value(json_object_get(message->body, "text")), NULL);
        return true;
    }
    if (message->type == (asked == PM_MSG_CHECK ? PM_MSG_CHECKED : PM_MSG_DESCRIBED))
        *answer = json_incref(message->body);
    else if (message->type == PM_MSG_ERRORS && error != NULL)
        pm_error_from_json(error, err);
    else
        pm_error_set(err, PM_BUG, "%s is not an answer to %s", pm_message_name(message->type), pm_message_name(asked));
    return false;
}

json_t *pm_pool_ask(const PmPoolOptions *options, PmMessageType type, const json_t *body, PmError *err)
{
    int sock = -1;
    pid_t pid = 0;
    json_t *answer = NULL;
    if (pm_process_start(options, &sock, &pid, err) != PM_OK) return NULL;
    bool waiting = pm_ipc_send(sock, type, body, NULL, 0, err) == PM_OK;
    while (waiting) {
        PmMessage message = {0};
        bool got = false;
        if (pm_ipc_receive(sock, 0, &message, &got, err) != PM_OK) break;
        if (got) waiting = take_answer(&message, type, &answer, err);
        pm_message_finish(&message);
    }
    pm_error_context(err, "pixmill-worker");
    close(sock);
    pm_process_end(pid);
    return answer;
}
