/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/doctor.h"

#include <stdarg.h>
#include <stdio.h>

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

PmStatus pm_doctor(const PmPipeline *pipeline, PmDoctorFound *found, void *data, PmError *err)
{
    PmDoctor doctor = {.pipeline = pipeline,
                       .found = found,
                       .data = data,
                       .context = {.loop = pm_loop_new(err), .pipeline = pipeline, .digest = ""}};
    if (doctor.context.loop == NULL) return err->status;
    for (size_t i = 0; pm_connectors[i] != NULL && doctor.err.status == PM_OK; i++)
        if (pm_connectors[i]->doctor != NULL) pm_connectors[i]->doctor(&doctor);
    if (doctor.looked == 0 && doctor.err.status == PM_OK)
        pm_doctor_tell(&doctor, PM_FINDING_GOOD, "aws", NULL, "the pipeline needs nothing of AWS");
    pm_context_finish(&doctor.context);
    pm_loop_free(doctor.context.loop);
    if (doctor.err.status != PM_OK) *err = doctor.err;
    return err->status;
}
