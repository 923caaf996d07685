/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/check/check.h"

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
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "engine/check/rules.h"

/* What a child says of its question, in one write. A child that ends without it was ended by the plugin. */
typedef struct Answer {
    bool ok;
    char message[640];
} Answer;

typedef enum Ending { ENDED, HUNG } Ending;

/* What is asked about, and where. */
typedef struct Question {
    const char *file, *params;
    const PmCheckRoom *room; /* or NULL */
    PmProgress *page;        /* shared with the children */
} Question;

/* The plugin's own descriptors are this process': nothing to read, a file for what it prints, nobody who hears it. */
static void quieten(void)
{
    PmError ignored = {0};
    int quiet = open("/dev/null", O_RDWR | O_CLOEXEC), printed = pm_memfd_open("printed", &ignored);
    if (quiet < 0) return;
    dup2(quiet, STDIN_FILENO);
    dup2(printed >= 0 ? printed : quiet, STDOUT_FILENO);
    dup2(quiet, STDERR_FILENO);
    close(quiet);
    if (printed >= 0) close(printed);
}

static void reset_signals(const Question *question)
{
    /* A crash is to end the child by its signal, even if a handler was set before the fork. A room has, and
     * lets it. */
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGXCPU, SIGPIPE, SIGTERM};
    for (size_t i = question->room != NULL ? 8 : 0; i < sizeof signals / sizeof signals[0]; i++)
        signal(signals[i], SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static PmStatus confine(const Question *question, PmError *err)
{
    const PmCheckRoom *room = question->room;
    return room != NULL ? room->confine(room->data, question->file, question->page, err) : PM_OK;
}

/* In the child: asks, answers, ends without running anything that the plugin has registered for the end. */
static _Noreturn void ask(const PmCheckEntry *entry, const Question *question, int out)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    setrlimit(RLIMIT_CPU, &(struct rlimit){PM_CHECK_SECONDS + 1, PM_CHECK_SECONDS + 1});
    reset_signals(question);
    quieten();
    Answer answer = {0};
    PmRegistry *registry = pm_registry_new(NULL);
    PmError err = {0};
    PmCheck check = {
        .file = question->file, .params = question->params, .room = question->room, .as_job = entry->as_job};
    if (registry != NULL && confine(question, &err) == PM_OK)
        check.loaded = pm_registry_load_file(registry, question->file, &err);
    if (check.loaded != NULL) {
        answer.ok = entry->rule(&check);
        pm_text_copy(answer.message, sizeof answer.message, check.message);
    } else {
        snprintf(answer.message, sizeof answer.message, "%.380s%s%s", err.message, err.hint[0] != '\0' ? "; " : "",
                 err.hint);
    }
    ssize_t wrote = write(out, &answer, sizeof answer);
    _exit(wrote == (ssize_t)sizeof answer ? 0 : 1);
}

/* The processor's time of a process, 0 when it cannot be told. */
static int64_t cpu_of(pid_t pid)
{
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0) return 0;
    return (int64_t)used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

/* Waits until the child has closed its end or the time is up; false: the time is up. One that works, and that a busy
 * machine gave little of its processors, gets the time again, up to STARVED times. */
static bool collect(int in, pid_t pid, Answer *answer, size_t *got)
{
    enum { STARVED = 4, LEAST_MS = 200, MOST_MS = PM_CHECK_SECONDS * 1000 * 4 / 5 };
    int64_t deadline = pm_clock_mono_ms() + PM_CHECK_SECONDS * 1000, cpu = 0;
    int again = 0;
    for (*got = 0; *got < sizeof *answer;) {
        int64_t left = deadline - pm_clock_mono_ms();
        struct pollfd ready = {.fd = in, .events = POLLIN};
        int n = left > 0 ? poll(&ready, 1, (int)left) : 0;
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            int64_t now = cpu_of(pid);
            if (n < 0 || now - cpu < LEAST_MS || now > MOST_MS || again++ == STARVED) return false;
            cpu = now;
            deadline = pm_clock_mono_ms() + PM_CHECK_SECONDS * 1000;
            continue;
        }
        ssize_t size = read(in, (char *)answer + *got, sizeof *answer - *got);
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0) return true;
        *got += (size_t)size;
    }
    return true;
}

