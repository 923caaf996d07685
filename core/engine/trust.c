/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/trust.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool owned_well(const struct stat *st)
{
    return st->st_uid == 0 || st->st_uid == geteuid();
}

/* Distributions give each user a group of the same number and a umask that lets it write. */
static bool group_writes(const struct stat *st)
{
    return (st->st_mode & S_IWGRP) != 0 && st->st_gid != st->st_uid && st->st_gid != 0;
}

PmStatus pm_trust_check(const char *path, const struct stat *st, const char *what, PmError *err)
{
    if (!owned_well(st)) {
        pm_error_set(err, PM_BAD_CONFIG, "%s: expected a plugin %s owned by root or user %u, found user %u", path, what,
                     (unsigned)geteuid(), (unsigned)st->st_uid);
        pm_error_hint(err, "chown it, or install the plugin where only you or root can write");
        return PM_BAD_CONFIG;
    }
    if (st->st_mode & S_IWOTH) {
        pm_error_set(err, PM_BAD_CONFIG, "%s: expected a plugin %s that others cannot write to, found mode %04o", path,
                     what, (unsigned)st->st_mode & 07777);
        pm_error_hint(err, "chmod o-w %s", path);
        return PM_BAD_CONFIG;
    }
    if (group_writes(st)) {
        pm_error_set(err, PM_BAD_CONFIG, "%s: expected a plugin %s that group %u cannot write to, found mode %04o",
                     path, what, (unsigned)st->st_gid, (unsigned)st->st_mode & 07777);
        pm_error_hint(err, "chmod g-w %s", path);
        return PM_BAD_CONFIG;
    }
    return PM_OK;
}

static PmStatus check_parent(const char *path, const char *parent, PmError *err)
{
    struct stat st;
    if (stat(parent, &st) != 0) return pm_error_set(err, PM_BAD_CONFIG, "%s: %s", parent, strerror(errno));
    bool others = (st.st_mode & S_IWOTH) != 0 || group_writes(&st), sticky = (st.st_mode & S_ISVTX) != 0;
    if (owned_well(&st) && (!others || sticky)) return PM_OK;
    pm_error_set(err, PM_BAD_CONFIG,
                 "%s: expected only root or user %u to be able to replace it, found the folder %s of user %u with mode "
                 "%04o above it",
                 path, (unsigned)geteuid(), parent, (unsigned)st.st_uid, (unsigned)st.st_mode & 07777);
    if (!owned_well(&st))
        pm_error_hint(err, "install the plugin below folders of root or yourself");
    else
        pm_error_hint(err, "chmod go-w %s", parent);
    return PM_BAD_CONFIG;
}

PmStatus pm_trust_check_above(const char *path, PmError *err)
{
    char *real = realpath(path, NULL);
    if (real == NULL) return pm_error_set(err, PM_BAD_CONFIG, "%s: %s", path, strerror(errno));
    PmStatus status = PM_OK;
    for (char *slash = strrchr(real, '/'); status == PM_OK && slash != NULL; slash = strrchr(real, '/')) {
        *slash = '\0';
        status = check_parent(path, real[0] != '\0' ? real : "/", err);
    }
    free(real);
    return status;
}
