/* SPDX-License-Identifier: Apache-2.0
 *
 * Namespaces for the children, prepared by a process of their own before any plugin is opened: user, pid, network, ipc,
 * uts and mount, the last with a root that holds nothing but the folders of fonts. Hides who makes them: the caller
 * only enters, which also a process that Landlock keeps from mounting can do.
 *
 * The process that made them stays, as the first of the pid namespace ("pixmill-init"). It ends with the caller,
 * however that ends: it reads from a socket whose other end the caller alone has.
 */
#ifndef PM_WORKER_NAMESPACES_H
#define PM_WORKER_NAMESPACES_H

#include <sys/types.h>

#include "base/error.h"

enum { PM_NAMESPACES = 6 };

typedef struct PmNamespaces {
    int sock;    /* to the first process; -1: there is none */
    pid_t maker; /* the process that makes them, until it has */
    pid_t init;  /* the first process within; a child of the caller */
    int fds[PM_NAMESPACES];
} PmNamespaces;

/* Starts the process that makes them. `folders` (absolute, NULL-terminated) are those of fonts; what does not exist is
 * left out. Only while the caller is not restricted yet. PM_TRANSIENT: no process can be had. */
PmStatus pm_namespaces_begin(PmNamespaces *namespaces, const char *const *folders, PmError *err);

/* Waits until they are there. Returns 0, or errno: then there are none. -1: the host killed who tried. *root_error:
 * 0, or why there is no root of their own. */
int pm_namespaces_wait(PmNamespaces *namespaces, int *root_error);

/* Enters: every later fork is born there. With `root` the caller itself sees no file any more but, with `fonts`, those
 * of fonts. The caller has no capabilities afterwards, and must have one thread only. Clears PR_SET_PDEATHSIG: set it
 * again. */
PmStatus pm_namespaces_enter(PmNamespaces *namespaces, bool root, bool fonts, PmError *err);

/* Gives them up: the first process ends, and all within. */
void pm_namespaces_drop(PmNamespaces *namespaces);

#endif
