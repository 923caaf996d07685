/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages that are ours for a while: kept invisible to others as long as they are held, then deleted or given back.
 * Hides heartbeats and batches. Knows nothing of what the messages say.
 */
#ifndef PM_CONNECTORS_AWS_LEASE_H
#define PM_CONNECTORS_AWS_LEASE_H

#include "aws/sqs.h"

typedef struct PmLeases PmLeases;
typedef struct PmMessageLease PmMessageLease;

/* New. visibility_s: the timeout that messages are received with, above 0; a held one is extended by as much at half
 * of it at the latest. loop and sqs outlive it. NULL: out of memory. */
PmLeases *pm_leases_new(PmLoop *loop, PmSqs *sqs, int visibility_s);
void pm_leases_free(PmLeases *leases); /* all leases with it; no callback comes any more */

/* Takes on a message that has just been received, at now_ms (monotonic) or before. New; belongs to `leases` until it
 * ends. */
PmMessageLease *pm_lease_new(PmLeases *leases, const char *receipt_handle, int64_t received_ms);
/* It is not ours any more: the queue said so. What ends it then changes nothing. */
bool pm_lease_lost(const PmMessageLease *lease);

/* Ends a lease: deletes the message, or makes it visible again in visibility_s seconds (0: at once). `done` comes once,
 * never from here, with NULL or with what the queue said; a lease that was lost ends well. Frees the lease. */
typedef void PmLeaseDone(void *data, const PmError *err);
void pm_lease_delete(PmMessageLease *lease, PmLeaseDone *done, void *data);
void pm_lease_release(PmMessageLease *lease, int64_t visibility_s, PmLeaseDone *done, void *data);

#endif
