/* SPDX-License-Identifier: Apache-2.0
 *
 * A connector: what a pipeline can be connected to, as one table. How the file speaks of it is plain data (kind); the
 * rest opens it. registry.c lists all connectors and is the only file that does; callers go by its table.
 */
#ifndef PM_CONNECTORS_CONNECTOR_H
#define PM_CONNECTORS_CONNECTOR_H

#include "connectors/dead_letter.h"
#include "connectors/notifier.h"
#include "connectors/source.h"
#include "connectors/store.h"
#include "connectors/trigger.h"

/* What several connectors open once and share: a session with AWS. */
typedef struct PmContext PmContext;
typedef struct PmFamily {
    void *(*open)(PmContext *context, PmError *err); /* new */
    void (*close)(void *part);
} PmFamily;

enum { PM_FAMILIES_MAX = 4 };

/* What a connector has to work with. All but the families' parts is borrowed and outlives what was opened with it. */
struct PmContext {
    PmLoop *loop;
    PmHelper *helper; /* for what blocks */
    const PmPipeline *pipeline;
    struct PmMetrics *metrics; /* what is counted of this run (metrics.h); or NULL */
    const char *digest;        /* of pipeline and plugins; "" until the workers have reported it */
    bool once;                 /* the trigger ends when nothing is left */
    const char *host;          /* where the environment is reached that hosts the trigger; NULL: it is not hosted */
    struct {
        const PmFamily *family;
        void *part;
    } parts[PM_FAMILIES_MAX];
};

/* A family's part, opened when it is asked for the first time. NULL and err set when it cannot be. */
void *pm_context_part(PmContext *context, const PmFamily *family, PmError *err);
/* Closes what families have opened. */
void pm_context_finish(PmContext *context);

/* Looking at what was set aside, and sending it back to work, for people. Both block. */
typedef struct PmDeadLetterOps {
    const char *one, *many, *back; /* "file", "files", "in the folder" */
    /* Reports each, at most max. */
    PmStatus (*list)(const PmPipeline *pipeline, size_t max, PmDeadLetterSeen *seen, void *data, PmError *err);
    /* reason NULL: all. *left is how many of those that were looked at stayed. */
    PmStatus (*redrive)(const PmPipeline *pipeline, const char *reason, size_t max, PmDeadLetterSeen *seen, void *data,
                        size_t *left, PmError *err);
} PmDeadLetterOps;

struct PmDoctor;
struct PmIamPolicy;

/* Everything but the kind may be NULL: it has not that role. */
typedef struct PmConnector {
    const PmKind *kind;
    /* New, as all of these. pipeline->trigger or pipeline->hosted is of this kind. */
    PmTrigger *(*open_trigger)(PmContext *context, const PmTriggerSink *sink, PmError *err);
    /* pipeline->source is of this kind, or the trigger delivers to it and no source is written. */
    PmSource *(*open_source)(PmContext *context, PmError *err);
    /* One for all places of this kind. */
    PmStore *(*open_store)(PmContext *context, PmError *err);
    /* pipeline->notify is of this kind. */
    PmNotifier *(*open_notifier)(PmContext *context, PmError *err);
    /* Where the environment is reached that hosts triggers of this kind; NULL: we run elsewhere. */
    const char *(*host)(void);
    const PmDeadLetterOps *dead_letters;
    /* What the pipeline needs of it, tried (doctor.h). */
    void (*doctor)(struct PmDoctor *doctor);
    /* What the pipeline needs of it in IAM, worked out (aws/iam_policy.h). */
    void (*iam)(struct PmIamPolicy *policy);
} PmConnector;

/* Ended by NULL, both; in the same order. */
extern const PmConnector *const pm_connectors[];
extern const PmKind *const pm_kinds[];

/* Of that kind; NULL for NULL. */
const PmConnector *pm_connector_of(const PmKind *kind);
/* By the kind's name; NULL: there is none. */
const PmConnector *pm_connector_named(const char *name);
/* The one whose environment we run in, and where that is reached; NULL: none. */
const PmConnector *pm_connector_hosting(const char **host);

#endif
