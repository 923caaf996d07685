/* SPDX-License-Identifier: Apache-2.0
 *
 * A folder that images arrive in. What is there comes first, in the order of names; then, when watching, what inotify
 * tells. A finished file is moved to `done`, a hopeless one to `failed` with a reason beside it; nothing is overwritten
 * there. After a kill at any moment a file is still in the folder or already aside: never both, never neither.
 */
#include "broker/trigger.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "broker/aside.h"

enum { SEEN_BUCKETS = 4096, RESCAN_MS = 200, FOLDERS_MAX = 10000 };

typedef struct Entry {
    PmEvent event;
    PmObject object;
    struct Entry *next;
    bool waiting; /* in the queue, else handed over */
} Entry;

/* A file as it was when we were done with it: settle: keep must not take it twice, nor miss a new version. */
typedef struct Seen {
    struct Seen *next;
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec time;
} Seen;

typedef struct DirectoryTrigger {
    PmTrigger base;
    PmLoop *loop;
    const PmDirectoryTrigger *config;
    char *folder, *aside[3]; /* absolute; done, failed, quarantine */
    int inotify;
    PmWatch *watch;
    char **watched; /* folder of each inotify watch descriptor, by descriptor */
    int watched_room;
    Entry *first, *last; /* waiting */
    Entry *open;         /* handed over */
    size_t open_count, wanted, retrying;
    Seen *seen[SEEN_BUCKETS];
    PmTimer *timer, *rescan;
    bool watching, stopped;
} DirectoryTrigger;

typedef struct Again {
    DirectoryTrigger *trigger;
    Entry *entry;
} Again;

/* --- which files --- */

static size_t bucket_of(ino_t inode)
{
    return (size_t)(inode * 2654435761U) % SEEN_BUCKETS;
}

static bool was_seen(const DirectoryTrigger *t, const struct stat *st)
{
    for (const Seen *s = t->seen[bucket_of(st->st_ino)]; s != NULL; s = s->next)
        if (s->inode == st->st_ino && s->device == st->st_dev)
            return s->size == st->st_size && s->time.tv_sec == st->st_mtim.tv_sec &&
                   s->time.tv_nsec == st->st_mtim.tv_nsec;
    return false;
}

static void remember(DirectoryTrigger *t, const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) return;
    Seen **slot = &t->seen[bucket_of(st.st_ino)], *seen = *slot;
    while (seen != NULL && (seen->inode != st.st_ino || seen->device != st.st_dev)) seen = seen->next;
    if (seen == NULL && (seen = calloc(1, sizeof *seen)) != NULL) {
        seen->next = *slot;
        *slot = seen;
    }
    if (seen == NULL) return;
    seen->device = st.st_dev;
    seen->inode = st.st_ino;
    seen->size = st.st_size;
    seen->time = st.st_mtim;
}

static bool is_aside(const DirectoryTrigger *t, const char *path)
{
    for (size_t i = 0; i < 3; i++) {
        size_t n = t->aside[i] != NULL ? strlen(t->aside[i]) : 0;
        if (n > 0 && strncmp(path, t->aside[i], n) == 0 && (path[n] == '\0' || path[n] == '/')) return true;
    }
    return false;
}

static bool is_listed(const Entry *list, const char *key)
{
    for (; list != NULL; list = list->next)
        if (strcmp(list->object.key, key) == 0) return true;
    return false;
}

static void free_entry(Entry *entry)
{
    pm_object_finish(&entry->object);
    free(entry);
}

