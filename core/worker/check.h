/* SPDX-License-Identifier: Apache-2.0
 *
 * `pixmill plugin check` where plugins run: each question is asked in a process that is confined as the worker is
 * before it opens plugins, and goes on as a child that does jobs.
 */
#ifndef PM_WORKER_CHECK_H
#define PM_WORKER_CHECK_H

#include "worker/load.h"

/* Answers CHECK's body: the list of checks, new; NULL and `err` when they cannot be made. Blocks until every question
 * is answered; a plugin that dies or hangs does so in a process of its own, which this one must be free to kill: it is
 * not confined itself, and opens no plugin. */
json_t *pm_worker_check(PmLoad *load, const json_t *body, PmError *err);

#endif
