/* SPDX-License-Identifier: Apache-2.0
 *
 * Names and values that an object is stored with: its metadata, its tags.
 */
#ifndef PM_CONNECTORS_AWS_PAIRS_H
#define PM_CONNECTORS_AWS_PAIRS_H

#include "aws/sigv4.h"
#include "pipeline/pipeline.h"

/* Copies both. Of one name the first value counts: the place's own before the source's. What is above max is left out.
 * False: out of memory. */
bool pm_pairs_add(PmNameValue *pairs, size_t *count, size_t max, const char *name, const char *value);
/* The same for each "name=value" of a list. */
bool pm_pairs_add_list(PmNameValue *pairs, size_t *count, size_t max, const PmList *list);

#endif
