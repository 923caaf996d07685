/* SPDX-License-Identifier: Apache-2.0
 *
 * Credentials from this machine: environment, profile, credential_process.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "aws/provider.h"
#include "base/buffer.h"
#include "base/text.h"

extern char **environ;

enum { WORDS_MAX = 64, OUTPUT_MAX = 64 * 1024, PROCESS_TIMEOUT_MS = 60 * 1000 };

void pm_provider_environment(PmSearch *search)
{
    const char *id = getenv("AWS_ACCESS_KEY_ID"), *secret = getenv("AWS_SECRET_ACCESS_KEY");
    bool has_id = id != NULL && id[0] != '\0', has_secret = secret != NULL && secret[0] != '\0';
    if (has_id != has_secret) {
        pm_search_failed(search, PM_BAD_CONFIG, "%s is set, but %s is not",
                         has_id ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
                         has_id ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
    } else if (!has_id) {
        pm_search_absent(search, "environment");
    } else if (!pm_found_set(&search->found, id, secret, getenv("AWS_SESSION_TOKEN"), NULL, "environment")) {
        pm_search_failed(search, PM_BAD_CONFIG, "the credentials in the environment are too long");
    } else {
        pm_search_found(search);
    }
}

/* --- profile --- */

static const char *get(const PmSearch *search, const char *profile, const char *key)
{
    return pm_profiles_get(search->profiles, profile, key);
}

/* The keys written in a profile itself. */
static bool static_keys(const PmSearch *search, const char *profile, PmFound *found)
{
    char source[160];
    snprintf(source, sizeof source, "profile %s", profile);
    return pm_found_set(found, get(search, profile, "aws_access_key_id"), get(search, profile, "aws_secret_access_key"),
                        get(search, profile, "aws_session_token"), NULL, source);
}

static void assume_from_profile(PmSearch *search, const char *role_arn)
{
    const char *source = get(search, search->profile, "source_profile");
    const char *seconds = get(search, search->profile, "duration_seconds");
    const char *region = get(search, search->profile, "region");
    PmFound keys = {0};
    if (source == NULL) {
        pm_search_failed(search, PM_BAD_CONFIG, "profile %s has role_arn but no source_profile", search->profile);
        return;
    }
    if (!static_keys(search, source, &keys)) {
        pm_search_failed(search, PM_BAD_CONFIG, "profile %s: its source_profile %s holds no access key",
                         search->profile, source);
        return;
    }
    char label[160];
    snprintf(label, sizeof label, "role of profile %s", search->profile);
    PmAssumeRole role = {.role_arn = role_arn,
                         .session_name = get(search, search->profile, "role_session_name"),
                         .external_id = get(search, search->profile, "external_id"),
                         .region = region != NULL ? region : search->region,
                         .duration_s = seconds != NULL ? strtol(seconds, NULL, 10) : 0,
                         .label = label,
                         .source = &keys};
    pm_provider_assume_role(search, &role);
    pm_found_clear(&keys);
}

void pm_provider_profile(PmSearch *search)
{
    char label[160];
    snprintf(label, sizeof label, "profile %s", search->profile);
    const char *role = get(search, search->profile, "role_arn"),
               *process = get(search, search->profile, "credential_process");
    const char *name = getenv("AWS_PROFILE");
    bool named = name != NULL && name[0] != '\0';
    if (!pm_profiles_has(search->profiles, search->profile)) {
        if (named)
            pm_search_failed(search, PM_BAD_CONFIG,
                             "AWS_PROFILE names profile %s, which is in neither ~/.aws/credentials nor ~/.aws/config",
                             search->profile);
        else
            pm_search_absent(search, label);
    } else if (role != NULL && get(search, search->profile, "web_identity_token_file") == NULL) {
        assume_from_profile(search, role);
    } else if (static_keys(search, search->profile, &search->found)) {
        pm_search_found(search);
    } else if (process != NULL) {
        pm_provider_process(search, process, label);
    } else if (get(search, search->profile, "sso_session") != NULL ||
               get(search, search->profile, "sso_start_url") != NULL) {
        pm_search_failed(search, PM_BAD_CONFIG,
                         "profile %s signs in with SSO, which is not supported; export keys with "
                         "`aws configure export-credentials --format env`",
                         search->profile);
    } else {
        pm_search_absent(search, label);
    }
}

/* --- credential_process --- */

