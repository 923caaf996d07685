/* SPDX-License-Identifier: Apache-2.0
 *
 * Upload events from a queue. At the start the queue is asked what it is; then one long poll at a time, for as many
 * messages as there is room for. A message is deleted only when all it asks for is done; what can never work goes to
 * the dead-letter queue first. Of a FIFO queue's group one message at a time is handed over.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "base/text.h"
#include "connectors/aws/aws_session.h"
#include "connectors/aws/dead_letter_send.h"
#include "connectors/aws/lease.h"
#include "connectors/aws/settings.h"
#include "connectors/aws/triggers.h"
#include "net/retry.h"

enum {
    RECEIVE_MAX = 10,
    VISIBILITY_DEFAULT_S = 30, /* for a queue whose own is 0: nobody could work with that */
    ONCE_WAIT_S = 1,
    VISIBLE_MARGIN_MS = 200,
    EMPTY_MS = 1000,
    OUTAGE_MAX_STEP = 6, /* at most 20 s between tries, as pm_retry_delay_ms gives them */
    OUTAGE_MIN_MS = 500,
    DAMAGED_DELAY_S = 5
};

/* One message that we hold. */
typedef struct HeldMessage {
    PmEvent event; /* first */
    struct SqsTrigger *trigger;
    struct HeldMessage *previous, *next;
    PmMessageLease *lease;
    char *body, *group_id;
    bool waits;     /* FIFO: for the one before it in its group */
    PmTimer *again; /* FIFO: it is the first of its group, and is tried again */
    /* its end */
    void (*done)(void *data, const PmError *err);
    void *data;
    PmDeadLetterSend *sending;
    PmFate fate; /* copied; reason and tag below */
    PmError reason;
    char tag[160], source[1200];
} HeldMessage;

typedef struct SqsTrigger {
    PmTrigger base;
    PmLoop *loop;
    PmAwsSession *session;
    const PmPipeline *pipeline;
    const PmSqsTrigger *config;
    PmQueueMessageRules rules;
    PmSqs *sqs;
    PmLeases *leases;
    PmSqsCall *asking;    /* attributes, dead-letter URL */
    PmSqsCall *receiving; /* the long poll */
    PmTimer *later;
    HeldMessage *held;
    char *dead_letter_url;
    int visibility_s, failures;
    int max_receive_count;         /* of the queue's redrive policy; 0: it has none */
    size_t wanted, returning;      /* returning: messages given back that nobody waits for */
    int64_t own_retry_ms;          /* until then a message that we gave back may be invisible still */
    int64_t asked_ms, answered_ms; /* when the last poll began, and when it ends at the latest */
    bool once, stopped, ready, fifo;
} SqsTrigger;

static void receive(SqsTrigger *trigger);
static void begin(void *data);

/* --- outages --- */

static void try_later(SqsTrigger *trigger, PmTimerCallback *call)
{
    int step = trigger->failures < OUTAGE_MAX_STEP ? trigger->failures : OUTAGE_MAX_STEP;
    int64_t delay = pm_retry_delay_ms(step);
    pm_loop_cancel(trigger->later);
    trigger->later = pm_loop_after(trigger->loop, delay > OUTAGE_MIN_MS ? delay : OUTAGE_MIN_MS, call, trigger);
}

/* Says once that the queue is gone, and once that it is back. */
static void tell_outage(SqsTrigger *trigger, const PmError *err)
{
    char text[1200];
    pm_error_format(err, text, sizeof text);
    pm_log(trigger->failures == 0 ? PM_LOG_ERROR : PM_LOG_DEBUG, "queue.outage", "queue", trigger->config->queue_url,
           "msg", text, NULL);
    pm_text_copy(trigger->base.trouble, sizeof trigger->base.trouble, text);
    trigger->failures++;
}

