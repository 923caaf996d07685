/* SPDX-License-Identifier: Apache-2.0
 *
 * pixmill-worker on a host that allows no layer of the sandbox, for cases that want to see what is said then: named in
 * PIXMILL_WORKER.
 */
#include <errno.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    static const char *const calls[] = {"unshare", "landlock_create_ruleset", "seccomp"};
    (void)argc;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), seccomp_syscall_resolve_name(calls[i]), 0) != 0)
            return EXIT_FAILURE;
    if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_SECCOMP, 0)) !=
        0)
        return EXIT_FAILURE;
    if (seccomp_load(filter) != 0) return EXIT_FAILURE;
    execv(PM_BUILD_DIR "/bin/pixmill-worker", argv);
    return EXIT_FAILURE;
}
