/* SPDX-License-Identifier: Apache-2.0
 *
 * Attempts to escape, each from a process of its own at each tier that this host gives. What tier 1 does not stop is
 * asserted too, so that nobody believes it does.
 */
#include "worker/sandbox.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/fault.h"
#include "worker/sanitized.h"
#include "worker/thread_guard.h"

static PmSandbox host; /* what this machine allows */
static int room = -1;  /* in an attempt: a memory file that the broker has made */

enum { DID_IT = 0, DENIED = 1, BROKEN = 99 };

static int done(bool did_it)
{
    return did_it ? DID_IT : DENIED;
}

/* --- the attempts: DID_IT when it worked --- */

static int read_file(void)
{
    return done(open("/etc/passwd", O_RDONLY) >= 0);
}

static int path_to_file(void)
{
    return done(open("/etc/passwd", O_PATH) >= 0);
}

static int read_parents_environment(void)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/environ", (int)getppid());
    return done(open(path, O_RDONLY) >= 0);
}

static int write_file(void)
{
    int fd = open("/tmp/pixmill-test-sandbox", O_WRONLY | O_CREAT, 0600);
    if (fd >= 0) unlink("/tmp/pixmill-test-sandbox");
    return done(fd >= 0);
}

static int list_folder(void)
{
    return done(open("/", O_RDONLY | O_DIRECTORY) >= 0);
}

static int look_at_file(void)
{
    struct stat info;
    return done(stat("/etc/passwd", &info) == 0);
}

/* As fstat() is spelled, but with a path: a filter cannot tell them apart. */
static int look_at_file_as_fstat(void)
{
    struct stat info;
    return done(syscall(SYS_newfstatat, AT_FDCWD, "/etc/passwd", &info, AT_EMPTY_PATH) == 0);
}

static int look_at_file_by_statx(void)
{
    struct statx info;
    return done(syscall(SYS_statx, AT_FDCWD, "/etc/passwd", AT_EMPTY_PATH, STATX_SIZE, &info) == 0);
}

/* Which names there are shows in how opening them fails. */
static int tell_names_apart(void)
{
    errno = 0;
    int fd = open("/etc/passwd", O_RDONLY), there = errno;
    errno = 0;
    (void)!open("/etc/no-such-file", O_RDONLY);
    return done(fd >= 0 || there != errno);
}

#ifndef PM_SANITIZED
static int find_names_in_root(void)
{
    char names[4096];
    int fd = open("/", O_RDONLY | O_DIRECTORY);
    long size = fd >= 0 ? syscall(SYS_getdents64, fd, names, sizeof names) : 0;
    return done(size > 2 * 24); /* . and .. */
}
#endif

static int make_socket(void)
{
    return done(socket(AF_INET, SOCK_STREAM, 0) >= 0);
}

static int reach_metadata(void)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(80), .sin_addr.s_addr = inet_addr("169.254.169.254")};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    return done(fd >= 0 && (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 || errno == EINPROGRESS));
}

static int run_program(void)
{
    char *const args[] = {(char *)"true", NULL}, *const none[] = {NULL};
    execve("/bin/true", args, none);
    return DENIED;
}

static int make_process(void)
{
    pid_t pid = fork();
    if (pid == 0) _exit(0);
    if (pid > 0) waitpid(pid, NULL, 0);
    return done(pid > 0);
}

static int make_process_by_vfork(void)
{
    pid_t pid = vfork();
    if (pid == 0) _exit(0);
    return done(pid > 0);
}

static int trace_parent(void)
{
    return done(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0);
}

static int signal_parent(void)
{
    return done(kill(getppid(), 0) == 0);
}

static int signal_everyone(void)
{
    return done(kill(-1, 0) == 0);
}

static int map_new_code(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return done(page != MAP_FAILED);
}

static int make_code_executable(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? BROKEN : done(mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0);
}

static int new_namespace(void)
{
    return done(unshare(CLONE_NEWUSER) == 0);
}

/* --- what must go on working --- */

static void *thread(void *data)
{
    return data;
}