static void tell_back(SqsTrigger *trigger)
{
    if (trigger->failures > 0)
        pm_log(PM_LOG_INFO, "queue.back", "queue", trigger->config->queue_url, "msg", "the queue answers again", NULL);
    trigger->failures = 0;
    trigger->base.trouble[0] = '\0';
}

/* --- messages in hand --- */

static void free_held(HeldMessage *held)
{
    SqsTrigger *trigger = held->trigger;
    if (held->previous != NULL)
        held->previous->next = held->next;
    else
        trigger->held = held->next;
    if (held->next != NULL) held->next->previous = held->previous;
    pm_dead_letter_send_cancel(held->sending);
    pm_loop_cancel(held->again);
    for (size_t i = 0; i < held->event.count; i++) pm_object_finish(&held->event.objects[i]);
    free(held->event.objects);
    free(held->body);
    free(held->group_id);
    free(held);
}

/* Stopped, and we hold none of the queue's messages any more. */
static void maybe_dry(SqsTrigger *trigger)
{
    if (trigger->stopped && trigger->receiving == NULL && trigger->returning == 0)
        trigger->base.sink.drained(trigger->base.sink.data);
}

/* Should it fail, the visibility timeout does the same. */
static void on_returned(void *data, const PmError *err)
{
    SqsTrigger *trigger = data;
    (void)err;
    trigger->returning--;
    maybe_dry(trigger);
}

/* Ends a lease that no held waits for. */
static void return_message(SqsTrigger *trigger, PmMessageLease *lease, int64_t visibility_s)
{
    trigger->returning++;
    pm_lease_release(lease, visibility_s, on_returned, trigger);
}

static void hand_over(HeldMessage *held)
{
    SqsTrigger *trigger = held->trigger;
    held->waits = false;
    size_t count = held->event.count;
    trigger->wanted = trigger->wanted > count ? trigger->wanted - count : 0;
    trigger->base.sink.event(trigger->base.sink.data, &held->event);
}

static void count_attempt(HeldMessage *held, int attempt)
{
    int max = held->trigger->max_receive_count;
    held->event.attempt = attempt;
    held->event.last = max > 0 && attempt >= max;
}

/* The group's oldest held that is still with us. `held` has the newest first. */
static HeldMessage *first_of_group(const SqsTrigger *trigger, const char *group)
{
    HeldMessage *first = NULL;
    for (HeldMessage *held = trigger->held; held != NULL; held = held->next)
        if (held->group_id != NULL && strcmp(held->group_id, group) == 0) first = held;
    return first;
}

/* Gives back all that wait behind a held that failed: order is kept by taking none of them. */
static void release_group(SqsTrigger *trigger, const char *group, int64_t visibility_s)
{
    for (HeldMessage *held = trigger->held, *next; held != NULL; held = next) {
        next = held->next;
        if (!held->waits || strcmp(held->group_id, group) != 0) continue;
        return_message(trigger, held->lease, visibility_s);
        free_held(held);
    }
}

/* A message that was received: now ours. */
static bool take(SqsTrigger *trigger, const PmSqsMessage *message, int64_t now)
{
    HeldMessage *held = calloc(1, sizeof *held);
    PmMessageLease *lease = pm_lease_new(trigger->leases, message->receipt_handle, now);
    if (held == NULL || lease == NULL) {
        free(held);
        if (lease != NULL) return_message(trigger, lease, DAMAGED_DELAY_S);
        return false;
    }
    *held = (HeldMessage){.trigger = trigger, .lease = lease, .next = trigger->held};
    if (held->next != NULL) held->next->previous = held;
    trigger->held = held;
    held->event.trigger = &trigger->base;
    count_attempt(held, message->receive_count > 0 ? message->receive_count : 1);
    held->event.sent_ms = message->sent_ms;
    pm_text_copy(held->event.id, sizeof held->event.id, message->id);
    held->body = malloc(message->body_size + 1);
    bool ok = held->body != NULL && !message->damaged;
    if (held->body != NULL) {
        memcpy(held->body, message->body, message->body_size);
        held->body[message->body_size] = '\0';
    }
    HeldMessage *first = NULL;
    if (ok && trigger->fifo) {
        first = first_of_group(trigger, message->group_id);
        held->group_id = strdup(message->group_id);
        ok = held->group_id != NULL;
    }
    if (!ok || !pm_queue_message_read(&trigger->rules, message->body, message->body_size, &held->event)) {
        if (message->damaged)
            pm_log(PM_LOG_WARN, "queue.damaged", "message", message->id, "msg",
                   "the message's MD5 does not match its body: it is fetched again", NULL);
        return_message(trigger, lease, DAMAGED_DELAY_S);
        free_held(held);
        return false;
    }
    held->waits = first != NULL;
    PM_CRASH_POINT("sqs.leased");
    if (!held->waits) hand_over(held);
    return true;
}

