/* SPDX-License-Identifier: Apache-2.0 */
#include "session/delivery_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "base/text.h"
#include "connectors/metrics.h"
#include "session/fate.h"

enum {
    PREFETCH = 8,
    BUDGET_FILES = 4,
    RESERVE_MIN = 64 * 1024, /* bytes that an object may have whatever its event says */
    RETURN_TRIES = 4         /* so many pauses of the breaker, and a held event makes room for another */
};

/* --- settling --- */

PmFateKind pm_delivery_fate_of(const Item *item, const PmError *err, PmFateKind inspected, bool unavailable)
{
    const PmDeliveries *all = item->delivery->all;
    const PmEvent *event = item->delivery->event;
    PmEnding ending = {.status = err != NULL ? err->status : PM_OK,
                       .inspected = inspected,
                       .attempt = event->attempt,
                       .last = event->last,
                       .redrives = all->trigger->redrives,
                       .stays = all->trigger->stays,
                       .unavailable = unavailable,
                       .ends = all->options->once};
    return pm_fate_of(all->run->context.pipeline, &ending);
}

void pm_delivery_decide(Delivery *delivery, PmFateKind kind, const PmError *reason, const PmObject *object,
                        const char *tag)
{
    if (delivery->decided && !pm_fate_worse(kind, delivery->fate)) return;
    delivery->decided = true;
    delivery->fate = kind;
    delivery->object = object;
    delivery->reason = reason != NULL ? *reason : (PmError){0};
    pm_text_copy(delivery->tag, sizeof delivery->tag, tag != NULL ? tag : "");
}

static void on_settled(void *data, const PmError *err)
{
    PmDeliveries *all = data;
    PM_CRASH_POINT("run.settled");
    if (err != NULL) {
        char text[1600];
        pm_error_format(err, text, sizeof text);
        pm_log(PM_LOG_ERROR, "settle.failed", "msg", text, NULL);
    }
    all->settling--;
    all->sink.more(all->sink.data);
}

static void settle_event(PmDeliveries *all, PmEvent *event, const PmFate *fate)
{
    all->settling++;
    pm_metrics_add_settled(all->run->context.metrics, fate);
    PM_CRASH_POINT("run.settle_next");
    event->trigger->ops->settle(event->trigger, event, fate, on_settled, all);
}

/* What is given back on its last delivery would be set aside by the queue, and nobody would know why. */
static void explain_last(Delivery *delivery, PmFate *fate)
{
    if (fate->kind != PM_FATE_RELEASE || !delivery->event->last) return;
    if (delivery->reason.status == PM_OK)
        pm_error_set(&delivery->reason, PM_TRANSIENT,
                     "pixmill was stopped before the image was done, and it was the message's last delivery");
    fate->kind = PM_FATE_DEAD;
    fate->reason = &delivery->reason;
    pm_log(PM_LOG_WARN, "event.last", "message", delivery->event->id, "msg",
           "stopped on the message's last delivery: it goes to the dead-letter queue, with the reason", NULL);
}

static void settle(Delivery *delivery)
{
    PmDeliveries *all = delivery->all;
    PmEvent *event = delivery->event;
    PmFate fate = {.kind = delivery->fate,
                   .delay_ms = delivery->fate == PM_FATE_RETRY
                                   ? pm_fate_backoff_ms(all->run->context.pipeline, event->attempt)
                                   : 0,
                   .reason = delivery->reason.status != PM_OK ? &delivery->reason : NULL,
                   .object = delivery->object,
                   .tag = delivery->tag[0] != '\0' ? delivery->tag : NULL};
    if (all->stopping && fate.kind == PM_FATE_RETRY) fate.kind = PM_FATE_RELEASE;
    explain_last(delivery, &fate);
    settle_event(all, event, &fate);
    if (delivery->previous != NULL)
        delivery->previous->next = delivery->next;
    else
        all->first = delivery->next;
    if (delivery->next != NULL) delivery->next->previous = delivery->previous;
    free(delivery);
    all->sink.more(all->sink.data);
}

void pm_delivery_drop_job(Item *item)
{
    PmDeliveries *all = item->delivery->all;
    pm_notice_cancel(item->notice);
    item->notice = NULL;
    if (item->job == NULL) return;
    pm_job_free(item->job);
    item->job = NULL;
    all->begun--;
    all->bytes -= item->bytes;
    if (item->probe) all->probes--;
    item->probe = false;
}

static void leave(Item *item)
{
    Delivery *delivery = item->delivery;
    PmDeliveries *all = delivery->all;
    pm_delivery_drop_job(item);
    free(item->why);
    item->why = NULL;
    item->left = true;
    all->objects--;
    if (--delivery->open == 0) settle(delivery);
    pm_delivery_begin_waiting(all);
}

/* --- the end of an object --- */

