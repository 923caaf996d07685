/* SPDX-License-Identifier: Apache-2.0
 *
 * Is everything there that a pipeline needs? Each need is tried as a session would use it, and undone.
 */
#ifndef PM_CONNECTORS_DOCTOR_H
#define PM_CONNECTORS_DOCTOR_H

#include "connectors/connector.h"
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

/* A visit: connectors look at what the pipeline needs of them (connector.h, doctor). */
typedef struct PmDoctor {
    const PmPipeline *pipeline;
    PmDoctorFound *found;
    void *data;
    PmContext context;
    size_t looked; /* connectors that the pipeline needs */
    PmError err;   /* it could not look at all */
} PmDoctor;

void pm_doctor_tell(const PmDoctor *doctor, PmFindingKind kind, const char *subject, const char *hint, const char *fmt,
                    ...) PM_PRINTF(5, 6);

/* Reports finding after finding; `ready`: READY's body. PM_OK whatever it finds; other when it could not look at all
 * (err). Blocks. */
PmStatus pm_doctor(const PmPipeline *pipeline, const json_t *ready, PmDoctorFound *found, void *data, PmError *err);

#endif
