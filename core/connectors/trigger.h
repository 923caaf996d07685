/* SPDX-License-Identifier: Apache-2.0
 *
 * A trigger hands over events and learns what became of them. Hides queues, folders, invocations. It never pushes: it
 * hands over only as many objects as were asked for, which is all the backpressure there is.
 */
#ifndef PM_CONNECTORS_TRIGGER_H
#define PM_CONNECTORS_TRIGGER_H

#include "base/helper.h"
#include "connectors/object.h"
#include "pipeline/pipeline.h"

typedef struct PmTrigger PmTrigger;

/* One message, file or invocation. It may name several objects, and is settled once, when all of them are done. Owned
 * by the trigger from hand-over until settled; the receiver may keep a pointer that long. */
typedef struct PmEvent {
    PmTrigger *trigger;
    PmObject *objects;
    const PmObject *about; /* one that was asked for but must not be touched; NULL: none, or unknown */
    size_t count;          /* 0: nothing to do (a test event): settle it with ACK */
    int attempt;           /* 1 the first time; grows with each redelivery that the trigger knows of */
    bool last;             /* it will not be delivered again: what is not done is set aside by the queue, unexplained */
    int64_t sent_ms;       /* when it was sent, wall clock; 0: unknown */
    char id[128];          /* for logs: message id, path */
    PmError error; /* set: the event itself is bad, or part of it (no event at all, a forbidden bucket): its fate is
                      DEAD, for this reason, once its objects are done */
} PmEvent;

typedef enum PmFateKind {
    PM_FATE_ACK,        /* done for good */
    PM_FATE_RETRY,      /* again, not before delay_ms */
    PM_FATE_DEAD,       /* will never work: aside, with the reason */
    PM_FATE_QUARANTINE, /* an inspector said no, and the pipeline names no place of its own */
    PM_FATE_RELEASE     /* we stop: as if it had never been taken */
} PmFateKind;

typedef struct PmFate {
    PmFateKind kind;
    int64_t delay_ms;       /* RETRY */
    const PmError *reason;  /* DEAD, QUARANTINE, RETRY: why; borrowed for the call */
    const PmObject *object; /* the object that decided it, or NULL */
    const char *tag;        /* "plugin_crash:watermark:SIGSEGV" or NULL */
} PmFate;

struct PmJobResult; /* run.h */

/* What the trigger tells; all from the loop, never from inside a call to it, except that `want` may hand over at once.
 */
typedef struct PmTriggerSink {
    void *data;
    void (*event)(void *data, PmEvent *event);
    void (*drained)(void *data);                    /* nothing more will come until more is wanted: `--once` may end */
    void (*failed)(void *data, const PmError *err); /* it cannot go on at all */
    /* What log lines are about from now on: an invocation and its trace; NULL: nothing more. Or NULL. */
    void (*context)(void *data, const char *request_id, const char *trace_id);
    void (*expired)(void *data); /* time is up: all that was handed over is given up and settled now, RELEASE where it
                                    is not finished */
} PmTriggerSink;

typedef struct PmTriggerOps {
    /* Hand over up to `objects` more objects' worth of events, now or later. Replaces an earlier want. */
    void (*want)(PmTrigger *trigger, size_t objects);
    /* Ends an event. `done` comes once, now or later: err NULL, or why it could not be settled (it will come again).
     * The event is freed after that. */
    void (*settle)(PmTrigger *trigger, PmEvent *event, const PmFate *fate, void (*done)(void *data, const PmError *err),
                   void *data);
    /* What became of one object of an event, before the event is settled; all borrowed. NULL: it does not care. */
    void (*result)(PmTrigger *trigger, PmEvent *event, const struct PmJobResult *result);
    /* The pipeline cannot run: answer the waiting client, then call `drained`. NULL: no client waits. */
    void (*refuse)(PmTrigger *trigger, const PmErrorList *errors);
    /* Whether a rendition may lie at that location, as its store tells it: PM_BAD_INPUT when it would replace one of
     * the trigger's own sources, or be taken for one. NULL: anywhere. */
    PmStatus (*guard)(PmTrigger *trigger, const char *location, PmError *err);
    /* Hand over nothing any more. Settling goes on. False: something of its own must end first; then it says `drained`.
     */
    bool (*stop)(PmTrigger *trigger);
    void (*free)(PmTrigger *trigger);
} PmTriggerOps;

struct PmTrigger {
    const PmTriggerOps *ops;
    PmTriggerSink sink;
    char trouble[300]; /* why nothing can come just now, for people: the queue cannot be read; "": it can */
    bool redrives; /* it counts deliveries itself and puts aside what fails too often: transient failures are left to it
                    */
    bool stays; /* what it hands over lies where it lies for as long as it takes: a failing store sets nothing aside */
    bool sole;  /* what it hands over reaches no other process: this one has written all renditions there are */
    bool answers; /* somebody waits for what becomes of it: a failure is reported at once, nothing is held */
    bool counted; /* it counts the events it receives itself, since it may have to answer some that it never hands over
                   */
    bool early;   /* what it hands over is ours whatever comes: it is fetched while the workers still start */
};

#endif
