/* SPDX-License-Identifier: Apache-2.0 */
#include "base/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/text.h"

static PmStatus status_of(int error)
{
    switch (error) {
    case EACCES:
    case EPERM:
    case EROFS:
    case ENOTDIR:
        return PM_BAD_CONFIG;
    case ELOOP:
    case EXDEV:
    case ENAMETOOLONG:
    case EISDIR:
    case EILSEQ:
    case EINVAL: /* a name that the file system refuses */
    case EFBIG:
        return PM_BAD_INPUT;
    default:
        return PM_TRANSIENT;
    }
}

PmStatus pm_folder_failed(PmError *err, const char *what, const char *path)
{
    int e = errno;
    bool link = e == ELOOP || e == EXDEV;
    return pm_error_set(err, status_of(e), "cannot %s %.300s: %s", what, path,
                        link ? "a symbolic link stands in the way" : strerror(e));
}

static int open_below(int folder, const char *path, int flags, unsigned mode)
{
    struct open_how how = {.flags = (unsigned)(flags | O_CLOEXEC),
                           .mode = (flags & O_CREAT) != 0 ? mode : 0,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    long fd = syscall(SYS_openat2, folder, path, &how, sizeof how);
    /* Kernels before 5.6, and containers whose seccomp filter does not know the call. One segment that is not ".."
     * cannot lead elsewhere in this way either. */
    if (fd < 0 && (errno == ENOSYS || errno == EPERM)) fd = openat(folder, path, flags | O_CLOEXEC | O_NOFOLLOW, mode);
    return (int)fd;
}

static bool is_name(const char *segment)
{
    return segment[0] != '\0' && strcmp(segment, ".") != 0 && strcmp(segment, "..") != 0 &&
           strchr(segment, '/') == NULL;
}

int pm_folder_open_file(int folder, const char *name, int flags, unsigned mode)
{
    if (is_name(name)) return open_below(folder, name, flags, mode);
    errno = EINVAL;
    return -1;
}

bool pm_folder_sync(int folder)
{
    int readable = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (readable < 0) return errno == EACCES; /* may be written to and not be read: nothing can be done */
    bool ok = fsync(readable) == 0 || errno == EINVAL || errno == EBADF;
    int e = errno;
    close(readable);
    errno = e;
    return ok;
}

static void sync_parent(const char *path)
{
    char parent[4096];
    pm_text_copy(parent, sizeof parent, path);
    char *slash = strrchr(parent, '/');
    if (slash != NULL) slash[slash == parent] = '\0';
    int fd = open(slash != NULL ? parent : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    pm_folder_sync(fd);
    close(fd);
}

int pm_folder_open(const char *path, PmError *err)
{
    char partial[4096];
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) return fd;
    if (!pm_text_copy(partial, sizeof partial, path)) {
        errno = ENAMETOOLONG;
        pm_folder_failed(err, "write to", path);
        return -1;
    }
    for (char *slash = strchr(partial + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash != NULL) *slash = '\0';
        bool made = mkdir(partial, 0777) == 0;
        int e = errno;
        /* On a read-only file system mkdir may complain before it looks. */
        if (!made && e != EEXIST && access(partial, F_OK) != 0) {
            errno = e;
            pm_folder_failed(err, "make the folder", partial);
            return -1;
        }
        if (made) sync_parent(partial);
        if (slash == NULL) break;
        *slash = '/';
    }
    fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) pm_folder_failed(err, "open the folder", path);
    return fd;
}

/* One segment down; -1 and err set. */
static int enter(int fd, const char *segment, bool make, PmError *err)
{
    if (!is_name(segment)) {
        pm_error_set(err, PM_BAD_INPUT, "cannot write below a folder named \"%s\"", segment);
        return -1;
    }
    int next = open_below(fd, segment, O_PATH | O_DIRECTORY, 0);
    if (next < 0 && errno == ENOENT && make) {
        bool made = mkdirat(fd, segment, 0777) == 0;
        if (!made && errno != EEXIST) {
            pm_folder_failed(err, "make the folder", segment);
            return -1;
        }
        if (made && !pm_folder_sync(fd)) {
            pm_folder_failed(err, "sync the folder above", segment);
            return -1;
        }
        next = open_below(fd, segment, O_PATH | O_DIRECTORY, 0);
    }
    if (next >= 0) return next;
    /* Not the operator's part of the path: a file where a folder should be concerns this path alone. */
    if (errno == ENOTDIR)
        pm_error_set(err, PM_BAD_INPUT, "cannot open the folder %.300s: %s", segment, strerror(ENOTDIR));
    else
        pm_folder_failed(err, "open the folder", segment);
    return -1;
}

int pm_folder_below(int fd, char *rest, bool make, char **name, PmError *err)
{
    char *segment = rest;
    for (char *slash; fd >= 0 && (slash = strchr(segment, '/')) != NULL; segment = slash + 1) {
        *slash = '\0';
        int next = enter(fd, segment, make, err);
        close(fd);
        fd = next;
    }
    *name = segment;
    if (fd >= 0 && !is_name(segment)) {
        pm_error_set(err, PM_BAD_INPUT, "cannot write a file named \"%s\"", segment);
        close(fd);
        return -1;
    }
    return fd;
}

/* Unlike a process id, no other host or container that shares the folder has the same. */
bool pm_folder_temporary(char out[PM_FOLDER_TEMPORARY])
{
    unsigned long long random;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random) return false;
    snprintf(out, PM_FOLDER_TEMPORARY, ".pixmill-%016llx.tmp", random);
    return true;
}

int pm_folder_rename_new(int from, const char *name, int to, const char *target)
{
    int code = renameat2(from, name, to, target, RENAME_NOREPLACE);
    struct stat st;
    if (code == 0 || errno != EINVAL) return code;
    /* A file system that cannot promise it. */
    if (fstatat(to, target, &st, AT_SYMLINK_NOFOLLOW) != 0) return renameat(from, name, to, target);
    errno = EEXIST;
    return -1;
}
