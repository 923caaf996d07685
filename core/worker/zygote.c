/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rlimits.h"
#include "engine/limits.h"
#include "engine/printed.h"
#include "worker/check.h"
#include "worker/child.h"
#include "worker/fault.h"
#include "worker/idle_threads.h"
#include "worker/library_log.h"
#include "worker/load.h"
#include "worker/stderr_forward.h"
#include "worker/thread_guard.h"
#include "worker/warmup.h"

enum {
    CHILDREN_MAX = 1024,
    CHILD_DESCRIPTORS = 32,
    CHILD_SOCKET = 3,
    CHILD_PRINTED = 4,
    CHILD_GUARD = 5,
    CROWDED_MS = 20
};

typedef struct Slot {
    pid_t pid; /* 0: free */
    int64_t number;
} Slot;

typedef struct Zygote {
    int sock, signals, null;
    pid_t pid, init_pid;
    bool loaded;
    PmLoad load;
    PmStderrForward stderr_forward;
    PmThreadGuard guard;
    Slot slots[CHILDREN_MAX];
    bool over;
    int exit_code;
} Zygote;

static void end(Zygote *z, int exit_code)
{
    z->over = true;
    z->exit_code = exit_code;
}

/* Sends; when the broker is gone there is nothing left to do. */
static void answer(Zygote *z, PmMessageType type, json_t *body, const int *fds, size_t fd_count)
{
    PmError err = {0};
    bool crowded = true;
    PmStatus status = PM_TRANSIENT;
    /* The broker waits for its answer: so do we, when others' descriptors are in the way. */
    while (crowded) {
        status = pm_ipc_try_send(z->sock, type, body, fds, fd_count, &crowded, &err);
        if (crowded) poll(NULL, 0, CROWDED_MS);
    }
    if (status != PM_OK) {
        if (err.status != PM_TRANSIENT) pm_stderr_forward_log(z->sock, PM_LOG_ERROR, err.message);
        end(z, err.status == PM_TRANSIENT ? PM_CHILD_DONE : PM_CHILD_PROTOCOL);
    }
    json_decref(body);
}

static void answer_errors(Zygote *z, PmErrorList *errors)
{
    pm_error_list_sort(errors);
    json_t *list = json_array();
    for (size_t i = 0; i < errors->count; i++) json_array_append_new(list, pm_error_to_json(&errors->items[i]));
    answer(z, PM_MSG_ERRORS, json_pack("{so}", "errors", list), NULL, 0);
    end(z, PM_CHILD_DONE);
}

static void answer_error(Zygote *z, const PmError *err)
{
    PmErrorList errors = {0};
    pm_error_list_add(&errors, err);
    answer_errors(z, &errors);
    pm_error_list_finish(&errors);
}

/* --- LOAD, DESCRIBE, CHECK --- */

static void die_with_parent(void)
{
    /* A parent that is gone already shows as the end of the control channel. */
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}

/* Ends as the process does that goes on in our place. */
__attribute__((noreturn)) static void stand_by(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status)) _exit(WEXITSTATUS(status));
    if (WTERMSIG(status) == SIGKILL) _exit(PM_CHILD_PROTOCOL); /* no process may send it, see pm_confine */
    signal(WTERMSIG(status), SIG_DFL);
    kill(getpid(), WTERMSIG(status));
    _exit(PM_CHILD_PROTOCOL);
}

/* A thread that a library keeps stands in the way of namespaces. A fork leaves it behind: the copy is the zygote from
 * here on. */
static PmStatus shed_threads(Zygote *z, PmError *err)
{
    if (pm_thread_count() <= 1) return PM_OK;
    pid_t parent = getpid(), pid = fork();
    if (pid < 0) return pm_error_set(err, PM_TRANSIENT, "cannot start a process: %s", strerror(errno));
    if (pid > 0) {
        close(z->sock);
        stand_by(pid);
    }
    die_with_parent();
    if (getppid() != parent) _exit(PM_CHILD_DONE);
    z->pid = getpid();
    return PM_OK;
}

