/* SPDX-License-Identifier: Apache-2.0
 *
 * The filter of the worker that opens plugins. What is not named fails with EPERM. What no plugin does by accident
 * raises SIGSYS, so that the plugin is named (pm_fault_survive).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/confine.h"
#include "worker/filter.h"
#include "worker/sanitized.h"

static const char *const allowed[] = {
    /* descriptors that are open */
    "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "lseek", "close", "close_range",
    "fstat", "fstatfs", "ftruncate", "fadvise64", "dup", "dup2", "dup3", "fcntl", "pipe", "pipe2", "poll", "ppoll",
    "select", "pselect6", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "eventfd2", "timerfd_create",
    "timerfd_settime", "memfd_create", "sendmsg", "recvmsg", "recvfrom", "getsockopt", "shutdown", "signalfd4",
    /* looking at files; what may be read says Landlock */
    "access", "faccessat", "faccessat2", "stat", "lstat", "newfstatat", "statx", "statfs", "readlink", "readlinkat",
    "getdents64", "getcwd", "chdir", "umask",
    /* memory: libraries are mapped and relocated here */
    "mmap", "munmap", "mremap", "mprotect", "madvise", "mincore", "msync", "mlock", "munlock", "brk", "membarrier",
    "get_mempolicy",
    /* threads and processes */
    "futex", "set_robust_list", "get_robust_list", "set_tid_address", "rseq", "sched_yield", "sched_getaffinity",
    "sched_setaffinity", "sched_getparam", "sched_getscheduler", "sched_get_priority_max", "sched_get_priority_min",
    "getcpu", "gettid", "exit", "exit_group", "wait4", "waitid", "pidfd_open", "arch_prctl",
    /* signals to oneself, time, and what one is */
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigtimedwait", "rt_sigsuspend",
    "sigaltstack", "restart_syscall", "pause", "alarm", "setitimer", "getitimer", "clock_gettime", "clock_getres",
    "clock_nanosleep", "nanosleep", "gettimeofday", "time", "times", "getrusage", "getrandom", "getpid", "getppid",
    "getpgrp", "getpgid", "getsid", "getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups",
    "uname", "sysinfo", "getpriority", "getrlimit", "setrlimit", "prctl", "capget", "capset",
    /* into the namespaces, and the children's own sandbox */
    "setns", "seccomp", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", NULL};

#ifdef PM_SANITIZED
static const char *const sanitized[] = {"openat", "open", "personality", "ioctl", "sched_getattr", NULL};
#endif

static const char *const refused[] = {"connect",
                                      "bind",
                                      "listen",
                                      "accept",
                                      "accept4",
                                      "execve",
                                      "execveat",
                                      "ptrace",
                                      "process_vm_readv",
                                      "process_vm_writev",
                                      "pidfd_send_signal",
                                      "pidfd_getfd",
                                      "bpf",
                                      "mount",
                                      "move_mount",
                                      "fsopen",
                                      "pivot_root",
                                      "unshare",
                                      "io_uring_setup",
                                      "userfaultfd",
                                      "open_by_handle_at",
                                      "init_module",
                                      "finit_module",
                                      "kexec_load",
                                      NULL};

static void add_files(PmFilter *filter)
{
    /* O_PATH stays possible: rules of Landlock are made with it, and it tells no more than stat() does. */
    scmp_datum_t not_reading = O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY);
    pm_filter_allow_if(filter, "openat", pm_filter_bits(2, not_reading, O_RDONLY));
    pm_filter_allow_if(filter, "open", pm_filter_bits(1, not_reading, O_RDONLY));
}

static void add_sockets(PmFilter *filter)
{
    static const int domains[] = {AF_INET, AF_INET6, AF_PACKET};
    static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET};
    /* Others fail softly: libraries look for a name service, or ask the kernel for interfaces, and do without. */
    for (size_t i = 0; i < sizeof domains / sizeof domains[0]; i++) {
        struct scmp_arg_cmp domain = pm_filter_equals(0, (scmp_datum_t)domains[i]);
        pm_filter_add(filter, SCMP_ACT_TRAP, "socket", 1, &domain);
    }
    /* A pair of datagram sockets could still write to any socket with a name. */
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct scmp_arg_cmp args[] = {pm_filter_equals(0, AF_UNIX), pm_filter_bits(1, 0xf, (scmp_datum_t)types[i])};
        pm_filter_add(filter, SCMP_ACT_ALLOW, "socketpair", 2, args);
    }
}

