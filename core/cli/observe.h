/* SPDX-License-Identifier: Apache-2.0
 *
 * What `--listen` answers: /livez, /readyz, /metrics and /status of the sessions that run. Hides paths and formats.
 */
#ifndef PM_CLI_OBSERVE_H
#define PM_CLI_OBSERVE_H

#include "cli/generations.h"

typedef struct PmObserve PmObserve;

/* address: see net/listener.h. loop and generations (1 to PM_SERVE_MAX) outlive it, the array does not. New; NULL and
 * err set when it cannot listen there. */
PmObserve *pm_observe_new(PmLoop *loop, const PmGenerations *const *generations, size_t count, const char *address,
                          PmError *err);
void pm_observe_free(PmObserve *observe); /* NULL is fine, for all of these */

/* What the workers of a generation of the i-th said of themselves when they were up. */
void pm_observe_started(PmObserve *observe, size_t i, const json_t *info);
/* What failed is kept for /status, the last of it. */
void pm_observe_result(PmObserve *observe, size_t i, const PmJobResult *result);

#endif