static void log_of_plugin(void *data, int level, const char *plugin, const char *step, const char *text)
{
    pm_stderr_forward_plugin_log(((const Zygote *)data)->sock, level, plugin, step, text);
}

static void on_load(Zygote *z, PmMessage *message)
{
    PmErrorList errors = {0};
    PmError err = {0};
    json_t *ready = NULL;
    z->load.log = (PmSink){.data = z, .log = log_of_plugin};
    if (z->loaded)
        pm_error_list_addf(&errors, PM_BUG, NULL, 0, 0, "LOAD", "a pipeline is loaded already");
    else if (pm_load(&z->load, message, &ready, &errors) && !z->load.check && shed_threads(z, &err) == PM_OK)
        pm_sandbox_isolate(&z->load.sandbox, pm_engine_needs_fonts(z->load.engine), &z->init_pid, &err);
    if (err.status != PM_OK) pm_error_list_add(&errors, &err);
    die_with_parent(); /* entering a user namespace has cleared it */
    z->loaded = true;
    if (errors.count > 0) {
        json_decref(ready);
        answer_errors(z, &errors);
    } else {
        answer(z, PM_MSG_READY, ready, NULL, 0);
    }
    pm_error_list_finish(&errors);
}

static void on_describe(Zygote *z, const PmMessage *message)
{
    PmError err = {0};
    const json_t *wanted = json_object_get(message->body, "names");
    const char **dirs = pm_load_strings(json_object_get(message->body, "plugin_dirs"), "plugin_dirs", &err);
    const char **names = NULL;
    if (err.status == PM_OK && json_is_array(wanted)) names = pm_load_strings(wanted, "names", &err);
    if (err.status == PM_OK) err = z->load.early;
    if (err.status == PM_OK && pm_load_confine(&z->load, dirs, &err) == PM_OK)
        answer(z, PM_MSG_DESCRIBED, pm_engine_describe_plugins(dirs, names), NULL, 0);
    else
        answer_error(z, &err);
    free(dirs);
    free(names);
}

static void on_check(Zygote *z, const PmMessage *message)
{
    PmError err = z->load.early;
    json_t *checks = err.status == PM_OK ? pm_worker_check(&z->load, message->body, &err) : NULL;
    if (checks != NULL)
        answer(z, PM_MSG_CHECKED, json_pack("{so}", "checks", checks), NULL, 0);
    else
        answer_error(z, &err);
}

/* --- children --- */

static void reset_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Of a child's whole life, by when it is killed even if it takes no notice of limits.cpu_time, which goes up with each
 * job. 0: no limit. */
static int64_t cpu_seconds(const PmLoad *load)
{
    const PmLimits *limits = &load->pipeline->limits;
    int64_t job_ms = pm_limits_cpu_ms(limits, limits->frames, limits->pixels);
    int64_t seconds = (job_ms + 999) / 1000 + 1; /* the limit has a grain of one */
    return job_ms > 0 ? load->jobs_per_child * seconds + 1 : 0;
}

/* Descriptors of a child, in their places; no others. */
typedef struct Given {
    int sock, words; /* what it writes to stdout and stderr */
    int printed;     /* where it can read them itself */
    int guard;       /* -1, or a socket */
} Given;

static PmStatus keep_descriptors(const Zygote *z, const Given *given, PmError *err)
{
    bool ok = dup2(z->null, STDIN_FILENO) >= 0 && dup2(given->words, STDOUT_FILENO) >= 0 &&
              dup2(given->words, STDERR_FILENO) >= 0;
    /* Out of each other's way first. */
    int guard = given->guard, socket_copy = fcntl(given->sock, F_DUPFD, CHILD_GUARD + 1);
    int printed_copy = fcntl(given->printed, F_DUPFD, CHILD_GUARD + 1);
    int guard_copy = guard >= 0 ? fcntl(guard, F_DUPFD, CHILD_GUARD + 1) : -1;
    ok = ok && dup2(socket_copy, CHILD_SOCKET) >= 0 && dup2(printed_copy, CHILD_PRINTED) >= 0 &&
         (guard < 0 || dup2(guard_copy, CHILD_GUARD) >= 0) &&
         close_range(guard >= 0 ? CHILD_GUARD + 1 : CHILD_GUARD, ~0U, 0) == 0;
    return ok ? PM_OK : pm_error_set(err, PM_BUG, "descriptors: %s", strerror(errno));
}

