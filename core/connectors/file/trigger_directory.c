/* SPDX-License-Identifier: Apache-2.0
 *
 * A folder that images arrive in. What is there comes first, in the order of names; then, when watching, what inotify
 * tells. A finished file is moved to `done`, a hopeless one to `failed` with a reason beside it; nothing is overwritten
 * there. After a kill at any moment a file is still in the folder or already aside: never both, never neither. A file
 * that changed while it was at work comes again.
 *
 * A file is handed over once it has settled: somebody closed it after writing or moved it here, or it has not changed
 * for a moment; and nobody has it open for writing, where that can be told.
 */
#include "connectors/trigger.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "base/text.h"
#include "connectors/file/directory.h"
#include "connectors/file/triggers.h"

enum {
    OPEN_MS = 50,        /* first look again at a file that is open for writing; doubles */
    ONCE_OPEN_MS = 5000, /* --once waits no longer for somebody to finish writing */
    TICK_MS = 20,
    ASIDES_MAX = 64 /* that cannot be moved at the moment; beyond, nothing new is handed over */
};

/* --- handing over --- */

void pm_directory_free_entry(PmDirectoryEntry *entry)
{
    pm_object_finish(&entry->object);
    pm_disposition_free(entry->disposition);
    free(entry);
}

static PmDirectoryEntry *new_entry(PmDirectory *t, PmArrival *arrival, const char *path)
{
    PmDirectoryEntry *entry = calloc(1, sizeof *entry);
    if (entry == NULL) return NULL;
    const char *key = arrival->key;
    entry->trigger = t;
    entry->arrival = arrival;
    entry->version = arrival->version;
    entry->object = (PmObject){.key = strdup(key),
                               .path = strdup(path),
                               .size = arrival->version.size,
                               .time_ms = pm_file_version_time_ms(&arrival->version)};
    entry->event = (PmEvent){.trigger = &t->base, .objects = &entry->object, .count = 1, .attempt = arrival->attempt};
    pm_text_copy(entry->event.id, sizeof entry->event.id, key);
    if (entry->object.key == NULL || entry->object.path == NULL) {
        pm_directory_free_entry(entry);
        return NULL;
    }
    if (!pm_text_is_utf8(key, strlen(key)))
        pm_error_set(&entry->event.error, PM_BAD_INPUT, "the file's name is not valid UTF-8");
    entry->next = t->open;
    if (entry->next != NULL) entry->next->previous = entry;
    t->open = entry;
    t->open_count++;
    return entry;
}

/* --once ends although somebody still writes. */
static bool waited_enough(const PmDirectory *t, const PmArrival *arrival, int64_t now)
{
    if (!t->once || now - arrival->found_ms < ONCE_OPEN_MS) return false;
    char message[600];
    snprintf(message, sizeof message, "%.400s is still being written: it is left for the next run", arrival->key);
    pm_log(PM_LOG_WARN, "trigger.unsettled", "msg", message, NULL);
    return true;
}

/* Looks at the file as it is now; a change from here on is noticed when it is set aside. False: not now, or never. */
static bool is_settled(PmDirectory *t, PmArrival *arrival, const char *path)
{
    int64_t now = pm_clock_mono_ms(), wait = 0;
    PmFileVersion version;
    if (!pm_file_version(AT_FDCWD, path, &version)) { /* taken away */
        pm_arrivals_drop(t->arrivals, arrival);
        return false;
    }
    if (!pm_file_version_same(&version, &arrival->version)) {
        arrival->version = version;
        arrival->since_ms = now;
        arrival->attempt = 1;
        arrival->closed = false; /* there is more to come */
    }
    if ((wait = pm_directory_unsettled_ms(arrival, now)) == 0) {
        if (!pm_file_is_open_for_writing(AT_FDCWD, path)) return true;
        arrival->closed = false;
        wait = OPEN_MS << (arrival->tries < 10 ? arrival->tries++ : 10);
    }
    if (waited_enough(t, arrival, now))
        pm_arrivals_drop(t->arrivals, arrival);
    else
        pm_directory_again(t, arrival, wait);
    return false;
}

static void hand_over_one(PmDirectory *t, PmArrival *arrival)
{
    char path[PATH_MAX];
    if (!pm_directory_path(t, arrival->key, path)) {
        pm_arrivals_drop(t->arrivals, arrival);
        return;
    }
    if (!is_settled(t, arrival, path)) return;
    PmDirectoryEntry *entry = new_entry(t, arrival, path);
    if (entry == NULL) {
        pm_directory_again(t, arrival, PM_DIRECTORY_SETTLED_MS);
        return;
    }
    PM_CRASH_POINT("directory.taken");
    t->wanted--;
    t->base.sink.event(t->base.sink.data, &entry->event);
}

