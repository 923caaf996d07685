/* SPDX-License-Identifier: Apache-2.0
 *
 * From a YAML mapping to a C struct, by a table of PmParam: the one reader of all settings, pixmill's own
 * sections and plugins' parameters alike. Hides how values are parsed; checks type, range, choices, required,
 * duplicates and unknown keys (with did you mean), and reports all errors at once.
 */
#ifndef PM_PIPELINE_DECODE_PARAMS_H
#define PM_PIPELINE_DECODE_PARAMS_H

#include "pipeline/tree.h"

typedef struct PmDecodeContext {
    const char *file;
    const char *where; /* crumb for messages: "outputs.thumb: resize" */
    PmErrorList *errors;
    /* Keys that the caller reads itself, besides the table's; NULL-terminated, or NULL. */
    const char *const *also;
    bool extensions;       /* keys that begin with "x-" are the operator's own, and let pass */
    int line, column;      /* where to report what a NULL mapping lacks; 0: no place */
    PmErrorList *warnings; /* deprecated parameters that are used; NULL: not wanted */
} PmDecodeContext;

/* --- memory given back all at once --- */

typedef struct PmArena PmArena;
PmArena *pm_arena_new(void);
void pm_arena_free(PmArena *arena);
void *pm_arena_alloc(PmArena *arena, size_t size); /* zeroed, aligned for any type; never NULL (aborts) */
char *pm_arena_strdup(PmArena *arena, const char *text);

/* Fills `config` (zeroed by the caller) from `mapping`, NULL and null standing for {}. Strings and lists point into
 * `arena` memory that lives until pm_arena_free. Returns false when an error was added; what was in order is filled in
 * nevertheless. A number in quotes is text, except when a ${VAR} brought it. */
bool pm_decode_params(const PmDecodeContext *context, const PmNode *mapping, const PmParam *params, size_t count,
                      void *config, PmArena *arena);

/* Size of the field that a parameter of this type fills. */
size_t pm_type_size(PmType type);
/* "number", "color", ...: the type's name in docs and descriptions. */
const char *pm_type_name(PmType type);

/* --- single values, for those who need no table --- */

/* Each returns false and says what was expected in `why` (may be NULL) when the text is not of the kind: "a whole
 * number". No value is stored then. */
bool pm_parse_bytes(const char *text, int64_t *bytes, char *why, size_t why_size); /* 50MiB, 1GB, 1024 */
bool pm_parse_count(const char *text, int64_t *count, char *why, size_t why_size); /* 50M, 2k, 300 */
bool pm_parse_duration(const char *text, int64_t *ms, char *why, size_t why_size); /* 15s, 1500ms, 2m, 1h */
bool pm_parse_number(const char *text, double *value, char *why, size_t why_size); /* 0.6, 1e3; no nan, inf */
bool pm_parse_int(const char *text, int64_t *value, char *why, size_t why_size);   /* takes 50M too */
bool pm_parse_bool(const char *text, bool *value, char *why, size_t why_size);     /* true, false */
bool pm_parse_color(const char *text, PmColor *color, char *why, size_t why_size);
bool pm_parse_length(const char *text, PmLength *length, char *why, size_t why_size); /* 12, 12px, 5% */

#endif