/* The new process: keeps its socket as descriptor 3 and the mapped progress page, nothing else. */
__attribute__((noreturn)) static void become_child(Zygote *z, const Given *given, PmProgress *progress)
{
    /* In a pid namespace the zygote is outside, and has no number there. */
    pid_t parent = z->init_pid > 0 ? 0 : z->pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != parent) _exit(PM_CHILD_DONE);
    prctl(PR_SET_NAME, "pixmill-child", 0, 0, 0);
    PmError err = {0};
    int64_t mapped_bytes = pm_sandbox_mapped_bytes(&z->load.sandbox);
    keep_descriptors(z, given, &err);
    reset_signals();
    pm_idle_threads_leave();
    const PmLimits *limits = &z->load.pipeline->limits;
    PmSandboxLimits sandbox = {.memory_bytes = limits->memory,
                               .mapped_bytes = mapped_bytes,
                               .cpu_seconds = cpu_seconds(&z->load),
                               .descriptors = CHILD_DESCRIPTORS,
                               .guard = given->guard >= 0 ? CHILD_GUARD : -1,
                               .fonts = pm_engine_needs_fonts(z->load.engine),
                               .new_code = pm_warm_up_jit()};
    if (err.status == PM_OK && pm_fault_install(progress, &err) == PM_OK)
        pm_sandbox_enter(&z->load.sandbox, &sandbox, &err);
    if (err.status != PM_OK) {
        dprintf(STDERR_FILENO, "%s\n", err.message); /* the channel is for jobs */
        _exit(PM_CHILD_SANDBOX);
    }
    pm_engine_set_progress(z->load.engine, progress);
    pm_printed_from(CHILD_PRINTED);
    PmChild child = {.sock = CHILD_SOCKET, .engine = z->load.engine, .limits = limits, .progress = progress};
    _exit(pm_child_run(&child));
}

/* Where calls are filtered none of our processes may send SIGKILL. There a child cannot take back that it dies with us,
 * and it ends when the broker closes its channel. */
static void end_child(const Zygote *z, pid_t pid)
{
    if ((z->load.sandbox.layers & PM_LAYER_SECCOMP) == 0) kill(pid, SIGKILL);
}

static Slot *free_slot(Zygote *z)
{
    for (size_t i = 0; i < CHILDREN_MAX; i++)
        if (z->slots[i].pid == 0) return &z->slots[i];
    return NULL;
}