static void count_result(PmSessionSummary *summary, const PmJobResult *result, PmFateKind fate)
{
    summary->bytes_in += result->source_size;
    for (size_t i = 0; i < result->output_count; i++) {
        if (result->outputs[i].stored != PM_STORED) continue;
        summary->outputs++;
        summary->bytes_out += result->outputs[i].size;
    }
    if (fate == PM_FATE_RETRY)
        summary->retried++;
    else if (result->skipped != NULL)
        summary->skipped++;
    else if (result->error == NULL)
        summary->done++;
    else if (result->error->status == PM_REJECTED)
        summary->rejected++;
    else
        summary->failed++;
}

void pm_delivery_report(Item *item, const PmJobResult *result)
{
    PmDeliveries *all = item->delivery->all;
    PmJobResult told = *result;
    told.event_id = item->delivery->event->id;
    count_result(all->summary, &told, told.fate);
    pm_metrics_add_result(all->run->context.metrics, &told);
    if (all->trigger->ops->result != NULL) all->trigger->ops->result(all->trigger, item->delivery->event, &told);
    if (all->options->result != NULL) all->options->result(all->options->data, &told);
}

/* If the notification fails, the event is delivered again, and everything is found done. */
static void not_notified(Item *item, const PmError *err)
{
    PmDeliveries *all = item->delivery->all;
    char text[1200];
    pm_error_format(err, text, sizeof text);
    pm_log(PM_LOG_ERROR, "notify.failed", "msg", text, NULL);
    pm_breaker_failed(all->breaker, all->run->notifier->name, err);
    if (pm_delivery_hold(item, all->run->notifier->name, err)) {
        pm_delivery_wait_held(item);
        return;
    }
    pm_delivery_decide(item->delivery, pm_delivery_fate_of(item, err, PM_FATE_DEAD, true), err, item->object, NULL);
    leave(item);
}

static void on_notified(void *data, const PmError *err)
{
    Item *item = data;
    PmDeliveries *all = item->delivery->all;
    item->notice = NULL;
    if (err != NULL) {
        not_notified(item, err);
        return;
    }
    pm_breaker_worked(all->breaker, all->run->notifier->name);
    leave(item);
}

void pm_delivery_leave_told(Item *item, const PmJobResult *result)
{
    PmDeliveries *all = item->delivery->all;
    PmError err = {0};
    if (all->run->notifier == NULL || result->fate == PM_FATE_RETRY || result->fate == PM_FATE_RELEASE) {
        leave(item);
        return;
    }
    item->notice = pm_notice_start(all->run, result, on_notified, item, &err);
    if (item->notice == NULL) not_notified(item, &err);
}

/* What is known of it from an earlier delivery. */
static void recall(Item *item)
{
    const PmDeliveries *all = item->delivery->all;
    char label[1400];
    if (item->hold.dependency != 0) return;
    pm_object_label(item->object, label, sizeof label);
    item->hold = pm_breaker_recall(all->breaker, label);
}

static void remember(const Item *item, const char *unavailable)
{
    const PmDeliveries *all = item->delivery->all;
    char label[1400];
    pm_object_label(item->object, label, sizeof label);
    pm_breaker_remember(all->breaker, label, unavailable);
}

static void end_object(Item *item, PmJobResult *result, const char *crash)
{
    Delivery *delivery = item->delivery;
    PmDeliveries *all = delivery->all;
    bool held = result->error != NULL && pm_delivery_hold(item, result->unavailable, result->error);
    result->fate =
        held ? PM_FATE_RETRY : pm_delivery_fate_of(item, result->error, result->fate, result->unavailable != NULL);
    if (all->stopping && result->fate == PM_FATE_RETRY) result->fate = PM_FATE_RELEASE;
    pm_delivery_report(item, result);
    if (held) {
        pm_delivery_wait_held(item);
        return;
    }
    if (result->unavailable != NULL) remember(item, result->unavailable);
    if (result->error == NULL && result->skipped == NULL) pm_breaker_passed(all->breaker);
    pm_delivery_decide(delivery, result->fate, result->error, result->object, crash);
    pm_delivery_leave_told(item, result);
}

static void on_done(void *data, PmImageJob *job)
{
    Item *item = data;
    PmDeliveries *all = item->delivery->all;
    if (pm_job_is_larger(job)) {
        item->larger = true;
        pm_delivery_drop_job(item);
        pm_queue_join_first(&all->waiting, item);
        pm_delivery_begin_waiting(all);
        return;
    }
    PmJobResult result = *pm_job_result(job);
    recall(item);
    pm_evidence_tell(pm_job_evidence(job), all->breaker, &item->hold);
    end_object(item, &result, pm_job_crash(job));
}