static int sleep_for_ever(void *data)
{
    while (data == NULL) syscall(SYS_nanosleep, &(struct timespec){.tv_sec = 1000}, NULL);
    return 0;
}

static int make_memory_file(void)
{
    return done(memfd_create("t", MFD_CLOEXEC) >= 0);
}

static int make_huge_memory_file(void)
{
    return done(memfd_create("t", MFD_HUGETLB) >= 0 || errno == ENOSYS || errno == ENOENT);
}

static int seal_the_room(void)
{
    return done(fcntl(room, F_ADD_SEALS, F_SEAL_SEAL) == 0);
}

static int kill_oneself(void)
{
    kill(getpid(), SIGKILL);
    return DENIED;
}

static int kill_own_thread(void)
{
    raise(SIGKILL);
    return DENIED;
}

static int stop_oneself(void)
{
    raise(SIGSTOP);
    return DENIED;
}

/* What a filter that compares all 64 bits must not be led astray by: the kernel looks at 32. */
static int kill_oneself_in_disguise(void)
{
    syscall(SYS_kill, (long)getpid(), (UINT64_C(1) << 32) | SIGKILL);
    return DENIED;
}

/* With stacks of a page: address space does not limit them. */
static int start_many_threads(void)
{
    enum { MANY = 1000 };
    int started = 0;
    for (; started < MANY; started++) {
        char *stack = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (stack == MAP_FAILED) return BROKEN;
        if (clone(sleep_for_ever, stack + 4096,
                  CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM, NULL) < 0)
            break;
    }
    if (started < PM_CHILD_THREADS - 1) return BROKEN; /* codecs need some */
    return done(started > 2 * PM_CHILD_THREADS);
}

static int start_threads_in_turn(void)
{
    for (int i = 0; i < 4 * PM_CHILD_THREADS; i++) {
        pthread_t id;
        if (pthread_create(&id, NULL, thread, NULL) != 0 || pthread_join(id, NULL) != 0) return i < 255 ? 1 + i : 255;
    }
    return 0;
}

static int work_on_when_told_to_end(void)
{
    signal(SIGXCPU, SIG_IGN);
    struct rlimit cpu;
    if (getrlimit(RLIMIT_CPU, &cpu) != 0) return BROKEN;
    cpu.rlim_cur = cpu.rlim_max = RLIM_INFINITY;
    if (setrlimit(RLIMIT_CPU, &cpu) == 0) return DID_IT;
    alarm(60); /* of the wall, lest the test hangs */
    for (volatile unsigned i = 0;; i++) continue;
}

static int compute(void)
{
    pthread_t id;
    void *result = NULL;
    if (pthread_create(&id, NULL, thread, (void *)&host) != 0 || pthread_join(id, &result) != 0 || result != &host)
        return 2;
    if (ftruncate(room, 0) != 0 || pwrite(room, "abc", 3, 0) != 3 || fcntl(room, F_GET_SEALS) != 0) return 3;
    struct stat info;
    if (fstat(room, &info) != 0 || info.st_size != 3) return 4;
    void *page = mmap(NULL, 3, PROT_READ, MAP_PRIVATE, room, 0);
    if (page == MAP_FAILED || memcmp(page, "abc", 3) != 0) return 5;
    char *bytes = malloc(8 << 20);
    if (bytes == NULL) return 6;
    memset(bytes, 1, 8 << 20);
    free(bytes);
    struct rlimit cpu;
    if (getrlimit(RLIMIT_CPU, &cpu) != 0) return 7;
    cpu.rlim_cur = 60;
    if (setrlimit(RLIMIT_CPU, &cpu) != 0) return 8;
    /* A library that looks for a file and does not find it must live on. */
    if (open("/nonexistent", O_RDONLY) >= 0) return 9;
    return 0;
}

static int abort_oneself(void)
{
    abort();
}

static int read_font_folder(void)
{
    return done(open("/usr/share/fonts", O_RDONLY | O_DIRECTORY) >= 0);
}

static int dump_core(void)
{
    struct rlimit core;
    return done(getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max > 0);
}