/* A process, or a thread; in no new namespace. clone3 hides its flags behind a pointer; ENOSYS makes glibc use clone.
 */
static void add_processes(PmFilter *filter)
{
    scmp_datum_t namespaces = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |
                              CLONE_NEWCGROUP | CLONE_PARENT;
    pm_filter_allow_if(filter, "clone", pm_filter_bits(0, namespaces, 0));
    pm_filter_add(filter, SCMP_ACT_ERRNO(ENOSYS), "clone3", 0, NULL);
    pm_filter_add(filter, SCMP_ACT_ALLOW, "fork", 0, NULL);
    pm_filter_allow_if(filter, "prlimit64", pm_filter_equals(0, 0));
    static const unsigned long notices[] = {SECCOMP_IOCTL_NOTIF_RECV, SECCOMP_IOCTL_NOTIF_SEND,
                                            SECCOMP_IOCTL_NOTIF_ID_VALID};
    for (size_t i = 0; i < sizeof notices / sizeof notices[0]; i++)
        pm_filter_allow_if(filter, "ioctl", pm_filter_equals(1, notices[i]));
}

/* abort() and our handler of fatal signals send to their own process, whose number in a child a filter made here cannot
 * know; so these signals are left, which end a process but do not pass for an end from outside. */
static void add_signals(PmFilter *filter)
{
    static const int deadly[] = {SIGKILL, SIGSTOP};
    static const struct {
        const char *name;
        unsigned signal; /* which argument */
    } calls[] = {{"kill", 1}, {"tgkill", 2}};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        for (size_t k = 0; pm_filter_signals[k] >= 0; k++)
            pm_filter_allow_if(filter, calls[i].name,
                               pm_filter_equals(calls[i].signal, (scmp_datum_t)pm_filter_signals[k]));
        for (size_t k = 0; k < sizeof deadly / sizeof deadly[0]; k++) {
            struct scmp_arg_cmp arg = pm_filter_equals(calls[i].signal, (scmp_datum_t)deadly[k]);
            pm_filter_add(filter, SCMP_ACT_TRAP, calls[i].name, 1, &arg);
        }
    }
}

/* Closed are pixmill, groups, everybody and the first process. A filter of its own: the strictest counts. */
static int protect_processes(void)
{
    static const char *const calls[] = {"kill", "tgkill"};
    const scmp_datum_t number = 0xffffffff, sign = 0x80000000;
    const struct scmp_arg_cmp closed[] = {pm_filter_bits(0, sign, sign), pm_filter_bits(0, number, 0),
                                          pm_filter_bits(0, number, 1),
                                          pm_filter_bits(0, number, (scmp_datum_t)getppid())};
    PmFilter filter = pm_filter_new(SCMP_ACT_ALLOW);
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        for (size_t k = 0; k < sizeof closed / sizeof closed[0]; k++)
            pm_filter_add(&filter, SCMP_ACT_TRAP, calls[i], 1, &closed[k]);
    return pm_filter_load(&filter, NULL);
}

int pm_seccomp_confine(bool others_are_safe)
{
    int error = others_are_safe ? 0 : protect_processes();
    if (error != 0) return error;
    PmFilter filter = pm_filter_new(SCMP_ACT_ERRNO(EPERM));
    pm_filter_add_all(&filter, SCMP_ACT_ALLOW, allowed);
#ifdef PM_SANITIZED
    pm_filter_add_all(&filter, SCMP_ACT_ALLOW, sanitized);
#endif
    pm_filter_add_all(&filter, SCMP_ACT_TRAP, refused);
    add_files(&filter);
    add_sockets(&filter);
    add_processes(&filter);
    add_signals(&filter);
    return pm_filter_load(&filter, NULL);
}
