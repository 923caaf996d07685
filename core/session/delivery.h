/* SPDX-License-Identifier: Apache-2.0
 *
 * Events between hand-over and settlement: their objects wait for room, are fetched, wait for a worker, are worked on,
 * and are held while something they need fails. Hides queues, budgets and the circuit breaker. Knows no signals.
 */
#ifndef PM_SESSION_DELIVERY_H
#define PM_SESSION_DELIVERY_H

#include "session/job.h"
#include "session/notify.h"

typedef struct PmDeliveries PmDeliveries;

typedef struct PmDeliverySink {
    void *data;
    void (*more)(void *data);                         /* there may be room for more, or nothing may be left */
    void (*gave_up)(void *data, const char *failing); /* `--once`: what the rest needs has failed too often */
} PmDeliverySink;

/* All borrowed and outlive it. New; NULL: out of memory. */
PmDeliveries *pm_deliveries_new(const PmRunContext *run, PmTrigger *trigger, const PmSessionOptions *options,
                                PmSessionSummary *summary, const PmDeliverySink *sink);
/* What is under way ends unsettled: nothing is lost, it comes again. NULL is fine. */
void pm_deliveries_free(PmDeliveries *deliveries);

void pm_deliveries_add(PmDeliveries *deliveries, PmEvent *event);
/* A worker is free. */
void pm_deliveries_work(PmDeliveries *deliveries);
/* How many more objects the trigger may hand over now. */
size_t pm_deliveries_room(const PmDeliveries *deliveries);
bool pm_deliveries_are_done(const PmDeliveries *deliveries);    /* nothing is under way, nothing being settled */
bool pm_deliveries_are_settled(const PmDeliveries *deliveries); /* nothing is under way */

/* Begins nothing any more; what no worker has begun goes back. */
void pm_deliveries_stop(PmDeliveries *deliveries);
/* Everything goes back, wherever it is. */
void pm_deliveries_release(PmDeliveries *deliveries);

/* For a status line. */
typedef struct PmDeliveryCounts {
    size_t events, objects, begun, fetched, waiting, held, settling;
    int64_t bytes;
} PmDeliveryCounts;
PmDeliveryCounts pm_deliveries_count(const PmDeliveries *deliveries);
/* [{object, stage, age_s}..], at most `most`. New. */
json_t *pm_deliveries_in_flight(const PmDeliveries *deliveries, size_t most);
/* What fails now: names separated by ", ", or "". */
void pm_deliveries_failing(const PmDeliveries *deliveries, char *out, size_t size);

#endif
