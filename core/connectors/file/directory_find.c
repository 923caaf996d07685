/* SPDX-License-Identifier: Apache-2.0
 *
 * Which files of a folder there are: by looking at all of it, and by what inotify tells.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "connectors/file/directory.h"
#include "connectors/file/folder_scan.h"

enum { GONE_MS = 2000 /* between two looks for a folder that is gone */, FOLDERS_MAX = 10000 };

/* --- which files --- */

/* Ours: done, failed, quarantine. Told by what they are, since there are many ways to write a path. */
static bool is_aside(const PmDirectory *t, const struct stat *st)
{
    struct stat aside;
    for (size_t i = 0; i < 3; i++)
        if (stat(t->aside[i], &aside) == 0 && aside.st_ino == st->st_ino && aside.st_dev == st->st_dev) return true;
    return false;
}

bool pm_directory_is_aside(const PmDirectory *t, const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && is_aside(t, &st);
}

bool pm_directory_path(const PmDirectory *t, const char *key, char out[PATH_MAX])
{
    int n = snprintf(out, PATH_MAX, "%s/%s", t->folder, key);
    return n > 0 && n < PATH_MAX;
}

static bool is_given_up(const PmDirectory *t, const PmFileVersion *version)
{
    for (size_t i = 0; i < PM_DIRECTORY_GIVEN_UP_MAX && t->given_up[i].inode != 0; i++)
        if (pm_file_version_same(&t->given_up[i], version)) return true;
    return false;
}

static bool is_wanted(const PmDirectory *t, const char *key)
{
    const char *slash = strrchr(key, '/');
    size_t n = strlen(key);
    if ((slash != NULL ? slash[1] : key[0]) == '.') return false;
    if (n > 12 && strcmp(key + n - 12, ".reason.json") == 0) return false;
    return t->config->pattern == NULL || pm_text_glob(t->config->pattern, key);
}

/* When it may be handed over by what is known of it: 0, or how long until we know more. */
int64_t pm_directory_unsettled_ms(const PmArrival *arrival, int64_t now)
{
    int64_t age = pm_file_version_age_ms(&arrival->version);
    if (arrival->closed || age >= PM_DIRECTORY_SETTLED_MS || now - arrival->since_ms >= PM_DIRECTORY_SETTLED_MS)
        return 0;
    int64_t by_us = PM_DIRECTORY_SETTLED_MS - (now - arrival->since_ms),
            by_clock = age < 0 ? by_us : PM_DIRECTORY_SETTLED_MS - age;
    return by_clock < by_us ? by_clock : by_us;
}

void pm_directory_again(PmDirectory *t, PmArrival *arrival, int64_t delay)
{
    int64_t longest = PM_DIRECTORY_LATER_MAX_MS;
    pm_arrivals_later(t->arrivals, arrival, pm_clock_mono_ms() + (delay < longest ? delay : longest));
}

/* Waits for its turn unless it is not for us, or is known already. closed: its writer has finished. */
static void offer(PmDirectory *t, const char *key, bool closed)
{
    char path[PATH_MAX];
    PmFileVersion version;
    if (!is_wanted(t, key) || !pm_directory_path(t, key, path) || !pm_file_version(AT_FDCWD, path, &version)) return;
    PmArrival *arrival = pm_arrivals_find(t->arrivals, key);
    if (arrival != NULL) {
        bool changed = !pm_file_version_same(&arrival->version, &version);
        if (!closed || arrival->state != PM_ARRIVAL_LATER || (arrival->attempt > 1 && !changed)) return;
        arrival->attempt = 1;
        arrival->closed = true;
        arrival->version = version;
        pm_arrivals_ready(t->arrivals, arrival);
        return;
    }
    if (is_given_up(t, &version) || (t->seen != NULL && pm_seen_has(t->seen, key, &version))) return;
    arrival = pm_arrivals_add(t->arrivals, key);
    if (arrival == NULL) {
        t->more = true;
        return;
    }
    arrival->version = version;
    arrival->closed = closed;
    arrival->since_ms = arrival->found_ms = pm_clock_mono_ms();
    int64_t wait = pm_directory_unsettled_ms(arrival, arrival->since_ms);
    if (wait > 0) pm_directory_again(t, arrival, wait);
}

/* --- scanning --- */

static void unwatchable(const char *path)
{
    char message[600];
    snprintf(message, sizeof message, "cannot watch %.400s: %s; what arrives there is taken at the next start", path,
             errno == ENOSPC ? "there are too many folders (fs.inotify.max_user_watches)" : strerror(errno));
    pm_log(PM_LOG_WARN, "trigger.watch", "msg", message, NULL);
}

