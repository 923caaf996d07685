/* SPDX-License-Identifier: Apache-2.0
 *
 * One error for all of pixmill: a status, a place, a message, a hint. Hides how messages are laid out.
 * The first error wins: once set, a PmError keeps its status and message; callers add context to it.
 */
#ifndef PM_BASE_ERROR_H
#define PM_BASE_ERROR_H

#include <jansson.h>
#include <pixmill/plugin.h>

typedef struct PmError {
    PmStatus status;   /* PM_OK: nothing set */
    char file[256];    /* the pipeline file as the operator named it, or "" */
    int line, column;  /* from 1; 0: no place */
    char where[256];   /* crumbs, outermost first: "outputs.thumb: resize" */
    char message[768]; /* one sentence, no full stop, no newline */
    char hint[256];    /* what to do about it, or "" */
    char plugin[64];   /* the plugin at fault, or "" */
    char step[128];    /* the step's path: "outputs.thumb.steps[0]", or "" */
} PmError;

/* Sets status and message unless `err` is set already; returns err->status, so that callers can
 * `return pm_error_set(...)`. `err` may be NULL: then only `status` is returned. */
PmStatus pm_error_set(PmError *err, PmStatus status, const char *fmt, ...) PM_PRINTF(3, 4);

/* As pm_error_set, with a place. `file` may be NULL. */
PmStatus pm_error_at(PmError *err, PmStatus status, const char *file, int line, int column, const char *fmt, ...)
    PM_PRINTF(6, 7);

/* Puts a crumb in front of err->where; nothing when `err` is NULL or not set. */
void pm_error_context(PmError *err, const char *fmt, ...) PM_PRINTF(2, 3);

/* Gives a place to an error that has none; nothing otherwise. */
void pm_error_place(PmError *err, const char *file, int line, int column);

/* Sets the hint of a set error that has none. */
void pm_error_hint(PmError *err, const char *fmt, ...) PM_PRINTF(2, 3);

void pm_error_clear(PmError *err);

/* "photos.yaml:12:9: outputs.thumb: resize: width 0 is below 1", and with a hint a second line
 * "hint: ...". Always NUL-terminated; control characters are escaped. */
void pm_error_format(const PmError *err, char *out, size_t size);

/* "PM_BAD_INPUT" -> "bad_input": how a status is written in JSON, reason files and metrics. */
const char *pm_status_name(PmStatus status);

/* The reverse; PM_BUG for a word that is none. */
PmStatus pm_status_from_name(const char *name);

/* {status,file,line,column,where,message,hint,plugin,step}, empty members left out. New reference. */
json_t *pm_error_to_json(const PmError *err);

/* Reads what pm_error_to_json wrote; hostile input gives at worst a PM_BUG with an empty message. */
void pm_error_from_json(const json_t *json, PmError *err);

/* --- all errors of a file at once --- */

enum { PM_ERROR_LIST_MAX = 100 };

typedef struct PmErrorList {
    PmError *items; /* owned */
    size_t count;
    size_t dropped; /* errors beyond PM_ERROR_LIST_MAX */
} PmErrorList;

/* Appends a copy; an error with the same place and message is not added twice. */
void pm_error_list_add(PmErrorList *list, const PmError *err);

/* Appends an error made on the spot; `where` may be NULL. Returns the entry to hang a hint on, valid
 * until the next add; NULL when the list is full. */
PmError *pm_error_list_addf(PmErrorList *list, PmStatus status, const char *file, int line, int column,
                            const char *where, const char *fmt, ...) PM_PRINTF(7, 8);

/* By file, line, column. Stable. */
void pm_error_list_sort(PmErrorList *list);

void pm_error_list_finish(PmErrorList *list);

#endif
