/* SPDX-License-Identifier: Apache-2.0
 *
 * Reports that a source is finished, with a record of what was done. Hides where records go.
 */
#ifndef PM_CONNECTORS_NOTIFIER_H
#define PM_CONNECTORS_NOTIFIER_H

#include "connectors/object.h"

typedef struct PmNotifier PmNotifier;
typedef struct PmNotifierCall PmNotifierCall;

typedef void PmNotified(void *data, const PmError *err); /* err NULL: it is out */

typedef struct PmNotifierOps {
    /* Sends a record (borrowed until done) about that object. `done` comes once, never from here. NULL and err set when
     * it cannot start. */
    PmNotifierCall *(*send)(PmNotifier *notifier, const PmObject *object, const char *record, PmNotified *done,
                            void *data, PmError *err);
    void (*cancel)(PmNotifier *notifier, PmNotifierCall *call);
    void (*free)(PmNotifier *notifier); /* every call has ended or been cancelled before */
} PmNotifierOps;

struct PmNotifier {
    const PmNotifierOps *ops;
    const char *name; /* what it depends on, for the circuit breaker and for people; borrowed from the pipeline */
};

#endif