static bool on_folder(void *data, const char *key, const struct stat *st)
{
    PmDirectory *t = data;
    char path[PATH_MAX];
    bool root = key[0] == '\0';
    if (!root && (!t->config->recursive || is_aside(t, st) || !pm_directory_path(t, key, path))) return false;
    if (t->watches != NULL && !pm_watches_add(t->watches, root ? t->folder : path))
        unwatchable(root ? t->folder : path);
    return true;
}

static void on_file(void *data, const char *key)
{
    offer(data, key, false);
}

/* Everything there is now below a key; "" for all. */
void pm_directory_scan(PmDirectory *t, const char *key)
{
    bool all = key[0] == '\0', fresh = pm_arrivals_count(t->arrivals, PM_ARRIVAL_READY) == 0;
    if (all) t->more = false;
    bool whole = pm_folder_scan(t->folder, key, on_folder, on_file, t);
    if (fresh) pm_arrivals_sort(t->arrivals);
    if (all && whole && !t->more && t->seen != NULL && pm_seen_wants_scan(t->seen)) pm_seen_scanned(t->seen);
    if (all && t->watches != NULL && pm_watches_count(t->watches) == 0) pm_directory_rescan(t, GONE_MS);
}

/* --- inotify --- */

static void on_rescan(void *data)
{
    PmDirectory *t = data;
    t->rescan = NULL;
    pm_directory_scan(t, "");
    pm_directory_soon(t);
}

void pm_directory_rescan(PmDirectory *t, int64_t delay)
{
    if (t->rescan == NULL && !t->stopped) t->rescan = pm_loop_after(t->loop, delay, on_rescan, t);
}

/* Deleted, unmounted or renamed: what bears the name later is another folder. */
static void root_is_gone(PmDirectory *t)
{
    pm_log(PM_LOG_WARN, "trigger.gone", "msg", "the folder is gone; it is looked for until it is back", "folder",
           t->folder, NULL);
    pm_watches_remove(t->watches, t->folder);
    pm_directory_rescan(t, GONE_MS);
}

static void take_event(PmDirectory *t, const struct inotify_event *event)
{
    if ((event->mask & IN_Q_OVERFLOW) != 0) {
        /* Too many at once: look for ourselves. */
        pm_directory_rescan(t, PM_DIRECTORY_RESCAN_MS);
        return;
    }
    const char *folder = pm_watches_path(t->watches, event->wd);
    if (folder == NULL) return;
    if ((event->mask & (IN_IGNORED | IN_MOVE_SELF)) != 0) {
        if (strcmp(folder, t->folder) == 0)
            root_is_gone(t);
        else if ((event->mask & IN_IGNORED) != 0)
            pm_watches_forget(t->watches, event->wd);
        return;
    }
    char path[PATH_MAX];
    int n = event->len > 0 ? snprintf(path, sizeof path, "%s/%s", folder, event->name) : -1;
    if (n < 0 || n >= PATH_MAX) return;
    const char *key = path + strlen(t->folder) + 1;
    bool gone = (event->mask & IN_MOVED_FROM) != 0;
    if ((event->mask & IN_ISDIR) == 0) {
        if (!gone) offer(t, key, (event->mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) != 0);
    } else if (gone) {
        pm_watches_remove(t->watches, path);
    } else if ((event->mask & (IN_CREATE | IN_MOVED_TO)) != 0 && t->config->recursive && event->name[0] != '.' &&
               !pm_directory_is_aside(t, path)) {
        pm_directory_scan(t, key);
    }
}

/* Before the first scan, which finds everything anyway, nothing is remembered. */
static void on_inotify(void *data, int fd, unsigned events)
{
    (void)events;
    PmDirectory *t = data;
    _Alignas(struct inotify_event) char buffer[16 * 1024];
    ssize_t n;
    for (int i = 0; i < 16 && (n = read(fd, buffer, sizeof buffer)) > 0; i++)
        for (char *p = buffer; p < buffer + n;) {
            const struct inotify_event *event = (const struct inotify_event *)p;
            if (t->scanned) take_event(t, event);
            p += sizeof *event + event->len;
        }
    if (t->scanned) pm_directory_soon(t);
}

PmStatus pm_directory_watch(PmDirectory *t, PmError *err)
{
    /* IN_CREATE: also of links, which nobody closes. */
    uint32_t mask = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_MOVE_SELF | IN_ONLYDIR;
    t->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    t->watches = t->inotify >= 0 ? pm_watches_new(t->inotify, mask, FOLDERS_MAX) : NULL;
    t->watch = t->watches != NULL ? pm_loop_watch(t->loop, t->inotify, PM_READABLE, on_inotify, t) : NULL;
    if (t->watch != NULL) return PM_OK;
    return pm_error_set(err, PM_TRANSIENT, "cannot watch %s: %s", t->folder, strerror(errno));
}
