/* SPDX-License-Identifier: Apache-2.0
 *
 * Is a plugin's parameter table sound? Everything that would otherwise show as a wild write into the config struct or
 * as an error that blames the operator.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "engine/flags.h"
#include "engine/handshake.h"
#include "pipeline/decode_params.h"

/* "FILE: parameter 2, sigma: MESSAGE" */
static PmStatus refuse(const char *file, const PmParam *params, size_t index, PmError *err, const char *hint,
                       const char *fmt, ...) PM_PRINTF(6, 7);

static PmStatus refuse(const char *file, const PmParam *params, size_t index, PmError *err, const char *hint,
                       const char *fmt, ...)
{
    char message[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    const char *name = params[index].name;
    pm_error_set(err, PM_BAD_CONFIG, "%s: parameter %zu%s%.60s: %s", file, index + 1, name != NULL ? ", " : "",
                 name != NULL ? name : "", message);
    pm_error_hint(err, "%s", hint);
    return PM_BAD_CONFIG;
}

static size_t alignment(PmType type)
{
    switch (type) {
    case PM_BOOL:
        return _Alignof(bool);
    case PM_ENUM:
        return _Alignof(int32_t);
    default:
        return _Alignof(int64_t);
    }
}

static PmStatus check_name(const char *file, const PmParam *params, size_t index, PmError *err)
{
    const char *name = params[index].name;
    if (!pm_word_ok(name))
        return refuse(file, params, index, err, "a to z, 0 to 9 and _, a letter first",
                      "expected a name in lower_snake_case of at most %d characters, found %s", PM_PLUGIN_NAME_MAX,
                      name != NULL ? "another" : "none");
    for (size_t i = 0; i < index; i++)
        if (strcmp(params[i].name, name) == 0)
            return refuse(file, params, index, err, "rename one of the two",
                          "expected names that differ, found the name of parameter %zu again", i + 1);
    return PM_OK;
}

static PmStatus check_place(const char *file, const PmParam *params, size_t index, size_t config_size, PmError *err)
{
    const char *hint = "use the PM_PARAM_ macros and PM_PARAMS() with the same struct";
    const PmParam *p = &params[index];
    size_t size = pm_type_size(p->type);
    if (config_size < size || p->offset > config_size - size)
        return refuse(file, params, index, err, hint,
                      "expected its %zu bytes inside of the config struct's %zu, found offset %zu", size, config_size,
                      p->offset);
    if (p->offset % alignment(p->type) != 0)
        return refuse(file, params, index, err, hint, "expected an offset aligned to %zu, found %zu",
                      alignment(p->type), p->offset);
    for (size_t i = 0; i < index; i++)
        if (p->offset < params[i].offset + pm_type_size(params[i].type) && params[i].offset < p->offset + size)
            return refuse(file, params, index, err, "give each parameter a field of its own",
                          "expected a field of its own, found one that overlaps parameter %zu, %s", i + 1,
                          params[i].name);
    return PM_OK;
}

static PmStatus check_choices(const char *file, const PmParam *params, size_t index, PmError *err)
{
    const PmParam *p = &params[index];
    if (p->choices == NULL || p->choices[0] == NULL) {
        if (p->type == PM_ENUM || p->choices != NULL)
            return refuse(file, params, index, err, "list them in .choices, ended by NULL",
                          "expected choices, found none");
        return PM_OK;
    }
    if (p->type != PM_ENUM && p->type != PM_LIST)
        return refuse(file, params, index, err, "make it a PM_ENUM, or drop .choices",
                      "expected choices only on an enum or list, found them on a %s", pm_type_name(p->type));
    for (size_t i = 0; p->choices[i] != NULL; i++) {
        if (i == PM_PLUGIN_CHOICES_MAX)
            return refuse(file, params, index, err, "end .choices with NULL", "expected at most %d choices, found more",
                          PM_PLUGIN_CHOICES_MAX);
        for (size_t j = 0; j < i; j++)
            if (strcmp(p->choices[i], p->choices[j]) == 0)
                return refuse(file, params, index, err, "drop one of the two",
                              "expected choices that differ, found %.60s twice", p->choices[i]);
    }
    return PM_OK;
}

static PmStatus check_limits(const char *file, const PmParam *params, size_t index, PmError *err)
{
    const PmParam *p = &params[index];
    /* Written so that a NaN fails too. */
    if (!(p->min <= p->max))
        return refuse(file, params, index, err, "set both .min and .max; both 0 means no limit",
                      "expected min <= max, found min %g and max %g", p->min, p->max);
    if (p->flags & ~PM_FLAGS_ALL(PM_PARAM_FLAGS))
        return refuse(file, params, index, err, "update pixmill, or leave the flags out that it does not know",
                      "expected no flags but %s, found 0x%x", PM_FLAGS_NAMES(PM_PARAM_FLAGS) + 2,
                      (unsigned)(p->flags & ~PM_FLAGS_ALL(PM_PARAM_FLAGS)));
    if ((p->flags & PM_TEMPLATE) && p->type != PM_STRING)
        return refuse(file, params, index, err, "make it a PM_STRING, or drop the flag",
                      "expected PM_TEMPLATE only on a string, found it on a %s", pm_type_name(p->type));
    if ((p->flags & PM_PAIRS) && p->type != PM_LIST)
        return refuse(file, params, index, err, "make it a PM_LIST, or drop the flag",
                      "expected PM_PAIRS only on a list, found it on a %s", pm_type_name(p->type));
    return PM_OK;
}

/* What goes into JSON, docs and messages. */
static PmStatus check_text(const char *file, const PmParam *params, size_t index, PmError *err)
{
    const PmParam *p = &params[index];
    const char *texts[] = {p->def, p->unit, p->doc};
    bool ok = true;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        ok = ok && (texts[i] == NULL || pm_text_is_utf8(texts[i], strlen(texts[i])));
    for (size_t i = 0; p->choices != NULL && p->choices[i] != NULL; i++)
        ok = ok && pm_text_is_utf8(p->choices[i], strlen(p->choices[i]));
    if (ok) return PM_OK;
    return refuse(file, params, index, err, "save the source file as UTF-8",
                  "expected its texts in UTF-8, found other bytes");
}

/* The default is read by the very code that reads it at start, so that what passes here cannot fail there. */
static PmStatus check_default(const char *file, const PmParam *params, size_t index, PmError *err)
{
    const PmParam *p = &params[index];
    if (p->def == NULL) return PM_OK;
    if (p->flags & PM_REQUIRED)
        return refuse(file, params, index, err, "drop .def or PM_REQUIRED",
                      "expected a required parameter without a default, found the default %.60s", p->def);
    PmParam only = *p;
    union {
        PmColor color;
        PmList list;
        PmLength length;
        int64_t whole;
    } value = {0};
    only.offset = 0;
    PmErrorList errors = {0};
    PmArena *arena = pm_arena_new();
    PmDecodeContext context = {.errors = &errors};
    PmStatus status = PM_OK;
    if (!pm_decode_params(&context, NULL, &only, 1, &value, arena))
        status = refuse(file, params, index, err, "correct .def, or the limits and choices it breaks",
                        "expected a default that its own rules allow, found %.60s: %.200s", p->def,
                        errors.count > 0 ? errors.items[0].message : "refused");
    pm_arena_free(arena);
    pm_error_list_finish(&errors);
    return status;
}

PmStatus pm_params_check(const char *file, const PmParam *params, size_t count, size_t config_size, PmError *err)
{
    for (size_t i = 0; i < count; i++) {
        PmStatus status = check_name(file, params, i, err);
        if (status != PM_OK) return status;
        if ((unsigned)params[i].type > PM_LENGTH)
            return refuse(file, params, i, err, "use the PM_PARAM_ macros", "expected a type of 0 to %d, found %u",
                          PM_LENGTH, (unsigned)params[i].type);
        status = check_place(file, params, i, config_size, err);
        if (status == PM_OK) status = check_choices(file, params, i, err);
        if (status == PM_OK) status = check_limits(file, params, i, err);
        if (status == PM_OK) status = check_text(file, params, i, err);
        if (status == PM_OK) status = check_default(file, params, i, err);
        if (status != PM_OK) return status;
    }
    return PM_OK;
}
