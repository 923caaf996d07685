/* SPDX-License-Identifier: Apache-2.0
 *
 * `pixmill plugin run`: one step on one picture in this very process, without fork, sandbox or limits of the kernel, so
 * that a debugger, valgrind or a sanitizer sees all of it. For authors, with files they trust.
 */
#ifndef PM_WORKER_TRY_H
#define PM_WORKER_TRY_H

typedef struct PmTry {
    const char *plugin;    /* FILE.so */
    const char *in, *out;  /* the ending of `out` names the format, unless the plugin encodes */
    char *const *settings; /* "param=value", NULL-terminated */
    const char *folders;   /* where other plugins lie, separated by ':' */
} PmTry;

/* Says on stdout what was written, on stderr what went wrong. Returns the exit code: 0 fine, 2 usage, 3 failed. */
int pm_try_run(const PmTry *try);

#endif
