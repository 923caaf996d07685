/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/check.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "engine/check_rules.h"

/* What a child says of its question, in one write. A child that ends without it was ended by the plugin. */
typedef struct Answer {
    bool ok;
    char message[640];
} Answer;

typedef enum Ending { ENDED, HUNG } Ending;

/* In the child: asks, answers, ends without running anything that the plugin has registered for the end. */
static _Noreturn void ask(PmCheckRule *rule, const char *file, const char *params, int out)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    setrlimit(RLIMIT_CPU, &(struct rlimit){PM_CHECK_SECONDS + 1, PM_CHECK_SECONDS + 1});
    /* A crash is to end the child by its signal, whoever has taken an interest in it before the fork. */
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGPIPE, SIGTERM, SIGXCPU};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) signal(signals[i], SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int quiet = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (quiet >= 0) {
        dup2(quiet, STDIN_FILENO);
        dup2(quiet, STDOUT_FILENO);
        dup2(quiet, STDERR_FILENO);
    }
    Answer answer = {0};
    PmRegistry *registry = pm_registry_new(NULL);
    PmError err = {0};
    PmCheck check = {.file = file, .params = params};
    check.loaded = registry != NULL ? pm_registry_load_file(registry, file, &err) : NULL;
    if (check.loaded != NULL) {
        answer.ok = rule(&check);
        pm_text_copy(answer.message, sizeof answer.message, check.message);
    } else {
        snprintf(answer.message, sizeof answer.message, "%.380s%s%s", err.message, err.hint[0] != '\0' ? "; " : "",
                 err.hint);
    }
    ssize_t wrote = write(out, &answer, sizeof answer);
    _exit(wrote == (ssize_t)sizeof answer ? 0 : 1);
}

/* Waits until the child has closed its end or the time is up; false: the time is up. */
static bool collect(int in, Answer *answer, size_t *got)
{
    int64_t deadline = pm_clock_mono_ms() + PM_CHECK_SECONDS * 1000;
    for (*got = 0; *got < sizeof *answer;) {
        int64_t left = deadline - pm_clock_mono_ms();
        struct pollfd ready = {.fd = in, .events = POLLIN};
        int n = left > 0 ? poll(&ready, 1, (int)left) : 0;
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        ssize_t size = read(in, (char *)answer + *got, sizeof *answer - *got);
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0) return true;
        *got += (size_t)size;
    }
    return true;
}

static void explain_death(Answer *answer, int status)
{
    const char *name = WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : NULL;
    answer->ok = false;
    if (WIFSIGNALED(status))
        snprintf(answer->message, sizeof answer->message, "crashed: SIG%s (%s)", name != NULL ? name : "?",
                 strsignal(WTERMSIG(status)));
    else
        snprintf(answer->message, sizeof answer->message, "ended the process: exit(%d)", WEXITSTATUS(status));
}

static Ending run(PmCheckRule *rule, const char *file, const char *params, Answer *answer)
{
    int ends[2];
    *answer = (Answer){0};
    if (pipe2(ends, O_CLOEXEC) != 0) {
        snprintf(answer->message, sizeof answer->message, "cannot ask: %s", strerror(errno));
        return ENDED;
    }
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        ask(rule, file, params, ends[1]);
    }
    close(ends[1]);
    if (child < 0) {
        snprintf(answer->message, sizeof answer->message, "cannot ask: %s", strerror(errno));
        close(ends[0]);
        return ENDED;
    }
    size_t got;
    bool in_time = collect(ends[0], answer, &got);
    close(ends[0]);
    if (!in_time) kill(child, SIGKILL);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    if (!in_time) {
        *answer = (Answer){0};
        snprintf(answer->message, sizeof answer->message, "hangs: no answer within %d s", PM_CHECK_SECONDS);
        return HUNG;
    }
    /* The plugin shares the child's memory, so what it says is worth no more than the plugin: keep it a string. */
    answer->message[sizeof answer->message - 1] = '\0';
    if (got < sizeof *answer) explain_death(answer, status);
    return ENDED;
}

static void add(json_t *list, const char *name, bool ok, const char *message)
{
    char text[sizeof((Answer *)0)->message];
    pm_text_utf8(text, sizeof text, message);
    json_array_append_new(list, json_pack("{s:s, s:b, s:s}", "name", name, "ok", (int)ok, "message", text));
}

json_t *pm_check_plugin(const char *file, const char *params)
{
    json_t *list = json_array();
    PmCheck check = {.file = file, .params = params};
    add(list, "exports", pm_check_exports(&check), check.message);
    check.message[0] = '\0';
    add(list, "libraries", pm_check_libraries(&check), check.message);
    for (const PmCheckEntry *entry = pm_check_rules; entry->name != NULL; entry++) {
        Answer answer;
        Ending ending = run(entry->rule, file, params, &answer);
        add(list, entry->name, answer.ok, answer.message);
        if (ending == HUNG || (!answer.ok && entry->needed)) break;
    }
    return list;
}
