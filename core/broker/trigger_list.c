/* SPDX-License-Identifier: Apache-2.0
 *
 * The files of a command line, each an event of its own.
 */
#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "broker/trigger.h"

enum { FILES_MAX = 1000000 };

typedef struct Entry {
    PmEvent event;
    PmObject object;
    PmTimer *again; /* waits to be handed over again */
} Entry;

typedef struct ListTrigger {
    PmTrigger base;
    PmLoop *loop;
    Entry **entries;
    size_t count, room, next, open;
    size_t wanted;
    PmTimer *timer;
    bool stopped;
    PmListSettled *settled;
    void *data;
} ListTrigger;

static bool add(ListTrigger *list, const char *path, const char *key, int64_t size, int64_t time_ms)
{
    if (list->count == FILES_MAX) return false;
    if (list->count == list->room) {
        size_t room = list->room > 0 ? list->room * 2 : 64;
        Entry **entries = realloc(list->entries, room * sizeof *entries);
        if (entries == NULL) return false;
        list->entries = entries;
        list->room = room;
    }
    Entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL) return false;
    entry->object = (PmObject){.key = strdup(key), .path = strdup(path), .size = size, .time_ms = time_ms};
    entry->event = (PmEvent){.trigger = &list->base, .objects = &entry->object, .count = 1, .attempt = 1};
    pm_text_copy(entry->event.id, sizeof entry->event.id, key);
    list->entries[list->count++] = entry;
    return entry->object.key != NULL && entry->object.path != NULL;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static PmStatus add_tree(ListTrigger *list, const char *root, PmError *err)
{
    char *roots[] = {(char *)root, NULL}; /* fts takes it as it is and changes nothing */
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
    if (tree == NULL) return pm_error_set(err, PM_BAD_CONFIG, "%s: %s", root, strerror(errno));
    size_t skip = strlen(root);
    while (skip > 0 && root[skip - 1] == '/') skip--;
    bool ok = true;
    for (FTSENT *e; ok && (e = fts_read(tree)) != NULL;) {
        if (e->fts_level > 0 && e->fts_name[0] == '.') {
            fts_set(tree, e, FTS_SKIP);
            continue;
        }
        struct stat st = *e->fts_statp;
        /* A link to a file is a file; one to a folder could lead in a circle. */
        if (e->fts_info == FTS_SL && (stat(e->fts_path, &st) != 0 || !S_ISREG(st.st_mode))) continue;
        if (e->fts_info != FTS_F && e->fts_info != FTS_SL) continue;
        const char *key = e->fts_path + skip;
        while (*key == '/') key++;
        ok = add(list, e->fts_path, key, st.st_size, st.st_mtim.tv_sec * 1000LL);
    }
    fts_close(tree);
    return ok ? PM_OK : pm_error_set(err, PM_BAD_CONFIG, "%s holds more than %d files", root, (int)FILES_MAX);
}

static PmStatus add_path(ListTrigger *list, const char *path, PmError *err)
{
    struct stat st;
    if (stat(path, &st) != 0) return pm_error_set(err, PM_BAD_CONFIG, "%s: %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode)) return add_tree(list, path, err);
    const char *slash = strrchr(path, '/');
    if (add(list, path, slash != NULL ? slash + 1 : path, st.st_size, st.st_mtim.tv_sec * 1000LL)) return PM_OK;
    return pm_error_set(err, PM_BAD_CONFIG, "more than %d files", (int)FILES_MAX);
}

static void hand_over(ListTrigger *list)
{
    while (!list->stopped && list->wanted > 0 && list->next < list->count) {
        list->wanted--;
        list->open++;
        list->base.sink.event(list->base.sink.data, &list->entries[list->next++]->event);
    }
    if (list->next == list->count && list->open == 0) list->base.sink.dry(list->base.sink.data);
}

static void on_turn(void *data)
{
    ListTrigger *list = data;
    list->timer = NULL;
    hand_over(list);
}

static void want(PmTrigger *base, size_t objects)
{
    ListTrigger *list = (ListTrigger *)base;
    list->wanted = objects;
    if (list->timer == NULL) list->timer = pm_loop_after(list->loop, 0, on_turn, list);
}

static void redeliver(void *data)
{
    Entry *entry = data;
    ListTrigger *list = (ListTrigger *)entry->event.trigger;
    entry->again = NULL;
    if (!list->stopped) list->base.sink.event(list->base.sink.data, &entry->event);
}

static void settle(PmTrigger *base, PmEvent *event, const PmFate *fate, void (*done)(void *data, const PmError *err),
                   void *data)
{
    ListTrigger *list = (ListTrigger *)base;
    Entry *entry = (Entry *)event; /* event is the first member */
    if (list->settled != NULL) list->settled(list->data, event, fate);
    if (fate->kind == PM_FATE_RETRY && !list->stopped) {
        event->attempt++;
        entry->again = pm_loop_after(list->loop, fate->delay_ms, redeliver, entry);
    }
    done(data, NULL);
    if (entry->again != NULL) return;
    list->open--;
    want(base, list->wanted); /* may be dry by now */
}

static bool stop(PmTrigger *base)
{
    ((ListTrigger *)base)->stopped = true;
    return true;
}

static void free_list(PmTrigger *base)
{
    ListTrigger *list = (ListTrigger *)base;
    if (list == NULL) return;
    pm_loop_cancel(list->timer);
    for (size_t i = 0; i < list->count; i++) {
        pm_loop_cancel(list->entries[i]->again);
        pm_object_finish(&list->entries[i]->object);
        free(list->entries[i]);
    }
    free(list->entries);
    free(list);
}

PmTrigger *pm_trigger_list_new(PmLoop *loop, const char *const *paths, size_t count, const PmTriggerSink *sink,
                               PmListSettled *settled, void *data, PmError *err)
{
    static const PmTriggerOps ops = {.want = want, .settle = settle, .stop = stop, .free = free_list};
    ListTrigger *list = calloc(1, sizeof *list);
    if (list == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    *list = (ListTrigger){.base = {.ops = &ops, .sink = *sink}, .loop = loop, .settled = settled, .data = data};
    for (size_t i = 0; i < count; i++)
        if (add_path(list, paths[i], err) != PM_OK) {
            free_list(&list->base);
            return NULL;
        }
    return &list->base;
}

size_t pm_trigger_list_count(const PmTrigger *base)
{
    return ((const ListTrigger *)base)->count;
}