/* A system call that ended the child, in its author's words. */
static void explain_call(Answer *answer, const char *call)
{
    static const struct {
        const char *call, *words;
    } known[] = {{"socket", "asks for a socket"},    {"connect", "asks for a socket"},
                 {"bind", "asks for a socket"},      {"listen", "asks for a socket"},
                 {"accept", "asks for a socket"},    {"accept4", "asks for a socket"},
                 {"execve", "starts a program"},     {"execveat", "starts a program"},
                 {"ptrace", "traces a process"},     {"process_vm_readv", "reads another process' memory"},
                 {"kill", "signals another process"}};
    const char *words = NULL;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(call, known[i].call) == 0) words = known[i].words;
    snprintf(answer->message, sizeof answer->message, "%s%scalls %s(), which no plugin may (SIGSYS)",
             words != NULL ? words : "", words != NULL ? ": " : "", call);
}

static void explain_death(Answer *answer, int status, const PmProgress *page)
{
    PmProgress at = page != NULL ? pm_progress_read(page) : (PmProgress){0};
    const char *name = WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : NULL;
    answer->ok = false;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS && at.refused_call[0] != '\0')
        explain_call(answer, at.refused_call);
    else if (WIFSIGNALED(status) && at.out_of_memory != 0)
        snprintf(answer->message, sizeof answer->message,
                 "needs more memory than jobs have by default (limits.memory)");
    else if (WIFSIGNALED(status))
        snprintf(answer->message, sizeof answer->message, "crashed: SIG%s (%s)", name != NULL ? name : "?",
                 strsignal(WTERMSIG(status)));
    else
        snprintf(answer->message, sizeof answer->message, "ended the process: exit(%d)", WEXITSTATUS(status));
}

static Ending run(const PmCheckEntry *entry, const Question *question, Answer *answer)
{
    int ends[2];
    *answer = (Answer){0};
    if (pipe2(ends, O_CLOEXEC) != 0) {
        snprintf(answer->message, sizeof answer->message, "cannot ask: %s", strerror(errno));
        return ENDED;
    }
    if (question->page != NULL) *question->page = (PmProgress){0};
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        ask(entry, question, ends[1]);
    }
    close(ends[1]);
    if (child < 0) {
        snprintf(answer->message, sizeof answer->message, "cannot ask: %s", strerror(errno));
        close(ends[0]);
        return ENDED;
    }
    size_t got;
    bool in_time = collect(ends[0], child, answer, &got);
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
    if (got < sizeof *answer) explain_death(answer, status, question->page);
    return ENDED;
}

static void add(json_t *list, const char *name, bool ok, const char *message)
{
    char text[sizeof((Answer *)0)->message];
    pm_text_utf8(text, sizeof text, message);
    json_array_append_new(list, json_pack("{s:s, s:b, s:s}", "name", name, "ok", (int)ok, "message", text));
}

json_t *pm_check_plugin(const char *file, const char *params, const PmCheckRoom *room)
{
    json_t *list = json_array();
    PmCheck check = {.file = file, .params = params};
    Question question = {.file = file, .params = params, .room = room};
    PmError err = {0};
    int page = pm_progress_new(&question.page, &err);
    if (page < 0) {
        add(list, "handshake", false, err.message);
        return list;
    }
    close(page);
    add(list, "exports", pm_check_exports(&check), check.message);
    check.message[0] = '\0';
    add(list, "libraries", pm_check_libraries(&check), check.message);
    for (const PmCheckEntry *entry = pm_check_rules; entry->name != NULL; entry++) {
        Answer answer;
        Ending ending = run(entry, &question, &answer);
        add(list, entry->name, answer.ok, answer.message);
        if (ending == HUNG || (!answer.ok && entry->needed)) break;
    }
    pm_progress_unmap(question.page);
    return list;
}