/* --- receiving --- */

static void on_later(void *data)
{
    SqsTrigger *trigger = data;
    trigger->later = NULL;
    receive(trigger);
}

/* Nothing came. `--once` ends when nothing that we returned can come again either. */
static void on_empty(SqsTrigger *trigger)
{
    if (!trigger->once || trigger->held != NULL) return;
    /* A poll need not see what becomes visible while it waits: only one that began later tells. */
    if (trigger->own_retry_ms > trigger->asked_ms) return;
    trigger->stopped = true;
}

static void on_received(void *data, const PmSqsReceived *received)
{
    SqsTrigger *trigger = data;
    trigger->receiving = NULL;
    if (received->count > 0) PM_CRASH_POINT("sqs.received");
    if (received->err != NULL) {
        tell_outage(trigger, received->err);
        if (!trigger->stopped) try_later(trigger, on_later);
        maybe_dry(trigger);
        return;
    }
    tell_back(trigger);
    int64_t now = pm_clock_mono_ms();
    for (size_t i = 0; i < received->count; i++) {
        if (!trigger->stopped) {
            take(trigger, &received->messages[i], now);
            continue;
        }
        PmMessageLease *lease = pm_lease_new(trigger->leases, received->messages[i].receipt_handle, now);
        if (lease != NULL) return_message(trigger, lease, 0);
    }
    if (received->count == 0) on_empty(trigger);
    /* Without long polls, an empty queue is asked once a second. */
    if (received->count == 0 && trigger->config->wait_time < 1000 && !trigger->once && !trigger->stopped)
        trigger->later = pm_loop_after(trigger->loop, EMPTY_MS, on_later, trigger);
    receive(trigger);
    maybe_dry(trigger);
}

static void receive(SqsTrigger *trigger)
{
    if (!trigger->ready || trigger->stopped || trigger->wanted == 0 || trigger->receiving != NULL ||
        trigger->later != NULL)
        return;
    int max = trigger->wanted < RECEIVE_MAX ? (int)trigger->wanted : RECEIVE_MAX;
    int wait_s = trigger->once ? ONCE_WAIT_S : (int)(trigger->config->wait_time / 1000);
    PmError err = {0};
    trigger->asked_ms = pm_clock_mono_ms();
    trigger->answered_ms = trigger->asked_ms + wait_s * 1000;
    trigger->receiving = pm_sqs_receive(trigger->sqs, max, wait_s, trigger->visibility_s, on_received, trigger, &err);
    if (trigger->receiving != NULL) return;
    tell_outage(trigger, &err);
    try_later(trigger, on_later);
}

/* --- what the queue is --- */

static void refuse(SqsTrigger *trigger, PmError *err)
{
    const PmRole *at = &trigger->pipeline->trigger;
    pm_error_context(err, "trigger: sqs");
    pm_error_place(err, trigger->pipeline->file, at->line, at->column);
    trigger->base.sink.failed(trigger->base.sink.data, err);
}

