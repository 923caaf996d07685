/* SPDX-License-Identifier: Apache-2.0
 *
 * The filter of system calls. What is not named fails with EPERM: a KILL default would also kill libraries that only
 * try something harmless, such as writing a log line. What nobody tries by accident kills, so that it is seen.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "worker/filter.h"
#include "worker/sandbox.h"
#include "worker/sanitized.h"

/* Allowed whatever their arguments. */
static const char *const allowed[] = {
    /* bytes to and from descriptors that are already open */
    "read", "write", "readv", "writev", "pread64", "pwrite64", "lseek", "close", "fstat", "fstatfs", "ftruncate",
    "sendmsg", "recvmsg", "poll", "ppoll",
    /* memory */
    "munmap", "mremap", "madvise", "brk",
    /* threads, which codecs and libvips start */
    "futex", "set_robust_list", "rseq", "sched_yield", "sched_getaffinity", "gettid", "exit",
    /* signals to oneself, time, and what one is */
    "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall", "exit_group", "clock_gettime", "clock_getres",
    "clock_nanosleep", "nanosleep", "gettimeofday", "time", "times", "getrusage", "getrandom", "getpid", "getppid",
    "getuid", "geteuid", "getgid", "getegid", "uname", "sysinfo", NULL};

/* What AddressSanitizer needs to report. */
static const char *const sanitized[] = {
#ifdef PM_SANITIZED
    "openat", "readlink", "readlinkat", "newfstatat", "personality", "prctl", "getdents64", "ioctl", "mprotect", "mmap",
#endif
    NULL};

/* Only code that has been taken over asks for these, or a plugin whose author does not know that it may not. They raise
 * SIGSYS: our handler (pm_fault_install) notes which call it was, and the process dies of it. */
static const char *const deadly[] = {"socket",
                                     "connect",
                                     "bind",
                                     "listen",
                                     "accept",
                                     "accept4",
                                     "execve",
                                     "execveat",
                                     "ptrace",
                                     "process_vm_readv",
                                     "process_vm_writev",
                                     "bpf",
                                     "mount",
                                     "setns",
                                     "unshare",
                                     "pidfd_send_signal",
                                     "io_uring_setup",
                                     "userfaultfd",
                                     "init_module",
                                     "finit_module",
                                     "kexec_load",
                                     NULL};

/* No memfd_create: memory that is not mapped has no limit. The broker hands out what a child may write to. */
static void add_descriptors(PmFilter *filter, bool may_read)
{
    static const int commands[] = {F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC, F_GET_SEALS};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        pm_filter_allow_if(filter, "fcntl", pm_filter_equals(1, (scmp_datum_t)commands[i]));
#ifndef PM_SANITIZED
    /* glibc before 2.39 spells fstat(fd) as newfstatat(fd, "", .., AT_EMPTY_PATH), and a filter does not see whether
     * the path is empty: our handler of SIGSYS looks, and calls fstat (pm_fault_install). */
    struct scmp_arg_cmp empty = pm_filter_bits(3, AT_EMPTY_PATH, AT_EMPTY_PATH);
    pm_filter_add(filter, SCMP_ACT_TRAP, "newfstatat", 1, &empty);
    pm_filter_add(filter, SCMP_ACT_ERRNO(ENOSYS), "statx", 0, NULL); /* glibc and others then use the above */
#endif
    /* O_PATH is not Landlock's business, so it is ours. */
    scmp_datum_t not_reading = O_ACCMODE | O_CREAT | O_TRUNC | O_PATH | (O_TMPFILE & ~O_DIRECTORY);
    if (!may_read) return;
    pm_filter_allow_if(filter, "openat", pm_filter_bits(2, not_reading, O_RDONLY));
    /* cairo asks whether it may read a font before it does, and draws boxes when not. It tells no more of other files
     * than openat does, which says EACCES or ENOENT. */
    pm_filter_allow_if(filter, "access", pm_filter_equals(1, R_OK));
    pm_filter_allow_if(filter, "faccessat", pm_filter_equals(2, R_OK));
}

static void add_memory_and_threads(PmFilter *filter, bool new_code, bool ask)
{
    /* No new code, if we can help it: everything that runs was mapped before the door closed. */
    pm_filter_allow_if(filter, "mmap", pm_filter_bits(2, new_code ? 0 : PROT_EXEC, 0));
    pm_filter_allow_if(filter, "mprotect", pm_filter_bits(2, PROT_EXEC, 0));
    /* Threads, not processes. clone3 hides its flags behind a pointer; ENOSYS makes glibc use clone. */
    struct scmp_arg_cmp thread = pm_filter_bits(0, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM);
    pm_filter_add(filter, ask ? SCMP_ACT_NOTIFY : SCMP_ACT_ALLOW, "clone", 1, &thread);
    pm_filter_add(filter, SCMP_ACT_ERRNO(ENOSYS), "clone3", 0, NULL);
    pm_filter_allow_if(filter, "prctl", pm_filter_equals(0, PR_SET_NAME));
    pm_filter_allow_if(filter, "prlimit64", pm_filter_equals(0, 0));
}

int pm_seccomp_enter(bool may_read, bool new_code, int *listener)
{
    PmFilter filter = pm_filter_new(SCMP_ACT_ERRNO(EPERM));
    pm_filter_add_all(&filter, SCMP_ACT_ALLOW, allowed);
    pm_filter_add_all(&filter, SCMP_ACT_ALLOW, sanitized);
    pm_filter_add_all(&filter, SCMP_ACT_TRAP, deadly);
    /* Nobody puts a handler of his own in its place. */
    pm_filter_allow_if(&filter, "rt_sigaction", pm_filter_differs(0, SIGSYS));
    pm_filter_add_signals(&filter, SCMP_ACT_KILL_PROCESS);
    add_descriptors(&filter, may_read);
    add_memory_and_threads(&filter, new_code, listener != NULL);
    return pm_filter_load(&filter, listener);
}
