/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/aside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/text.h"

enum {
    NAMES_TRIED = 10000,
    NAME_BYTES_MAX = 255,
    NAME_SPARE = 20, /* "-9999" and ".reason.json" */
    ENDING_MAX = 32
};

json_t *pm_aside_reason(const PmAside *aside)
{
    char time[25], label[1200], clean[1200];
    json_t *reason = aside->reason != NULL ? pm_error_to_json(aside->reason) : json_object();
    pm_clock_iso8601(pm_clock_wall_ms(), time);
    pm_object_label(aside->object, label, sizeof label);
    pm_text_utf8(clean, sizeof clean, label);
    json_object_set_new(reason, "source", json_string(clean));
    json_object_set_new(reason, "attempts", json_integer(aside->attempts));
    json_object_set_new(reason, "time", json_string(time));
    if (aside->tag != NULL) json_object_set_new(reason, "tag", json_string(aside->tag));
    return reason;
}

static PmStatus failed(PmError *err, const char *what, const char *path)
{
    bool config = errno == EACCES || errno == EPERM || errno == EROFS || errno == ENOTDIR;
    return pm_error_set(err, config ? PM_BAD_CONFIG : PM_TRANSIENT, "cannot %s %.300s: %s", what, path,
                        strerror(errno));
}

static PmStatus make_folders(const char *path, PmError *err)
{
    char partial[4096];
    pm_text_copy(partial, sizeof partial, path);
    for (char *slash = strchr(partial + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(partial, 0777) != 0 && errno != EEXIST) return failed(err, "make the folder", partial);
        *slash = '/';
    }
    return PM_OK;
}

/* How much of a name's stem is kept, so that number, ending and ".reason.json" still fit; never half a character. */
static size_t stem_size(const char *name, size_t stem, size_t ending)
{
    if (stem + NAME_SPARE + ending <= NAME_BYTES_MAX) return stem;
    stem = ending + NAME_SPARE < NAME_BYTES_MAX ? NAME_BYTES_MAX - NAME_SPARE - ending : 0;
    while (stem > 0 && ((unsigned char)name[stem] & 0xC0) == 0x80) stem--;
    return stem;
}

/* "in/cat.jpg" as the n-th of its name: "in/cat-2.jpg". */
static bool numbered(const char *folder, const char *key, int n, char *out, size_t size)
{
    char number[16] = "";
    const char *slash = strrchr(key, '/'), *name = slash != NULL ? slash + 1 : key, *dot = strrchr(name, '.');
    if (dot == NULL || dot == name || strlen(dot) > ENDING_MAX) dot = name + strlen(name);
    if (n > 0) snprintf(number, sizeof number, "-%d", n);
    int length = snprintf(out, size, "%s/%.*s%.*s%s%s", folder, (int)(name - key), key,
                          (int)stem_size(name, (size_t)(dot - name), strlen(dot)), name, number, dot);
    return length > 0 && (size_t)length + NAME_SPARE < size;
}

static PmStatus write_reason(const PmAside *aside, const char *target, PmError *err)
{
    char path[4200];
    snprintf(path, sizeof path, "%s.reason.json", target);
    json_t *reason = pm_aside_reason(aside);
    char *text = json_dumps(reason, JSON_INDENT(2));
    json_decref(reason);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
    size_t n = text != NULL ? strlen(text) : 0;
    bool ok = fd >= 0 && text != NULL && write(fd, text, n) == (ssize_t)n && write(fd, "\n", 1) == 1 && fsync(fd) == 0;
    if (!ok) failed(err, "write", path);
    if (fd >= 0) close(fd);
    free(text);
    return ok ? PM_OK : err->status;
}

/* Another file system: a copy, synced, before the original goes. */
static bool copy_over(const char *from, const char *to)
{
    int source = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int target = source >= 0 ? open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666) : -1;
    ssize_t n = 0;
    while (target >= 0 && (n = sendfile(target, source, NULL, 1 << 30)) > 0) {
    }
    bool ok = target >= 0 && n == 0 && fsync(target) == 0 && unlink(from) == 0;
    int e = errno;
    if (target >= 0) close(target);
    if (source >= 0) close(source);
    if (!ok && target >= 0) unlink(to);
    errno = e;
    return ok;
}

PmStatus pm_aside_move(const PmAside *aside, PmError *err)
{
    char target[4096];
    struct stat st;
    if (lstat(aside->object->path, &st) != 0 && errno == ENOENT) return PM_OK; /* taken away: nothing left to move */
    for (int n = 0; n < NAMES_TRIED; n++) {
        if (!numbered(aside->folder, aside->object->key, n, target, sizeof target)) {
            errno = ENAMETOOLONG;
            return failed(err, "move", aside->object->path);
        }
        if (n == 0 && make_folders(target, err) != PM_OK) return err->status;
        if (lstat(target, &st) == 0) continue;
        if (aside->reason != NULL && write_reason(aside, target, err) != PM_OK) return err->status;
        if (aside->reason != NULL) PM_CRASH_POINT("aside.reason_written");
        PM_CRASH_POINT("aside.rename_next");
        if (renameat2(AT_FDCWD, aside->object->path, AT_FDCWD, target, RENAME_NOREPLACE) == 0) return PM_OK;
        if (errno == EEXIST) continue;
        if (errno == EINVAL && rename(aside->object->path, target) == 0) return PM_OK; /* no RENAME_NOREPLACE here */
        if (errno == EXDEV && copy_over(aside->object->path, target)) return PM_OK;
        return failed(err, "move the file to", target);
    }
    errno = EEXIST;
    return failed(err, "find a free name for", target);
}