static void on_tick(void *data)
{
    PmDirectory *t = data;
    t->tick = NULL;
    pm_directory_soon(t);
}

static void ripen(PmDirectory *t)
{
    bool fresh = pm_arrivals_count(t->arrivals, PM_ARRIVAL_READY) == 0;
    int64_t now = pm_clock_mono_ms(), due = pm_arrivals_ripen(t->arrivals, now);
    if (fresh) pm_arrivals_sort(t->arrivals); /* those of one scan settle together */
    if (due < now + TICK_MS) due = now + TICK_MS;
    if (t->tick != NULL && t->tick_due <= due) return;
    pm_loop_cancel(t->tick);
    t->tick = due < INT64_MAX ? pm_loop_after(t->loop, due - now, on_tick, t) : NULL;
    t->tick_due = due;
}

static bool is_drained(const PmDirectory *t)
{
    return t->once && t->scanned && !t->more && t->open_count == 0 &&
           pm_arrivals_count(t->arrivals, PM_ARRIVAL_READY) + pm_arrivals_count(t->arrivals, PM_ARRIVAL_LATER) == 0;
}

static void hand_over(PmDirectory *t)
{
    ripen(t);
    if (t->more && pm_arrivals_count(t->arrivals, PM_ARRIVAL_READY) == 0 &&
        pm_arrivals_count(t->arrivals, PM_ARRIVAL_LATER) < PM_DIRECTORY_ARRIVALS_MAX / 2)
        pm_directory_rescan(t, PM_DIRECTORY_RESCAN_MS);
    while (!t->stopped && t->wanted > 0 && t->stuck < ASIDES_MAX) {
        PmArrival *arrival = pm_arrivals_take(t->arrivals);
        if (arrival == NULL) break;
        hand_over_one(t, arrival);
    }
    ripen(t);
    if (is_drained(t)) t->base.sink.drained(t->base.sink.data);
}

static void on_turn(void *data)
{
    PmDirectory *t = data;
    t->timer = NULL;
    hand_over(t);
}

void pm_directory_soon(PmDirectory *t)
{
    if (t->timer == NULL) t->timer = pm_loop_after(t->loop, 0, on_turn, t);
}

/* ".pixmill-NAME.seen" in the folder: pipelines that share a folder have a list each. */
static PmStatus open_seen(PmDirectory *t, bool *in_use, PmError *err)
{
    char name[100];
    if (t->config->settle != PM_SETTLE_KEEP || t->seen != NULL) return PM_OK;
    snprintf(name, sizeof name, ".pixmill-%.64s.seen", t->pipeline->name);
    for (char *c = name; *c != '\0'; c++)
        if (*c == '/') *c = '_';
    char *path = pm_directory_place(t->pipeline, t->folder, t->config->seen, name);
    if (path == NULL) return pm_error_set(err, PM_TRANSIENT, "out of memory");
    t->seen = pm_seen_open(path, in_use, err);
    free(path);
    pm_error_place(err, t->pipeline->file, t->pipeline->trigger.line, t->pipeline->trigger.column);
    pm_error_context(err, "trigger: directory");
    return err->status;
}

/* What was done with another pipeline counts for nothing, and only now the workers have told which this is. */
static bool first_scan(PmDirectory *t)
{
    PmError err = {0};
    if (t->scanned) return true;
    if (open_seen(t, NULL, &err) != PM_OK || (t->seen != NULL && pm_seen_begin(t->seen, t->digest, &err) != PM_OK)) {
        t->base.sink.failed(t->base.sink.data, &err);
        return false;
    }
    t->scanned = true;
    pm_directory_scan(t, "");
    return true;
}

static void want(PmTrigger *base, size_t objects)
{
    PmDirectory *t = (PmDirectory *)base;
    t->wanted = objects;
    if (first_scan(t)) pm_directory_soon(t);
}

/* --- life --- */

static bool stop(PmTrigger *base)
{
    PmDirectory *t = (PmDirectory *)base;
    t->stopped = true;
    pm_loop_unwatch(t->watch);
    t->watch = NULL;
    pm_loop_cancel(t->rescan);
    t->rescan = NULL;
    pm_directory_give_up_waiting(t);
    return true;
}

