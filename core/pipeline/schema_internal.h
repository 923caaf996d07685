/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by the schema_*.c. Not for others.
 */
#ifndef PM_PIPELINE_SCHEMA_INTERNAL_H
#define PM_PIPELINE_SCHEMA_INTERNAL_H

#include "pipeline/schema.h"

/* A string member of a description, "" when there is none. Borrowed. */
static inline const char *pm_schema_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

/* The i-th section that kinds have in common, each once; NULL beyond the last. */
const PmSection *pm_schema_shared(const PmKind *const *kinds, size_t i);

#endif
