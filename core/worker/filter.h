/* SPDX-License-Identifier: Apache-2.0
 *
 * Words in which the filters of system calls are written.
 */
#ifndef PM_WORKER_FILTER_H
#define PM_WORKER_FILTER_H

#include <seccomp.h>
#include <stddef.h>

typedef struct PmFilter {
    scmp_filter_ctx context;
    int error; /* errno of the first rule that failed */
} PmFilter;

/* A filter with `action` for what no rule names. filter->error tells whether it could be had. */
PmFilter pm_filter_new(uint32_t action);

/* Signals that a process may send to itself; -1 ends. */
extern const int pm_filter_signals[];

/* A call that this architecture lacks needs no rule. All of `args` must hold. */
void pm_filter_add(PmFilter *filter, uint32_t action, const char *name, unsigned count,
                   const struct scmp_arg_cmp *args);
/* Whatever the arguments; names end with NULL. */
void pm_filter_add_all(PmFilter *filter, uint32_t action, const char *const *names);
void pm_filter_allow_if(PmFilter *filter, const char *name, struct scmp_arg_cmp arg);

/* Signals to the process itself are how abort() and our own handler end. SIGKILL and SIGSTOP, which no handler sees,
 * and signals to anyone else are an attack, and get `action`. */
void pm_filter_add_signals(PmFilter *filter, uint32_t action);

/* Puts it in force and frees it. Returns 0 or errno. *listener, unless NULL: where calls with SCMP_ACT_NOTIFY are asked
 * about. */
int pm_filter_load(PmFilter *filter, int *listener);

/* Comparisons are of 64 bits: rubbish in the upper half of an int argument makes a call not allowed, never allowed. */
static inline struct scmp_arg_cmp pm_filter_equals(unsigned argument, scmp_datum_t value)
{
    return (struct scmp_arg_cmp){.arg = argument, .op = SCMP_CMP_EQ, .datum_a = value};
}

static inline struct scmp_arg_cmp pm_filter_differs(unsigned argument, scmp_datum_t value)
{
    return (struct scmp_arg_cmp){.arg = argument, .op = SCMP_CMP_NE, .datum_a = value};
}

/* The bits of `mask` are as in `value`. */
static inline struct scmp_arg_cmp pm_filter_bits(unsigned argument, scmp_datum_t mask, scmp_datum_t value)
{
    return (struct scmp_arg_cmp){.arg = argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};
}

#endif
