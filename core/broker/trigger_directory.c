/* SPDX-License-Identifier: Apache-2.0
 *
 * A folder that images arrive in. What is there comes first, in the order of names; then, when watching, what inotify
 * tells. A finished file is moved to `done`, a hopeless one to `failed` with a reason beside it; nothing is overwritten
 * there. After a kill at any moment a file is still in the folder or already aside: never both, never neither. A file
 * that changed while it was at work comes again.
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
#include "base/crash_point.h"
#include "base/log.h"
#include "base/text.h"
#include "broker/aside.h"

enum { SEEN_BUCKETS = 4096, RESCAN_MS = 200, CHANGED_MS = 500, FOLDERS_MAX = 10000 };

/* Which version of which file. */
typedef struct Version {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec time;
} Version;

typedef struct Entry {
    PmEvent event;
    PmObject object;
    struct Entry *next;
    Version version; /* when it was handed over */
    PmTimer *again;  /* waits to be handed over again */
} Entry;

/* A version that we are done with: settle: keep must not take it twice, nor miss the next one. */
typedef struct Seen {
    struct Seen *next;
    Version version;
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
    size_t open_count, wanted;
    Seen *seen[SEEN_BUCKETS];
    PmTimer *timer, *rescan;
    bool watching, stopped;
} DirectoryTrigger;

/* --- which files --- */

static Version version_of(const struct stat *st)
{
    return (Version){.device = st->st_dev, .inode = st->st_ino, .size = st->st_size, .time = st->st_mtim};
}

static bool same_file(const Version *a, const Version *b)
{
    return a->inode == b->inode && a->device == b->device;
}

static bool same_version(const Version *a, const Version *b)
{
    return same_file(a, b) && a->size == b->size && a->time.tv_sec == b->time.tv_sec &&
           a->time.tv_nsec == b->time.tv_nsec;
}

static size_t bucket_of(ino_t inode)
{
    return (size_t)(inode * 2654435761U) % SEEN_BUCKETS;
}

static bool was_seen(const DirectoryTrigger *t, const Version *version)
{
    for (const Seen *s = t->seen[bucket_of(version->inode)]; s != NULL; s = s->next)
        if (same_file(&s->version, version)) return same_version(&s->version, version);
    return false;
}

static void remember(DirectoryTrigger *t, const Version *version)
{
    Seen **slot = &t->seen[bucket_of(version->inode)], *seen = *slot;
    while (seen != NULL && !same_file(&seen->version, version)) seen = seen->next;
    if (seen == NULL && (seen = calloc(1, sizeof *seen)) != NULL) {
        seen->next = *slot;
        *slot = seen;
    }
    if (seen != NULL) seen->version = *version;
}

/* Ours: done, failed, quarantine. Told by what they are, since there are many ways to write a path. */
static bool is_aside(const DirectoryTrigger *t, const char *path)
{
    struct stat st, aside;
    if (stat(path, &st) != 0) return false;
    for (size_t i = 0; i < 3; i++)
        if (stat(t->aside[i], &aside) == 0 && aside.st_ino == st.st_ino && aside.st_dev == st.st_dev) return true;
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

static int64_t time_of(const struct stat *st)
{
    return st->st_mtim.tv_sec * INT64_C(1000) + st->st_mtim.tv_nsec / 1000000;
}

/* Queues a file unless it is none of ours, or is at work already. */
static void offer(DirectoryTrigger *t, const char *path, bool listing)
{
    struct stat st;
    const char *key = path + strlen(t->folder) + 1;
    const char *slash = strrchr(path, '/');
    size_t n = strlen(path);
    if (slash[1] == '.' || stat(path, &st) != 0 || !S_ISREG(st.st_mode)) return;
    Version version = version_of(&st);
    if (n > 12 && strcmp(path + n - 12, ".reason.json") == 0) return;
    if (t->config->pattern != NULL && !pm_text_glob(t->config->pattern, key)) return;
    /* One that is at work and changes is looked at again when it is settled. */
    if (was_seen(t, &version) || is_listed(t->open, key) || (!listing && is_listed(t->first, key))) return;
    Entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL) return;
    entry->object = (PmObject){.key = strdup(key), .path = strdup(path), .size = st.st_size, .time_ms = time_of(&st)};
    entry->event = (PmEvent){.trigger = &t->base, .objects = &entry->object, .count = 1, .attempt = 1};
    pm_text_copy(entry->event.id, sizeof entry->event.id, key);
    if (entry->object.key == NULL || entry->object.path == NULL) {
        free_entry(entry);
        return;
    }
    if (!pm_text_is_utf8(key, strlen(key)))
        pm_error_set(&entry->event.error, PM_BAD_INPUT, "the file's name is no valid UTF-8");
    if (t->last != NULL)
        t->last->next = entry;
    else
        t->first = entry;
    t->last = entry;
}

