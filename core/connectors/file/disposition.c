/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/file/disposition.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/folder.h"
#include "base/json.h"
#include "base/text.h"

enum {
    NUMBERED = 100,
    NAME_BYTES_MAX = 255,
    NAME_SPARE = 38, /* "-" and 16 digits, ".reason.json" */
    ENDING_MAX = 32
};

struct PmDisposition {
    char *root, *folder, *key, *path;
    PmFileVersion version;
    char *reason; /* the text, or NULL */
};

/* Two folders, by descriptor, and the names in them. */
typedef struct Move {
    const PmDisposition *disposition;
    int from, to;
    const char *name;
    char target[PM_DISPOSITION_NAME_SIZE], reason[PM_DISPOSITION_NAME_SIZE + 16];
    bool wrote_reason;
    PmError *err;
} Move;

/* {status, message, hint?, step?, plugin?, file?, line?, tag?, source, key, attempts, time} */
static char *reason_text(const PmDispositionRequest *request)
{
    char time[25], label[1200], clean[1200];
    json_t *reason = pm_error_to_json(request->reason);
    const PmObject *object = request->object;
    pm_clock_iso8601(pm_clock_wall_ms(), time);
    pm_object_label(object, label, sizeof label);
    pm_text_utf8(clean, sizeof clean, label);
    json_object_set_new(reason, "source", json_string(clean));
    if (pm_text_is_utf8(object->key, strlen(object->key))) json_object_set_new(reason, "key", json_string(object->key));
    json_object_set_new(reason, "attempts", json_integer(request->attempts));
    json_object_set_new(reason, "time", json_string(time));
    if (request->tag != NULL) json_object_set_new(reason, "tag", json_string(request->tag));
    char *text = pm_json_text(reason, JSON_INDENT(2));
    json_decref(reason);
    return text;
}

PmDisposition *pm_disposition_new(const PmDispositionRequest *request)
{
    PmDisposition *disposition = calloc(1, sizeof *disposition);
    if (disposition == NULL) return NULL;
    *disposition = (PmDisposition){.root = strdup(request->root),
                                   .folder = strdup(request->folder),
                                   .key = strdup(request->object->key),
                                   .path = strdup(request->object->path),
                                   .version = *request->version,
                                   .reason = request->reason != NULL ? reason_text(request) : NULL};
    if (disposition->root != NULL && disposition->folder != NULL && disposition->key != NULL &&
        disposition->path != NULL && (request->reason == NULL || disposition->reason != NULL))
        return disposition;
    pm_disposition_free(disposition);
    return NULL;
}

void pm_disposition_free(PmDisposition *disposition)
{
    if (disposition == NULL) return;
    free(disposition->root);
    free(disposition->folder);
    free(disposition->key);
    free(disposition->path);
    free(disposition->reason);
    free(disposition);
}

/* --- names --- */

/* How much of a name's stem is kept, so that number, ending and ".reason.json" still fit; never half a character. */
static size_t stem_size(const char *name, size_t stem, size_t ending)
{
    if (stem + NAME_SPARE + ending <= NAME_BYTES_MAX) return stem;
    stem = ending + NAME_SPARE < NAME_BYTES_MAX ? NAME_BYTES_MAX - NAME_SPARE - ending : 0;
    while (stem > 0 && ((unsigned char)name[stem] & 0xC0) == 0x80) stem--;
    return stem;
}

void pm_disposition_name(const char *name, int n, char out[PM_DISPOSITION_NAME_SIZE])
{
    char number[24] = "";
    unsigned long long random = 0;
    const char *dot = strrchr(name, '.');
    if (dot == NULL || dot == name || strlen(dot) > ENDING_MAX) dot = name + strlen(name);
    /* A hundred of one name, as of a camera that begins anew every day: then the search must not grow with them. */
    if (n >= NUMBERED && getrandom(&random, sizeof random, 0) == (ssize_t)sizeof random)
        snprintf(number, sizeof number, "-%016llx", random);
    else if (n > 0)
        snprintf(number, sizeof number, "-%d", n);
    snprintf(out, PM_DISPOSITION_NAME_SIZE, "%.*s%s%s", (int)stem_size(name, (size_t)(dot - name), strlen(dot)), name,
             number, dot);
}

/* --- the reason --- */

static bool write_all(int fd, const char *text)
{
    size_t size = strlen(text);
    while (size > 0) {
        ssize_t n = write(fd, text, size);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        text += n;
        size -= (size_t)n;
    }
    return true;
}

static void unlink_at(int folder, const char *name)
{
    int e = errno;
    unlinkat(folder, name, 0);
    errno = e;
}

/* False and errno set; EEXIST: there is something of that name, a file, a link, a FIFO. */
static bool write_reason(Move *move)
{
    snprintf(move->reason, sizeof move->reason, "%s.reason.json", move->target);
    int fd = openat(move->to, move->reason, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
    if (fd < 0) return false;
    move->wrote_reason = write_all(fd, move->disposition->reason) && write_all(fd, "\n") && fsync(fd) == 0;
    int e = errno;
    close(fd);
    errno = e;
    if (!move->wrote_reason) unlink_at(move->to, move->reason);
    return move->wrote_reason;
}

static void take_reason_back(Move *move)
{
    if (move->wrote_reason) unlink_at(move->to, move->reason);
    move->wrote_reason = false;
}

/* --- moving --- */

static PmDispositionOutcome failed(Move *move, const char *what, const char *name)
{
    PmError *err = move->err;
    take_reason_back(move);
    pm_folder_failed(err, what, name);
    pm_error_context(err, "%s", move->disposition->folder);
    return PM_DISPOSITION_FAILED;
}

/* What a name stands for, without following it. */
static bool is_version(int folder, const char *name, const PmFileVersion *version)
{
    struct stat st;
    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0) return false;
    if (S_ISLNK(st.st_mode)) return st.st_ino == version->name_inode;
    PmFileVersion now;
    return pm_file_version(folder, name, &now) && pm_file_version_same(&now, version);
}

