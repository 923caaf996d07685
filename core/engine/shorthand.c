/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/shorthand.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const PmParam *param_of(const PmTransform *transform, const char *name)
{
    for (size_t i = 0; i < transform->param_count; i++)
        if (strcmp(transform->params[i].name, name) == 0) return &transform->params[i];
    return NULL;
}

static size_t count_of(const PmTransform *transform)
{
    size_t count = 0;
    while (transform->shorthand != NULL && transform->shorthand[count] != NULL && count <= PM_SHORTHAND_MAX) count++;
    return count;
}

PmStatus pm_shorthand_check(const char *file, const PmTransform *transform, PmError *err)
{
    size_t count = count_of(transform);
    if (transform->shorthand == NULL) return PM_OK;
    if (count == 0 || count > PM_SHORTHAND_MAX) {
        pm_error_set(err, PM_BAD_CONFIG, "%s: expected 1 to %d parameters in .shorthand, found %s", file,
                     (int)PM_SHORTHAND_MAX, count == 0 ? "none" : "more");
        return pm_error_hint(err, "end .shorthand with NULL, or leave it out"), PM_BAD_CONFIG;
    }
    for (size_t i = 0; i < count; i++) {
        const char *name = transform->shorthand[i];
        const PmParam *param = param_of(transform, name);
        bool again = false;
        for (size_t k = 0; k < i; k++) again |= strcmp(transform->shorthand[k], name) == 0;
        if (param == NULL || again) {
            pm_error_set(err, PM_BAD_CONFIG, "%s: expected parameters that differ in .shorthand, found \"%.60s\"%s",
                         file, pm_text_is_utf8(name, strlen(name)) ? name : "?", again ? " twice" : "");
            return pm_error_hint(err, "name parameters of the table"), PM_BAD_CONFIG;
        }
        if (count > 1 && param->type != PM_INT && param->type != PM_NUMBER && param->type != PM_LENGTH) {
            pm_error_set(err, PM_BAD_CONFIG,
                         "%s: expected numbers and lengths only in .shorthand with several, found %.60s, a %s", file,
                         name, pm_type_name(param->type));
            return pm_error_hint(err, "the x between two parts could belong to other values"), PM_BAD_CONFIG;
        }
    }
    return PM_OK;
}

static PmNode *scalar(const PmNode *like, const char *text, size_t offset, PmArena *arena)
{
    PmNode *node = pm_arena_alloc(arena, sizeof *node);
    *node = *like;
    node->text = text;
    if (node->plain && !node->variable) node->column += (int)offset;
    return node;
}

/* The x between two parts; not the one of "300px". */
static const char *end_of_part(const char *text)
{
    for (const char *c = text; *c != '\0'; c++)
        if ((*c == 'x' || *c == 'X') && (c == text || tolower((unsigned char)c[-1]) != 'p')) return c;
    return NULL;
}

const PmNode *pm_shorthand_expand(const PmTransform *transform, const PmNode *value, PmArena *arena)
{
    size_t count = count_of(transform), n = 0;
    if (count == 0) return NULL;
    PmPair *pairs = pm_arena_alloc(arena, count * sizeof *pairs);
    const char *rest = value->text;
    for (size_t i = 0; rest != NULL; i++) {
        const char *end = count > 1 ? end_of_part(rest) : NULL;
        size_t size = end != NULL ? (size_t)(end - rest) : strlen(rest);
        if (i == count) return NULL;
        if (size > 0 || count == 1) { /* "x200": the height alone */
            char *text = pm_arena_strdup(arena, rest);
            text[size] = '\0';
            PmNode *part = scalar(value, text, (size_t)(rest - value->text), arena);
            part->plain |= count > 1; /* "300x200" in quotes are numbers, too */
            pairs[n++] = (PmPair){scalar(value, transform->shorthand[i], 0, arena), part};
        }
        rest = end != NULL ? end + 1 : NULL;
    }
    PmNode *mapping = pm_arena_alloc(arena, sizeof *mapping);
    *mapping =
        (PmNode){.kind = PM_NODE_MAPPING, .line = value->line, .column = value->column, .count = n, .pairs = pairs};
    return mapping;
}

const PmNode *pm_shorthand_join(const PmNode *expanded, const PmNode *params, PmArena *arena)
{
    size_t n = expanded->count;
    PmPair *pairs = pm_arena_alloc(arena, (n + params->count) * sizeof *pairs);
    for (size_t i = 0; i < n; i++) pairs[i] = expanded->pairs[i];
    for (size_t i = 0; i < params->count; i++)
        if (params->pairs[i].key->text[0] != '\0') pairs[n++] = params->pairs[i];
    PmNode *joined = pm_arena_alloc(arena, sizeof *joined);
    *joined = *params;
    joined->count = n;
    joined->pairs = pairs;
    return joined;
}

void pm_shorthand_form(const PmTransform *transform, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < count_of(transform); i++)
        for (const char *c = i > 0 ? "x" : "", *name = transform->shorthand[i]; *c != '\0' || *name != '\0';) {
            if (used + 2 > size) return;
            out[used++] = *c != '\0' ? *c++ : (char)toupper((unsigned char)*name++);
            out[used] = '\0';
        }
}
