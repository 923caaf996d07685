/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON to text and back, whole or not at all. jansson (2.14) goes on when it has no memory: json_dumps leaves out a
 * key, json_loads a letter of a string, and both return what is left as if it were all.
 */
#ifndef PM_BASE_JSON_H
#define PM_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

/* New, for free(); flags as json_dumps's. NULL: out of memory, or no JSON. */
char *pm_json_text(const json_t *json, size_t flags);

/* New; flags and `why` (may be NULL) as json_loadb's. NULL: no JSON, or, with *no_memory set, it may well be. */
json_t *pm_json_read(const char *text, size_t size, size_t flags, json_error_t *why, bool *no_memory);

#endif