/* A rename takes whatever bears the name at that moment: only now it is known what that was. */
static PmDispositionOutcome after_rename(Move *move)
{
    if (is_version(move->to, move->target, &move->disposition->version)) return PM_DISPOSITION_MOVED;
    if (pm_folder_rename_new(move->to, move->target, move->from, move->name) == 0) {
        take_reason_back(move);
        return PM_DISPOSITION_CHANGED;
    }
    /* There is a still newer one: this one is superseded and lies where it is. */
    if (errno == EEXIST) return PM_DISPOSITION_CHANGED;
    move->wrote_reason = false; /* it belongs to the file that lies there */
    return failed(move, "put back what changed while it was set aside as", move->target);
}

/* Another file system: a complete copy first. The original is renamed before it is removed, so that what is removed is
 * what was copied. */
static PmDispositionOutcome copy_over(Move *move)
{
    char hidden[PM_FOLDER_TEMPORARY];
    int source = openat(move->from, move->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int target =
        source >= 0 ? openat(move->to, move->target, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666) : -1;
    ssize_t n = 0;
    while (target >= 0 && (n = sendfile(target, source, NULL, 1 << 30)) > 0) {
    }
    bool ok = target >= 0 && n == 0 && fsync(target) == 0 && pm_folder_temporary(hidden), moved = false;
    int e = errno;
    if (target >= 0) close(target);
    if (source >= 0) close(source);
    errno = e;
    if (ok) moved = renameat(move->from, move->name, move->from, hidden) == 0;
    if (moved && is_version(move->from, hidden, &move->disposition->version)) {
        unlinkat(move->from, hidden, 0);
        return PM_DISPOSITION_MOVED;
    }
    if (target >= 0) unlink_at(move->to, move->target);
    if (!moved && errno != ENOENT) return failed(move, "copy to", move->target);
    take_reason_back(move);
    if (!moved) return PM_DISPOSITION_GONE;
    if (pm_folder_rename_new(move->from, hidden, move->from, move->name) != 0)
        unlinkat(move->from, hidden, 0); /* superseded */
    return PM_DISPOSITION_CHANGED;
}

static PmDispositionOutcome move_as(Move *move, bool *taken)
{
    struct stat st;
    *taken = fstatat(move->to, move->target, &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (*taken) return PM_DISPOSITION_FAILED;
    if (move->disposition->reason != NULL && !write_reason(move)) {
        *taken = errno == EEXIST;
        return *taken ? PM_DISPOSITION_FAILED : failed(move, "write", move->reason);
    }
    if (move->disposition->reason != NULL) PM_CRASH_POINT("disposition.reason_written");
    PM_CRASH_POINT("disposition.rename_next");
    if (pm_folder_rename_new(move->from, move->name, move->to, move->target) == 0) {
        PM_CRASH_POINT("disposition.renamed");
        return after_rename(move);
    }
    if (errno == EXDEV) return copy_over(move);
    *taken = errno == EEXIST;
    if (errno != EEXIST && errno != ENOENT) return failed(move, "move the file to", move->target);
    take_reason_back(move);
    return *taken ? PM_DISPOSITION_FAILED : PM_DISPOSITION_GONE;
}

static PmDispositionOutcome move_file(Move *move)
{
    PmFileVersion now;
    if (!pm_file_version(move->from, move->name, &now)) return PM_DISPOSITION_GONE;
    if (!pm_file_version_same(&now, &move->disposition->version)) return PM_DISPOSITION_CHANGED;
    if (pm_file_is_open_for_writing(move->from, move->name)) return PM_DISPOSITION_OPEN;
    for (int n = 0; n < PM_DISPOSITION_NAMES; n++) {
        bool taken = false;
        pm_disposition_name(move->name, n, move->target);
        PmDispositionOutcome outcome = move_as(move, &taken);
        if (!taken) return outcome;
    }
    errno = EEXIST;
    return failed(move, "find a free name for", move->name);
}

/* The folder of the key below `path`; -1 and err set. */
static int open_folder(const char *path, char *key, bool make, char **name, PmError *err)
{
    int fd = make ? pm_folder_open(path, err) : open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        pm_folder_failed(err, "open the folder", path);
        return -1;
    }
    return pm_folder_below(fd, key, make, name, err);
}

PmDispositionOutcome pm_disposition_move(PmDisposition *disposition, PmError *err)
{
    char *keys[] = {strdup(disposition->key), strdup(disposition->key)}, *name = NULL, *unused = NULL;
    Move move = {.disposition = disposition, .from = -1, .to = -1, .err = err};
    PmDispositionOutcome outcome = PM_DISPOSITION_FAILED;
    struct stat st;
    if (keys[0] == NULL || keys[1] == NULL)
        pm_error_set(err, PM_TRANSIENT, "out of memory");
    else if (lstat(disposition->path, &st) != 0 && (errno == ENOENT || errno == ENOTDIR))
        outcome = PM_DISPOSITION_GONE;
    else if ((move.from = open_folder(disposition->root, keys[0], false, &name, err)) >= 0)
        move.to = open_folder(disposition->folder, keys[1], true, &unused, err);
    move.name = name;
    if (move.to >= 0) outcome = move_file(&move);
    if (move.from >= 0) close(move.from);
    if (move.to >= 0) close(move.to);
    free(keys[0]);
    free(keys[1]);
    return outcome;
}
