/* SPDX-License-Identifier: Apache-2.0
 *
 * What delivery.c and delivery_outage.c share: deliveries, their objects, the queues these stand in.
 */
#ifndef PM_SESSION_DELIVERY_INTERNAL_H
#define PM_SESSION_DELIVERY_INTERNAL_H

#include "session/delivery.h"

typedef struct Delivery Delivery;

/* One object of an event. */
typedef struct Item {
    Delivery *delivery;
    PmImageJob *job;
    PmNotice *notice;  /* the record of its end is on its way */
    struct Item *next; /* in the queue it stands in */
    const PmObject *object;
    int64_t bytes;      /* of the budget, once it has begun */
    int64_t taken_ms;   /* monotonic: when it was handed over */
    bool larger;        /* than its event says */
    bool probe;         /* begun while the breaker was open */
    PmBreakerHold hold; /* of the last time it was held */
    PmError *why;       /* it is held; owned */
    bool left;
} Item;

typedef struct Queue {
    Item *first, *last;
    size_t count;
} Queue;

/* An event under way. */
struct Delivery {
    PmDeliveries *all;
    Delivery *previous, *next;
    PmEvent *event;
    size_t open;
    bool decided;
    PmFateKind fate;
    PmError reason;
    const PmObject *object; /* that decided it */
    char tag[160];
    Item items[];
};

struct PmDeliveries {
    const PmRunContext *run;
    PmTrigger *trigger;
    const PmSessionOptions *options;
    PmSessionSummary *summary;
    PmDeliverySink sink;
    PmBreaker *breaker; /* NULL: failures are reported at once */
    Delivery *first;
    Queue waiting;     /* for room to be fetched */
    Queue fetched;     /* for a worker */
    Queue held;        /* for something to work again */
    size_t objects;    /* of all deliveries */
    size_t begun;      /* of these, those with a job */
    int64_t bytes;     /* of theirs */
    size_t settling;   /* events whose end is under way */
    size_t probes;     /* jobs begun while the breaker was open */
    bool probe_fresh;  /* whose turn it was: one that was not tried before, or a held one */
    bool probe_wanted; /* one may begin though the breaker is open */
    bool fresh_wanted; /* one may be received though it is open, to be tried next */
    bool stopping;
    bool beginning; /* begin_waiting is at it */
};

void pm_queue_join(Queue *queue, Item *item);
void pm_queue_join_first(Queue *queue, Item *item);
Item *pm_queue_first_out(Queue *queue); /* NULL: it is empty */

/* --- delivery.c --- */

size_t pm_delivery_room_for_jobs(const PmDeliveries *all);
/* Begins what there is room for; while the breaker is open, one object for each attempt that is wanted. */
void pm_delivery_begin_waiting(PmDeliveries *all);
PmFateKind pm_delivery_fate_of(const Item *item, const PmError *err, PmFateKind inspected, bool unavailable);
/* The worst fate of its objects becomes the delivery's. */
void pm_delivery_decide(Delivery *delivery, PmFateKind kind, const PmError *reason, const PmObject *object,
                        const char *tag);
void pm_delivery_report(Item *item, const PmJobResult *result);
/* Ends the work on an object, finished or not; the object stays. */
void pm_delivery_drop_job(Item *item);
/* The object's part of the delivery is over once its record is sent, where it gets one. */
void pm_delivery_leave_told(Item *item, const PmJobResult *result);

/* --- delivery_outage.c --- */

/* True: the object waits until what failed works again. Its message stays ours, so that no delivery is used up. */
bool pm_delivery_hold(Item *item, const char *unavailable, const PmError *err);
void pm_delivery_wait_held(Item *item);
void pm_delivery_on_probe(void *data, int64_t tries);
void pm_delivery_on_changed(void *data);

#endif
