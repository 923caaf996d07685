/* SPDX-License-Identifier: Apache-2.0
 *
 * Landlock by its raw system calls: Debian 12's headers know its first version only.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "worker/sandbox.h"

enum { CREATE_RULESET_VERSION = 1, RULE_PATH_BENEATH = 1 };

/* linux/landlock.h as of ABI 6; an older kernel gets a smaller size. */
typedef struct Ruleset {
    uint64_t access_fs;
    uint64_t access_net; /* ABI 4 */
    uint64_t scoped;     /* ABI 6 */
} Ruleset;

typedef struct PathRule {
    uint64_t allowed;
    int32_t parent_fd;
} __attribute__((packed)) PathRule;

enum { FS_READ_FILE = 1 << 2, FS_READ_DIR = 1 << 3, NET_ALL = 3, SCOPE_ALL = 3 };

/* All file rights that the ABI knows: execute .. make_sym, then refer (2), truncate (3), ioctl_dev (5). */
static uint64_t all_fs(int abi)
{
    int bits = abi >= 5 ? 16 : abi >= 3 ? 15 : abi == 2 ? 14 : 13;
    return (UINT64_C(1) << bits) - 1;
}

int pm_landlock_abi(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
    return abi < 0 ? -errno : (int)abi;
}

static int allow_reading(int ruleset, const char *path)
{
    int dir = open(path, O_PATH | O_CLOEXEC);
    if (dir < 0) return 0; /* nothing there, nothing to read */
    struct stat info;
    PathRule rule = {.allowed = FS_READ_FILE, .parent_fd = dir};
    int error = fstat(dir, &info) == 0 ? 0 : errno;
    if (error == 0 && S_ISDIR(info.st_mode)) rule.allowed |= FS_READ_DIR; /* which is refused for a file */
    if (error == 0 && syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) != 0) error = errno;
    close(dir);
    return error;
}

int pm_landlock_enter(int abi, const char *const *readable)
{
    Ruleset rules = {.access_fs = all_fs(abi), .access_net = NET_ALL, .scoped = SCOPE_ALL};
    size_t size = abi >= 6 ? sizeof rules : abi >= 4 ? offsetof(Ruleset, scoped) : offsetof(Ruleset, access_net);
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
    if (ruleset < 0) return errno;
    int error = 0;
    for (size_t i = 0; error == 0 && readable != NULL && readable[i] != NULL; i++)
        error = allow_reading(ruleset, readable[i]);
    if (error == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) error = errno;
    close(ruleset);
    return error;
}
