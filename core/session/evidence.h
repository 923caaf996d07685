/* SPDX-License-Identifier: Apache-2.0
 *
 * What the work on one object showed about the sources and stores it used: which of them worked, which failed. Hides
 * which failures are a dependency's rather than the image's.
 */
#ifndef PM_SESSION_EVIDENCE_H
#define PM_SESSION_EVIDENCE_H

#include "connectors/source.h"
#include "connectors/store.h"
#include "pipeline/pipeline.h"
#include "session/breaker.h"

enum { PM_DEPENDENCY_NAME_MAX = 300, PM_EVIDENCE_MAX = 16 };

typedef struct PmEvidence {
    struct PmDependencyFinding *findings[PM_EVIDENCE_MAX]; /* owned; of more than so many, the rest is not looked at */
    size_t count;
} PmEvidence;
void pm_evidence_finish(PmEvidence *evidence);

/* Something asked of a dependency succeeded (err NULL) or failed. A failure counts only when its status speaks of the
 * run: PM_TRANSIENT or PM_BAD_CONFIG. */
void pm_evidence_note(PmEvidence *evidence, const char *name, const PmError *err);
/* Fetching: what only an event names, not the pipeline, is the event's mistake when it cannot be read. */
void pm_evidence_note_source(PmEvidence *evidence, const PmSource *source, const PmObject *object, const PmError *err);
void pm_evidence_note_store(PmEvidence *evidence, const PmStore *store, const PmPlace *place, const PmError *err);

/* The first dependency that failed, or NULL; borrowed from the evidence. */
const char *pm_evidence_unavailable(const PmEvidence *evidence);
/* Tells a breaker (NULL is fine) everything but the failures that are the object's own. */
void pm_evidence_tell(const PmEvidence *evidence, PmBreaker *breaker, const PmBreakerHold *hold);

#endif
