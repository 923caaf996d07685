/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON as text, whole or not at all. jansson's json_dumps (2.14) goes on when it has no memory for a key, and returns
 * what is left of the text as if it were all.
 */
#ifndef PM_BASE_JSON_H
#define PM_BASE_JSON_H

#include <stddef.h>

#include <jansson.h>

/* New, for free(); flags as json_dumps's. NULL: out of memory, or no JSON. */
char *pm_json_text(const json_t *json, size_t flags);

#endif
