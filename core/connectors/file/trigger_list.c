/* SPDX-License-Identifier: Apache-2.0
 *
 * The files of a command line, each an event of its own.
 */
#include <stdlib.h>
#include <sys/stat.h>

#include "base/text.h"
#include "connectors/file/listing.h"
#include "connectors/file/triggers.h"
#include "connectors/trigger.h"

typedef struct Entry {
    PmEvent event;
    PmTimer *again; /* waits to be handed over again */
} Entry;

typedef struct ListTrigger {
    PmTrigger base;
    const PmListing *listing;
    PmLoop *loop;
    Entry *entries;
    size_t count, next, open;
    size_t wanted;
    PmTimer *timer;
    bool stopped;
    PmListSettled *settled;
    void *data;
} ListTrigger;

static void hand_over(ListTrigger *list)
{
    while (!list->stopped && list->wanted > 0 && list->next < list->count) {
        list->wanted--;
        list->open++;
        list->base.sink.event(list->base.sink.data, &list->entries[list->next++].event);
    }
    if (list->next == list->count && list->open == 0) list->base.sink.drained(list->base.sink.data);
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
    want(base, list->wanted); /* may be drained by now */
}

/* No file that was listed is written over, and nothing is put where the next run would list it. */
static PmStatus guard(PmTrigger *base, const char *location, PmError *err)
{
    const PmListing *listing = ((const ListTrigger *)base)->listing;
    const char *root = pm_listing_root(listing, location);
    if (root != NULL) {
        pm_error_set(err, PM_BAD_INPUT,
                     "the rendition would lie in %.300s, which is read: the next run would take it "
                     "for a source",
                     root);
        pm_error_hint(err, "choose another folder for --out");
        return PM_BAD_INPUT;
    }
    struct stat st;
    if (stat(location, &st) != 0) return PM_OK;
    const PmListed *listed = pm_listing_find(listing, st.st_dev, st.st_ino);
    if (listed == NULL) return PM_OK;
    pm_error_set(err, PM_BAD_INPUT, "the rendition would replace %.300s, one of the files given", listed->object.path);
    pm_error_hint(err, "choose another folder for --out, or put {output} into the path");
    return PM_BAD_INPUT;
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
    for (size_t i = 0; i < list->count; i++) pm_loop_cancel(list->entries[i].again);
    free(list->entries);
    free(list);
}

PmTrigger *pm_trigger_list_new(PmLoop *loop, const PmListing *listing, const PmTriggerSink *sink,
                               PmListSettled *settled, void *data, PmError *err)
{
    static const PmTriggerOps ops = {.want = want, .settle = settle, .guard = guard, .stop = stop, .free = free_list};
    ListTrigger *list = calloc(1, sizeof *list);
    Entry *entries = calloc(listing->images + 1, sizeof *entries);
    if (list == NULL || entries == NULL) {
        free(list);
        free(entries);
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    *list = (ListTrigger){.base = {.ops = &ops, .sink = *sink, .sole = true, .answers = true},
                          .loop = loop,
                          .listing = listing,
                          .settled = settled,
                          .data = data,
                          .entries = entries};
    for (size_t i = 0; i < listing->count; i++) {
        PmListed *listed = &listing->items[i];
        if (listed->skipped[0] != '\0') continue;
        PmEvent *event = &entries[list->count++].event;
        *event = (PmEvent){.trigger = &list->base, .objects = &listed->object, .count = 1, .attempt = 1};
        pm_text_copy(event->id, sizeof event->id, listed->object.key);
    }
    return &list->base;
}