/* At the start: what an operator must mend ends the run, an outage is waited for. */
static void on_start_failed(SqsTrigger *trigger, const PmError *why, const char *action)
{
    PmError err = *why;
    if (err.status == PM_TRANSIENT) {
        tell_outage(trigger, &err);
        try_later(trigger, begin);
        return;
    }
    if (strstr(err.message, "AccessDenied") != NULL)
        pm_error_hint(&err, "allow %s on the queue: `pixmill doctor` shows what is missing", action);
    refuse(trigger, &err);
}

/* All that was asked is asked again: an outage of our own. */
static void start_failed_for_memory(SqsTrigger *trigger)
{
    PmError err = {0};
    free(trigger->dead_letter_url);
    trigger->dead_letter_url = NULL;
    pm_error_set(&err, PM_TRANSIENT, "out of memory");
    on_start_failed(trigger, &err, "");
}

static void start(SqsTrigger *trigger)
{
    if (trigger->dead_letter_url != NULL)
        trigger->leases = pm_leases_new(trigger->loop, trigger->sqs, trigger->visibility_s);
    trigger->ready = trigger->leases != NULL;
    if (!trigger->ready) {
        start_failed_for_memory(trigger);
        return;
    }
    tell_back(trigger);
    receive(trigger);
}

static void on_dead_letter_url(void *data, const char *url, const PmError *err)
{
    SqsTrigger *trigger = data;
    trigger->asking = NULL;
    if (err != NULL) {
        on_start_failed(trigger, err, "sqs:GetQueueUrl on its dead-letter queue");
        return;
    }
    trigger->dead_letter_url = strdup(url);
    start(trigger);
}

static void on_attributes(void *data, const PmSqsAttributes *attributes)
{
    SqsTrigger *trigger = data;
    PmError err = {0};
    trigger->asking = NULL;
    if (attributes->err != NULL) {
        on_start_failed(trigger, attributes->err, "sqs:GetQueueAttributes");
        return;
    }
    trigger->fifo = attributes->fifo;
    trigger->max_receive_count = attributes->max_receive_count;
    trigger->base.redrives = attributes->max_receive_count > 0;
    trigger->visibility_s = attributes->visibility_timeout_s;
    if (trigger->visibility_s <= 0) {
        trigger->visibility_s = VISIBILITY_DEFAULT_S;
        pm_log(PM_LOG_WARN, "queue.visibility", "msg",
               "the queue's visibility timeout is 0: messages are received with one of 30 s", NULL);
    }
    if (trigger->config->dead_letter_url != NULL && trigger->config->dead_letter_url[0] != '\0') {
        trigger->dead_letter_url = strdup(trigger->config->dead_letter_url);
        start(trigger);
    } else if (attributes->dead_letter_arn[0] == '\0') {
        pm_error_set(&err, PM_BAD_CONFIG,
                     "the queue has no dead-letter queue, and what can never work must go somewhere");
        pm_error_hint(&err, "give the queue a redrive policy, or name a queue in trigger.sqs.dead_letter_url");
        refuse(trigger, &err);
    } else {
        trigger->asking = pm_sqs_url_of(trigger->sqs, attributes->dead_letter_arn, on_dead_letter_url, trigger, &err);
        if (trigger->asking == NULL) on_start_failed(trigger, &err, "sqs:GetQueueUrl on its dead-letter queue");
    }
}

static void begin(void *data)
{
    SqsTrigger *trigger = data;
    PmError err = {0};
    trigger->later = NULL;
    trigger->asking = pm_sqs_attributes(trigger->sqs, NULL, on_attributes, trigger, &err);
    if (trigger->asking == NULL) on_start_failed(trigger, &err, "sqs:GetQueueAttributes");
}

/* --- settling --- */

