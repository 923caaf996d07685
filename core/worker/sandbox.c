/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "worker/sanitized.h"
#include "worker/thread_guard.h"

enum { STACK_BYTES = 8 * 1024 * 1024, LAST_LAYER = PM_LAYER_THREADS };

static void miss(PmSandbox *sandbox, unsigned layer, const char *why)
{
    static const char *const names[] = {[PM_LAYER_LANDLOCK] = "landlock",
                                        [PM_LAYER_SECCOMP] = "seccomp",
                                        [PM_LAYER_NAMESPACES] = "namespaces",
                                        [PM_LAYER_ROOT] = "empty root",
                                        [PM_LAYER_THREADS] = "thread limit"};
    if (sandbox->missing_count >= PM_LAYERS) return;
    char *text = sandbox->missing[sandbox->missing_count++];
    snprintf(text, sizeof sandbox->missing[0], "%s: %s", names[layer], why);
}

static void rate(PmSandbox *sandbox)
{
    const unsigned second = PM_LAYER_LANDLOCK | PM_LAYER_SECCOMP;
    const unsigned third = second | PM_LAYER_NAMESPACES | PM_LAYER_ROOT;
    sandbox->tier = (sandbox->layers & third) == third ? 3 : (sandbox->layers & second) == second ? 2 : 1;
}

void pm_sandbox_without(PmSandbox *sandbox, unsigned layers, const char *why)
{
    for (unsigned layer = 1; layer <= LAST_LAYER; layer <<= 1)
        if ((layers & sandbox->layers & layer) != 0) miss(sandbox, layer, why);
    sandbox->layers &= ~layers;
    rate(sandbox);
}

PmStatus pm_sandbox_check(const PmSandbox *sandbox, int64_t minimum, PmError *err)
{
    if (sandbox->tier >= minimum) return PM_OK;
    char missing[sizeof sandbox->missing + 2 * PM_LAYERS] = "";
    for (size_t i = 0; i < sandbox->missing_count; i++) {
        size_t used = strlen(missing);
        snprintf(missing + used, sizeof missing - used, "%s%s", i > 0 ? "; " : "", sandbox->missing[i]);
    }
    pm_error_set(err, PM_BAD_CONFIG, "the sandbox reaches tier %d here, and the pipeline asks for %d (%s)",
                 sandbox->tier, (int)minimum, missing);
    pm_error_hint(err, "let the container use what is missing, or lower sandbox.minimum if all uploads are trusted");
    return PM_BAD_CONFIG;
}

/* What a decoder or plugin that was taken over could do, as far as it is not stopped. */
static json_t *open_here(const PmSandbox *sandbox)
{
    static const struct {
        unsigned by; /* any of these stops it */
        const char *what;
    } holes[] = {
        {PM_LAYER_SECCOMP | PM_LAYER_NAMESPACES, "open network connections"},
        {PM_LAYER_SECCOMP | PM_LAYER_LANDLOCK | PM_LAYER_ROOT, "read and write files"},
        {PM_LAYER_SECCOMP, "start programs"},
        {PM_LAYER_SECCOMP | PM_LAYER_NAMESPACES, "end or stop pixmill and other processes of this user"},
    };
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof holes / sizeof holes[0]; i++)
        if ((sandbox->layers & holes[i].by) == 0) json_array_append_new(list, json_string(holes[i].what));
    return list;
}

json_t *pm_sandbox_to_json(const PmSandbox *sandbox)
{
    json_t *missing = json_array();
    for (size_t i = 0; i < sandbox->missing_count; i++)
        json_array_append_new(missing, json_string(sandbox->missing[i]));
    return json_pack("{siso so}", "tier", sandbox->tier, "missing", missing, "open", open_here(sandbox));
}

PmStatus pm_sandbox_isolate(PmSandbox *sandbox, bool fonts, pid_t *init_pid, PmError *err)
{
    *init_pid = 0;
    if ((sandbox->layers & PM_LAYER_NAMESPACES) == 0) {
        pm_namespaces_drop(&sandbox->namespaces);
        int error = pm_sandbox_drop_capabilities(0);
        return error == 0 ? PM_OK : pm_error_set(err, PM_BUG, "capabilities: %s", strerror(error));
    }
    *init_pid = sandbox->namespaces.init;
    return pm_namespaces_enter(&sandbox->namespaces, (sandbox->layers & PM_LAYER_ROOT) != 0, fonts, err);
}

