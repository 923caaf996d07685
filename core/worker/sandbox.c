/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "worker/sanitized.h"

enum {
    NAMESPACES = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS,
    STACK_BYTES = 8 * 1024 * 1024
};

/* Text is drawn with fonts that FreeType opens when a size is first used, so they stay readable. */
static const char *const readable[] = {
#ifdef PM_SANITIZED
    "/", /* AddressSanitizer reads /proc and the binaries to report */
#endif
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "/usr/share/fontconfig",
    "/etc/fonts",
    "/var/cache/fontconfig",
    NULL};

/* --- probing --- */

static int no_new_privs(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : errno;
}

static int probe_landlock(int *abi)
{
    *abi = pm_landlock_abi();
    if (*abi < 0) return -*abi;
    int error = no_new_privs();
    return error != 0 ? error : pm_landlock_enter(*abi, NULL);
}

static int probe_namespaces(void)
{
    if (unshare(NAMESPACES) != 0) return errno;
    pid_t first = fork();
    if (first == 0) _exit(0);
    if (first < 0) return errno;
    return waitpid(first, NULL, 0) == first ? 0 : errno;
}

/* What the process that tries it all tells, one write after each step: a kernel that kills it for trying leaves the
 * rest unsaid. */
typedef struct Finding {
    int layer, error, landlock_abi;
} Finding;

static void tell(int fd, Finding finding)
{
    if (write(fd, &finding, sizeof finding) != (ssize_t)sizeof finding) _exit(1);
}

__attribute__((noreturn)) static void try_all(int fd)
{
    struct rlimit no_core = {0};
    setrlimit(RLIMIT_CORE, &no_core);
    Finding finding = {.layer = PM_LAYER_LANDLOCK};
    finding.error = probe_landlock(&finding.landlock_abi);
    tell(fd, finding);
    tell(fd, (Finding){.layer = PM_LAYER_NAMESPACES, .error = probe_namespaces()});
    tell(fd, (Finding){.layer = PM_LAYER_SECCOMP, .error = pm_seccomp_enter(true, false)});
    _exit(0);
}

static void miss(PmSandbox *sandbox, unsigned layer, const char *why)
{
    static const char *const names[] = {
        [PM_LAYER_LANDLOCK] = "landlock", [PM_LAYER_SECCOMP] = "seccomp", [PM_LAYER_NAMESPACES] = "namespaces"};
    if (sandbox->missing_count >= PM_LAYERS) return;
    char *text = sandbox->missing[sandbox->missing_count++];
    snprintf(text, sizeof sandbox->missing[0], "%s: %s", names[layer], why);
}

/* Fonts that were brought along lie beside or below their configuration. */
static void find_fonts(PmSandbox *sandbox)
{
    const char *file = getenv("FONTCONFIG_FILE"), *folder = getenv("FONTCONFIG_PATH");
    if (file != NULL && file[0] == '/') {
        pm_text_copy(sandbox->fonts, sizeof sandbox->fonts, file);
        *strrchr(sandbox->fonts, '/') = '\0'; /* empty for /fonts.conf: never all files */
    } else if (folder != NULL && folder[0] == '/' && folder[1] != '\0') {
        pm_text_copy(sandbox->fonts, sizeof sandbox->fonts, folder);
    }
}

/* No file but the fonts, for good. */
static int close_files(const PmSandbox *sandbox)
{
    enum { FIXED = sizeof readable / sizeof readable[0] };
    const char *paths[FIXED + 1];
    memcpy(paths, readable, sizeof readable);
    paths[FIXED - 1] = sandbox->fonts[0] != '\0' ? sandbox->fonts : NULL;
    paths[FIXED] = NULL;
    return pm_landlock_enter(sandbox->landlock_abi, paths);
}

static void rate(PmSandbox *sandbox)
{
    const unsigned second = PM_LAYER_LANDLOCK | PM_LAYER_SECCOMP;
    sandbox->tier = 1;
    if ((sandbox->layers & second) == second) sandbox->tier = (sandbox->layers & PM_LAYER_NAMESPACES) != 0 ? 3 : 2;
}

PmStatus pm_sandbox_probe_begin(PmProbe *probe, PmError *err)
{
    int ends[2];
    *probe = (PmProbe){.fd = -1};
    if (pipe2(ends, O_CLOEXEC) != 0) return pm_error_set(err, PM_TRANSIENT, "no pipe: %s", strerror(errno));
    pid_t pid = fork();
    if (pid == 0) try_all(ends[1]);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return pm_error_set(err, PM_TRANSIENT, "no process to probe the sandbox: %s", strerror(errno));
    }
    *probe = (PmProbe){.pid = pid, .fd = ends[0]};
    return PM_OK;
}

