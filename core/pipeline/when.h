/* SPDX-License-Identifier: Apache-2.0
 *
 * `when: { width: ">=64", format: [jpeg, png], key: "*.jpg" }`: all must hold. A value, a list (any of them), a
 * comparison string (">=320", "<1MiB", "!=png", several joined by ", " all hold), a glob for texts. A glob without a
 * slash looks at a key's last part.
 */
#ifndef PM_PIPELINE_WHEN_H
#define PM_PIPELINE_WHEN_H

#include "pipeline/facts.h"
#include "pipeline/tree.h"

typedef struct PmWhen PmWhen;

/* New; errors (unknown form, a comparison on a text fact, a value that pixmill's own fact never has) to `errors`, and
 * NULL then. Fact names are checked later, when the plugins' facts are known: pm_pipeline_check_facts. */
PmWhen *pm_when_new(const char *file, const char *where, const PmNode *node, PmErrorList *errors);
void pm_when_free(PmWhen *when);

/* The i-th condition's fact and place (either may be NULL), or NULL beyond the last. */
const char *pm_when_fact(const PmWhen *when, size_t i, int *line, int *column);

/* False, with errors, when the i-th condition can never hold of a fact that `info` describes. */
bool pm_when_check(const PmWhen *when, size_t i, const PmFactInfo *info, const char *file, const char *where,
                   PmErrorList *errors);

/* True when no image can meet both: they ask of one fact what excludes each other. */
bool pm_when_excludes(const PmWhen *a, const PmWhen *b);

/* True when all conditions hold. A fact that is not known matches nothing. When false, `why` (may be NULL) says
 * which condition failed: "width is 40, not >=64". */
bool pm_when_matches(const PmWhen *when, const PmFacts *facts, char *why, size_t why_size);

#endif
