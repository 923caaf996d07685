/* SPDX-License-Identifier: Apache-2.0
 *
 * Renditions as files. What a fact brought cannot lead out of the fixed prefix (base/folder.h). A file is complete or
 * not there: written without a name, synced, then put in its place by a rename, and the folder synced; all of it on the
 * helper thread, since a disk may take its time.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crash_point.h"
#include "base/folder.h"
#include "broker/location.h"
#include "broker/store.h"

typedef struct FileStore {
    PmStore base;
    PmHelper *helper;
    char *folder;
    bool confined;
} FileStore;

struct PmStoreCall {
    PmHelperJob *job;
    const void *bytes; /* the caller's, until it cancels */
    size_t size;
    char *location; /* the file's path */
    size_t fixed;   /* bytes of it that the operator wrote */
    atomic_bool cancelled;
    PmError err;
    PmStoreDone *done;
    void *data;
};

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

/* Gives the nameless file its name; replaces what is there in one step. */
static bool link_over(int folder, int file, const char *name)
{
    char self[64], temporary[PM_FOLDER_TEMPORARY];
    snprintf(self, sizeof self, "/proc/self/fd/%d", file);
    if (linkat(AT_FDCWD, self, folder, name, AT_SYMLINK_FOLLOW) == 0) return true;
    if (errno != EEXIST || !pm_folder_temporary(temporary)) return false;
    if (linkat(AT_FDCWD, self, folder, temporary, AT_SYMLINK_FOLLOW) != 0) return false;
    if (renameat(folder, temporary, folder, name) == 0) return true;
    int e = errno;
    unlinkat(folder, temporary, 0);
    errno = e;
    return false;
}

/* The bytes were the caller's while they were written: had it cancelled before, they might have been anybody's. */
static bool still_wanted(const PmStoreCall *call)
{
    if (!atomic_load(&call->cancelled)) return true;
    errno = ECANCELED;
    return false;
}

static void write_file(PmStoreCall *call, int folder, const char *name)
{
    int file = openat(folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
    char temporary[PM_FOLDER_TEMPORARY] = "";
    if (file < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT || errno == EINVAL)) {
        /* A file system without nameless files (NFS, some overlays). */
        if (pm_folder_temporary(temporary))
            file = openat(folder, temporary, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0666);
    }
    PM_CRASH_POINT("file.opened");
    bool ok = file >= 0 && write_all(file, call->bytes, call->size) && still_wanted(call) && fsync(file) == 0;
    PM_CRASH_POINT("file.synced");
    if (ok && temporary[0] != '\0')
        ok = renameat(folder, temporary, folder, name) == 0;
    else if (ok)
        ok = link_over(folder, file, name);
    if (!ok) {
        pm_folder_failed(&call->err, "write", call->location);
        if (temporary[0] != '\0') unlinkat(folder, temporary, 0);
    }
    if (file >= 0) close(file);
    PM_CRASH_POINT("file.named");
    if (ok && !pm_folder_sync(folder)) pm_folder_failed(&call->err, "sync the folder of", call->location);
}

/* On the helper thread. */
static void put_file(void *data)
{
    PmStoreCall *call = data;
    char *rest = strdup(call->location + call->fixed), *prefix = strndup(call->location, call->fixed), *name = NULL;
    size_t n = call->fixed;
    if (rest == NULL || prefix == NULL) {
        pm_error_set(&call->err, PM_TRANSIENT, "out of memory");
    } else {
        while (n > 1 && prefix[n - 1] == '/') prefix[--n] = '\0';
        int folder = pm_folder_open(prefix, &call->err);
        if (folder >= 0) folder = pm_folder_below(folder, rest, true, &name, &call->err);
        if (folder >= 0) {
            write_file(call, folder, name);
            close(folder);
        }
    }
    free(prefix);
    free(rest);
}

static void free_call(PmStoreCall *call)
{
    free(call->location);
    free(call);
}

static void tell(void *data, bool cancelled)
{
    PmStoreCall *call = data;
    bool ok = call->err.status == PM_OK;
    PmStored stored = {
        .outcome = ok ? PM_STORED : PM_STORE_FAILED, .location = call->location, .err = ok ? NULL : &call->err};
    if (!cancelled) call->done(call->data, &stored);
    free_call(call);
}

static bool locate(const FileStore *store, const PmStorePut *put, PmStoreCall *call)
{
    const char *key = store->confined ? pm_location_below(put->key) : put->key;
    bool absolute = key[0] == '/';
    size_t size = strlen(store->folder) + strlen(key) + 2;
    call->location = malloc(size);
    if (call->location == NULL) return false;
    snprintf(call->location, size, "%s%s%s", absolute ? "" : store->folder, absolute ? "" : "/", key);
    call->fixed = strlen(call->location) - strlen(key) + (store->confined ? 0 : strlen(put->key_prefix));
    return true;
}

static PmStoreCall *put(PmStore *base, const PmStorePut *request, PmStoreDone *done, void *data, PmError *err)
{
    FileStore *store = (FileStore *)base;
    PmStoreCall *call = calloc(1, sizeof *call);
    if (call != NULL) {
        call->bytes = request->bytes;
        call->size = request->size;
        call->done = done;
        call->data = data;
        if (locate(store, request, call)) call->job = pm_helper_run(store->helper, put_file, tell, call);
        if (call->job != NULL) return call;
        free_call(call);
    }
    pm_error_set(err, PM_TRANSIENT, "out of memory");
    return NULL;
}

static void cancel(PmStore *base, PmStoreCall *call)
{
    (void)base;
    if (call == NULL) return;
    atomic_store(&call->cancelled, true);
    pm_helper_cancel(call->job);
}

static void free_store(PmStore *base)
{
    FileStore *store = (FileStore *)base;
    if (store == NULL) return;
    free(store->folder);
    free(store);
}

PmStore *pm_store_file_new(PmHelper *helper, const char *base, bool confined, PmError *err)
{
    static const PmStoreOps ops = {.put = put, .cancel = cancel, .free = free_store};
    FileStore *store = calloc(1, sizeof *store);
    if (store == NULL || (store->folder = strdup(base)) == NULL) {
        free(store);
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    store->base.ops = &ops;
    store->helper = helper;
    store->confined = confined;
    return &store->base;
}
