/* SPDX-License-Identifier: Apache-2.0
 *
 * The names of a job, from the object it is about.
 */
#ifndef PM_SESSION_JOB_NAMES_H
#define PM_SESSION_JOB_NAMES_H

#include "connectors/object.h"
#include "workers/names.h"

/* `event_id`: of the message that brought the object, or NULL. */
PmJobNames pm_job_names(const PmObject *object, const char *event_id);

#endif