static bool watch_folder(DirectoryTrigger *t, const char *path)
{
    if (t->inotify < 0) return true;
    int wd = inotify_add_watch(t->inotify, path, IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_ONLYDIR);
    if (wd < 0 || wd > FOLDERS_MAX) {
        if (wd >= 0) errno = ENOSPC;
        if (wd >= 0) inotify_rm_watch(t->inotify, wd);
        return false;
    }
    if (wd >= t->watched_room) {
        int room = wd * 2 + 8;
        char **watched = realloc(t->watched, (size_t)room * sizeof *watched);
        if (watched == NULL) return false;
        memset(watched + t->watched_room, 0, (size_t)(room - t->watched_room) * sizeof *watched);
        t->watched = watched;
        t->watched_room = room;
    }
    free(t->watched[wd]);
    t->watched[wd] = strdup(path);
    return t->watched[wd] != NULL;
}

static void unwatchable(const char *path)
{
    char message[600];
    snprintf(message, sizeof message, "cannot watch %.400s: %s; what arrives there is taken at the next start", path,
             errno == ENOSPC ? "there are too many folders (fs.inotify.max_user_watches)" : strerror(errno));
    pm_log(PM_LOG_WARN, "trigger.watch", "msg", message, NULL);
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
            else if (!watch_folder(t, e->fts_path))
                unwatchable(e->fts_path);
        } else if (e->fts_info == FTS_F || e->fts_info == FTS_SL) {
            offer(t, e->fts_path, fresh);
        }
    }
    if (tree != NULL) fts_close(tree);
}

/* --- handing over --- */

/* Before anybody reads it: a change from now on is noticed when the file is settled. */
static void look(Entry *entry)
{
    struct stat st;
    entry->version = stat(entry->object.path, &st) == 0 ? version_of(&st) : (Version){0};
    if (entry->version.inode == 0) return;
    entry->object.size = st.st_size;
    entry->object.time_ms = time_of(&st);
}