/* --- entering --- */

static int limit(__rlimit_resource_t resource, rlim_t value)
{
    struct rlimit now;
    if (getrlimit(resource, &now) != 0) return errno;
    if (now.rlim_max != RLIM_INFINITY && now.rlim_max < value) value = now.rlim_max;
    now.rlim_cur = now.rlim_max = value;
    return setrlimit(resource, &now) == 0 ? 0 : errno;
}

int64_t pm_sandbox_mapped_bytes(const PmSandbox *sandbox)
{
    char text[64] = "", *end = text;
    ssize_t size = pread(sandbox->statm, text, sizeof text - 1, 0);
    unsigned long pages = size > 0 ? strtoul(text, &end, 10) : 0;
    return end == text ? -1 : (int64_t)pages * sysconf(_SC_PAGESIZE);
}

static int limit_memory(int64_t mapped, int64_t extra)
{
#ifdef PM_SANITIZED
    (void)mapped, (void)extra; /* the shadow memory takes terabytes of address space */
    return 0;
#else
    return mapped > 0 ? limit(RLIMIT_AS, (rlim_t)(mapped + extra)) : EIO;
#endif
}

static int set_limits(const PmSandboxLimits *limits)
{
    int error = limit(RLIMIT_CORE, 0);
    if (error == 0) error = limit(RLIMIT_STACK, STACK_BYTES);
    if (error == 0 && limits->cpu_seconds > 0) error = limit(RLIMIT_CPU, (rlim_t)limits->cpu_seconds);
    /* A memory file is not address space until it is mapped: its size has a limit of its own. */
    signal(SIGXFSZ, SIG_IGN);
    if (error == 0 && limits->memory_bytes > 0) error = limit(RLIMIT_FSIZE, (rlim_t)limits->memory_bytes);
    if (error == 0 && limits->memory_bytes > 0) error = limit_memory(limits->mapped_bytes, limits->memory_bytes);
    return error;
}

int pm_sandbox_no_new_privs(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : errno;
}

int pm_sandbox_drop_capabilities(uint32_t keep)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
    if (keep != 0 && syscall(SYS_capget, &header, data) != 0) return errno;
    data[0].effective &= keep;
    data[0].permitted &= keep;
    data[0].inheritable = 0;
    data[1] = (struct __user_cap_data_struct){0};
    return syscall(SYS_capset, &header, data) == 0 ? 0 : errno;
}

static int enter_seccomp(const PmSandboxLimits *limits, bool may_read)
{
    int listener = -1;
    int error = pm_seccomp_enter(may_read, limits->new_code, limits->guard >= 0 ? &listener : NULL);
    if (limits->guard < 0 || error != 0) return error;
    error = pm_thread_guard_hand_over(limits->guard, listener);
    close(listener);
    close(limits->guard);
    return error;
}

PmStatus pm_sandbox_enter(const PmSandbox *sandbox, const PmSandboxLimits *limits, PmError *err)
{
    const char *what = "resource limits";
    int error = set_limits(limits);
    if (error == 0) {
        what = "no_new_privs";
        error = pm_sandbox_no_new_privs();
    }
    if (error == 0) {
        what = "capabilities";
        error = pm_sandbox_drop_capabilities(0);
    }
    if (error == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        what = "dumpable";
        error = errno;
    }
    bool landlocked = (sandbox->layers & PM_LAYER_LANDLOCK) != 0;
    if (error == 0 && landlocked) {
        what = "landlock";
        error = pm_landlock_enter(sandbox->landlock_abi, limits->fonts ? sandbox->fonts.folders : NULL);
    }
    if (error == 0 && (sandbox->layers & PM_LAYER_SECCOMP) != 0) {
        what = "seccomp";
        error = enter_seccomp(limits, landlocked && limits->fonts);
    }
    if (error == 0) {
        /* Last: until then a descriptor may have to be sent, and this limit is compared with all of the user's
         * that are on their way. */
        what = "descriptors";
        error = limit(RLIMIT_NOFILE, (rlim_t)limits->descriptors);
    }
    if (error == 0) return PM_OK;
    return pm_error_set(err, PM_BUG, "sandbox: %s: %s", what, strerror(error));
}
