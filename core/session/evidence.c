/* SPDX-License-Identifier: Apache-2.0 */
#include "session/evidence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

typedef struct PmDependencyFinding {
    char name[PM_DEPENDENCY_NAME_MAX];
    PmError err; /* the first failure; PM_OK: all worked */
} PmDependencyFinding;

void pm_evidence_finish(PmEvidence *evidence)
{
    for (size_t i = 0; i < evidence->count; i++) free(evidence->findings[i]);
    *evidence = (PmEvidence){0};
}

/* --- findings --- */

void pm_evidence_note(PmEvidence *evidence, const char *name, const PmError *err)
{
    if (err != NULL && err->status != PM_TRANSIENT && err->status != PM_BAD_CONFIG) return;
    PmDependencyFinding *finding = NULL;
    for (size_t i = 0; i < evidence->count && finding == NULL; i++)
        if (strcmp(evidence->findings[i]->name, name) == 0) finding = evidence->findings[i];
    if (finding == NULL) {
        finding = evidence->count < PM_EVIDENCE_MAX ? calloc(1, sizeof *finding) : NULL;
        if (finding == NULL) return;
        pm_text_copy(finding->name, sizeof finding->name, name);
        evidence->findings[evidence->count++] = finding;
    }
    if (err != NULL && finding->err.status == PM_OK) finding->err = *err;
}

void pm_evidence_note_source(PmEvidence *evidence, const PmSource *source, const PmObject *object, const PmError *err)
{
    char name[PM_DEPENDENCY_NAME_MAX];
    if (err != NULL && err->status == PM_BAD_CONFIG && source->ops->names != NULL &&
        !source->ops->names(source, object))
        return;
    source->ops->name(source, object, name, sizeof name);
    pm_evidence_note(evidence, name, err);
}

void pm_evidence_note_store(PmEvidence *evidence, const PmStore *store, const PmPlace *place, const PmError *err)
{
    char name[PM_DEPENDENCY_NAME_MAX];
    store->ops->name(store, place, name, sizeof name);
    pm_evidence_note(evidence, name, err);
}

const char *pm_evidence_unavailable(const PmEvidence *evidence)
{
    for (size_t i = 0; i < evidence->count; i++)
        if (evidence->findings[i]->err.status != PM_OK) return evidence->findings[i]->name;
    return NULL;
}

void pm_evidence_tell(const PmEvidence *evidence, PmBreaker *breaker, const PmBreakerHold *hold)
{
    for (size_t i = 0; i < evidence->count; i++) {
        const PmDependencyFinding *finding = evidence->findings[i];
        if (finding->err.status == PM_OK)
            pm_breaker_worked(breaker, finding->name);
        else if (!pm_breaker_is_own(breaker, finding->name, hold))
            pm_breaker_failed(breaker, finding->name, &finding->err);
    }
}