static void hand_over(DirectoryTrigger *t)
{
    while (!t->stopped && t->wanted > 0 && t->first != NULL) {
        Entry *entry = t->first;
        t->first = entry->next;
        if (t->first == NULL) t->last = NULL;
        entry->next = t->open;
        look(entry);
        t->open = entry;
        t->open_count++;
        t->wanted--;
        PM_CRASH_POINT("directory.taken");
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
    Entry *entry = data;
    DirectoryTrigger *t = (DirectoryTrigger *)entry->event.trigger;
    entry->again = NULL;
    if (t->stopped) {
        close_entry(t, entry);
        return;
    }
    look(entry);
    t->base.sink.event(t->base.sink.data, &entry->event);
}

static PmStatus put_aside(DirectoryTrigger *t, const Entry *entry, const PmFate *fate, PmError *err)
{
    const PmObject *object = &entry->object;
    if (t->config->settle == PM_SETTLE_KEEP) {
        remember(t, &entry->version);
        return PM_OK;
    }
    const char *folder = t->aside[fate->kind == PM_FATE_ACK ? 0 : fate->kind == PM_FATE_DEAD ? 1 : 2];
    PmAside aside = {.folder = folder,
                     .object = object,
                     .reason = fate->kind == PM_FATE_ACK ? NULL : fate->reason,
                     .tag = fate->tag,
                     .attempts = entry->event.attempt};
    PmStatus status = pm_aside_move(&aside, err);
    /* It could not be moved: at least it is not taken again and again. */
    if (status != PM_OK) remember(t, &entry->version);
    return status;
}

/* What lies there now is not what was worked on: somebody wrote to it meanwhile. */
static bool has_changed(const Entry *entry)
{
    struct stat st;
    if (stat(entry->object.path, &st) != 0) return false;
    Version now = version_of(&st);
    return !same_version(&now, &entry->version);
}

static bool deliver_again(DirectoryTrigger *t, Entry *entry, int64_t delay_ms)
{
    entry->again = t->stopped ? NULL : pm_loop_after(t->loop, delay_ms, redeliver, entry);
    return entry->again != NULL;
}

static void settle(PmTrigger *base, PmEvent *event, const PmFate *fate, void (*done)(void *data, const PmError *err),
                   void *data)
{
    DirectoryTrigger *t = (DirectoryTrigger *)base;
    Entry *entry = (Entry *)event; /* event is the first member */
    PmError err = {0};
    bool open = false;
    if (fate->kind == PM_FATE_RETRY) {
        event->attempt++;
        open = deliver_again(t, entry, fate->delay_ms);
    } else if (fate->kind != PM_FATE_RELEASE && has_changed(entry)) {
        event->attempt = 1;
        open = deliver_again(t, entry, CHANGED_MS);
    } else if (fate->kind != PM_FATE_RELEASE) {
        PM_CRASH_POINT("directory.settle_next");
        put_aside(t, entry, fate, &err);
        PM_CRASH_POINT("directory.settled");
    }
    done(data, err.status != PM_OK ? &err : NULL);
    if (!open) close_entry(t, entry);
}

static bool stop(PmTrigger *base)
{
    DirectoryTrigger *t = (DirectoryTrigger *)base;
    t->stopped = true;
    pm_loop_unwatch(t->watch);
    t->watch = NULL;
    return true;
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
            pm_loop_cancel(entry->again);
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

static PmStatus refuse(const PmPipeline *pipeline, PmError *err, const char *message)
{
    pm_error_at(err, PM_BAD_CONFIG, pipeline->file, pipeline->trigger.line, pipeline->trigger.column, "%s", message);
    pm_error_context(err, "trigger: directory");
    return PM_BAD_CONFIG;
}

static PmStatus open_folder(DirectoryTrigger *t, const PmPipeline *pipeline, PmError *err)
{
    struct stat st;
    t->folder = pm_pipeline_path(pipeline, t->config->path);
    if (t->folder == NULL) return pm_error_set(err, PM_TRANSIENT, "out of memory");
    size_t n = strlen(t->folder);
    while (n > 1 && t->folder[n - 1] == '/') t->folder[--n] = '\0';
    const char *why = stat(t->folder, &st) != 0 ? strerror(errno) : S_ISDIR(st.st_mode) ? NULL : "is no folder";
    if (why != NULL) {
        char message[600];
        snprintf(message, sizeof message, "the folder %.400s: %s", t->folder, why);
        return refuse(pipeline, err, message);
    }
    t->aside[0] = aside_path(pipeline, t, t->config->done, "done");
    t->aside[1] = aside_path(pipeline, t, t->config->failed, "failed");
    t->aside[2] = aside_path(pipeline, t, NULL, "quarantine");
    if (t->aside[0] == NULL || t->aside[1] == NULL || t->aside[2] == NULL)
        return pm_error_set(err, PM_TRANSIENT, "out of memory");
    if (t->config->settle == PM_SETTLE_MOVE && is_aside(t, t->folder))
        return refuse(pipeline, err, "done or failed is the folder itself: finished files would come again");
    return PM_OK;
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
