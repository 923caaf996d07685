/* SPDX-License-Identifier: Apache-2.0
 *
 * The filter of system calls. What is not named fails with EPERM: a KILL default would also kill libraries that only
 * try something harmless, such as writing a log line. What nobody tries by accident kills, so that it is seen.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

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
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall", "exit_group", "clock_gettime",
    "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time", "times", "getrusage", "getrandom", "getpid",
    "getppid", "getuid", "geteuid", "getgid", "getegid", "uname", "sysinfo"};

/* What AddressSanitizer needs to report. */
static const char *const sanitized[] = {
#ifdef PM_SANITIZED
    "openat", "readlink", "readlinkat", "newfstatat", "personality", "prctl", "getdents64", "ioctl", "mprotect", "mmap",
#endif
    NULL};

/* Only code that has been taken over asks for these. */
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
                                     "kexec_load"};

/* A number that this architecture has; -1 otherwise. */
static int number_of(const char *name)
{
    int number = seccomp_syscall_resolve_name(name);
    return number >= 0 ? number : -1;
}

/* The first error is kept; a call that the architecture lacks needs no rule. */
static void add(scmp_filter_ctx filter, int *error, uint32_t action, const char *name, unsigned count,
                const struct scmp_arg_cmp *args)
{
    int number = number_of(name);
    if (number < 0 || *error != 0) return;
    int result = seccomp_rule_add_array(filter, action, number, count, args);
    if (result < 0 && result != -EEXIST) *error = -result;
}

static void allow_if(scmp_filter_ctx filter, int *error, const char *name, struct scmp_arg_cmp arg)
{
    add(filter, error, SCMP_ACT_ALLOW, name, 1, &arg);
}

/* Comparisons are of 64 bits: rubbish in the upper half of an int argument makes a call not allowed, never allowed. */
static struct scmp_arg_cmp equals(unsigned argument, scmp_datum_t value)
{
    return (struct scmp_arg_cmp){.arg = argument, .op = SCMP_CMP_EQ, .datum_a = value};
}

static struct scmp_arg_cmp differs(unsigned argument, scmp_datum_t value)
{
    return (struct scmp_arg_cmp){.arg = argument, .op = SCMP_CMP_NE, .datum_a = value};
}

/* The bits of `mask` are as in `value`. */
static struct scmp_arg_cmp bits(unsigned argument, scmp_datum_t mask, scmp_datum_t value)
{
    return (struct scmp_arg_cmp){.arg = argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};
}

/* Signals to oneself are how abort() and our own handler end; signals to anyone else are an attack. */
static void add_signals(scmp_filter_ctx filter, int *error)
{
    scmp_datum_t self = (scmp_datum_t)getpid();
    static const char *const calls[] = {"kill", "tgkill"};
    for (size_t i = 0; i < 2; i++) {
        allow_if(filter, error, calls[i], equals(0, self));
        struct scmp_arg_cmp other = differs(0, self);
        add(filter, error, SCMP_ACT_KILL_PROCESS, calls[i], 1, &other);
    }
    add(filter, error, SCMP_ACT_KILL_PROCESS, "tkill", 0, NULL);
}

static void add_descriptors(scmp_filter_ctx filter, int *error, bool may_read)
{
    static const int commands[] = {F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC, F_ADD_SEALS, F_GET_SEALS};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        allow_if(filter, error, "fcntl", equals(1, (scmp_datum_t)commands[i]));
    /* Huge pages could fault the reader, see pm_memfd_map. */
    allow_if(filter, error, "memfd_create", bits(1, MFD_HUGETLB, 0));
    /* How glibc spells fstat(). */
    allow_if(filter, error, "newfstatat", bits(3, AT_EMPTY_PATH, AT_EMPTY_PATH));
    allow_if(filter, error, "statx", bits(2, AT_EMPTY_PATH, AT_EMPTY_PATH));
    /* O_PATH is not Landlock's business, so it is ours. */
    scmp_datum_t not_reading = O_ACCMODE | O_CREAT | O_TRUNC | O_PATH | (O_TMPFILE & ~O_DIRECTORY);
    if (may_read) allow_if(filter, error, "openat", bits(2, not_reading, O_RDONLY));
}

static void add_memory_and_threads(scmp_filter_ctx filter, int *error, bool new_code)
{
    /* No new code, if we can help it: everything that runs was mapped before the door closed. */
    allow_if(filter, error, "mmap", bits(2, new_code ? 0 : PROT_EXEC, 0));
    allow_if(filter, error, "mprotect", bits(2, PROT_EXEC, 0));
    /* Threads, not processes. clone3 hides its flags behind a pointer; ENOSYS makes glibc use clone. */
    allow_if(filter, error, "clone", bits(0, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM));
    add(filter, error, SCMP_ACT_ERRNO(ENOSYS), "clone3", 0, NULL);
    allow_if(filter, error, "prctl", equals(0, PR_SET_NAME));
    allow_if(filter, error, "prlimit64", equals(0, 0));
}

int pm_seccomp_enter(bool may_read, bool new_code)
{
    /* An unknown architecture's calls (x32, i386 on amd64) kill, which is libseccomp's default. */
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (filter == NULL) return ENOMEM;
    int error = 0;
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
        add(filter, &error, SCMP_ACT_ALLOW, allowed[i], 0, NULL);
    for (size_t i = 0; sanitized[i] != NULL; i++) add(filter, &error, SCMP_ACT_ALLOW, sanitized[i], 0, NULL);
    for (size_t i = 0; i < sizeof deadly / sizeof deadly[0]; i++)
        add(filter, &error, SCMP_ACT_KILL_PROCESS, deadly[i], 0, NULL);
    add_signals(filter, &error);
    add_descriptors(filter, &error, may_read);
    add_memory_and_threads(filter, &error, new_code);
    if (error == 0) error = -seccomp_load(filter);
    seccomp_release(filter);
    return error;
}