/* Forks. Returns the pidfd, or -1 and err. */
static int spawn(Zygote *z, const PmMessage *message, int64_t number, pid_t *pid, PmError *err)
{
    Slot *slot = free_slot(z);
    PmProgress *progress = message->fd_count >= 2 ? pm_progress_map(message->fds[1]) : NULL;
    Given given = {.sock = message->fd_count > 0 ? message->fds[0] : -1,
                   .words = message->fd_count >= 3 ? message->fds[2] : z->stderr_forward.write_fd,
                   .printed = message->fd_count >= 4 ? message->fds[3] : z->null};
    bool count = (z->load.sandbox.layers & PM_LAYER_THREADS) != 0;
    int pidfd = -1, guard = count ? pm_thread_guard_expect(&z->guard) : -1;
    given.guard = guard;
    *pid = 0;
    if (!z->loaded || z->load.engine == NULL || z->load.check)
        pm_error_set(err, PM_BUG, "SPAWN: no pipeline is loaded to do jobs with");
    else if (progress == NULL)
        pm_error_set(err, PM_BUG, "SPAWN: a socket and a progress page are needed");
    else if (slot == NULL)
        pm_error_set(err, PM_LIMIT, "SPAWN: there are %d children already", CHILDREN_MAX);
    else if (count && guard < 0)
        pm_error_set(err, PM_TRANSIENT, "no socket for a child: %s", strerror(errno));
    else if ((*pid = fork()) == 0)
        become_child(z, &given, progress);
    else if (*pid < 0)
        pm_error_set(err, PM_TRANSIENT, "no process: %s", strerror(errno));
    else if ((pidfd = (int)syscall(SYS_pidfd_open, *pid, 0)) < 0) {
        /* A kernel, or an emulator, without pidfd_open() will not have it the next time either. */
        pm_error_set(err, errno == ENOSYS ? PM_BAD_CONFIG : PM_TRANSIENT, "no handle for the process: pidfd_open: %s",
                     strerror(errno));
        if (errno == ENOSYS)
            pm_error_hint(err, "it came with Linux 5.3; valgrind does not have it: see `pixmill plugin run`");
        end_child(z, *pid); /* reaped without a slot: the broker never hears of it */
    } else {
        *slot = (Slot){.pid = *pid, .number = number};
    }
    if (guard >= 0) close(guard);
    pm_progress_unmap(progress);
    return pidfd;
}

static void on_spawn(Zygote *z, const PmMessage *message)
{
    PmError err = {0};
    pid_t pid = 0;
    int64_t number = json_integer_value(json_object_get(message->body, "worker"));
    int pidfd = spawn(z, message, number, &pid, &err);
    json_t *body = json_pack("{sI}", "worker", (json_int_t)number);
    if (pidfd >= 0)
        json_object_set_new(body, "pid", json_integer(pid));
    else
        json_object_set_new(body, "error", pm_error_to_json(&err));
    answer(z, PM_MSG_SPAWNED, body, &pidfd, pidfd >= 0 ? 1 : 0);
    if (pidfd >= 0) close(pidfd);
}

static void report_exit(Zygote *z, Slot *slot, int status, const struct rusage *used)
{
    int64_t cpu_ms = (used->ru_utime.tv_sec + used->ru_stime.tv_sec) * INT64_C(1000) +
                     (used->ru_utime.tv_usec + used->ru_stime.tv_usec) / 1000;
    int signo = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    int64_t allowed_ms = cpu_seconds(&z->load) * 1000;
    /* Not from outside: it took no notice of SIGXCPU, and of its hard limit the kernel tells no other way. The limit
     * counts by the clock's ticks, which can be off by a few per cent. */
    if (signo == SIGKILL && allowed_ms > 0 && cpu_ms >= allowed_ms - allowed_ms / 4) signo = SIGXCPU;
    json_t *body = json_pack("{sIsisisisIsI}", "worker", (json_int_t)slot->number, "pid", (int)slot->pid, "code",
                             WIFEXITED(status) ? WEXITSTATUS(status) : 0, "signal", signo, "cpu_ms", (json_int_t)cpu_ms,
                             "max_rss_kb", (json_int_t)used->ru_maxrss);
    *slot = (Slot){0};
    answer(z, PM_MSG_EXITED, body, NULL, 0);
}

static void reap(Zygote *z)
{
    struct signalfd_siginfo drained;
    while (read(z->signals, &drained, sizeof drained) > 0) {
    }
    pm_stderr_forward_pump(&z->stderr_forward, z->sock); /* last words first */
    int status;
    struct rusage used;
    for (pid_t pid; (pid = wait4(-1, &status, WNOHANG, &used)) > 0;) {
        if (pid == z->init_pid) { /* it takes the whole namespace along: no child could be forked any more */
            pm_stderr_forward_log(z->sock, PM_LOG_ERROR, "the first process of the children's namespace is gone");
            end(z, PM_CHILD_SANDBOX);
        }
        for (size_t i = 0; i < CHILDREN_MAX; i++)
            if (z->slots[i].pid == pid) report_exit(z, &z->slots[i], status, &used);
    }
}