static int raise_limits(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) return BROKEN;
    files.rlim_cur = files.rlim_max = files.rlim_max + 1;
    return done(setrlimit(RLIMIT_NOFILE, &files) == 0);
}

static int open_many(void)
{
    for (int i = 0; i < 1000; i++)
        if (dup(0) < 0) return DENIED;
    return DID_IT;
}

static int fill_the_room(void)
{
    return done(ftruncate(room, (off_t)1 << 30) == 0);
}

#ifndef PM_SANITIZED
static int allocate_much(void)
{
    return done(mmap(NULL, (size_t)1 << 30, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
}
#endif

/* --- running them --- */

static bool text_is_drawn;
static int64_t cpu_seconds;

/* Waits, and answers what the child asks meanwhile. */
static int attend(PmThreadGuard *guard, pid_t child)
{
    int status = 0;
    while (waitpid(child, &status, WNOHANG) == 0) {
        struct pollfd wait = {.fd = guard->fd, .events = POLLIN};
        poll(&wait, 1, 5);
        if (wait.revents != 0) pm_thread_guard_serve(guard);
    }
    return status;
}

/* The wait status of `attempt` in a sandbox of `layers`. */
static int run(unsigned layers, int (*attempt)(void))
{
    fflush(NULL);
    pid_t outer = fork();
    assert_true(outer >= 0);
    if (outer == 0) { /* a zygote: namespaces are entered once, by the parent of children */
        PmProbe probe;
        PmSandbox sandbox;
        PmThreadGuard guard;
        pid_t init = 0;
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* as the zygote is */
        room = memfd_create("room", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (room < 0 || pm_thread_guard_open(&guard, NULL) != PM_OK || pm_fault_install(NULL, NULL) != PM_OK ||
            pm_sandbox_probe_begin(&probe, NULL) != PM_OK)
            _exit(BROKEN);
        pm_sandbox_probe_end(&probe, &sandbox);
        pm_sandbox_without(&sandbox, ~layers, "not for this test");
        if (pm_sandbox_isolate(&sandbox, text_is_drawn, &init, NULL) != PM_OK) _exit(BROKEN);
        int sock = (sandbox.layers & PM_LAYER_THREADS) != 0 ? pm_thread_guard_expect(&guard) : -1;
        pid_t child = fork();
        if (child == 0) {
            PmError err = {0};
            PmSandboxLimits limits = {.memory_bytes = 256 << 20,
                                      .mapped_bytes = pm_sandbox_mapped_bytes(&sandbox),
                                      .cpu_seconds = cpu_seconds,
                                      .descriptors = 64,
                                      .guard = sock,
                                      .fonts = text_is_drawn};
            if (pm_sandbox_enter(&sandbox, &limits, &err) != PM_OK) {
                fprintf(stderr, "%s\n", err.message);
                _exit(BROKEN);
            }
            _exit(attempt());
        }
        int status = attend(&guard, child);
        if (WIFSIGNALED(status)) {
            signal(WTERMSIG(status), SIG_DFL);
            kill(getpid(), WTERMSIG(status));
        }
        _exit(WEXITSTATUS(status));
    }
    int status = 0;
    assert_int_equal(waitpid(outer, &status, 0), outer);
    return status;
}

static bool has(unsigned layers)
{
    if ((host.layers & layers) == layers) return true;
    print_message("not on this host: ");
    for (size_t i = 0; i < host.missing_count; i++) print_message("%s; ", host.missing[i]);
    print_message("\n");
    return false;
}

enum {
    T1 = 0,
    T2 = PM_LAYER_LANDLOCK | PM_LAYER_SECCOMP,
    T3 = T2 | PM_LAYER_NAMESPACES | PM_LAYER_ROOT,
    LANDLOCK = PM_LAYER_LANDLOCK,
    SECCOMP = PM_LAYER_SECCOMP,
    NAMESPACES = PM_LAYER_NAMESPACES,
    ROOT = PM_LAYER_NAMESPACES | PM_LAYER_ROOT,
    THREADS = PM_LAYER_SECCOMP | PM_LAYER_THREADS
};

typedef struct Attempt {
    const char *name;
    int (*attempt)(void);
    int tier1;   /* DID_IT where tier 1 does not help */
    int signal;  /* that seccomp kills with; 0: it only denies */
    bool closed; /* also under AddressSanitizer, which needs some calls */
} Attempt;

static const Attempt attempts[] = {
    {"read /etc/passwd", read_file, DID_IT, 0, false},
    {"O_PATH of /etc/passwd", path_to_file, DID_IT, 0, false},
    {"read the parent's environment", read_parents_environment, -1, 0, false},
    {"write below /tmp", write_file, DID_IT, 0, true},
    {"list /", list_folder, DID_IT, 0, false},
    {"stat /etc/passwd", look_at_file, DID_IT, 0, false},
    {"stat as fstat", look_at_file_as_fstat, DID_IT, 0, false},
    {"statx", look_at_file_by_statx, DID_IT, 0, false},
    {"tell which names there are", tell_names_apart, DID_IT, 0, false},
    {"socket", make_socket, DID_IT, SIGSYS, true},
    {"connect to the metadata address", reach_metadata, -1, SIGSYS, true},
    {"execve", run_program, DID_IT, SIGSYS, true},
    {"fork", make_process, DID_IT, 0, true},
    {"vfork", make_process_by_vfork, DID_IT, 0, true},
    {"ptrace the parent", trace_parent, -1, SIGSYS, true},
    {"signal the parent", signal_parent, DID_IT, SIGSYS, true},
    {"signal everyone", signal_everyone, -1, SIGSYS, true},
    {"map writable code", map_new_code, DID_IT, 0, false},
    {"make data executable", make_code_executable, DID_IT, 0, false},
    {"unshare", new_namespace, -1, SIGSYS, true},
    {"memory file", make_memory_file, DID_IT, 0, true},
    {"memory file on huge pages", make_huge_memory_file, DID_IT, 0, true},
    {"seal a memory file of the broker's", seal_the_room, DID_IT, 0, true},
};

static void assert_blocked(unsigned layers, const char *tier)
{
    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++) {
        const Attempt *a = &attempts[i];
#ifdef PM_SANITIZED
        if (!a->closed) continue;
#endif
        int status = run(layers, a->attempt);
        if (a->signal != 0 && (!WIFSIGNALED(status) || WTERMSIG(status) != a->signal))
            fail_msg("%s: %s ends with status %x, not signal %d", tier, a->name, (unsigned)status, a->signal);
        if (a->signal == 0 && (!WIFEXITED(status) || WEXITSTATUS(status) != DENIED))
            fail_msg("%s: %s ends with status %x and is not denied", tier, a->name, (unsigned)status);
    }
}

static void tier_1_says_what_it_does_not_stop(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++) {
        const Attempt *a = &attempts[i];
        int status = run(T1, a->attempt);
        if (!WIFEXITED(status) || WEXITSTATUS(status) == BROKEN)
            fail_msg("%s ends with status %x", a->name, (unsigned)status);
        if (a->tier1 >= 0 && WEXITSTATUS(status) != a->tier1)
            fail_msg("tier 1: %s gave %d", a->name, WEXITSTATUS(status));
        print_message("    tier 1: %-32s %s\n", a->name, WEXITSTATUS(status) == DID_IT ? "not stopped" : "stopped");
    }
}

static void tier_2_blocks_all(void **state)
{
    (void)state;
    if (!has(T2)) skip();
    assert_blocked(T2, "tier 2");
}

static void tier_3_blocks_all(void **state)
{
    (void)state;
    if (!has(T3)) skip();
    assert_blocked(T3, "tier 3");
}

/* Each layer alone must hold what it is there for: two of them are one too many on a good day only. */
static void layers_hold_alone(void **state)
{
    (void)state;
#ifndef PM_SANITIZED
    if (has(LANDLOCK)) {
        assert_int_equal(WEXITSTATUS(run(LANDLOCK, read_file)), DENIED);
        assert_int_equal(WEXITSTATUS(run(LANDLOCK, write_file)), DENIED);
        assert_int_equal(WEXITSTATUS(run(LANDLOCK, list_folder)), DENIED);
        assert_int_equal(WEXITSTATUS(run(LANDLOCK, read_parents_environment)), DENIED);
    }
    if (has(SECCOMP)) assert_blocked(SECCOMP, "seccomp alone");
#endif
    if (has(NAMESPACES)) {
        assert_int_equal(WEXITSTATUS(run(NAMESPACES, reach_metadata)), DENIED);
        assert_int_equal(WEXITSTATUS(run(NAMESPACES, trace_parent)), DENIED);
    }
#ifndef PM_SANITIZED
    if (has(ROOT)) {
        assert_int_equal(WEXITSTATUS(run(ROOT, read_file)), DENIED);
        assert_int_equal(WEXITSTATUS(run(ROOT, look_at_file)), DENIED);
        assert_int_equal(WEXITSTATUS(run(ROOT, write_file)), DENIED);
        assert_int_equal(WEXITSTATUS(run(ROOT, find_names_in_root)), DENIED);
        text_is_drawn = true;
        int fonts = run(ROOT, read_font_folder), names = run(T3, tell_names_apart), file = run(ROOT, read_file);
        text_is_drawn = false;
        assert_int_equal(WEXITSTATUS(fonts), access("/usr/share/fonts", R_OK) == 0 ? DID_IT : DENIED);
        if (has(T3)) assert_int_equal(WEXITSTATUS(names), DENIED);
        assert_int_equal(WEXITSTATUS(file), DENIED);
        assert_int_equal(WEXITSTATUS(run(ROOT, read_font_folder)), DENIED);
    }
#endif
}

static void each_tier_lets_work_go_on(void **state)
{
    (void)state;
    static const unsigned tiers[] = {T1, LANDLOCK, SECCOMP, T2, T3};
    for (size_t i = 0; i < 5; i++) {
        if ((host.layers & tiers[i]) != tiers[i]) continue;
        int status = run(tiers[i], compute);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            fail_msg("with layers %x computing ends with status %x", tiers[i], (unsigned)status);
        status = run(tiers[i], abort_oneself);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
            fail_msg("with layers %x abort() ends with status %x", tiers[i], (unsigned)status);
    }
}

/* Else "killed from outside" would be the best disguise of a plugin that crashes on purpose. */
static void nobody_kills_itself_unseen(void **state)
{
    (void)state;
    static int (*const ways[])(void) = {kill_oneself, kill_own_thread, stop_oneself};
    static const unsigned tiers[] = {SECCOMP, T2, T3};
    for (size_t i = 0; i < 3; i++) {
        if (!has(tiers[i])) continue;
        for (size_t k = 0; k < 3; k++) {
            int status = run(tiers[i], ways[k]);
            if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
                fail_msg("with layers %x way %zu ends with status %x", tiers[i], k, (unsigned)status);
        }
        int status = run(tiers[i], kill_oneself_in_disguise);
        assert_false(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    }
    assert_int_equal(WTERMSIG(run(T1, kill_oneself)), SIGKILL); /* tier 1 cannot tell */
}

static void threads_are_limited(void **state)
{
    (void)state;
    if (!has(THREADS)) skip();
    static const unsigned layers[] = {THREADS, T2 | THREADS, T3 | THREADS};
    for (size_t i = 0; i < 3; i++) {
        if (!has(layers[i])) continue;
        assert_int_equal(WEXITSTATUS(run(layers[i], start_many_threads)), DENIED);
        assert_int_equal(run(layers[i], start_threads_in_turn), 0); /* those that ended do not count */
        assert_int_equal(run(layers[i], compute), 0);
    }
    assert_int_equal(WEXITSTATUS(run(T1, start_many_threads)), DID_IT);
}

static void processor_time_ends_for_who_ignores_it(void **state)
{
    (void)state;
    static const unsigned tiers[] = {T1, T2};
    cpu_seconds = 1;
    for (size_t i = 0; i < 2; i++) {
        if ((host.layers & tiers[i]) != tiers[i]) continue;
        int status = run(tiers[i], work_on_when_told_to_end);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
            fail_msg("with layers %x: status %x", tiers[i], (unsigned)status);
    }
    cpu_seconds = 0;
}

static void fonts_stay_readable(void **state)
{
    (void)state;
    if (access("/usr/share/fonts", R_OK) != 0 || !has(T2)) skip();
    text_is_drawn = true;
    int status = run(T2, read_font_folder), status_3 = has(T3) ? run(T3, read_font_folder) : 0;
    text_is_drawn = false;
    assert_int_equal(status, DID_IT);
    assert_int_equal(status_3, DID_IT);
}

static void limits_hold_at_every_tier(void **state)
{
    (void)state;
    static const unsigned tiers[] = {T1, T2, T3};
    for (size_t i = 0; i < 3; i++) {
        if ((host.layers & tiers[i]) != tiers[i]) continue;
        assert_int_equal(WEXITSTATUS(run(tiers[i], dump_core)), DENIED);
        assert_int_equal(WEXITSTATUS(run(tiers[i], open_many)), DENIED);
        assert_int_equal(WEXITSTATUS(run(tiers[i], fill_the_room)), DENIED);
        assert_int_equal(WEXITSTATUS(run(tiers[i], raise_limits)), DENIED);
#ifndef PM_SANITIZED
        assert_int_equal(WEXITSTATUS(run(tiers[i], allocate_much)), DENIED);
#endif
    }
}

static void refuses_below_the_minimum(void **state)
{
    (void)state;
    PmSandbox sandbox = {.layers = T3, .tier = 3, .landlock_abi = 1};
    PmError err = {0};
    assert_int_equal(pm_sandbox_check(&sandbox, 3, &err), PM_OK);
    pm_sandbox_without(&sandbox, NAMESPACES, "Operation not permitted");
    assert_int_equal(sandbox.tier, 2);
    assert_int_equal(pm_sandbox_check(&sandbox, 2, &err), PM_OK);
    assert_int_equal(pm_sandbox_check(&sandbox, 3, &err), PM_BAD_CONFIG);
    assert_non_null(strstr(err.message, "reaches tier 2 here, and the pipeline asks for 3"));
    assert_non_null(strstr(err.message, "namespaces: Operation not permitted"));
    pm_sandbox_without(&sandbox, SECCOMP, "no");
    assert_int_equal(sandbox.tier, 1);
    pm_error_clear(&err);
    assert_int_equal(pm_sandbox_check(&sandbox, 0, &err), PM_OK);
    json_t *json = pm_sandbox_to_json(&sandbox);
    assert_int_equal(json_integer_value(json_object_get(json, "tier")), 1);
    assert_int_equal(json_array_size(json_object_get(json, "missing")), 2);
    json_decref(json);
}

static int probe_host(void **state)
{
    (void)state;
    PmProbe probe;
    if (pm_sandbox_probe_begin(&probe, NULL) != PM_OK) return -1;
    pm_sandbox_probe_end(&probe, &host);
    print_message("this host: tier %d, Landlock ABI %d\n", host.tier, host.landlock_abi);
    return host.tier >= 1 && host.tier <= 3 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tier_1_says_what_it_does_not_stop),
        cmocka_unit_test(tier_2_blocks_all),
        cmocka_unit_test(tier_3_blocks_all),
        cmocka_unit_test(layers_hold_alone),
        cmocka_unit_test(each_tier_lets_work_go_on),
        cmocka_unit_test(nobody_kills_itself_unseen),
        cmocka_unit_test(threads_are_limited),
        cmocka_unit_test(processor_time_ends_for_who_ignores_it),
        cmocka_unit_test(fonts_stay_readable),
        cmocka_unit_test(limits_hold_at_every_tier),
        cmocka_unit_test(refuses_below_the_minimum),
    };
    return cmocka_run_group_tests(tests, probe_host, NULL);
}