/* Queues a file unless it is none of ours, or is at work already. */
static void offer(DirectoryTrigger *t, const char *path, bool listing)
{
    struct stat st;
    const char *key = path + strlen(t->folder) + 1;
    const char *slash = strrchr(path, '/');
    size_t n = strlen(path);
    if (slash[1] == '.' || is_aside(t, path) || stat(path, &st) != 0 || !S_ISREG(st.st_mode)) return;
    if (n > 12 && strcmp(path + n - 12, ".reason.json") == 0) return;
    if (t->config->pattern != NULL && !pm_text_glob(t->config->pattern, key)) return;
    if (was_seen(t, &st) || is_listed(t->open, key) || (!listing && is_listed(t->first, key))) return;
    Entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL) return;
    entry->object =
        (PmObject){.key = strdup(key), .path = strdup(path), .size = st.st_size, .time_ms = pm_clock_wall_ms()};
    entry->event = (PmEvent){.trigger = &t->base, .objects = &entry->object, .count = 1, .attempt = 1};
    pm_text_copy(entry->event.id, sizeof entry->event.id, key);
    if (entry->object.key == NULL || entry->object.path == NULL) {
        free_entry(entry);
        return;
    }
    if (!pm_text_is_utf8(key, strlen(key)))
        pm_error_set(&entry->event.error, PM_BAD_INPUT, "the file's name is no valid UTF-8");
    entry->waiting = true;
    if (t->last != NULL)
        t->last->next = entry;
    else
        t->first = entry;
    t->last = entry;
}