/* It could not even begin: too large by what the event says, for one. */
static void refuse_object(Item *item, const PmError *err)
{
    PmDeliveries *all = item->delivery->all;
    PmEvidence evidence = {0};
    pm_evidence_note_source(&evidence, all->run->source, item->object, err);
    recall(item);
    pm_evidence_tell(&evidence, all->breaker, &item->hold);
    PmJobResult result = {.object = item->object,
                          .error = err,
                          .unavailable = pm_evidence_unavailable(&evidence),
                          .attempt = item->delivery->event->attempt};
    end_object(item, &result, NULL);
    pm_evidence_finish(&evidence);
}

/* --- work --- */

void pm_deliveries_work(PmDeliveries *all)
{
    while (all->fetched.first != NULL && pm_pool_idle(all->run->pool) > 0) {
        size_t idle = pm_pool_idle(all->run->pool);
        PmError err = {0};
        if (pm_job_work(all->fetched.first->job, &err) != PM_OK) {
            /* That worker has died and nobody knew: the next one. */
            if (pm_pool_idle(all->run->pool) < idle) continue;
            pm_log(PM_LOG_ERROR, "job.start", "msg", err.message, NULL);
            pm_job_give_up(all->fetched.first->job, &err);
        }
        pm_queue_first_out(&all->fetched);
    }
}

static void on_fetched(void *data, PmImageJob *job)
{
    Item *item = data;
    PmDeliveries *all = item->delivery->all;
    int64_t bytes = pm_job_source_size(job);
    all->bytes += bytes - item->bytes;
    item->bytes = bytes;
    pm_queue_join(&all->fetched, item);
    pm_deliveries_work(all);
    pm_delivery_begin_waiting(all);
}

size_t pm_delivery_room_for_jobs(const PmDeliveries *all)
{
    return pm_pool_size(all->run->pool) + PREFETCH;
}

/* How many bytes an object is let in with: what its event says, and no more is read. When it is larger after all, it
 * begins again as one of the largest allowed. */
static int64_t reserve_of(const PmDeliveries *all, const Item *item)
{
    int64_t max = all->run->context.pipeline->limits.file_size, size = item->object->size;
    if (item->larger || size < 0 || size > max) return max;
    if (size < RESERVE_MIN) size = RESERVE_MIN;
    return size < max ? size : max;
}

/* Sources wait in memory: as many bytes as some of the largest allowed, whatever the count. One is always let in. */
static bool fits_budget(const PmDeliveries *all, int64_t bytes)
{
    return all->begun == 0 || all->bytes + bytes <= BUDGET_FILES * all->run->context.pipeline->limits.file_size;
}

static void begin(Item *item)
{
    PmDeliveries *all = item->delivery->all;
    PmJobSink sink = {.data = item, .ready = on_fetched, .done = on_done};
    PmError err = {0};
    int64_t bytes = reserve_of(all, item);
    item->job = pm_job_new(all->run, item->object, item->delivery->event->id, item->delivery->event->attempt, bytes,
                           &sink, &err);
    if (item->job == NULL) {
        refuse_object(item, &err);
        return;
    }
    item->bytes = bytes;
    pm_metrics_add_stage(all->run->context.metrics, "queue", pm_clock_mono_ms() - item->taken_ms);
    item->probe = pm_breaker_is_open(all->breaker);
    all->begun++;
    all->bytes += bytes;
    if (item->probe) all->probes++;
}

void pm_delivery_begin_waiting(PmDeliveries *all)
{
    if (all->beginning) return;
    all->beginning = true;
    while (!all->stopping && all->waiting.first != NULL && all->begun < pm_delivery_room_for_jobs(all)) {
        bool wanted = all->probe_wanted && all->probes == 0;
        if (pm_breaker_is_open(all->breaker) && !wanted) break;
        if (!fits_budget(all, reserve_of(all, all->waiting.first))) break;
        all->probe_wanted = false;
        begin(pm_queue_first_out(&all->waiting));
    }
    all->beginning = false;
}

/* --- events --- */

static void on_bad_event(Delivery *delivery)
{
    PmDeliveries *all = delivery->all;
    const PmEvent *event = delivery->event;
    char name[160];
    snprintf(name, sizeof name, "message %s", event->id);
    PmObject nameless = {.key = name, .path = name, .size = -1}; /* nothing else is known of it */
    PmJobResult result = {.object = event->about != NULL ? event->about : &nameless,
                          .error = &event->error,
                          .fate = PM_FATE_DEAD,
                          .event_id = event->id,
                          .attempt = event->attempt};
    all->summary->failed++;
    pm_metrics_add_result(all->run->context.metrics, &result);
    if (all->trigger->ops->result != NULL) all->trigger->ops->result(all->trigger, delivery->event, &result);
    if (all->options->result != NULL) all->options->result(all->options->data, &result);
    pm_delivery_decide(delivery, PM_FATE_DEAD, &event->error, NULL, NULL);
}

