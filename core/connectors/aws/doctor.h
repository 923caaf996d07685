/* SPDX-License-Identifier: Apache-2.0
 *
 * Is everything there that a pipeline needs of AWS? Each need is tried as `run` would use it, and undone.
 */
#ifndef PM_CONNECTORS_AWS_DOCTOR_H
#define PM_CONNECTORS_AWS_DOCTOR_H

#include "pipeline/pipeline.h"

typedef enum PmFindingKind {
    PM_FINDING_GOOD,
    PM_FINDING_WARNING, /* it works, but not as one would want */
    PM_FINDING_BAD      /* `run` would fail */
} PmFindingKind;

typedef struct PmFinding {
    PmFindingKind kind;
    const char *subject; /* "trigger.sqs", "outputs.thumb" */
    const char *text;
    const char *hint; /* what to do, such as the IAM action to allow, or NULL */
} PmFinding;          /* borrowed for the call */

typedef void PmDoctorFound(void *data, const PmFinding *finding);

/* Tells finding after finding. PM_OK whatever it finds; other when it could not look at all (err). Blocks. */
PmStatus pm_doctor(const PmPipeline *pipeline, PmDoctorFound *found, void *data, PmError *err);

#endif