/* The message's end is told, or will not come. */
static void finish(HeldMessage *held, const PmError *err)
{
    SqsTrigger *trigger = held->trigger;
    void (*done)(void *, const PmError *) = held->done;
    void *data = held->data;
    bool went_well = held->fate.kind != PM_FATE_RETRY && held->fate.kind != PM_FATE_RELEASE && err == NULL;
    char *group = held->group_id;
    held->group_id = NULL;
    int64_t delay_s = (held->fate.delay_ms + 999) / 1000;
    int64_t visible_ms = pm_clock_mono_ms() + delay_s * 1000 + VISIBLE_MARGIN_MS;
    if (held->fate.kind == PM_FATE_RETRY && visible_ms > trigger->own_retry_ms) trigger->own_retry_ms = visible_ms;
    free_held(held);
    if (group != NULL && went_well) {
        HeldMessage *next = first_of_group(trigger, group);
        if (next != NULL && next->waits && !trigger->stopped) {
            PM_CRASH_POINT("fifo.next_of_group");
            hand_over(next);
        }
    }
    if (group != NULL && (!went_well || trigger->stopped)) release_group(trigger, group, delay_s);
    free(group);
    done(data, err);
    receive(trigger);
}

static void on_lease_ended(void *data, const PmError *err)
{
    finish(data, err);
}

static void give_back(HeldMessage *held, int64_t delay_ms)
{
    PmMessageLease *lease = held->lease;
    held->lease = NULL;
    pm_lease_release(lease, (delay_ms + 999) / 1000, on_lease_ended, held);
}

/* It stays in its own queue: nothing is lost, and it comes again. */
static void retry_later(HeldMessage *held)
{
    held->fate.kind = PM_FATE_RETRY;
    held->fate.delay_ms = held->trigger->pipeline->on_error.backoff;
    give_back(held, held->fate.delay_ms);
}

static void on_dead_letter_sent(void *data, const PmError *err)
{
    HeldMessage *held = data;
    held->sending = NULL;
    if (err == NULL) {
        PmMessageLease *lease = held->lease;
        held->lease = NULL;
        pm_lease_delete(lease, on_lease_ended, held);
        return;
    }
    retry_later(held);
}

/* To the dead-letter queue, with the reason as attributes. */
static void send_dead_letter(HeldMessage *held)
{
    const SqsTrigger *trigger = held->trigger;
    PmDeadLetterToSend request = {.dead_letter_url = trigger->dead_letter_url,
                                  .pipeline = trigger->pipeline,
                                  .event = &held->event,
                                  .fate = &held->fate,
                                  .body = held->body,
                                  .source = held->source,
                                  .queue = trigger->config->queue_url,
                                  .group_id = held->group_id};
    held->sending = pm_dead_letter_send(trigger->loop, trigger->sqs, &request, on_dead_letter_sent, held);
    if (held->sending == NULL) retry_later(held);
}

static void on_again(void *data)
{
    HeldMessage *held = data;
    held->again = NULL;
    hand_over(held);
}

/* The head of a FIFO group is tried again under its own lease: the queue hands out none of its followers meanwhile, and
 * those that are with us already keep their place without another delivery. */
static bool keep(HeldMessage *held, int64_t delay_ms)
{
    const SqsTrigger *trigger = held->trigger;
    if (held->group_id == NULL || trigger->stopped || pm_lease_lost(held->lease)) return false;
    held->again = pm_loop_after(trigger->loop, delay_ms, on_again, held);
    if (held->again == NULL) return false;
    count_attempt(held, held->event.attempt + 1);
    return true;
}

static void settle(PmTrigger *base, PmEvent *event, const PmFate *fate, void (*done)(void *, const PmError *),
                   void *data)
{
    (void)base;
    HeldMessage *held = (HeldMessage *)event;
    PM_CRASH_POINT("sqs.fate_known");
    held->done = done;
    held->data = data;
    held->fate = *fate;
    if (fate->reason != NULL) held->reason = *fate->reason;
    held->fate.reason = fate->reason != NULL ? &held->reason : NULL;
    pm_text_copy(held->tag, sizeof held->tag, fate->tag != NULL ? fate->tag : "");
    held->fate.tag = fate->tag != NULL ? held->tag : NULL;
    if (fate->object != NULL) pm_object_label(fate->object, held->source, sizeof held->source);
    PmMessageLease *lease = held->lease;
    switch (fate->kind) {
    case PM_FATE_ACK:
        held->lease = NULL;
        pm_lease_delete(lease, on_lease_ended, held);
        break;
    case PM_FATE_DEAD:
    case PM_FATE_QUARANTINE:
        send_dead_letter(held);
        break;
    case PM_FATE_RETRY:
        if (keep(held, fate->delay_ms))
            done(data, NULL);
        else
            give_back(held, fate->delay_ms);
        break;
    case PM_FATE_RELEASE:
        give_back(held, 0);
        break;
    }
}

