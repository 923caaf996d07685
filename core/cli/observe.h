/* SPDX-License-Identifier: Apache-2.0
 *
 * What `--listen` answers: /livez, /readyz, /metrics and /status of the session that runs. Hides paths and formats.
 */
#ifndef PM_CLI_OBSERVE_H
#define PM_CLI_OBSERVE_H

#include "cli/generations.h"

typedef struct PmObserve PmObserve;

/* address: see net/listener.h. loop and generations outlive it. New; NULL and err set when it cannot listen there. */
PmObserve *pm_observe_new(PmLoop *loop, const PmGenerations *generations, const char *address, PmError *err);
void pm_observe_free(PmObserve *observe); /* NULL is fine, for all of these */

/* What the workers of a generation said of themselves when they were up. */
void pm_observe_started(PmObserve *observe, const json_t *info);
/* What failed is kept for /status, the last of it. */
void pm_observe_result(PmObserve *observe, const PmJobResult *result);

#endif
