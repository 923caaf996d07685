/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/fault.h"

#include <errno.h>
#include <link.h>
#include <seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/text.h"
#include "engine/memory.h"
#include "worker/sanitized.h"

enum {
    RANGES_MAX = 256,
    ALT_STACK_BYTES = 64 * 1024,
    PAGE_BYTES = 4096,
    STACK_SCAN_BYTES = 64 * 1024,
    MEMORY_PROBE_BYTES = 16 * 1024 * 1024
};

typedef struct Range {
    uintptr_t begin, end; /* of an executable segment */
    char plugin[sizeof((PmProgress *)0)->plugin];
} Range;

static Range ranges[RANGES_MAX];
static size_t range_count;
static PmProgress *page;
static uintptr_t stack_top; /* of the main thread: above it nothing is mapped */

static sigjmp_buf rescue;
static volatile sig_atomic_t rescuing; /* pm_fault_survive is at work */
static pid_t rescued;                  /* in this process: a fork of it is on its own */
static volatile sig_atomic_t refused_call = -1;

static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS, SIGXCPU, SIGALRM};
enum { FATAL_COUNT = sizeof fatal / sizeof fatal[0] };
static struct sigaction after[FATAL_COUNT]; /* SIG_DFL; a sanitizer's own, which reports; never a plugin's */

/* --- where plugins are mapped --- */

typedef struct Wanted {
    const char *name, *file;
} Wanted;

static int learn_object(struct dl_phdr_info *object, size_t size, void *data)
{
    (void)size;
    const Wanted *wanted = data;
    if (strcmp(object->dlpi_name, wanted->file) != 0) return 0;
    for (size_t i = 0; i < object->dlpi_phnum && range_count < RANGES_MAX; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_X) == 0) continue;
        Range *range = &ranges[range_count++];
        range->begin = object->dlpi_addr + segment->p_vaddr;
        range->end = range->begin + segment->p_memsz;
        pm_text_copy(range->plugin, sizeof range->plugin, wanted->name);
    }
    return 1;
}

void pm_fault_learn(const json_t *plugins)
{
    range_count = 0;
    size_t i;
    json_t *plugin;
    json_array_foreach(plugins, i, plugin)
    {
        Wanted wanted = {json_string_value(json_object_get(plugin, "name")),
                         json_string_value(json_object_get(plugin, "file"))};
        if (wanted.name != NULL && wanted.file != NULL) dl_iterate_phdr(learn_object, &wanted);
    }
}

const char *pm_fault_plugin_at(uintptr_t address)
{
    for (size_t i = 0; i < range_count; i++)
        if (address >= ranges[i].begin && address < ranges[i].end) return ranges[i].plugin;
    return NULL;
}

/* --- the handler: async-signal-safe throughout --- */

static void registers_of(const ucontext_t *context, uintptr_t *pc, uintptr_t *sp)
{
#if defined(__x86_64__)
    *pc = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
    *sp = (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__)
    *pc = (uintptr_t)context->uc_mcontext.pc;
    *sp = (uintptr_t)context->uc_mcontext.sp;
#else
    (void)context;
    *pc = *sp = 0;
#endif
}

/* The nearest word above the stack pointer that looks like a return address into a plugin. On the main thread the
 * stack is readable up to its top; on others at least to the end of the page. */
__attribute__((no_sanitize("address"))) static const char *nearest_caller(uintptr_t sp)
{
    if (sp == 0) return NULL;
    sp = (sp + sizeof sp - 1) & ~(uintptr_t)(sizeof sp - 1);
    uintptr_t end = (sp | (PAGE_BYTES - 1)) + 1;
    if (stack_top > sp && stack_top - sp < (uintptr_t)8 * 1024 * 1024)
        end = stack_top - sp < STACK_SCAN_BYTES ? stack_top : sp + STACK_SCAN_BYTES;
    for (uintptr_t at = sp; at + sizeof at <= end; at += sizeof at) {
        const char *plugin = pm_fault_plugin_at(*(const uintptr_t *)at);
        if (plugin != NULL) return plugin;
    }
    return NULL;
}

/* Codecs and GLib die in their own ways when memory runs out: what tells is that there is none left. */
static bool memory_is_exhausted(void)
{
    void *probe = mmap(NULL, MEMORY_PROBE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (probe == MAP_FAILED) return errno == ENOMEM;
    munmap(probe, MEMORY_PROBE_BYTES);
    return false;
}

/* --- names of system calls, looked up before there is a signal --- */

enum { CALLS_MAX = 512, FROM_SECCOMP = 1 /* SYS_SECCOMP, which glibc's headers may lack */ };
static char call_names[CALLS_MAX][sizeof((PmProgress *)0)->refused_call];

static void learn_calls(void)
{
    for (int i = 0; i < CALLS_MAX; i++) {
        char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, i);
        pm_text_copy(call_names[i], sizeof call_names[i], name != NULL ? name : "");
        free(name);
    }
}

