/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/filter.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

/* 32 and 33 are glibc's own, for pthread_cancel() and setuid(). */
const int pm_filter_signals[] = {0,       SIGABRT, SIGSEGV, SIGBUS,  SIGILL, SIGFPE, SIGTRAP, SIGSYS,
                                 SIGXCPU, SIGALRM, SIGUSR1, SIGUSR2, 32,     33,     -1};

PmFilter pm_filter_new(uint32_t action)
{
    /* An unknown architecture's calls (x32, i386 on amd64) kill, which is libseccomp's default. */
    PmFilter filter = {.context = seccomp_init(action)};
    if (filter.context == NULL) filter.error = ENOMEM;
    return filter;
}

void pm_filter_add(PmFilter *filter, uint32_t action, const char *name, unsigned count, const struct scmp_arg_cmp *args)
{
    int number = seccomp_syscall_resolve_name(name);
    if (number < 0 || filter->error != 0) return;
    int result = seccomp_rule_add_array(filter->context, action, number, count, args);
    if (result < 0 && result != -EEXIST) filter->error = -result;
}

void pm_filter_add_all(PmFilter *filter, uint32_t action, const char *const *names)
{
    for (size_t i = 0; names[i] != NULL; i++) pm_filter_add(filter, action, names[i], 0, NULL);
}

void pm_filter_allow_if(PmFilter *filter, const char *name, struct scmp_arg_cmp arg)
{
    pm_filter_add(filter, SCMP_ACT_ALLOW, name, 1, &arg);
}

void pm_filter_add_signals(PmFilter *filter, uint32_t action)
{
    static const int deadly[] = {SIGKILL, SIGSTOP};
    static const struct {
        const char *name;
        unsigned signal; /* which argument */
    } calls[] = {{"kill", 1}, {"tgkill", 2}};
    scmp_datum_t self = (scmp_datum_t)getpid();
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        struct scmp_arg_cmp other = pm_filter_differs(0, self);
        pm_filter_add(filter, action, calls[i].name, 1, &other);
        struct scmp_arg_cmp args[] = {pm_filter_equals(0, self), pm_filter_equals(calls[i].signal, 0)};
        for (size_t k = 0; pm_filter_signals[k] >= 0; k++) {
            args[1].datum_a = (scmp_datum_t)pm_filter_signals[k];
            pm_filter_add(filter, SCMP_ACT_ALLOW, calls[i].name, 2, args);
        }
        for (size_t k = 0; k < sizeof deadly / sizeof deadly[0]; k++) {
            args[1].datum_a = (scmp_datum_t)deadly[k];
            pm_filter_add(filter, action, calls[i].name, 2, args);
        }
    }
    pm_filter_add(filter, action, "tkill", 0, NULL);
}

int pm_filter_load(PmFilter *filter, int *listener)
{
    if (filter->error == 0) filter->error = -seccomp_load(filter->context);
    if (filter->error == 0 && listener != NULL) {
        *listener = seccomp_notify_fd(filter->context);
        if (*listener < 0) filter->error = -*listener;
    }
    if (filter->context != NULL) seccomp_release(filter->context);
    filter->context = NULL;
    return filter->error;
}