static void watch_folder(DirectoryTrigger *t, const char *path)
{
    if (t->inotify < 0) return;
    int wd = inotify_add_watch(t->inotify, path, IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_ONLYDIR);
    if (wd < 0 || wd > FOLDERS_MAX) return;
    if (wd >= t->watched_room) {
        int room = wd * 2 + 8;
        char **watched = realloc(t->watched, (size_t)room * sizeof *watched);
        if (watched == NULL) return;
        memset(watched + t->watched_room, 0, (size_t)(room - t->watched_room) * sizeof *watched);
        t->watched = watched;
        t->watched_room = room;
    }
    free(t->watched[wd]);
    t->watched[wd] = strdup(path);
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* Everything there is now. Only files that were not waiting before are added. */
static void scan(DirectoryTrigger *t, const char *root)
{
    char *roots[] = {(char *)root, NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
    bool fresh = t->first == NULL;
    for (FTSENT *e; tree != NULL && (e = fts_read(tree)) != NULL;) {
        if (e->fts_info == FTS_D) {
            bool skip =
                e->fts_level > 0 && (e->fts_name[0] == '.' || !t->config->recursive || is_aside(t, e->fts_path));
            if (skip)
                fts_set(tree, e, FTS_SKIP);
            else
                watch_folder(t, e->fts_path);
        } else if (e->fts_info == FTS_F || e->fts_info == FTS_SL) {
            offer(t, e->fts_path, fresh);
        }
    }
    if (tree != NULL) fts_close(tree);
}

/* --- handing over --- */

static void hand_over(DirectoryTrigger *t)
{
    while (!t->stopped && t->wanted > 0 && t->first != NULL) {
        Entry *entry = t->first;
        t->first = entry->next;
        if (t->first == NULL) t->last = NULL;
        entry->next = t->open;
        entry->waiting = false;
        t->open = entry;
        t->open_count++;
        t->wanted--;
        t->base.sink.event(t->base.sink.data, &entry->event);
    }
    if (!t->watching && t->first == NULL && t->open_count == 0) t->base.sink.dry(t->base.sink.data);
}

static void on_turn(void *data)
{
    DirectoryTrigger *t = data;
    t->timer = NULL;
    hand_over(t);
}

static void soon(DirectoryTrigger *t)
{
    if (t->timer == NULL) t->timer = pm_loop_after(t->loop, 0, on_turn, t);
}

static void want(PmTrigger *base, size_t objects)
{
    DirectoryTrigger *t = (DirectoryTrigger *)base;
    t->wanted = objects;
    soon(t);
}

static void on_rescan(void *data)
{
    DirectoryTrigger *t = data;
    t->rescan = NULL;
    scan(t, t->folder);
    soon(t);
}

static void take_event(DirectoryTrigger *t, const struct inotify_event *event)
{
    if ((event->mask & IN_Q_OVERFLOW) != 0) {
        /* Too many at once: look for ourselves. */
        if (t->rescan == NULL) t->rescan = pm_loop_after(t->loop, RESCAN_MS, on_rescan, t);
        return;
    }
    if (event->wd < 0 || event->wd >= t->watched_room || t->watched[event->wd] == NULL || event->len == 0) return;
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s", t->watched[event->wd], event->name);
    if (n < 0 || (size_t)n >= sizeof path) return;
    if ((event->mask & IN_ISDIR) != 0) {
        if (t->config->recursive && event->name[0] != '.' && !is_aside(t, path)) scan(t, path);
    } else if ((event->mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) != 0) {
        offer(t, path, false);
    }
}

static void on_inotify(void *data, int fd, unsigned events)
{
    (void)events;
    DirectoryTrigger *t = data;
    _Alignas(struct inotify_event) char buffer[16 * 1024];
    ssize_t n;
    while ((n = read(fd, buffer, sizeof buffer)) > 0)
        for (char *p = buffer; p < buffer + n;) {
            const struct inotify_event *event = (const struct inotify_event *)p;
            take_event(t, event);
            p += sizeof *event + event->len;
        }
    soon(t);
}

/* --- settling --- */

static void close_entry(DirectoryTrigger *t, Entry *entry)
{
    Entry **at = &t->open;
    while (*at != entry) at = &(*at)->next;
    *at = entry->next;
    t->open_count--;
    free_entry(entry);
    soon(t);
}

static void redeliver(void *data)
{
    Again *again = data;
    DirectoryTrigger *t = again->trigger;
    Entry *entry = again->entry;
    free(again);
    t->retrying--;
    if (t->stopped)
        close_entry(t, entry);
    else
        t->base.sink.event(t->base.sink.data, &entry->event);
}

static PmStatus put_aside(DirectoryTrigger *t, const PmEvent *event, const PmFate *fate, PmError *err)
{
    const PmObject *object = &event->objects[0];
    if (t->config->settle == PM_SETTLE_KEEP) {
        remember(t, object->path);
        return PM_OK;
    }
    const char *folder = t->aside[fate->kind == PM_FATE_ACK ? 0 : fate->kind == PM_FATE_DEAD ? 1 : 2];
    PmAside aside = {.folder = folder,
                     .object = object,
                     .reason = fate->kind == PM_FATE_ACK ? NULL : fate->reason,
                     .tag = fate->tag,
                     .attempts = event->attempt};
    PmStatus status = pm_aside_move(&aside, err);
    /* It could not be moved: at least it is not taken again and again. */
    if (status != PM_OK) remember(t, object->path);
    return status;
}

static void settle(PmTrigger *base, PmEvent *event, const PmFate *fate, void (*done)(void *data, const PmError *err),
                   void *data)
{
    DirectoryTrigger *t = (DirectoryTrigger *)base;
    Entry *entry = (Entry *)event; /* event is the first member */
    PmError err = {0};
    if (fate->kind == PM_FATE_RETRY && !t->stopped) {
        Again *again = malloc(sizeof *again);
        if (again != NULL) *again = (Again){t, entry};
        event->attempt++;
        if (again != NULL && pm_loop_after(t->loop, fate->delay_ms, redeliver, again) != NULL) {
            t->retrying++;
            done(data, NULL);
            return;
        }
        free(again);
    } else if (fate->kind == PM_FATE_ACK || fate->kind == PM_FATE_DEAD || fate->kind == PM_FATE_QUARANTINE) {
        put_aside(t, event, fate, &err);
    }
    done(data, err.status != PM_OK ? &err : NULL);
    close_entry(t, entry);
}

static void stop(PmTrigger *base)
{
    DirectoryTrigger *t = (DirectoryTrigger *)base;
    t->stopped = true;
    pm_loop_unwatch(t->watch);
    t->watch = NULL;
}

static void free_trigger(PmTrigger *base)
{
    DirectoryTrigger *t = (DirectoryTrigger *)base;
    if (t == NULL) return;
    pm_loop_unwatch(t->watch);
    pm_loop_cancel(t->timer);
    pm_loop_cancel(t->rescan);
    if (t->inotify >= 0) close(t->inotify);
    Entry *lists[] = {t->first, t->open};
    for (size_t i = 0; i < 2; i++)
        for (Entry *entry = lists[i], *next; entry != NULL; entry = next) {
            next = entry->next;
            free_entry(entry);
        }
    for (size_t i = 0; i < SEEN_BUCKETS; i++)
        for (Seen *seen = t->seen[i], *next; seen != NULL; seen = next) {
            next = seen->next;
            free(seen);
        }
    for (int i = 0; i < t->watched_room; i++) free(t->watched[i]);
    free(t->watched);
    for (size_t i = 0; i < 3; i++) free(t->aside[i]);
    free(t->folder);
    free(t);
}

static char *aside_path(const PmPipeline *pipeline, const DirectoryTrigger *t, const char *configured,
                        const char *standard)
{
    if (configured != NULL) return pm_pipeline_path(pipeline, configured);
    size_t n = strlen(t->folder) + strlen(standard) + 2;
    char *path = malloc(n);
    if (path != NULL) snprintf(path, n, "%s/%s", t->folder, standard);
    return path;
}

static PmStatus open_folder(DirectoryTrigger *t, const PmPipeline *pipeline, PmError *err)
{
    struct stat st;
    t->folder = pm_pipeline_path(pipeline, t->config->path);
    if (t->folder == NULL) return pm_error_set(err, PM_TRANSIENT, "out of memory");
    size_t n = strlen(t->folder);
    while (n > 1 && t->folder[n - 1] == '/') t->folder[--n] = '\0';
    if (stat(t->folder, &st) != 0 || !S_ISDIR(st.st_mode)) {
        pm_error_at(err, PM_BAD_CONFIG, pipeline->file, pipeline->trigger.line, pipeline->trigger.column,
                    "the folder %s %s", t->folder, errno == ENOENT ? "does not exist" : "is no folder");
        pm_error_context(err, "trigger: directory");
        return PM_BAD_CONFIG;
    }
    t->aside[0] = aside_path(pipeline, t, t->config->done, "done");
    t->aside[1] = aside_path(pipeline, t, t->config->failed, "failed");
    t->aside[2] = aside_path(pipeline, t, NULL, "quarantine");
    return t->aside[0] != NULL && t->aside[1] != NULL && t->aside[2] != NULL
               ? PM_OK
               : pm_error_set(err, PM_TRANSIENT, "out of memory");
}

PmTrigger *pm_trigger_directory_new(PmLoop *loop, const PmPipeline *pipeline, bool once, const PmTriggerSink *sink,
                                    PmError *err)
{
    static const PmTriggerOps ops = {.want = want, .settle = settle, .stop = stop, .free = free_trigger};
    DirectoryTrigger *t = calloc(1, sizeof *t);
    if (t == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    t->base = (PmTrigger){.ops = &ops, .sink = *sink};
    t->loop = loop;
    t->config = pipeline->trigger.config;
    t->inotify = -1;
    t->watching = t->config->watch && !once;
    if (open_folder(t, pipeline, err) != PM_OK) {
        free_trigger(&t->base);
        return NULL;
    }
    /* Watch before looking, so that nothing falls between. */
    if (t->watching) {
        t->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        t->watch = t->inotify >= 0 ? pm_loop_watch(loop, t->inotify, PM_READABLE, on_inotify, t) : NULL;
        if (t->watch == NULL) {
            pm_error_set(err, PM_TRANSIENT, "cannot watch %s: %s", t->folder, strerror(errno));
            free_trigger(&t->base);
            return NULL;
        }
    }
    scan(t, t->folder);
    soon(t);
    return &t->base;
}
