/* SPDX-License-Identifier: Apache-2.0
 *
 * Renditions as files. What a fact brought cannot lead out of the fixed prefix: below it no symbolic link is followed
 * and no "..": the kernel sees to it (openat2). A file is complete or not there: written without a name, synced, then
 * put in its place by a rename, and the folder synced.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/crash_point.h"
#include "base/text.h"
#include "broker/store.h"

typedef struct FileStore {
    PmStore base;
    PmLoop *loop;
    char *folder;
    bool confined;
} FileStore;

struct PmStoreCall {
    PmTimer *timer;
    char *location;
    PmError err;
    PmStoreDone *done;
    void *data;
};

static void tell(void *data)
{
    PmStoreCall *call = data;
    bool ok = call->err.status == PM_OK;
    PmStored stored = {
        .outcome = ok ? PM_STORED : PM_STORE_FAILED, .location = call->location, .err = ok ? NULL : &call->err};
    call->done(call->data, &stored);
    free(call->location);
    free(call);
}

static int open_below(int folder, const char *path, uint64_t flags)
{
    struct open_how how = {.flags = flags | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    long fd = syscall(SYS_openat2, folder, path, &how, sizeof how);
    /* Kernels before 5.6, and containers whose seccomp filter does not know the call. One segment that is not ".."
     * cannot lead elsewhere in this way either. */
    if (fd < 0 && (errno == ENOSYS || errno == EPERM)) fd = openat(folder, path, (int)flags | O_CLOEXEC | O_NOFOLLOW);
    return (int)fd;
}

static bool is_name(const char *segment)
{
    return segment[0] != '\0' && strcmp(segment, ".") != 0 && strcmp(segment, "..") != 0;
}

/* A name must survive a power cut, too: that of a file, and that of each folder made for it. */
static bool sync_folder(int folder)
{
    int readable = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (readable < 0) return errno == EACCES; /* may be written to and not be read: nothing can be done */
    bool ok = fsync(readable) == 0 || errno == EINVAL || errno == EBADF;
    close(readable);
    return ok;
}

static PmStatus failed(PmError *err, const char *what, const char *path)
{
    int e = errno;
    bool config = e == EACCES || e == EPERM || e == EROFS || e == ENOTDIR;
    bool input = e == ELOOP || e == EXDEV || e == ENAMETOOLONG || e == EISDIR;
    pm_error_set(err,
                 config  ? PM_BAD_CONFIG
                 : input ? PM_BAD_INPUT
                         : PM_TRANSIENT,
                 "cannot %s %.300s: %s", what, path,
                 e == ELOOP || e == EXDEV ? "a symbolic link stands in the way" : strerror(e));
    return err->status;
}

static void sync_parent(const char *path)
{
    char parent[4096];
    pm_text_copy(parent, sizeof parent, path);
    char *slash = strrchr(parent, '/');
    if (slash != NULL) slash[slash == parent] = '\0';
    int fd = open(slash != NULL ? parent : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    sync_folder(fd);
    close(fd);
}

/* The operator's own part of the path: links are followed, folders made. */
static int open_prefix(const char *path, PmError *err)
{
    char partial[4096];
    if (!pm_text_copy(partial, sizeof partial, path)) {
        errno = ENAMETOOLONG;
        failed(err, "write to", path);
        return -1;
    }
    for (char *slash = strchr(partial + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash != NULL) *slash = '\0';
        bool made = mkdir(partial, 0777) == 0;
        if (!made && errno != EEXIST) {
            failed(err, "make the folder", partial);
            return -1;
        }
        if (made) sync_parent(partial);
        if (slash == NULL) break;
        *slash = '/';
    }
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) failed(err, "open the folder", path);
    return fd;
}

/* Opens, and makes where needed, the folder of `rest` below `fd`; *name is the last segment. Takes fd. */
static int open_folder(int fd, char *rest, char **name, PmError *err)
{
    char *segment = rest;
    for (char *slash; fd >= 0 && (slash = strchr(segment, '/')) != NULL; segment = slash + 1) {
        *slash = '\0';
        int next = -1;
        bool made = is_name(segment) && mkdirat(fd, segment, 0777) == 0;
        if (!is_name(segment))
            pm_error_set(err, PM_BAD_INPUT, "cannot write below a folder named \"%s\"", segment);
        else if (!made && errno != EEXIST)
            failed(err, "make the folder", segment);
        else if (made && !sync_folder(fd))
            failed(err, "sync the folder above", segment);
        else if ((next = open_below(fd, segment, O_PATH | O_DIRECTORY)) < 0)
            failed(err, "open the folder", segment);
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

static bool write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, bytes, size);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        bytes += n;
        size -= (size_t)n;
    }
    return true;
}

/* Unlike a process id, no other host or container that shares the folder has the same. */
static bool temporary_name(char *out, size_t size)
{
    unsigned long long random;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random) return false;
    snprintf(out, size, ".pixmill-%016llx.tmp", random);
    return true;
}