/* --- the trigger --- */

static void want(PmTrigger *base, size_t objects)
{
    SqsTrigger *trigger = (SqsTrigger *)base;
    trigger->wanted = objects;
    receive(trigger);
}

/* The poll under way is left to its end: were it cut off, the queue would still hand messages to it, and they would be
 * out of everybody's sight for the visibility timeout. What it brings is given back at once. */
static bool stop(PmTrigger *base)
{
    SqsTrigger *trigger = (SqsTrigger *)base;
    trigger->stopped = true;
    pm_loop_cancel(trigger->later);
    trigger->later = NULL;
    for (HeldMessage *held = trigger->held, *next; held != NULL; held = next) {
        next = held->next;
        if (!held->waits && held->again == NULL) continue;
        return_message(trigger, held->lease, 0);
        free_held(held);
    }
    if (trigger->receiving != NULL) {
        int64_t left_ms = trigger->answered_ms - pm_clock_mono_ms();
        char text[120];
        snprintf(text, sizeof text, "the poll of the queue ends within %lld s; a second signal does not wait for it",
                 (long long)(left_ms > 0 ? (left_ms + 999) / 1000 : 0));
        pm_log(PM_LOG_INFO, "queue.stop", "queue", trigger->config->queue_url, "msg", text, NULL);
    }
    return trigger->receiving == NULL && trigger->returning == 0;
}

static void free_trigger(PmTrigger *base)
{
    SqsTrigger *trigger = (SqsTrigger *)base;
    pm_loop_cancel(trigger->later);
    pm_sqs_cancel(trigger->asking);
    pm_sqs_cancel(trigger->receiving);
    for (HeldMessage *held = trigger->held, *next; held != NULL; held = next) {
        next = held->next;
        free_held(held);
    }
    pm_leases_free(trigger->leases);
    pm_sqs_free(trigger->sqs);
    free(trigger->dead_letter_url);
    free(trigger);
}

PmTrigger *pm_trigger_sqs_new(PmLoop *loop, PmAwsSession *session, const PmPipeline *pipeline, bool once,
                              const PmTriggerSink *sink, PmError *err)
{
    static const PmTriggerOps ops = {.want = want, .settle = settle, .stop = stop, .free = free_trigger};
    const PmSqsTrigger *config = pm_sqs_trigger(pipeline);
    SqsTrigger *trigger = calloc(1, sizeof *trigger);
    if (trigger == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    *trigger = (SqsTrigger){.base = {.ops = &ops, .sink = *sink},
                            .loop = loop,
                            .session = session,
                            .pipeline = pipeline,
                            .config = config,
                            .rules = pm_queue_message_rules(pipeline, false),
                            .once = once};
    trigger->sqs = pm_aws_session_sqs(session, config->queue_url, config->region, config->endpoint_url, err);
    if (trigger->sqs != NULL) trigger->later = pm_loop_after(loop, 0, begin, trigger);
    if (trigger->later != NULL) return &trigger->base;
    if (err->status == PM_OK) pm_error_set(err, PM_TRANSIENT, "out of memory");
    pm_error_context(err, "trigger: sqs");
    pm_error_place(err, pipeline->file, pipeline->trigger.line, pipeline->trigger.column);
    free_trigger(&trigger->base);
    return NULL;
}
