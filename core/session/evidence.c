/* SPDX-License-Identifier: Apache-2.0 */
#include "session/evidence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

typedef struct PmFinding {
    char name[PM_DEPENDENCY_NAME_MAX];
    PmError err; /* the first failure; PM_OK: all worked */
} PmFinding;

void pm_evidence_finish(PmEvidence *evidence)
{
    for (size_t i = 0; i < evidence->count; i++) free(evidence->findings[i]);
    *evidence = (PmEvidence){0};
}

/* --- names --- */

static void name_path(const PmPipeline *pipeline, const char *written, bool whole, char *out, size_t size)
{
    char *path = pm_pipeline_path(pipeline, written);
    if (path != NULL && !whole) { /* "out/photo-" of "out/photo-{stem}.jpg" lies in "out" */
        char *slash = strrchr(path, '/');
        if (slash != NULL) slash[slash == path ? 1 : 0] = '\0';
    }
    snprintf(out, size, "file:%s", path != NULL ? path : written);
    free(path);
}

void pm_evidence_place(const PmPipeline *pipeline, const PmPlace *place, bool everything, char *out, size_t size)
{
    if (everything)
        pm_text_copy(out, size, "file:--out");
    else if (place->kind == PM_PLACE_S3)
        snprintf(out, size, "s3://%s", ((const PmS3Place *)place->config)->bucket);
    else
        name_path(pipeline, pm_template_prefix(place->key), false, out, size);
}

void pm_evidence_source(const PmPipeline *pipeline, const PmObject *object, char *out, size_t size)
{
    if (object->path == NULL)
        snprintf(out, size, "s3://%s", object->bucket != NULL ? object->bucket : "");
    else if (pipeline->trigger.kind == PM_TRIGGER_DIRECTORY)
        name_path(pipeline, ((const PmDirectoryTrigger *)pipeline->trigger.config)->path, true, out, size);
    else
        name_path(pipeline, object->path, false, out, size);
}

/* --- findings --- */

static bool is_configured(const PmPipeline *pipeline, const char *bucket)
{
    const PmS3Source *source = pipeline->source.kind == PM_SOURCE_S3 ? pipeline->source.config : NULL;
    for (size_t i = 0; source != NULL && bucket != NULL && i < source->buckets.count; i++)
        if (strcmp(source->buckets.items[i], bucket) == 0) return true;
    return false;
}

void pm_evidence_note(PmEvidence *evidence, const char *name, const PmError *err)
{
    if (err != NULL && err->status != PM_TRANSIENT && err->status != PM_BAD_CONFIG) return;
    PmFinding *finding = NULL;
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

void pm_evidence_note_source(PmEvidence *evidence, const PmPipeline *pipeline, const PmObject *object,
                             const PmError *err)
{
    char name[PM_DEPENDENCY_NAME_MAX];
    if (err != NULL && err->status == PM_BAD_CONFIG && object->path == NULL && !is_configured(pipeline, object->bucket))
        return;
    pm_evidence_source(pipeline, object, name, sizeof name);
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
        const PmFinding *finding = evidence->findings[i];
        if (finding->err.status == PM_OK)
            pm_breaker_worked(breaker, finding->name);
        else if (!pm_breaker_is_own(breaker, finding->name, hold))
            pm_breaker_failed(breaker, finding->name, &finding->err);
    }
}
