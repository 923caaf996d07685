/* SPDX-License-Identifier: Apache-2.0
 *
 * What deliveries do while something they need fails: objects are held, and tried one at a time.
 */
#include <stdlib.h>

#include "session/delivery_internal.h"

enum { RETURN_TRIES = 4 }; /* so many pauses of the breaker, and a held event makes room for another */

/* --- queues --- */

void pm_queue_join(Queue *queue, Item *item)
{
    item->next = NULL;
    if (queue->last != NULL)
        queue->last->next = item;
    else
        queue->first = item;
    queue->last = item;
    queue->count++;
}

void pm_queue_join_first(Queue *queue, Item *item)
{
    item->next = queue->first;
    queue->first = item;
    if (queue->last == NULL) queue->last = item;
    queue->count++;
}

Item *pm_queue_first_out(Queue *queue)
{
    Item *item = queue->first;
    if (item == NULL) return NULL;
    queue->first = item->next;
    if (queue->first == NULL) queue->last = NULL;
    queue->count--;
    item->next = NULL;
    return item;
}

/* --- holding --- */

bool pm_delivery_hold(Item *item, const char *unavailable, const PmError *err)
{
    PmDeliveries *all = item->delivery->all;
    if (all->stopping || unavailable == NULL || (err->status != PM_TRANSIENT && err->status != PM_BAD_CONFIG))
        return false;
    if (!pm_breaker_holds(all->breaker, unavailable, &item->hold)) return false;
    if (item->why == NULL) item->why = malloc(sizeof *item->why);
    if (item->why == NULL) return false;
    *item->why = *err;
    return true;
}

void pm_delivery_wait_held(Item *item)
{
    PmDeliveries *all = item->delivery->all;
    pm_delivery_drop_job(item);
    pm_queue_join(&all->held, item);
    pm_delivery_begin_waiting(all);
}

/* --- outages --- */

/* Held events fill all the room, and it may be something about just these: one makes room for another. None that the
 * queue would set aside for good, unless an operator has to act anyway. */
static void return_one(PmDeliveries *all)
{
    Item *chosen = NULL, *before = NULL, *previous = NULL;
    for (Item *item = all->held.first; item != NULL; previous = item, item = item->next) {
        bool last = item->delivery->event->last;
        if (chosen != NULL || (last && item->why->status != PM_BAD_CONFIG)) continue;
        chosen = item;
        before = previous;
    }
    if (chosen == NULL) return;
    if (before != NULL)
        before->next = chosen->next;
    else
        all->held.first = chosen->next;
    if (all->held.last == chosen) all->held.last = before;
    all->held.count--;
    PmError why = *chosen->why;
    PmJobResult result = {.object = chosen->object,
                          .error = &why,
                          .fate = pm_delivery_fate_of(chosen, &why, PM_FATE_DEAD, true),
                          .attempt = chosen->delivery->event->attempt};
    if (result.fate != PM_FATE_RETRY) pm_delivery_report(chosen, &result); /* a retry was reported when it was held */
    pm_delivery_decide(chosen->delivery, result.fate, &why, chosen->object, NULL);
    pm_delivery_leave_told(chosen, &result);
}

void pm_delivery_on_probe(void *data, int64_t tries)
{
    PmDeliveries *all = data;
    char failing[1000];
    if (all->stopping) return;
    if (all->options->once && tries > all->run->context.pipeline->on_error.retries) {
        pm_breaker_failing(all->breaker, failing, sizeof failing);
        all->sink.gave_up(all->sink.data, failing);
        return;
    }
    if (all->probes > 0) return; /* one is still trying */
    bool full = all->objects >= pm_delivery_room_for_jobs(all) && all->waiting.first == NULL;
    if (full && tries >= RETURN_TRIES) return_one(all);
    /* One that was not tried yet, if there is any: it may be something about those that failed. Where all that were
     * received have failed, by turns one of these and a new one. */
    bool fresh = all->waiting.first != NULL || all->held.first == NULL;
    if (!fresh) fresh = all->probe_fresh = !full && !all->probe_fresh;
    Item *item = fresh ? NULL : pm_queue_first_out(&all->held);
    if (item != NULL) pm_queue_join_first(&all->waiting, item);
    all->probe_wanted = true;
    pm_delivery_begin_waiting(all);
    all->fresh_wanted = all->waiting.first == NULL;
    all->sink.more(all->sink.data);
}

/* Something works again, or not everything needs what fails. */
void pm_delivery_on_changed(void *data)
{
    PmDeliveries *all = data;
    Queue freed = {0}, held = {0};
    Item *item;
    while ((item = pm_queue_first_out(&all->held)) != NULL) {
        bool free_to_go = pm_breaker_frees(all->breaker, &item->hold);
        pm_queue_join(free_to_go ? &freed : &held, item);
    }
    all->held = held;
    while ((item = pm_queue_first_out(&all->waiting)) != NULL)
        pm_queue_join(&freed, item); /* in the order in which they came */
    all->waiting = freed;
    pm_delivery_begin_waiting(all);
    all->sink.more(all->sink.data);
}
