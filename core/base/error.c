/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static const char *const names[] = {"ok", "bad_config", "bad_input", "rejected", "limit", "transient", "bug"};

PmStatus pm_error_set(PmError *err, PmStatus status, const char *fmt, ...)
{
    if (err == NULL) return status;
    if (err->status != PM_OK) return err->status;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err->message, sizeof err->message, fmt, ap);
    va_end(ap);
    err->status = status;
    return status;
}

PmStatus pm_error_at(PmError *err, PmStatus status, const char *file, int line, int column, const char *fmt, ...)
{
    if (err == NULL) return status;
    if (err->status != PM_OK) return err->status;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err->message, sizeof err->message, fmt, ap);
    va_end(ap);
    err->status = status;
    pm_error_place(err, file, line, column);
    return status;
}

void pm_error_place(PmError *err, const char *file, int line, int column)
{
    if (err == NULL || err->status == PM_OK || err->line > 0) return;
    if (file != NULL) pm_text_copy(err->file, sizeof err->file, file);
    err->line = line;
    err->column = column;
}

void pm_error_context(PmError *err, const char *fmt, ...)
{
    if (err == NULL || err->status == PM_OK) return;
    char crumb[sizeof err->where], joined[2 * sizeof err->where + 4];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(crumb, sizeof crumb, fmt, ap);
    va_end(ap);
    if (err->where[0] != '\0')
        snprintf(joined, sizeof joined, "%s: %s", crumb, err->where);
    else
        snprintf(joined, sizeof joined, "%s", crumb);
    pm_text_copy(err->where, sizeof err->where, joined);
}

void pm_error_hint(PmError *err, const char *fmt, ...)
{
    if (err == NULL || err->status == PM_OK || err->hint[0] != '\0') return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err->hint, sizeof err->hint, fmt, ap);
    va_end(ap);
}

void pm_error_clear(PmError *err)
{
    if (err != NULL) memset(err, 0, sizeof *err);
}

void pm_error_format(const PmError *err, char *out, size_t size)
{
    char place[sizeof err->file + 32] = "";
    if (err->file[0] != '\0' && err->line > 0)
        snprintf(place, sizeof place, "%s:%d:%d: ", err->file, err->line, err->column);
    else if (err->file[0] != '\0')
        snprintf(place, sizeof place, "%s: ", err->file);
    char text[sizeof err->where + sizeof err->message + sizeof place + 8], safe[2 * sizeof text];
    snprintf(text, sizeof text, "%s%s%s%s", place, err->where, err->where[0] != '\0' ? ": " : "", err->message);
    pm_text_escape(safe, sizeof safe, text);
    if (err->hint[0] != '\0') {
        char hint[2 * sizeof err->hint];
        pm_text_escape(hint, sizeof hint, err->hint);
        snprintf(out, size, "%s\n  hint: %s", safe, hint);
    } else {
        pm_text_copy(out, size, safe);
    }
}

const char *pm_status_name(PmStatus status)
{
    size_t i = (size_t)status;
    return i < sizeof names / sizeof names[0] ? names[i] : "bug";
}

PmStatus pm_status_from_name(const char *name)
{
    for (size_t i = 0; name != NULL && i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0) return (PmStatus)i;
    return PM_BUG;
}

static void put_text(json_t *object, const char *key, const char *text)
{
    if (text[0] == '\0') return;
    char clean[1024];
    pm_text_utf8(clean, sizeof clean, text);
    json_object_set_new(object, key, json_string(clean));
}

json_t *pm_error_to_json(const PmError *err)
{
    json_t *object = json_pack("{ss}", "status", pm_status_name(err->status));
    if (object == NULL) return NULL;
    put_text(object, "file", err->file);
    if (err->line > 0) {
        json_object_set_new(object, "line", json_integer(err->line));
        json_object_set_new(object, "column", json_integer(err->column));
    }
    put_text(object, "where", err->where);
    put_text(object, "message", err->message);
    put_text(object, "hint", err->hint);
    put_text(object, "plugin", err->plugin);
    put_text(object, "step", err->step);
    return object;
}

static void get_text(const json_t *object, const char *key, char *out, size_t size)
{
    const char *text = json_string_value(json_object_get(object, key));
    pm_text_copy(out, size, text != NULL ? text : "");
}

static int get_position(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));
    return value > 0 && value < 100000000 ? (int)value : 0;
}

void pm_error_from_json(const json_t *json, PmError *err)
{
    pm_error_clear(err);
    err->status = pm_status_from_name(json_string_value(json_object_get(json, "status")));
    get_text(json, "file", err->file, sizeof err->file);
    err->line = get_position(json, "line");
    err->column = get_position(json, "column");
    get_text(json, "where", err->where, sizeof err->where);
    get_text(json, "message", err->message, sizeof err->message);
    get_text(json, "hint", err->hint, sizeof err->hint);
    get_text(json, "plugin", err->plugin, sizeof err->plugin);
    get_text(json, "step", err->step, sizeof err->step);
}

void pm_error_list_add(PmErrorList *list, const PmError *err)
{
    if (err == NULL || err->status == PM_OK) return;
    for (size_t i = 0; i < list->count; i++) {
        const PmError *e = &list->items[i];
        if (e->line == err->line && e->column == err->column && strcmp(e->message, err->message) == 0 &&
            strcmp(e->file, err->file) == 0)
            return;
    }
    if (list->count == PM_ERROR_LIST_MAX) {
        list->dropped++;
        return;
    }
    if (list->items == NULL) {
        list->items = calloc(PM_ERROR_LIST_MAX, sizeof *list->items);
        if (list->items == NULL) {
            list->dropped++;
            return;
        }
    }
    list->items[list->count++] = *err;
}

PmError *pm_error_list_addf(PmErrorList *list, PmStatus status, const char *file, int line, int column,
                            const char *where, const char *fmt, ...)
{
    PmError err = {.status = status};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err.message, sizeof err.message, fmt, ap);
    va_end(ap);
    pm_error_place(&err, file, line, column);
    if (where != NULL) pm_text_copy(err.where, sizeof err.where, where);
    size_t before = list->count;
    pm_error_list_add(list, &err);
    return list->count > before ? &list->items[list->count - 1] : NULL;
}

static int compare(const PmError *a, const PmError *b)
{
    int c = strcmp(a->file, b->file);
    if (c != 0) return c;
    if (a->line != b->line) return a->line < b->line ? -1 : 1;
    if (a->column != b->column) return a->column < b->column ? -1 : 1;
    return 0;
}

void pm_error_list_sort(PmErrorList *list)
{
    for (size_t i = 1; i < list->count; i++) /* stable, and at most PM_ERROR_LIST_MAX items */
        for (size_t j = i; j > 0 && compare(&list->items[j - 1], &list->items[j]) > 0; j--) {
            PmError swap = list->items[j];
            list->items[j] = list->items[j - 1];
            list->items[j - 1] = swap;
        }
}

void pm_error_list_finish(PmErrorList *list)
{
    if (list == NULL) return;
    free(list->items);
    *list = (PmErrorList){0};
}
