/* SPDX-License-Identifier: Apache-2.0
 *
 * A plan for people: what `explain` prints.
 */
#ifndef PM_CLI_EXPLAIN_TEXT_H
#define PM_CLI_EXPLAIN_TEXT_H

#include "session/check.h"

/* On standard output. `plan` is PLANNED's. */
void pm_explain_print(const json_t *plan, const PmChecked *checked);

#endif
