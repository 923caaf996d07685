/* SPDX-License-Identifier: Apache-2.0
 *
 * What this host allows.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/sandbox.h"

static const char killed[] = "the host kills a process that tries";

/* Reported by the trial process; if it is killed while trying, it reports nothing. */
typedef struct Finding {
    int error, landlock_abi, threads_error;
} Finding;

static Finding try_landlock(void)
{
    Finding finding = {.landlock_abi = pm_landlock_abi()};
    finding.error = finding.landlock_abi < 0 ? -finding.landlock_abi : pm_sandbox_no_new_privs();
    if (finding.error == 0) finding.error = pm_landlock_enter(finding.landlock_abi, NULL);
    return finding;
}

static Finding try_seccomp(void)
{
    int listener = -1;
    Finding finding = {.error = pm_sandbox_no_new_privs()};
    if (finding.error == 0) finding.threads_error = pm_seccomp_enter(true, false, &listener);
    if (finding.threads_error != 0) finding.error = pm_seccomp_enter(true, false, NULL);
    return finding;
}

static const struct {
    unsigned layer;
    Finding (*attempt)(void);
} trials[] = {{PM_LAYER_LANDLOCK, try_landlock}, {PM_LAYER_SECCOMP, try_seccomp}};

enum { TRIALS = sizeof trials / sizeof trials[0] };
_Static_assert(sizeof((PmProbe *)0)->trials / sizeof(PmTrial) == TRIALS, "one process each");

static PmStatus start_trial(PmTrial *trial, Finding (*attempt)(void), PmError *err)
{
    int ends[2];
    *trial = (PmTrial){.fd = -1};
    if (pipe2(ends, O_CLOEXEC) != 0) return pm_error_set(err, PM_TRANSIENT, "no pipe: %s", strerror(errno));
    pid_t pid = fork();
    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0});
        Finding finding = attempt();
        _exit(write(ends[1], &finding, sizeof finding) == (ssize_t)sizeof finding ? 0 : 1);
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return pm_error_set(err, PM_TRANSIENT, "no process to probe the sandbox: %s", strerror(errno));
    }
    *trial = (PmTrial){.pid = pid, .fd = ends[0]};
    return PM_OK;
}

PmStatus pm_sandbox_probe_begin(PmProbe *probe, PmError *err)
{
    *probe = (PmProbe){.namespaces = {.sock = -1}};
    for (size_t i = 0; i < TRIALS; i++) probe->trials[i].fd = -1;
    pm_fonts_find(&probe->fonts);
    PmStatus status = pm_namespaces_begin(&probe->namespaces, probe->fonts.folders, err);
    for (size_t i = 0; status == PM_OK && i < TRIALS; i++)
        status = start_trial(&probe->trials[i], trials[i].attempt, err);
    return status;
}

static void end_trial(PmTrial *trial, unsigned layer, PmSandbox *sandbox)
{
    Finding finding = {.error = EIO};
    bool told = trial->fd >= 0 && read(trial->fd, &finding, sizeof finding) == (ssize_t)sizeof finding;
    if (trial->fd >= 0) close(trial->fd);
    if (trial->pid > 0) waitpid(trial->pid, NULL, 0);
    *trial = (PmTrial){.fd = -1};
    sandbox->layers |= layer;
    if (!told || finding.error != 0) pm_sandbox_without(sandbox, layer, told ? strerror(finding.error) : killed);
    if (layer == PM_LAYER_LANDLOCK) sandbox->landlock_abi = finding.landlock_abi;
    if (layer != PM_LAYER_SECCOMP) return;
    if (finding.error == 0) finding.error = finding.threads_error;
    sandbox->layers |= PM_LAYER_THREADS;
    if (!told || finding.error != 0)
        pm_sandbox_without(sandbox, PM_LAYER_THREADS, told ? strerror(finding.error) : killed);
}

void pm_sandbox_probe_end(PmProbe *probe, PmSandbox *sandbox)
{
    int root_error = 0;
    *sandbox = (PmSandbox){.fonts = probe->fonts, .statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)};
    pm_fonts_list(&sandbox->fonts);
    for (size_t i = 0; i < TRIALS; i++) end_trial(&probe->trials[i], trials[i].layer, sandbox);
    int error = pm_namespaces_wait(&probe->namespaces, &root_error);
    sandbox->namespaces = probe->namespaces;
    sandbox->layers |= PM_LAYER_NAMESPACES | PM_LAYER_ROOT;
    if (error != 0)
        pm_sandbox_without(sandbox, PM_LAYER_NAMESPACES | PM_LAYER_ROOT, error > 0 ? strerror(error) : killed);
    else
        pm_sandbox_without(sandbox, root_error != 0 ? PM_LAYER_ROOT : 0, strerror(root_error));
}