static void note_received(const PmDeliveries *all, const PmEvent *event)
{
    PmMetrics *metrics = all->run->context.metrics;
    if (!all->trigger->counted) pm_metrics_add_received(metrics, 1);
    if (event->sent_ms > 0) pm_metrics_add_age(metrics, pm_clock_wall_ms() - event->sent_ms);
}

void pm_deliveries_add(PmDeliveries *all, PmEvent *event)
{
    Delivery *delivery = calloc(1, sizeof *delivery + event->count * sizeof *delivery->items);
    if (delivery == NULL) {
        settle_event(all, event, &(PmFate){.kind = PM_FATE_RELEASE});
        return;
    }
    *delivery = (Delivery){.all = all, .next = all->first, .event = event};
    if (delivery->next != NULL) delivery->next->previous = delivery;
    all->first = delivery;
    note_received(all, event);
    if (event->error.status != PM_OK) on_bad_event(delivery);
    if (event->count == 0) {
        settle(delivery);
        return;
    }
    all->fresh_wanted = false;
    delivery->open = event->count;
    all->objects += event->count;
    for (size_t i = 0; i < event->count; i++) {
        Item *item = &delivery->items[i];
        *item = (Item){.delivery = delivery, .object = &event->objects[i], .taken_ms = pm_clock_mono_ms()};
        pm_queue_join(&all->waiting, item);
    }
    pm_delivery_begin_waiting(all);
}

size_t pm_deliveries_room(const PmDeliveries *all)
{
    size_t room = pm_delivery_room_for_jobs(all), left = room > all->objects ? room - all->objects : 0;
    if (all->stopping) return 0;
    if (!pm_breaker_is_open(all->breaker)) return left;
    return all->fresh_wanted && left > 0 ? 1 : 0;
}

bool pm_deliveries_are_settled(const PmDeliveries *all)
{
    return all->first == NULL;
}

bool pm_deliveries_are_done(const PmDeliveries *all)
{
    return all->first == NULL && all->settling == 0;
}

/* --- stopping --- */

static void release(Item *item)
{
    pm_delivery_decide(item->delivery, PM_FATE_RELEASE, item->why, item->object, NULL);
    leave(item);
}

static void release_queue(Queue *queue)
{
    Item *item;
    while ((item = pm_queue_first_out(queue)) != NULL) release(item);
}

void pm_deliveries_stop(PmDeliveries *all)
{
    all->stopping = true;
    release_queue(&all->waiting);
    release_queue(&all->held);
    release_queue(&all->fetched);
}

void pm_deliveries_release(PmDeliveries *all)
{
    all->fetched = all->waiting = all->held = (Queue){0};
    while (all->first != NULL) {
        Delivery *delivery = all->first;
        for (size_t i = 0, n = delivery->event->count; i < n && all->first == delivery; i++)
            if (!delivery->items[i].left) release(&delivery->items[i]);
    }
}

PmDeliveryCounts pm_deliveries_count(const PmDeliveries *all)
{
    PmDeliveryCounts counts = {.objects = all->objects,
                               .begun = all->begun,
                               .fetched = all->fetched.count,
                               .waiting = all->waiting.count,
                               .held = all->held.count,
                               .settling = all->settling,
                               .bytes = all->bytes};
    for (const Delivery *delivery = all->first; delivery != NULL; delivery = delivery->next) counts.events++;
    return counts;
}

void pm_deliveries_failing(const PmDeliveries *all, char *out, size_t size)
{
    pm_breaker_failing(all->breaker, out, size);
}

/* --- life --- */

PmDeliveries *pm_deliveries_new(const PmRunContext *run, PmTrigger *trigger, const PmSessionOptions *options,
                                PmSessionSummary *summary, const PmDeliverySink *sink)
{
    PmDeliveries *all = calloc(1, sizeof *all);
    if (all == NULL) return NULL;
    *all = (PmDeliveries){.run = run, .trigger = trigger, .options = options, .summary = summary, .sink = *sink};
    if (trigger->answers) return all; /* failures are told at once */
    PmBreakerSink heard = {.data = all, .probe = pm_delivery_on_probe, .changed = pm_delivery_on_changed};
    all->breaker = pm_breaker_new(run->context.loop, run->context.pipeline->on_error.backoff, &heard);
    if (all->breaker != NULL) return all;
    free(all);
    return NULL;
}

void pm_deliveries_free(PmDeliveries *all)
{
    if (all == NULL) return;
    for (Delivery *delivery = all->first, *next; delivery != NULL; delivery = next) {
        next = delivery->next;
        for (size_t i = 0; i < delivery->event->count; i++) {
            pm_notice_cancel(delivery->items[i].notice);
            pm_job_free(delivery->items[i].job);
            free(delivery->items[i].why);
        }
        free(delivery);
    }
    pm_breaker_free(all->breaker);
    free(all);
}
