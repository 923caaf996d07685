/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "connectors/signers.h"

void pm_doctor_tell(const PmDoctor *doctor, PmFindingKind kind, const char *subject, const char *hint, const char *fmt,
                    ...)
{
    char text[1200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    doctor->found(doctor->data, &(PmFinding){kind, subject, text, hint});
}

static bool seen_before(const json_t *ready, size_t end, const char *url)
{
    const json_t *at;
    for (size_t i = 0; i < end; i++)
        if (strcmp(pm_signed_endpoint(ready, i, &at), url) == 0) return true;
    return false;
}

PmStatus pm_doctor(const PmPipeline *pipeline, const json_t *ready, PmDoctorFound *found, void *data, PmError *err)
{
    PmDoctor doctor = {.pipeline = pipeline,
                       .found = found,
                       .data = data,
                       .context = {.loop = pm_loop_new(err), .pipeline = pipeline, .digest = ""}};
    if (doctor.context.loop == NULL) return err->status;
    for (size_t i = 0; pm_connectors[i] != NULL && doctor.err.status == PM_OK; i++)
        if (pm_connectors[i]->doctor != NULL) pm_connectors[i]->doctor(&doctor);
    const json_t *at;
    const char *url;
    for (size_t i = 0; doctor.err.status == PM_OK && (url = pm_signed_endpoint(ready, i, &at)) != NULL; i++)
        if (!seen_before(ready, i, url) && pm_signer_kind_of(url) != NULL) pm_signer_kind_of(url)->doctor(&doctor, url);
    if (doctor.looked == 0 && doctor.err.status == PM_OK)
        pm_doctor_tell(&doctor, PM_FINDING_GOOD, "aws", NULL, "the pipeline needs nothing of AWS");
    pm_context_finish(&doctor.context);
    pm_loop_free(doctor.context.loop);
    if (doctor.err.status != PM_OK) *err = doctor.err;
    return err->status;
}
