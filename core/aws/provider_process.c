/* SPDX-License-Identifier: Apache-2.0
 *
 * Credentials from a program: credential_process of a profile. It has a process group of its own and a deadline. It is
 * over when the program itself has ended: what it left running may keep its output open for ever.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "aws/provider.h"
#include "base/buffer.h"
#include "base/text.h"

extern char **environ;

enum { WORDS_MAX = 64, OUTPUT_MAX = 64 * 1024, TIMEOUT_MS = 60 * 1000, LOOK_EVERY_MS = 25, REAP_TRIES = 50 };

typedef struct Process {
    PmSearch *search;
    pid_t pid; /* 0: none, or reaped */
    int fd;
    PmWatch *watch;
    PmTimer *timer, *look;
    PmBuffer output;
    int64_t timeout_ms;
    char label[160];
} Process;

/* The program and what it started. Reaped if it ends soon: one in an uninterruptible sleep is not waited for. */
static void kill_group(Process *process)
{
    if (process->pid <= 0) return;
    kill(-process->pid, SIGKILL);
    kill(process->pid, SIGKILL);
    for (int i = 0; i < REAP_TRIES && waitpid(process->pid, NULL, WNOHANG) == 0; i++) usleep(2000);
    process->pid = 0;
}

void pm_provider_process_cancel(void *data)
{
    Process *process = data;
    if (process == NULL) return;
    pm_loop_unwatch(process->watch);
    pm_loop_cancel(process->timer);
    pm_loop_cancel(process->look);
    if (process->fd >= 0) close(process->fd);
    kill_group(process);
    if (process->output.data != NULL) OPENSSL_cleanse(process->output.data, process->output.size);
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

/* Takes what there is; false when there is no more to come. */
static bool take_output(Process *process)
{
    char chunk[4096];
    for (;;) {
        ssize_t n = read(process->fd, chunk, sizeof chunk);
        if (n > 0) {
            if (!pm_buffer_add(&process->output, chunk, (size_t)n)) return false;
        } else if (n == 0 || errno != EINTR) {
            return n < 0 && errno == EAGAIN;
        }
    }
}

static void end_failed(Process *process, PmStatus status, const char *fmt, ...) PM_PRINTF(3, 4);

static void end_failed(Process *process, PmStatus status, const char *fmt, ...)
{
    PmSearch *search = process->search;
    char label[160], why[200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    pm_text_copy(label, sizeof label, process->label);
    search->process = NULL;
    pm_provider_process_cancel(process);
    pm_search_failed(search, status, "%s: credential_process %s", label, why);
}

static void end_process(Process *process, int status)
{
    PmSearch *search = process->search;
    bool ok = WIFEXITED(status) && WEXITSTATUS(status) == 0 && !process->output.failed &&
              process->output.data != NULL &&
              pm_found_from_json(&search->found, process->output.data, process->output.size, process->label);
    if (ok) {
        search->process = NULL;
        pm_provider_process_cancel(process);
        pm_search_found(search);
    } else if (process->output.no_memory) {
        end_failed(process, PM_TRANSIENT, "printed what there was no memory for");
    } else if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        end_failed(process, PM_BAD_CONFIG, "printed no credentials");
    } else if (WIFEXITED(status)) {
        end_failed(process, PM_TRANSIENT, "ended with status %d", WEXITSTATUS(status));
    } else {
        end_failed(process, PM_TRANSIENT, "was ended by signal %d", WTERMSIG(status));
    }
}

/* No pidfd: not every kernel and sandbox has them, and this lasts moments. */
static void on_look(void *data)
{
    Process *process = data;
    int status = 0;
    process->look = NULL;
    pid_t pid = waitpid(process->pid, &status, WNOHANG);
    if (pid == 0 || (pid < 0 && errno == EINTR)) {
        process->look = pm_loop_after(process->search->loop, LOOK_EVERY_MS, on_look, process);
        return;
    }
    process->pid = 0;
    if (process->watch != NULL) take_output(process);
    end_process(process, pid > 0 ? status : SIGKILL);
}

static void on_timeout(void *data)
{
    Process *process = data;
    process->timer = NULL;
    end_failed(process, PM_TRANSIENT, "did not end within %lld s", (long long)(process->timeout_ms + 999) / 1000);
}

static void on_output(void *data, int fd, unsigned events)
{
    (void)fd, (void)events;
    Process *process = data;
    if (take_output(process)) return;
    if (process->output.failed) {
        if (process->output.no_memory)
            end_failed(process, PM_TRANSIENT, "printed what there was no memory for");
        else
            end_failed(process, PM_BAD_CONFIG, "printed more than 64 KiB");
        return;
    }
    pm_loop_unwatch(process->watch); /* on_look sees how it ended */
    process->watch = NULL;
}

static int spawn(Process *process, char **words, int output)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, defaults;
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    /* What it complains about can hold the secret that it was to print, and our standard error is a log. */
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    /* The loop blocks the signals it takes; a child would inherit that, and be deaf to its terminal. */
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    int failed = posix_spawnp(&process->pid, words[0], &actions, &attributes, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (failed != 0) process->pid = 0;
    return failed;
}

void pm_provider_process(PmSearch *search, const char *command, const char *label)
{
    char *words[WORDS_MAX], *text = strdup(command);
    int pipe_fds[2] = {-1, -1};
    Process *process = calloc(1, sizeof *process);
    errno = 0;
    if (text == NULL || process == NULL || split_words(text, words) == 0 ||
        pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) != 0) {
        bool empty = text != NULL && process != NULL && errno == 0;
        free(text);
        free(process);
        pm_search_failed(search, empty ? PM_BAD_CONFIG : PM_TRANSIENT, "%s: credential_process cannot be started",
                         label);
        return;
    }
    fcntl(pipe_fds[1], F_SETFL, 0); /* the child's end blocks */
    *process = (Process){.search = search, .fd = pipe_fds[0]};
    process->timeout_ms = search->process_timeout_ms > 0 ? search->process_timeout_ms : TIMEOUT_MS;
    pm_buffer_init(&process->output, OUTPUT_MAX);
    pm_text_copy(process->label, sizeof process->label, label);
    int failed = spawn(process, words, pipe_fds[1]);
    close(pipe_fds[1]);
    if (failed != 0) {
        pm_provider_process_cancel(process);
        pm_search_failed(search, failed == ENOMEM || failed == EAGAIN ? PM_TRANSIENT : PM_BAD_CONFIG,
                         "%s: credential_process \"%.200s\": %s", label, words[0], strerror(failed));
        free(text);
        return;
    }
    free(text);
    search->process = process;
    process->watch = pm_loop_watch(search->loop, process->fd, PM_READABLE, on_output, process);
    process->timer = pm_loop_after(search->loop, process->timeout_ms, on_timeout, process);
    process->look = pm_loop_after(search->loop, LOOK_EVERY_MS, on_look, process);
    if (process->watch != NULL && process->timer != NULL && process->look != NULL) return;
    search->process = NULL;
    pm_provider_process_cancel(process);
    pm_search_failed(search, PM_TRANSIENT, "out of memory");
}
