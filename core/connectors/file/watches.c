/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/file/watches.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

enum { BUCKETS = 1024 };

typedef struct Watch {
    struct Watch *next;
    int wd;
    char *path;
} Watch;

struct PmWatches {
    int inotify;
    uint32_t mask;
    size_t count, max;
    Watch *buckets[BUCKETS]; /* descriptors are handed out in ascending order: the low bits spread them */
};

PmWatches *pm_watches_new(int inotify, uint32_t mask, size_t max)
{
    PmWatches *watches = calloc(1, sizeof *watches);
    if (watches == NULL) return NULL;
    watches->inotify = inotify;
    watches->mask = mask;
    watches->max = max;
    return watches;
}

static Watch **find(PmWatches *watches, int wd)
{
    Watch **at = &watches->buckets[(unsigned)wd % BUCKETS];
    while (*at != NULL && (*at)->wd != wd) at = &(*at)->next;
    return at;
}

static void take_out(PmWatches *watches, Watch **at)
{
    Watch *watch = *at;
    *at = watch->next;
    watches->count--;
    free(watch->path);
    free(watch);
}

void pm_watches_free(PmWatches *watches)
{
    if (watches == NULL) return;
    for (size_t i = 0; i < BUCKETS; i++)
        while (watches->buckets[i] != NULL) take_out(watches, &watches->buckets[i]);
    free(watches);
}

bool pm_watches_add(PmWatches *watches, const char *path)
{
    int wd = inotify_add_watch(watches->inotify, path, watches->mask);
    if (wd < 0) return false;
    Watch **at = find(watches, wd), *watch = *at;
    char *copy = strdup(path);
    if (watch != NULL && copy != NULL) {
        free(watch->path);
        watch->path = copy;
        return true;
    }
    if (watch == NULL && copy != NULL && watches->count < watches->max && (watch = calloc(1, sizeof *watch)) != NULL) {
        *watch = (Watch){.wd = wd, .path = copy};
        *at = watch;
        watches->count++;
        return true;
    }
    int e = watches->count >= watches->max ? ENOSPC : ENOMEM;
    free(copy);
    if (watch == NULL) inotify_rm_watch(watches->inotify, wd); /* nobody could tell what its events are about */
    errno = e;
    return false;
}

const char *pm_watches_path(const PmWatches *watches, int wd)
{
    const Watch *watch = wd >= 0 ? *find((PmWatches *)watches, wd) : NULL;
    return watch != NULL ? watch->path : NULL;
}

void pm_watches_forget(PmWatches *watches, int wd)
{
    Watch **at = find(watches, wd);
    if (*at != NULL) take_out(watches, at);
}

void pm_watches_remove(PmWatches *watches, const char *path)
{
    size_t n = strlen(path);
    for (size_t i = 0; i < BUCKETS; i++)
        for (Watch **at = &watches->buckets[i]; *at != NULL;) {
            const char *own = (*at)->path;
            if (strncmp(own, path, n) != 0 || (own[n] != '\0' && own[n] != '/')) {
                at = &(*at)->next;
                continue;
            }
            inotify_rm_watch(watches->inotify, (*at)->wd);
            take_out(watches, at);
        }
}

size_t pm_watches_count(const PmWatches *watches)
{
    return watches->count;
}