void pm_sandbox_probe_end(PmProbe *probe, PmSandbox *sandbox)
{
    *sandbox = (PmSandbox){.tier = 1};
    find_fonts(sandbox);
    Finding finding;
    unsigned heard = 0;
    while (read(probe->fd, &finding, sizeof finding) == (ssize_t)sizeof finding) {
        heard |= (unsigned)finding.layer;
        if (finding.error == 0)
            sandbox->layers |= (unsigned)finding.layer;
        else
            miss(sandbox, (unsigned)finding.layer, strerror(finding.error));
        if (finding.layer == PM_LAYER_LANDLOCK) sandbox->landlock_abi = finding.landlock_abi;
    }
    close(probe->fd);
    waitpid(probe->pid, NULL, 0);
    *probe = (PmProbe){.fd = -1};
    for (unsigned layer = 1; layer <= PM_LAYER_NAMESPACES; layer <<= 1)
        if ((heard & layer) == 0) miss(sandbox, layer, "the host kills a process that tries");
    rate(sandbox);
}

void pm_sandbox_without(PmSandbox *sandbox, unsigned layers, const char *why)
{
    for (unsigned layer = 1; layer <= PM_LAYER_NAMESPACES; layer <<= 1)
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

json_t *pm_sandbox_to_json(const PmSandbox *sandbox)
{
    json_t *missing = json_array();
    for (size_t i = 0; i < sandbox->missing_count; i++)
        json_array_append_new(missing, json_string(sandbox->missing[i]));
    return json_pack("{siso}", "tier", sandbox->tier, "missing", missing);
}

/* --- namespaces --- */

__attribute__((noreturn)) static void be_init(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    prctl(PR_SET_NAME, "pixmill-init", 0, 0, 0);
    if (getppid() != 0) _exit(0); /* the parent, outside the namespace, is gone already */
    close_range(0, ~0U, 0);
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    for (;;) pause();
}

PmStatus pm_sandbox_isolate(const PmSandbox *sandbox, pid_t *init_pid, PmError *err)
{
    *init_pid = 0;
    if ((sandbox->layers & PM_LAYER_NAMESPACES) == 0) return PM_OK;
    if (unshare(NAMESPACES) != 0)
        return pm_error_set(err, PM_BUG, "namespaces were there a moment ago: %s", strerror(errno));
    pid_t pid = fork();
    if (pid == 0) be_init();
    if (pid < 0) return pm_error_set(err, PM_TRANSIENT, "no first process of a namespace: %s", strerror(errno));
    *init_pid = pid;
    return PM_OK;
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

#ifndef PM_SANITIZED
static int mapped_bytes(rlim_t *bytes)
{
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL) return errno;
    char text[64] = "";
    char *end = text;
    unsigned long pages = fgets(text, sizeof text, file) != NULL ? strtoul(text, &end, 10) : 0;
    fclose(file);
    if (end == text) return EIO;
    *bytes = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
    return 0;
}
#endif

static int limit_memory(int64_t extra)
{
#ifdef PM_SANITIZED
    (void)extra; /* the shadow memory takes terabytes of address space */
    return 0;
#else
    rlim_t mapped = 0;
    int error = mapped_bytes(&mapped);
    return error != 0 ? error : limit(RLIMIT_AS, mapped + (rlim_t)extra);
#endif
}

static int set_limits(const PmSandboxLimits *limits)
{
    int error = limit(RLIMIT_CORE, 0);
    if (error == 0) error = limit(RLIMIT_NOFILE, (rlim_t)limits->descriptors);
    if (error == 0) error = limit(RLIMIT_STACK, STACK_BYTES);
    /* A memory file is no address space until it is mapped: its size has a limit of its own. */
    signal(SIGXFSZ, SIG_IGN);
    if (error == 0 && limits->memory_bytes > 0) error = limit(RLIMIT_FSIZE, (rlim_t)limits->memory_bytes);
    if (error == 0 && limits->memory_bytes > 0) error = limit_memory(limits->memory_bytes);
    return error;
}

static int drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};
    return syscall(SYS_capset, &header, none) == 0 ? 0 : errno;
}

PmStatus pm_sandbox_enter(const PmSandbox *sandbox, const PmSandboxLimits *limits, PmError *err)
{
    const char *what = "resource limits";
    int error = set_limits(limits);
    if (error == 0) {
        what = "no_new_privs";
        error = no_new_privs();
    }
    if (error == 0) {
        what = "capabilities";
        error = drop_capabilities();
    }
    if (error == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        what = "dumpable";
        error = errno;
    }
    bool landlocked = (sandbox->layers & PM_LAYER_LANDLOCK) != 0;
    if (error == 0 && landlocked) {
        what = "landlock";
        error = close_files(sandbox);
    }
    if (error == 0 && (sandbox->layers & PM_LAYER_SECCOMP) != 0) {
        what = "seccomp";
        error = pm_seccomp_enter(landlocked, limits->new_code);
    }
    if (error == 0) return PM_OK;
    return pm_error_set(err, PM_BUG, "sandbox: %s: %s", what, strerror(error));
}