static void free_trigger(PmTrigger *base)
{
    PmDirectory *t = (PmDirectory *)base;
    if (t == NULL) return;
    pm_loop_unwatch(t->watch);
    pm_loop_cancel(t->timer);
    pm_loop_cancel(t->tick);
    pm_loop_cancel(t->rescan);
    pm_watches_free(t->watches);
    if (t->inotify >= 0) close(t->inotify);
    for (PmDirectoryEntry *entry = t->open, *next; entry != NULL; entry = next) {
        next = entry->next;
        pm_loop_cancel(entry->again);
        if (entry->job != NULL)
            pm_helper_cancel(entry->job); /* frees it, now or when the thread has done with it */
        else
            pm_directory_free_entry(entry);
    }
    pm_arrivals_free(t->arrivals);
    pm_seen_close(t->seen);
    for (size_t i = 0; i < 3; i++) free(t->aside[i]);
    free(t->folder);
    free(t);
}

char *pm_directory_place(const PmPipeline *pipeline, const char *folder, const char *configured, const char *standard)
{
    if (configured != NULL) return pm_pipeline_path(pipeline, configured);
    size_t n = strlen(folder) + strlen(standard) + 2;
    char *path = malloc(n);
    if (path != NULL) snprintf(path, n, "%s/%s", folder, standard);
    return path;
}

static PmStatus refuse(const PmPipeline *pipeline, PmError *err, const char *message)
{
    pm_error_at(err, PM_BAD_CONFIG, pipeline->file, pipeline->trigger.line, pipeline->trigger.column, "%s", message);
    pm_error_context(err, "trigger: directory");
    return PM_BAD_CONFIG;
}

static PmStatus open_folder(PmDirectory *t, const PmPipeline *pipeline, PmError *err)
{
    struct stat st;
    t->folder = pm_pipeline_path(pipeline, t->config->path);
    if (t->folder == NULL) return pm_error_set(err, PM_TRANSIENT, "out of memory");
    size_t n = strlen(t->folder);
    while (n > 1 && t->folder[n - 1] == '/') t->folder[--n] = '\0';
    const char *why = stat(t->folder, &st) != 0 ? strerror(errno) : S_ISDIR(st.st_mode) ? NULL : "is not a directory";
    if (why != NULL) {
        char message[600];
        snprintf(message, sizeof message, "the folder %.400s: %s", t->folder, why);
        return refuse(pipeline, err, message);
    }
    t->aside[0] = pm_directory_place(pipeline, t->folder, t->config->done, "done");
    t->aside[1] = pm_directory_place(pipeline, t->folder, t->config->failed, "failed");
    t->aside[2] = pm_directory_place(pipeline, t->folder, NULL, "quarantine");
    if (t->aside[0] == NULL || t->aside[1] == NULL || t->aside[2] == NULL)
        return pm_error_set(err, PM_TRANSIENT, "out of memory");
    if (t->config->settle == PM_SETTLE_KEEP) {
        /* In use by the session that this one follows, it may be free by the time that something is wanted. */
        bool in_use = false;
        if (open_seen(t, &in_use, err) != PM_OK && in_use) *err = (PmError){0};
        return err->status;
    }
    if (pm_directory_is_aside(t, t->folder))
        return refuse(pipeline, err, "done or failed is the folder itself: finished files would come again");
    return PM_OK;
}

PmTrigger *pm_trigger_directory_new(PmLoop *loop, PmHelper *helper, const PmPipeline *pipeline, const char *digest,
                                    bool once, const PmTriggerSink *sink, PmError *err)
{
    static const PmTriggerOps ops = {.want = want, .settle = pm_directory_settle, .stop = stop, .free = free_trigger};
    PmDirectory *t = calloc(1, sizeof *t);
    if (t == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    t->base = (PmTrigger){.ops = &ops, .sink = *sink, .stays = true, .sole = true};
    t->loop = loop;
    t->helper = helper;
    t->config = pipeline->trigger.config;
    t->pipeline = pipeline;
    t->digest = digest;
    t->inotify = -1;
    t->once = once || !t->config->watch;
    t->arrivals = pm_arrivals_new(PM_DIRECTORY_ARRIVALS_MAX);
    if (t->arrivals == NULL)
        pm_error_set(err, PM_TRANSIENT, "out of memory");
    else if (open_folder(t, pipeline, err) == PM_OK && (t->once || pm_directory_watch(t, err) == PM_OK))
        return &t->base;
    free_trigger(&t->base);
    return NULL;
}
