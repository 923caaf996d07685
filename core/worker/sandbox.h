/* SPDX-License-Identifier: Apache-2.0
 *
 * What a child may still do: nothing but compute and talk to the broker. Hides seccomp, Landlock, namespaces and
 * which of them this kernel and container allow.
 *
 *   tier 1  its own process, resource limits, no_new_privs, no capabilities, no environment, no descriptors
 *   tier 2  + seccomp (an allow-list of system calls) + Landlock (no file but the fonts, read-only)
 *   tier 3  + user, network, pid, ipc, uts and mount namespaces, with an empty root directory
 *
 * Where the kernel lets one process decide about another's system calls, the number of threads is limited, too.
 * Each layer that is there is used, also when another of its tier is missing; the tier is the highest one complete.
 */
#ifndef PM_WORKER_SANDBOX_H
#define PM_WORKER_SANDBOX_H

#include <jansson.h>

#include "base/error.h"
#include "worker/fonts.h"
#include "worker/namespaces.h"

enum {
    PM_LAYER_LANDLOCK = 1,
    PM_LAYER_SECCOMP = 2,
    PM_LAYER_NAMESPACES = 4,
    PM_LAYER_ROOT = 8,
    PM_LAYER_THREADS = 16,
    PM_LAYERS = 5
};

typedef struct PmSandbox {
    unsigned layers; /* PM_LAYER_ */
    int tier;        /* 1..3 */
    int landlock_abi;
    char missing[PM_LAYERS][160]; /* "landlock: ..": what is not there, and why */
    size_t missing_count;
    PmNamespaces namespaces; /* ready to be entered, with PM_LAYER_NAMESPACES */
    PmFonts fonts;
    int statm; /* /proc/self/statm of the process that probed: later it may see no /proc */
} PmSandbox;

/* A process that tries one layer, to be thrown away. */
typedef struct PmTrial {
    pid_t pid; /* 0: none */
    int fd;
} PmTrial;

/* What this host allows is found out by trying. Each layer has a process of its own: a host may kill for one of them.
 */
typedef struct PmProbe {
    PmTrial trials[2];
    PmNamespaces namespaces;
    PmFonts fonts;
} PmProbe;

/* Starts them, which need a few milliseconds. PM_TRANSIENT: no process can be had. */
PmStatus pm_sandbox_probe_begin(PmProbe *probe, PmError *err);
/* Waits for them; every field of *sandbox is set. */
void pm_sandbox_probe_end(PmProbe *probe, PmSandbox *sandbox);

/* The same without a layer, for a caller that wants less (tests). */
void pm_sandbox_without(PmSandbox *sandbox, unsigned layers, const char *why);

/* PM_BAD_CONFIG with what is missing when the tier is below `minimum`. */
PmStatus pm_sandbox_check(const PmSandbox *sandbox, int64_t minimum, PmError *err);

/* {tier, missing: [text..], open: [text..]}; `open` tells in an operator's words what is not stopped here. New. */
json_t *pm_sandbox_to_json(const PmSandbox *sandbox);

/* Moves the calling process into the namespaces, when that layer is there: every later fork is born into a pid
 * namespace whose first process is *init_pid. Only with one thread. *init_pid is 0 without the layer. `fonts`: text
 * will be drawn. Clears PR_SET_PDEATHSIG: set it again. */
PmStatus pm_sandbox_isolate(PmSandbox *sandbox, bool fonts, pid_t *init_pid, PmError *err);

typedef struct PmSandboxLimits {
    int64_t memory_bytes; /* of address space beyond what is mapped at the start; 0: no limit */
    int64_t mapped_bytes; /* what is: pm_sandbox_mapped_bytes */
    int64_t cpu_seconds;  /* of processor time until SIGKILL, whatever the process does; 0: no limit */
    int descriptors;
    int guard;     /* pm_thread_guard_expect's socket, closed here; -1: threads are not counted */
    bool fonts;    /* text will be drawn: files of fonts stay readable */
    bool new_code; /* code may be made at run time: libvips before 8.15 compiles its inner loops with Orc */
} PmSandboxLimits;

/* Address space of the process that probed, which its forks inherit; -1 if unknown. */
int64_t pm_sandbox_mapped_bytes(const PmSandbox *sandbox);

/* Locks the calling process in, for good: limits, no capabilities, no new privileges, Landlock, seccomp. When it
 * fails the process must end: some layers may be in force already. */
PmStatus pm_sandbox_enter(const PmSandbox *sandbox, const PmSandboxLimits *limits, PmError *err);

/* --- the layers; used by the above --- */

/* Returns 0 or errno, as all that follow. */
int pm_sandbox_no_new_privs(void);
/* Drops all capabilities but those of the mask `keep`. */
int pm_sandbox_drop_capabilities(uint32_t keep);

/* The kernel's Landlock ABI, or -errno. */
int pm_landlock_abi(void);
/* Denies all file access, except reading below `readable` (NULL-terminated, folders and files; what does not exist is
 * left out), and with newer ABIs TCP, abstract sockets and signals to outside. */
int pm_landlock_enter(int abi, const char *const *readable);

/* Installs the filter. `may_read`: files may be opened for reading, as Landlock decides which. `new_code`: executable
 * memory may be mapped. *listener, unless NULL: where new threads are asked about (pm_thread_guard). pm_fault_install
 * comes first, or fstat() kills. */
int pm_seccomp_enter(bool may_read, bool new_code, int *listener);

#endif
