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
#include "base/text.h"
#include "connectors/file/location.h"
#include "connectors/file/stamp_file.h"
#include "connectors/file/stores.h"
#include "connectors/store.h"

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
    char *location;  /* the file's path */
    size_t fixed;    /* bytes of it that the operator wrote */
    PmObject source; /* of what is stamped; empty for other files */
    char *digest;
    PmStoreOutcome outcome;
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

/* A file in the making: open, written, without its name. */
typedef struct Making {
    PmStoreCall *call;
    int folder, file;
    const char *name;
    char temporary[PM_FOLDER_TEMPORARY]; /* "" while it has no name at all */
    PmStamp stamp;
    bool beside;      /* the stamp goes into a file of its own */
    PmStampFile seen; /* what lay there at the last look */
} Making;

static bool failed(Making *making, const char *what)
{
    pm_folder_failed(&making->call->err, what, making->call->location);
    return false;
}

static bool write_bytes(Making *making)
{
    PmStoreCall *call = making->call;
    making->file = openat(making->folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
    if (making->file < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT || errno == EINVAL)) {
        /* A file system without nameless files (NFS, some overlays). */
        if (pm_folder_temporary(making->temporary))
            making->file =
                openat(making->folder, making->temporary, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0666);
    }
    PM_CRASH_POINT("file.opened");
    if (making->file >= 0 && write_all(making->file, call->bytes, call->size) && still_wanted(call)) return true;
    return failed(making, "write");
}

/* False: there is nothing to write. */
static bool look(Making *making)
{
    PmStoreCall *call = making->call;
    PmStampFile found;
    pm_stamp_file_read(making->folder, making->name, &found);
    if (found.no_memory) { /* a newer one may lie there */
        pm_stamp_file_finish(&found);
        pm_error_set(&call->err, PM_TRANSIENT, "%s: out of memory", call->location);
        return false;
    }
    pm_stamp_of(&call->source, call->digest, &making->stamp);
    PmStampVerdict verdict = pm_stamp_file_judge(&found, &making->stamp);
    pm_stamp_file_finish(&making->seen);
    making->seen = found;
    if (verdict == PM_STAMP_WRITE) pm_stamp_carry(&found.stamp, &making->stamp);
    call->outcome = verdict == PM_STAMP_STALE     ? PM_STORE_STALE
                    : verdict == PM_STAMP_CURRENT ? PM_STORE_CURRENT
                                                  : PM_STORED;
    return verdict == PM_STAMP_WRITE;
}

static bool stamp(Making *making)
{
    PmError *err = &making->call->err;
    making->beside = !pm_stamp_file_write(making->file, making->folder, making->name, &making->stamp, true, err);
    return err->status == PM_OK;
}

static bool sync_file(Making *making)
{
    if (fsync(making->file) != 0) return failed(making, "sync");
    PM_CRASH_POINT("file.synced");
    return true;
}

static bool give_name(Making *making)
{
    bool ok = making->temporary[0] != '\0'
                  ? renameat(making->folder, making->temporary, making->folder, making->name) == 0
                  : link_over(making->folder, making->file, making->name);
    if (!ok) return failed(making, "write");
    making->temporary[0] = '\0';
    PM_CRASH_POINT("file.named");
    return true;
}

/* Looks once more, and then nobody else may write until it has its name. */
static bool give_name_in_order(Making *making)
{
    PmError *err = &making->call->err;
    PmStampFile before = making->seen;
    making->seen = (PmStampFile){0};
    int lock = pm_stamp_file_lock(making->folder, err);
    bool ok = lock >= 0 && look(making);
    if (ok && !making->beside && !pm_stamp_file_same(&before, &making->seen)) ok = stamp(making) && sync_file(making);
    if (ok && making->beside)
        ok = pm_stamp_file_write(making->file, making->folder, making->name, &making->stamp, false, err);
    PM_CRASH_POINT("file.stamped");
    ok = ok && give_name(making);
    if (lock >= 0) close(lock);
    pm_stamp_file_finish(&before);
    return ok;
}

static void write_file(PmStoreCall *call, int folder, const char *name)
{
    Making making = {.call = call, .folder = folder, .file = -1, .name = name};
    bool ordered = call->digest != NULL;
    if (!ordered || look(&making))
        (void)(write_bytes(&making) && (!ordered || stamp(&making)) && sync_file(&making) &&
               (ordered ? give_name_in_order(&making) : give_name(&making)));
    if (making.temporary[0] != '\0') unlinkat(folder, making.temporary, 0);
    if (making.file >= 0) close(making.file);
    pm_stamp_file_finish(&making.seen);
    /* Also when it was there already: its writer may have been killed before this. */
    if (call->err.status == PM_OK && !pm_folder_sync(folder)) failed(&making, "sync the folder of");
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
    pm_object_finish(&call->source);
    free(call->digest);
    free(call->location);
    free(call);
}

static void tell(void *data, bool cancelled)
{
    PmStoreCall *call = data;
    bool ok = call->err.status == PM_OK;
    PmStored stored = {
        .outcome = ok ? call->outcome : PM_STORE_FAILED, .location = call->location, .err = ok ? NULL : &call->err};
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

/* Two versions of an object may be at work at the same time, here or elsewhere; of a file they never are. */
static bool take_source(PmStoreCall *call, const PmStorePut *put)
{
    if (put->record || put->source == NULL || put->source->bucket == NULL) return true;
    call->digest = strdup(put->digest != NULL ? put->digest : "");
    return call->digest != NULL && pm_object_copy(&call->source, put->source);
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
        if (locate(store, request, call) && take_source(call, request))
            call->job = pm_helper_run(store->helper, put_file, tell, call);
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

static char *locate_place(const PmStore *base, const PmPlace *place, const char *key)
{
    const FileStore *store = (const FileStore *)base;
    (void)place;
    return pm_location_new(store->folder, key, store->confined);
}

static void name_place(const PmStore *base, const PmPlace *place, char *out, size_t size)
{
    const FileStore *store = (const FileStore *)base;
    if (store->confined) /* one folder for all places */
        pm_text_copy(out, size, "file:--out");
    else
        pm_location_name(store->folder, pm_template_prefix(place->key), false, out, size);
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
    static const PmStoreOps ops = {
        .put = put, .cancel = cancel, .locate = locate_place, .name = name_place, .free = free_store};
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