/* Gives the nameless file its name; replaces what is there in one step. */
static bool link_over(int folder, int file, const char *name)
{
    char self[64], temporary[64];
    snprintf(self, sizeof self, "/proc/self/fd/%d", file);
    if (linkat(AT_FDCWD, self, folder, name, AT_SYMLINK_FOLLOW) == 0) return true;
    if (errno != EEXIST || !temporary_name(temporary, sizeof temporary)) return false;
    if (linkat(AT_FDCWD, self, folder, temporary, AT_SYMLINK_FOLLOW) != 0) return false;
    if (renameat(folder, temporary, folder, name) == 0) return true;
    int e = errno;
    unlinkat(folder, temporary, 0);
    errno = e;
    return false;
}

static PmStatus write_file(int folder, const char *name, const PmStorePut *put, PmError *err)
{
    int file = openat(folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
    char temporary[64] = "";
    if (file < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT || errno == EINVAL)) {
        /* A file system without nameless files (NFS, some overlays). */
        if (!temporary_name(temporary, sizeof temporary)) return failed(err, "write", put->key);
        file = openat(folder, temporary, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0666);
    }
    if (file < 0) return failed(err, "write", put->key);
    PM_CRASH_POINT("file.opened");
    bool ok = write_all(file, put->bytes, put->size) && fsync(file) == 0;
    PM_CRASH_POINT("file.synced");
    if (ok && temporary[0] != '\0')
        ok = renameat(folder, temporary, folder, name) == 0;
    else if (ok)
        ok = link_over(folder, file, name);
    if (!ok) {
        failed(err, "write", put->key);
        if (temporary[0] != '\0') unlinkat(folder, temporary, 0);
    }
    close(file);
    PM_CRASH_POINT("file.named");
    if (ok && !sync_folder(folder)) failed(err, "sync the folder of", put->key);
    return err->status;
}

/* apply: wherever the operator's own prefix leads, it is moved below the folder. */
static const char *without_lead(const char *key)
{
    for (;;) {
        if (*key == '/')
            key++;
        else if (strncmp(key, "./", 2) == 0)
            key += 2;
        else if (strncmp(key, "../", 3) == 0)
            key += 3;
        else
            return key;
    }
}

static PmStatus put_file(FileStore *store, const PmStorePut *put, PmStoreCall *call)
{
    const char *key = store->confined ? without_lead(put->key) : put->key;
    bool absolute = key[0] == '/';
    size_t fixed = strlen(put->key_prefix);
    char prefix[4096], location[4096];
    snprintf(location, sizeof location, "%s%s%s", absolute ? "" : store->folder, absolute ? "" : "/", key);
    size_t n = strlen(location) - strlen(key) + (store->confined ? 0 : fixed);
    if (strlen(location) >= sizeof location - 1) {
        errno = ENAMETOOLONG;
        return failed(&call->err, "write", key);
    }
    memcpy(prefix, location, n);
    prefix[n] = '\0';
    while (n > 1 && prefix[n - 1] == '/') prefix[--n] = '\0';
    call->location = strdup(location);
    char *rest = strdup(location + strlen(location) - strlen(key) + (store->confined ? 0 : fixed)), *name = NULL;
    if (rest == NULL || call->location == NULL) {
        free(rest);
        return pm_error_set(&call->err, PM_TRANSIENT, "out of memory");
    }
    int folder = open_prefix(prefix, &call->err);
    if (folder >= 0) folder = open_folder(folder, rest, &name, &call->err);
    if (folder >= 0) {
        write_file(folder, name, put, &call->err);
        close(folder);
    }
    free(rest);
    return call->err.status;
}

static PmStoreCall *put(PmStore *base, const PmStorePut *request, PmStoreDone *done, void *data, PmError *err)
{
    FileStore *store = (FileStore *)base;
    PmStoreCall *call = calloc(1, sizeof *call);
    if (call != NULL) {
        call->done = done;
        call->data = data;
        put_file(store, request, call);
        call->timer = pm_loop_after(store->loop, 0, tell, call);
        if (call->timer != NULL) return call;
        free(call->location);
        free(call);
    }
    pm_error_set(err, PM_TRANSIENT, "out of memory");
    return NULL;
}

static void cancel(PmStore *base, PmStoreCall *call)
{
    (void)base;
    if (call == NULL) return;
    pm_loop_cancel(call->timer);
    free(call->location);
    free(call);
}

static void free_store(PmStore *base)
{
    FileStore *store = (FileStore *)base;
    if (store == NULL) return;
    free(store->folder);
    free(store);
}

PmStore *pm_store_file_new(PmLoop *loop, const char *base, bool confined, PmError *err)
{
    static const PmStoreOps ops = {.put = put, .cancel = cancel, .free = free_store};
    FileStore *store = calloc(1, sizeof *store);
    if (store == NULL || (store->folder = strdup(base)) == NULL) {
        free(store);
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    store->base.ops = &ops;
    store->loop = loop;
    store->confined = confined;
    return &store->base;
}
