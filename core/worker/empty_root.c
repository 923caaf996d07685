/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/empty_root.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "worker/sanitized.h"

enum { FOLDERS_MAX = 32, TREE_CLONE = 1, MOVE_FROM_EMPTY_PATH = 4, RECURSIVE = 0x8000 };

enum { ROOT_FLAGS = MS_NOSUID | MS_NODEV | MS_NOEXEC };

/* linux/mount.h and glibc's sys/mount.h cannot both be included in Debian 12. */
static int clone_tree(const char *path)
{
    return (int)syscall(SYS_open_tree, AT_FDCWD, path, TREE_CLONE | O_CLOEXEC | RECURSIVE);
}

static int move_tree(int tree, const char *path)
{
    return syscall(SYS_move_mount, tree, "", AT_FDCWD, path, MOVE_FROM_EMPTY_PATH) == 0 ? 0 : errno;
}

/* `path` and all above it, below the current folder. */
static int make_folders(const char *path)
{
    char part[PATH_MAX];
    size_t length = strlen(path);
    if (path[0] != '/' || length >= sizeof part) return ENAMETOOLONG;
    for (size_t i = 1; i <= length; i++) {
        if (path[i] != '/' && path[i] != '\0') continue;
        memcpy(part, path + 1, i - 1);
        part[i - 1] = '\0';
        if (part[0] != '\0' && mkdir(part, 0755) != 0 && errno != EEXIST) return errno;
    }
    return 0;
}

/* A mount taken over from outside keeps what it forbids: that is locked, and a call that leaves it out fails. */
static int make_read_only(const char *path)
{
    struct statvfs info;
    if (statvfs(path, &info) != 0) return errno;
    unsigned long flags = MS_REMOUNT | MS_BIND | MS_RDONLY;
    if ((info.f_flag & ST_NOSUID) != 0) flags |= MS_NOSUID;
    if ((info.f_flag & ST_NODEV) != 0) flags |= MS_NODEV;
    if ((info.f_flag & ST_NOEXEC) != 0) flags |= MS_NOEXEC;
    if ((info.f_flag & ST_NOATIME) != 0) flags |= MS_NOATIME;
    if ((info.f_flag & ST_NODIRATIME) != 0) flags |= MS_NODIRATIME;
    if ((info.f_flag & ST_RELATIME) != 0) flags |= MS_RELATIME;
    return mount(NULL, path, NULL, flags, NULL) == 0 ? 0 : errno;
}

static int place_folder(int tree, const char *path)
{
    int error = make_folders(path);
    if (error == 0) error = move_tree(tree, path + 1);
    return error == 0 ? make_read_only(path + 1) : error;
}

/* Something to mount the new root on, which is then gone with the old one. */
static const char *any_folder(void)
{
    static const char *const places[] = {"/tmp", "/run", "/mnt", "/var", "/etc", "/usr", "/dev"};
    struct stat info;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (stat(places[i], &info) == 0 && S_ISDIR(info.st_mode)) return places[i];
    return "/proc";
}

static int change_root(void)
{
    if (syscall(SYS_pivot_root, ".", ".") != 0) return errno;
    if (umount2(".", MNT_DETACH) != 0 || chdir("/") != 0) return errno;
    return 0;
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

int pm_empty_root_make(const char *const *folders)
{
#ifdef PM_SANITIZED
    (void)folders; /* AddressSanitizer reads /proc and the binaries to report */
    return 0;
#endif
    int trees[FOLDERS_MAX];
    size_t count = 0;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return errno;
    /* Before the new root may cover them. */
    for (; count < FOLDERS_MAX && folders[count] != NULL; count++)
        trees[count] = is_folder(folders[count]) ? clone_tree(folders[count]) : -1;
    const char *base = any_folder();
    int error = mount("pixmill", base, "tmpfs", ROOT_FLAGS, "mode=0755,size=64k,nr_inodes=256") == 0 ? 0 : errno;
    if (error == 0 && chdir(base) != 0) error = errno;
    for (size_t i = 0; i < count; i++) {
        if (trees[i] < 0) continue;
        if (error == 0) error = place_folder(trees[i], folders[i]);
        close(trees[i]);
    }
    return error == 0 ? change_root() : error;
}

/* With all above it that is empty then. */
static void remove_folders(const char *path)
{
    char part[PATH_MAX];
    snprintf(part, sizeof part, "%s", path);
    while (part[0] != '\0' && rmdir(part) == 0) {
        char *slash = strrchr(part, '/');
        if (slash == NULL) break;
        *slash = '\0';
    }
}

int pm_empty_root_close(const char *const *folders, bool keep)
{
#ifdef PM_SANITIZED
    (void)folders, (void)keep;
    return 0;
#endif
    for (size_t i = 0; !keep && folders[i] != NULL; i++) {
        if (!is_folder(folders[i])) continue;
        if (umount2(folders[i], MNT_DETACH) != 0) return errno;
    }
    for (size_t i = 0; !keep && folders[i] != NULL; i++) remove_folders(folders[i]);
    return mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | ROOT_FLAGS, NULL) == 0 ? 0 : errno;
}
