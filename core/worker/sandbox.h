/* SPDX-License-Identifier: Apache-2.0
 *
 * What a child may still do: nothing but compute and talk to the broker. Hides seccomp, Landlock, namespaces and
 * which of them this kernel and container allow.
 *
 *   tier 1  its own process, resource limits, no_new_privs, no capabilities, no environment, no descriptors
 *   tier 2  + seccomp (an allow-list of system calls) + Landlock (no file but the fonts, read-only)
 *   tier 3  + user, network, pid, ipc and uts namespaces
 *
 * Each layer that is there is used, also when another of its tier is missing; the tier is the highest one complete.
 */
#ifndef PM_WORKER_SANDBOX_H
#define PM_WORKER_SANDBOX_H

#include <jansson.h>

#include "base/error.h"

enum { PM_LAYER_LANDLOCK = 1, PM_LAYER_SECCOMP = 2, PM_LAYER_NAMESPACES = 4, PM_LAYERS = 3 };

typedef struct PmSandbox {
    unsigned layers; /* PM_LAYER_ */
    int tier;        /* 1..3 */
    int landlock_abi;
    char missing[PM_LAYERS][160]; /* "landlock: ..": what is not there, and why */
    size_t missing_count;
    char fonts[1024]; /* the folder of Fontconfig's configuration where the environment names one; else empty */
} PmSandbox;

/* A process that tries, to be thrown away, what this host allows. */
typedef struct PmProbe {
    pid_t pid; /* 0: none */
    int fd;
} PmProbe;

/* Starts one, which needs a few milliseconds. PM_TRANSIENT: no process can be had. */
PmStatus pm_sandbox_probe_begin(PmProbe *probe, PmError *err);
/* Waits for it; every field of *sandbox is set. */
void pm_sandbox_probe_end(PmProbe *probe, PmSandbox *sandbox);

/* The same without a layer, for a caller that wants less (tests). */
void pm_sandbox_without(PmSandbox *sandbox, unsigned layers, const char *why);

/* PM_BAD_CONFIG with what is missing when the tier is below `minimum`. */
PmStatus pm_sandbox_check(const PmSandbox *sandbox, int64_t minimum, PmError *err);

/* {tier, missing: [text..]}. New. */
json_t *pm_sandbox_to_json(const PmSandbox *sandbox);

/* Moves the calling process into namespaces of its own, when that layer is there: every later fork is born into a
 * pid namespace whose first process *init_pid is forked here (it sleeps for ever, and dies with the caller). Only
 * with one thread. *init_pid is 0 without the layer. Clears PR_SET_PDEATHSIG: set it again. */
PmStatus pm_sandbox_isolate(const PmSandbox *sandbox, pid_t *init_pid, PmError *err);

typedef struct PmSandboxLimits {
    int64_t memory_bytes; /* of address space beyond what is mapped now; 0: no limit */
    int descriptors;
    bool new_code; /* code may be made at run time: libvips before 8.15 compiles its inner loops with Orc */
} PmSandboxLimits;

/* Locks the calling process in, for good: limits, no capabilities, no new privileges, Landlock, seccomp. When it
 * fails the process must end: some layers may be in force already. */
PmStatus pm_sandbox_enter(const PmSandbox *sandbox, const PmSandboxLimits *limits, PmError *err);

/* --- the layers; used by the above --- */

/* The kernel's Landlock ABI, or -errno. */
int pm_landlock_abi(void);
/* Denies all file access, except reading below `readable` (NULL-terminated; what does not exist is left out),
 * and with newer ABIs TCP, abstract sockets and signals to outside. Returns 0 or errno. */
int pm_landlock_enter(int abi, const char *const *readable);

/* Installs the filter. `may_read`: files may be opened for reading, as Landlock decides which. `new_code`: executable
 * memory may be mapped. Returns 0 or errno. */
int pm_seccomp_enter(bool may_read, bool new_code);

#endif
