/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/file/stamp_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/json.h"

#define ATTRIBUTE "user.pixmill.stamp"
#define LOCK_NAME ".pixmill.lock"

enum { STAMP_BYTES_MAX = 4096, BESIDE_SIZE = 64, LOCK_TRIES = 500, LOCK_PAUSE_US = 10000 };

/* ".pixmill-HASH.stamp": a name of any length has one. */
static void beside(const char *name, char out[BESIDE_SIZE])
{
    char hash[PM_STAMP_SOURCE_SIZE];
    pm_stamp_name(NULL, name, hash);
    snprintf(out, BESIDE_SIZE, ".pixmill-%s.stamp", hash);
}

static json_t *read_beside(int folder, const char *name, bool *no_memory)
{
    char hidden[BESIDE_SIZE], text[STAMP_BYTES_MAX];
    beside(name, hidden);
    int fd = pm_folder_open_file(folder, hidden, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    if (fd < 0) return NULL;
    ssize_t n = read(fd, text, sizeof text);
    close(fd);
    return n > 0 ? pm_json_read(text, (size_t)n, 0, NULL, no_memory) : NULL;
}

static const char *text_of(const json_t *json, const char *name)
{
    return json_string_value(json_object_get(json, name));
}

void pm_stamp_file_read(int folder, const char *name, PmStampFile *out)
{
    char text[STAMP_BYTES_MAX];
    struct stat st;
    *out = (PmStampFile){.certain = true};
    int fd = pm_folder_open_file(folder, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    if (fd < 0) return;
    ssize_t n = fgetxattr(fd, ATTRIBUTE, text, sizeof text);
    if (n > 0) {
        out->json = pm_json_read(text, (size_t)n, 0, NULL, &out->no_memory);
    } else if (fstat(fd, &st) == 0) {
        out->json = read_beside(folder, name, &out->no_memory);
        out->certain = json_integer_value(json_object_get(out->json, "inode")) == (json_int_t)st.st_ino &&
                       json_integer_value(json_object_get(out->json, "size")) == (json_int_t)st.st_size;
    }
    close(fd);
    out->stamp = (PmStamp){.digest = text_of(out->json, "digest"),
                           .etag = text_of(out->json, "etag"),
                           .sequencer = text_of(out->json, "sequencer"),
                           .time_ms = json_integer_value(json_object_get(out->json, "time_ms"))};
    const char *source = text_of(out->json, "source");
    if (source != NULL && strlen(source) < sizeof out->stamp.source)
        memcpy(out->stamp.source, source, strlen(source) + 1);
}

void pm_stamp_file_finish(PmStampFile *stamp)
{
    json_decref(stamp->json);
    *stamp = (PmStampFile){0};
}

bool pm_stamp_file_same(const PmStampFile *a, const PmStampFile *b)
{
    if (a->json == NULL || b->json == NULL) return a->json == b->json;
    return a->certain == b->certain && json_equal(a->json, b->json) != 0;
}

PmStampVerdict pm_stamp_file_judge(const PmStampFile *existing, const PmStamp *ours)
{
    PmStampVerdict verdict = pm_stamp_judge(&existing->stamp, ours);
    return verdict == PM_STAMP_CURRENT && !existing->certain ? PM_STAMP_WRITE : verdict;
}

static void add(json_t *json, const char *name, const char *value)
{
    if (value != NULL && value[0] != '\0') json_object_set_new(json, name, json_string(value));
}

/* Written and synced under a name of its own, then renamed: there is the old one or the new one. */
static bool write_beside(int folder, const char *name, const char *text)
{
    char hidden[BESIDE_SIZE], temporary[PM_FOLDER_TEMPORARY];
    beside(name, hidden);
    if (!pm_folder_temporary(temporary)) return false;
    int fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0) return false;
    size_t size = strlen(text);
    ssize_t n = write(fd, text, size);
    if (n >= 0 && (size_t)n < size) errno = ENOSPC;
    bool ok = n == (ssize_t)size && fsync(fd) == 0 && renameat(folder, temporary, folder, hidden) == 0;
    int e = errno;
    if (!ok) unlinkat(folder, temporary, 0);
    close(fd);
    errno = e;
    return ok;
}

static bool has_none(int error)
{
    return error == ENOTSUP || error == ENOSYS || error == EPERM || error == EACCES;
}

bool pm_stamp_file_write(int file, int folder, const char *name, const PmStamp *stamp, bool attributes, PmError *err)
{
    struct stat st;
    json_t *json = json_pack("{sI}", "time_ms", (json_int_t)stamp->time_ms);
    add(json, "digest", stamp->digest);
    add(json, "etag", stamp->etag);
    add(json, "sequencer", stamp->sequencer);
    add(json, "source", stamp->source);
    if (!attributes && fstat(file, &st) == 0) {
        json_object_set_new(json, "inode", json_integer((json_int_t)st.st_ino));
        json_object_set_new(json, "size", json_integer((json_int_t)st.st_size));
    }
    char *text = pm_json_text(json, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(json);
    if (text == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return false;
    }
    bool ok = attributes ? fsetxattr(file, ATTRIBUTE, text, strlen(text), 0) == 0 : write_beside(folder, name, text);
    if (!ok && !(attributes && has_none(errno))) pm_folder_failed(err, "note the source's version beside", name);
    free(text);
    return ok;
}

/* A file system across hosts locks files, and only those that are open for writing. */
static int open_lock(int folder)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno == EWOULDBLOCK)) return fd;
    if (fd >= 0) close(fd);
    return openat(folder, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
}

int pm_stamp_file_lock(int folder, PmError *err)
{
    int fd = open_lock(folder);
    if (fd < 0) {
        pm_folder_failed(err, "open", LOCK_NAME);
        return -1;
    }
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
        if (errno != EWOULDBLOCK && errno != EINTR) break;
        usleep(LOCK_PAUSE_US);
    }
    if (errno == EWOULDBLOCK || errno == EINTR)
        pm_error_set(err, PM_TRANSIENT, "another process has held the lock of the folder for seconds");
    else
        pm_error_set(err, PM_BAD_CONFIG,
                     "the file system has no locks (%s), so an older version of a source could replace a newer one",
                     strerror(errno));
    close(fd);
    return -1;
}