/* --- the loop --- */

static void on_message(Zygote *z)
{
    PmMessage message;
    PmError err = {0};
    bool got = false;
    PmStatus status = pm_ipc_receive(z->sock, MSG_DONTWAIT, &message, &got, &err);
    if (status == PM_TRANSIENT) {
        end(z, PM_CHILD_DONE); /* the broker is gone */
        return;
    }
    if (status == PM_OK && !got) return;
    if (status == PM_OK && message.type == PM_MSG_LOAD)
        on_load(z, &message);
    else if (status == PM_OK && message.type == PM_MSG_DESCRIBE)
        on_describe(z, &message);
    else if (status == PM_OK && message.type == PM_MSG_CHECK)
        on_check(z, &message);
    else if (status == PM_OK && message.type == PM_MSG_SPAWN)
        on_spawn(z, &message);
    else {
        if (status == PM_OK)
            pm_error_set(&err, PM_BUG, "%s is not a message for a worker", pm_message_name(message.type));
        answer_error(z, &err);
        end(z, PM_CHILD_PROTOCOL);
    }
    pm_message_finish(&message);
}

static Zygote zygote; /* 16 KiB of slots that every child inherits */

/* exit() called by a plugin's create() ends us; the broker is at least to know why. */
static void at_exit(void)
{
    PmError err = {0};
    if (zygote.pid == getpid() && pm_load_interrupted(&err)) answer_error(&zygote, &err);
}

static PmStatus prepare(Zygote *z, PmError *err)
{
    /* Ctrl-C and SIGTERM reach the whole group; when to end is the broker's decision. */
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++) signal(ignored[i], SIG_IGN);
    die_with_parent();
    /* A plugin that crashes has printed what it has printed. The buffer is ours: a child may have no memory left. */
    static char line[BUFSIZ];
    setvbuf(stdout, line, _IOLBF, sizeof line);
    pm_rlimits_raise_descriptors(); /* who started us may not have */
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0});
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    z->signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    z->null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (z->signals < 0 || z->null < 0 || atexit(at_exit) != 0)
        return pm_error_set(err, PM_TRANSIENT, "cannot start: %s", strerror(errno));
    PmStatus status = pm_stderr_forward_open(&z->stderr_forward, err);
    return status == PM_OK ? pm_thread_guard_open(&z->guard, err) : status;
}

static void log_of_library(void *data, int level, const char *text)
{
    pm_stderr_forward_log(((const Zygote *)data)->sock, level, text);
}

int pm_zygote_run(int sock)
{
    Zygote *z = &zygote;
    *z = (Zygote){.sock = sock, .pid = getpid()};
    PmError err = {0};
    if (prepare(z, &err) != PM_OK) answer_error(z, &err);
    pm_library_log_to(log_of_library, z, NULL);
    if (!z->over) pm_load_begin(&z->load);
    while (!z->over) {
        struct pollfd waits[] = {{.fd = z->sock, .events = POLLIN},
                                 {.fd = z->signals, .events = POLLIN},
                                 {.fd = z->stderr_forward.read_fd, .events = POLLIN},
                                 {.fd = z->guard.fd, .events = POLLIN}};
        if (poll(waits, 4, -1) < 0 && errno != EINTR) break;
        if (waits[3].revents != 0) pm_thread_guard_serve(&z->guard);
        if (waits[2].revents != 0) pm_stderr_forward_pump(&z->stderr_forward, z->sock);
        if (waits[1].revents != 0) reap(z);
        if (!z->over && waits[0].revents != 0) on_message(z);
    }
    for (size_t i = 0; i < CHILDREN_MAX; i++)
        if (z->slots[i].pid > 0) end_child(z, z->slots[i].pid);
    return z->exit_code;
}