static void note_call(const siginfo_t *info)
{
    if (info->si_code != FROM_SECCOMP || info->si_syscall < 0 || info->si_syscall >= CALLS_MAX) return;
    refused_call = info->si_syscall;
    const char *name = call_names[info->si_syscall];
    for (size_t i = 0; i < sizeof page->refused_call - 1 && (page->refused_call[i] = name[i]) != '\0'; i++) {
    }
}

/* The filter of system calls cannot read a path. Of calls with AT_EMPTY_PATH it sends us those of fstat(fd) here, which
 * glibc before 2.39 spells so: an empty path is a descriptor's own status, any other is not told. */
static bool answer_fstat(const siginfo_t *info, ucontext_t *context)
{
    if (info->si_code != FROM_SECCOMP || info->si_syscall != SYS_newfstatat) return false;
#if defined(__x86_64__)
    greg_t *r = context->uc_mcontext.gregs;
    int fd = (int)r[REG_RDI];
    const char *path = (const char *)r[REG_RSI];
    void *out = (void *)r[REG_RDX];
    r[REG_RAX] = path[0] != '\0' ? -EPERM : syscall(SYS_fstat, fd, out) == 0 ? 0 : -errno;
#elif defined(__aarch64__)
    unsigned long long *r = context->uc_mcontext.regs;
    const char *path = (const char *)r[1];
    long answer = path[0] != '\0' ? -EPERM : syscall(SYS_fstat, (int)r[0], (void *)r[2]) == 0 ? 0 : -errno;
    r[0] = (unsigned long long)answer;
#else
    return false;
#endif
    return true;
}

static void on_fatal(int signo, siginfo_t *info, void *context)
{
    int saved = errno;
    if (signo == SIGSYS && answer_fstat(info, context)) {
        errno = saved;
        return;
    }
    uintptr_t pc = 0, sp = 0;
    registers_of(context, &pc, &sp);
    const char *plugin = pm_fault_plugin_at(pc);
    /* abort() strikes in libc, a jump to nowhere strikes nowhere: what counts is who called. */
    if (plugin == NULL && (signo == SIGABRT || signo == SIGTRAP || pc == (uintptr_t)info->si_addr))
        plugin = nearest_caller(sp);
    if (plugin != NULL)
        for (size_t i = 0; i < sizeof page->fault_plugin - 1 && (page->fault_plugin[i] = plugin[i]) != '\0'; i++) {
        }
    if (pm_memory_ran_out(NULL) || memory_is_exhausted()) page->out_of_memory = 1;
    if (signo == SIGSYS) note_call(info);
    if (rescuing != 0 && getpid() == rescued && syscall(SYS_gettid) == rescued) {
        rescuing = 0;
        siglongjmp(rescue, signo);
    }
    for (size_t i = 0; i < FATAL_COUNT; i++)
        if (fatal[i] == signo && sigaction(signo, &after[i], NULL) != 0)
            syscall(SYS_tkill, 0, 0); /* a child's handler of SIGSYS is for good: this call kills instead */
    /* Blocked until this handler returns; then it kills. */
    syscall(SYS_tgkill, getpid(), (int)syscall(SYS_gettid), signo);
    errno = saved;
}

int pm_fault_survive(void (*call)(void *data), void *data, unsigned seconds)
{
    enum { LAST_WORDS_SECONDS = 5 };
    int signo = sigsetjmp(rescue, 1);
    if (signo != 0) { /* whatever comes now must not take long, or strike twice */
        alarm(LAST_WORDS_SECONDS);
        return signo;
    }
    rescued = getpid();
    rescuing = 1;
    alarm(seconds);
    call(data);
    alarm(0);
    rescuing = 0;
    return 0;
}

int pm_fault_refused_call(void)
{
    return refused_call;
}

static uintptr_t find_stack_top(void)
{
    /* glibc's name for where the kernel put the first frame; arguments and environment lie above. */
    extern void *__libc_stack_end;
    return (uintptr_t)__libc_stack_end;
}

PmStatus pm_fault_install(PmProgress *progress, PmError *err)
{
    static PmProgress nobody_reads;
    page = progress != NULL ? progress : &nobody_reads;
    pm_memory_tell(&page->out_of_memory);
    if (stack_top != 0) return PM_OK; /* inherited over fork */
    void *memory = mmap(NULL, ALT_STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    stack_t stack = {.ss_sp = memory, .ss_size = ALT_STACK_BYTES};
    if (memory == MAP_FAILED || sigaltstack(&stack, NULL) != 0)
        return pm_error_set(err, PM_BUG, "no stack for the signal handler: %s", strerror(errno));
    struct sigaction action = {.sa_sigaction = on_fatal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigfillset(&action.sa_mask);
    for (size_t i = 0; i < FATAL_COUNT; i++) {
        if (sigaction(fatal[i], &action, &after[i]) != 0)
            return pm_error_set(err, PM_BUG, "no handler for signal %d: %s", fatal[i], strerror(errno));
#ifndef PM_SANITIZED
        after[i] = (struct sigaction){.sa_handler = SIG_DFL};
#endif
    }
    learn_calls();
    stack_top = find_stack_top();
    return PM_OK;
}
