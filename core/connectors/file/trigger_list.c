/* SPDX-License-Identifier: Apache-2.0
 *
 * The files of a command line, each an event of its own.
 */
#include <stdlib.h>

#include "base/text.h"
#include "connectors/file/listing.h"
#include "connectors/trigger.h"

typedef struct Entry {
    PmEvent event;
    PmTimer *again; /* waits to be handed over again */
} Entry;

typedef struct ListTrigger {
    PmTrigger base;
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
    for (size_t i = 0; i < list->count; i++) pm_loop_cancel(list->entries[i].again);
    free(list->entries);
    free(list);
}

PmTrigger *pm_trigger_list_new(PmLoop *loop, const PmListing *listing, const PmTriggerSink *sink,
                               PmListSettled *settled, void *data, PmError *err)
{
    static const PmTriggerOps ops = {.want = want, .settle = settle, .stop = stop, .free = free_list};
    ListTrigger *list = calloc(1, sizeof *list);
    Entry *entries = calloc(listing->images + 1, sizeof *entries);
    if (list == NULL || entries == NULL) {
        free(list);
        free(entries);
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    *list = (ListTrigger){
        .base = {.ops = &ops, .sink = *sink}, .loop = loop, .settled = settled, .data = data, .entries = entries};
    for (size_t i = 0; i < listing->count; i++) {
        PmListed *listed = &listing->items[i];
        if (listed->skipped[0] != '\0') continue;
        PmEvent *event = &entries[list->count++].event;
        *event = (PmEvent){.trigger = &list->base, .objects = &listed->object, .count = 1, .attempt = 1};
        pm_text_copy(event->id, sizeof event->id, listed->object.key);
    }
    return &list->base;
}