typedef struct Process {
    PmSearch *search;
    pid_t pid;
    int fd;
    PmWatch *watch;
    PmTimer *timer;
    PmBuffer output;
    char label[160];
} Process;

void pm_provider_process_cancel(void *data)
{
    Process *process = data;
    if (process == NULL) return;
    pm_loop_unwatch(process->watch);
    pm_loop_cancel(process->timer);
    if (process->fd >= 0) close(process->fd);
    if (process->pid > 0) {
        kill(process->pid, SIGKILL);
        waitpid(process->pid, NULL, 0);
    }
    pm_buffer_finish(&process->output);
    free(process);
}

/* Words by white space; "..." keeps spaces together, a backslash the next character. In place. */
static size_t split_words(char *text, char **words)
{
    size_t count = 0;
    char *from = text, *to = text;
    while (count < WORDS_MAX - 1) {
        while (*from == ' ' || *from == '\t') from++;
        if (*from == '\0') break;
        words[count++] = to;
        bool quoted = false;
        for (; *from != '\0' && (quoted || (*from != ' ' && *from != '\t')); from++) {
            if (*from == '"') {
                quoted = !quoted;
                continue;
            }
            if (*from == '\\' && from[1] != '\0') from++;
            *to++ = *from;
        }
        bool end = *from == '\0';
        *to++ = '\0';
        if (end) break;
        from++;
    }
    words[count] = NULL;
    return count;
}

static void end_process(Process *process)
{
    int status = 0;
    while (waitpid(process->pid, &status, 0) < 0 && errno == EINTR) {
    }
    process->pid = 0;
    PmSearch *search = process->search;
    char label[160];
    pm_text_copy(label, sizeof label, process->label);
    bool ok = WIFEXITED(status) && WEXITSTATUS(status) == 0 && !process->output.failed &&
              process->output.data != NULL &&
              pm_found_from_json(&search->found, process->output.data, process->output.size, process->label);
    if (process->output.data != NULL) memset(process->output.data, 0, process->output.size);
    search->process = NULL;
    pm_provider_process_cancel(process);
    if (ok)
        pm_search_found(search);
    else if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
        pm_search_failed(search, PM_TRANSIENT, "%s: credential_process ended with status %d", label,
                         WEXITSTATUS(status));
    else
        pm_search_failed(search, PM_BAD_CONFIG, "%s: credential_process printed no credentials", label);
}

static void on_output(void *data, int fd, unsigned events)
{
    (void)events;
    Process *process = data;
    char chunk[4096];
    ssize_t n = read(fd, chunk, sizeof chunk);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n > 0) {
        pm_buffer_add(&process->output, chunk, (size_t)n);
        return;
    }
    end_process(process);
}

static void on_timeout(void *data)
{
    Process *process = data;
    process->timer = NULL;
    kill(process->pid, SIGKILL); /* its output closes, and end_process says so */
}

void pm_provider_process(PmSearch *search, const char *command, const char *label)
{
    char *words[WORDS_MAX], *text = strdup(command);
    int pipe_fds[2] = {-1, -1};
    Process *process = calloc(1, sizeof *process);
    if (text == NULL || process == NULL || split_words(text, words) == 0 ||
        pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) != 0) {
        free(text);
        free(process);
        pm_search_failed(search, PM_BAD_CONFIG, "%s: credential_process cannot be started", label);
        return;
    }
    fcntl(pipe_fds[1], F_SETFL, 0); /* the child's end blocks */
    *process = (Process){.search = search, .fd = pipe_fds[0]};
    pm_buffer_init(&process->output, OUTPUT_MAX);
    pm_text_copy(process->label, sizeof process->label, label);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDOUT_FILENO);
    /* What it complains about can hold the secret that it was to print, and our standard error is a log. */
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    int failed = posix_spawnp(&process->pid, words[0], &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(pipe_fds[1]);
    if (failed != 0) {
        process->pid = 0;
        pm_provider_process_cancel(process);
        pm_search_failed(search, PM_BAD_CONFIG, "%s: credential_process \"%s\": %s", label, words[0], strerror(failed));
        free(text);
        return;
    }
    free(text);
    search->process = process;
    process->watch = pm_loop_watch(search->loop, process->fd, PM_READABLE, on_output, process);
    process->timer = pm_loop_after(search->loop, PROCESS_TIMEOUT_MS, on_timeout, process);
}
