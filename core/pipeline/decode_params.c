/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/decode_params.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "pipeline/template.h"

enum { NAMES_MAX = 64 };

typedef struct Binding {
    const PmDecodeContext *context;
    const PmParam *param;
    const PmNode *node; /* NULL: the default is being read */
    PmArena *arena;
    bool ok;
} Binding;

size_t pm_type_size(PmType type)
{
    switch (type) {
    case PM_BOOL:
        return sizeof(bool);
    case PM_INT:
    case PM_BYTES:
    case PM_DURATION:
        return sizeof(int64_t);
    case PM_NUMBER:
        return sizeof(double);
    case PM_STRING:
    case PM_ASSET:
    case PM_ENDPOINT:
        return sizeof(const char *);
    case PM_ENUM:
        return sizeof(int32_t);
    case PM_COLOR:
        return sizeof(PmColor);
    case PM_LIST:
        return sizeof(PmList);
    case PM_LENGTH:
        return sizeof(PmLength);
    }
    return 0;
}

const char *pm_type_name(PmType type)
{
    static const char *const names[] = {"boolean", "integer", "number", "string", "choice",   "color",
                                        "list",    "asset",   "URL",    "size",   "duration", "length"};
    size_t i = (size_t)type;
    return i < sizeof names / sizeof names[0] ? names[i] : "unknown";
}

static PmError *complain(Binding *b, const PmNode *at, const char *fmt, ...) PM_PRINTF(3, 4);
static PmError *complain(Binding *b, const PmNode *at, const char *fmt, ...)
{
    char message[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    b->ok = false;
    return pm_error_list_addf(b->context->errors, PM_BAD_CONFIG, b->context->file,
                              at != NULL ? at->line : b->context->line, at != NULL ? at->column : b->context->column,
                              b->context->where, "%s", message);
}

static void hint(PmError *err, const char *fmt, const char *word)
{
    if (err != NULL && word[0] != '\0') pm_error_hint(err, fmt, word);
}

/* URLs carry passwords and keys. */
static bool is_secret(const PmParam *param)
{
    return (param->flags & PM_SECRET) != 0 || param->type == PM_ENDPOINT;
}

/* What the operator wrote at `at` (NULL: `text` is a default), shortened; never a secret. */
static const char *shown(const Binding *b, const PmNode *at, const char *text, char *out, size_t size)
{
    if (is_secret(b->param)) return "the value given";
    char cut[80];
    bool whole = pm_text_copy(cut, sizeof cut, at != NULL && at->variable ? pm_node_quoted(at) : text);
    snprintf(out, size, "\"%s%s\"", cut, whole ? "" : "...");
    return out;
}

/* Numbers as people write them: 300, not 300.000000. */
static const char *number_text(double value, char out[32])
{
    snprintf(out, 32, "%.10g", value);
    return out;
}

static PmError *bad_value(Binding *b, const char *text, const char *expected)
{
    char buffer[100];
    const char *found = b->node != NULL && b->node->kind != PM_NODE_SCALAR
                            ? pm_node_kind_name(b->node)
                            : shown(b, b->node, text, buffer, sizeof buffer);
    return complain(b, b->node, "%s must be %s, not %s", b->param->name, expected, found);
}

/* 30 of a duration, 1G of a size, 100MP of a count. */
static void suggest_unit(const PmParam *p, PmError *err, const char *text)
{
    size_t digits = strspn(text, "0123456789."), rest = strlen(text) - digits;
    int64_t ignored;
    char meant[60];
    if (digits == 0 || digits > 20 || rest > 4) return;
    if (p->type == PM_DURATION && rest == 0) {
        snprintf(meant, sizeof meant, "%ss", text);
        if (pm_parse_duration(meant, &ignored, NULL, 0)) pm_error_hint(err, "did you mean %s?", meant);
    } else if (p->type == PM_BYTES) {
        snprintf(meant, sizeof meant, "%.*s%ciB", (int)digits, text, toupper((unsigned char)text[digits]));
        if (rest > 0 && pm_parse_bytes(meant, &ignored, NULL, 0)) pm_error_hint(err, "did you mean %s?", meant);
    } else if (p->type == PM_INT && rest > 1) {
        snprintf(meant, sizeof meant, "%.*s%c", (int)digits, text, text[digits]);
        if (pm_parse_count(meant, &ignored, NULL, 0)) pm_error_hint(err, "did you mean %s?", meant);
    }
}

/* What a value of another kind probably means: 0.8 of 1 to 100, 80%, 100px, yes. */
static void suggest_value(const Binding *b, PmError *err, const char *text)
{
    static const char *const yes[] = {"yes", "Yes", "YES", "on", "On", "y"}, *const no[] = {"no",  "No",  "NO",
                                                                                            "off", "Off", "n"};
    const PmParam *p = b->param;
    PmLength length;
    if (err == NULL || is_secret(p)) return;
    for (size_t i = 0; p->type == PM_BOOL && i < sizeof yes / sizeof yes[0]; i++) {
        if (strcmp(text, yes[i]) == 0) pm_error_hint(err, "did you mean true?");
        if (strcmp(text, no[i]) == 0) pm_error_hint(err, "did you mean false?");
    }
    suggest_unit(p, err, text);
    if ((p->type != PM_INT && p->type != PM_NUMBER) || !pm_parse_length(text, &length, NULL, 0)) return;
    bool hundred = p->type == PM_INT && p->max == 100, share = p->type == PM_NUMBER && p->max == 1;
    double value = length.value;
    if (hundred && !length.percent && value < 1) value *= 100;
    if (share && (length.percent || value > 1)) value /= 100;
    if ((length.percent && !hundred && !share) || (p->type == PM_INT && value != floor(value))) return;
    if (p->max > p->min && (value < p->min || value > p->max)) return;
    if (hundred || share)
        pm_error_hint(err, "did you mean %.10g? %s runs from %.10g to %.10g", value, p->name, p->min, p->max);
    else
        pm_error_hint(err, "write the number alone: %.10g", value);
}

static bool limited(const PmParam *param)
{
    return param->min != 0 || param->max != 0;
}

static void check_range(Binding *b, double value, const char *text)
{
    const PmParam *p = b->param;
    if (!limited(p) || (value >= p->min && value <= p->max)) return;
    char limit[32];
    double bound = value < p->min ? p->min : p->max;
    if (p->type == PM_BYTES)
        pm_text_bytes(limit, sizeof limit, (long long)bound);
    else if (p->type == PM_DURATION)
        pm_text_duration(limit, sizeof limit, (long long)bound);
    else
        number_text(bound, limit);
    if (b->node != NULL && b->node->variable) text = pm_node_quoted(b->node);
    bool secret = is_secret(p), percent = p->unit != NULL && strcmp(p->unit, "%") == 0;
    PmError *err = complain(b, b->node, "%s %.60s is %s %s%s", p->name, secret ? "(a secret)" : text,
                            value < p->min ? "below" : "above", limit, percent ? "%" : "");
    if (p->type == PM_NUMBER && p->max == 1 && value >= 5) suggest_value(b, err, text); /* 50, of a hundred */
}

static void check_length(Binding *b, size_t length, const char *what)
{
    const PmParam *p = b->param;
    char limit[32];
    if (!limited(p)) return;
    if ((double)length < p->min)
        complain(b, b->node, "%s needs at least %s %s, not %zu", p->name, number_text(p->min, limit), what, length);
    else if ((double)length > p->max)
        complain(b, b->node, "%s takes at most %s %s, not %zu", p->name, number_text(p->max, limit), what, length);
}

static bool find_choice(const PmParam *param, const char *text, int32_t *index)
{
    for (int32_t i = 0; param->choices != NULL && param->choices[i] != NULL; i++)
        if (strcmp(param->choices[i], text) == 0) {
            *index = i;
            return true;
        }
    return false;
}

static void bad_choice(Binding *b, const PmNode *at, const char *text)
{
    char all[400], buffer[100];
    pm_text_join(b->param->choices, ", ", all, sizeof all);
    PmError *err =
        complain(b, at, "%s %s is not one of %s", b->param->name, shown(b, at, text, buffer, sizeof buffer), all);
    const char *near = pm_text_nearest(text, b->param->choices);
    if (near != NULL) hint(err, "did you mean \"%s\"?", near);
}

/* Only the form: which facts are known is for those who know all plugins. */
static void check_template(Binding *b, const char *text)
{
    PmError err = {0};
    size_t at = 0;
    PmTemplate *tmpl = pm_template_new(PM_TEMPLATE_TEXT, text, &at, &err);
    if (tmpl == NULL) hint(complain(b, b->node, "%s: %s", b->param->name, err.message), "%s", err.hint);
    pm_template_free(tmpl);
}

static void bind_string(Binding *b, const char *text, void *field)
{
    const PmParam *p = b->param;
    check_length(b, strlen(text), "characters");
    if ((p->flags & PM_TEMPLATE) != 0) check_template(b, text);
    if (p->type == PM_ENDPOINT && strncmp(text, "https://", 8) != 0 && strncmp(text, "http://", 7) != 0 &&
        strncmp(text, "aws://", 6) != 0)
        bad_value(b, text, "a URL that begins with https://, http:// or aws://");
    if (p->type == PM_ASSET && text[0] == '\0') bad_value(b, text, "the name of a file");
    *(const char **)field = pm_arena_strdup(b->arena, text);
}

static void bind_scalar(Binding *b, const char *text, bool plain, void *field)
{
    const PmParam *p = b->param;
    char why[120] = "";
    int64_t whole = 0;
    bool ok = true;
    bool textual = p->type == PM_STRING || p->type == PM_ASSET || p->type == PM_ENDPOINT || p->type == PM_ENUM ||
                   p->type == PM_COLOR || p->type == PM_LENGTH || p->type == PM_BYTES || p->type == PM_DURATION;
    if (!plain && !textual) { /* "300" in quotes is text, as YAML says */
        char buffer[100];
        bool secret = is_secret(p);
        PmError *err = complain(b, b->node, "%s must be %s, not %s%s", p->name,
                                p->type == PM_BOOL  ? "true or false"
                                : p->type == PM_INT ? "a whole number"
                                                    : "a number",
                                secret ? "" : "the text ", shown(b, b->node, text, buffer, sizeof buffer));
        bool truth;
        double number;
        if (p->type == PM_BOOL ? pm_parse_bool(text, &truth, NULL, 0) : pm_parse_number(text, &number, NULL, 0))
            hint(err, "%s", "take the quotes away");
        else
            suggest_value(b, err, text);
        return;
    }
    switch (p->type) {
    case PM_BOOL:
        ok = pm_parse_bool(text, field, why, sizeof why);
        break;
    case PM_INT:
        ok = pm_parse_int(text, &whole, why, sizeof why);
        break;
    case PM_BYTES:
        ok = pm_parse_bytes(text, &whole, why, sizeof why);
        break;
    case PM_DURATION:
        ok = pm_parse_duration(text, &whole, why, sizeof why);
        break;
    case PM_NUMBER:
        ok = pm_parse_number(text, field, why, sizeof why);
        if (ok) check_range(b, *(double *)field, text);
        break;
    case PM_COLOR:
        ok = pm_parse_color(text, field, why, sizeof why);
        break;
    case PM_LENGTH:
        ok = pm_parse_length(text, field, why, sizeof why);
        if (ok) check_range(b, ((PmLength *)field)->value, text);
        break;
    case PM_ENUM:
        if (!find_choice(p, text, field)) bad_choice(b, b->node, text);
        break;
    case PM_STRING:
    case PM_ASSET:
    case PM_ENDPOINT:
        bind_string(b, text, field);
        break;
    case PM_LIST:
        break;
    }
    if (!ok) suggest_value(b, bad_value(b, text, why), text);
    if (ok && (p->type == PM_INT || p->type == PM_BYTES || p->type == PM_DURATION)) {
        *(int64_t *)field = whole;
        check_range(b, (double)whole, text);
    }
}

static void bind_list(Binding *b, const PmNode *const *items, size_t count, PmList *list)
{
    const char **texts = pm_arena_alloc(b->arena, (count + 1) * sizeof *texts);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        int32_t index;
        if (items[i]->kind != PM_NODE_SCALAR) {
            complain(b, items[i], "%s: item %zu must be text, not %s", b->param->name, i + 1,
                     pm_node_kind_name(items[i]));
            continue;
        }
        if (b->param->choices != NULL && !find_choice(b->param, items[i]->text, &index)) {
            bad_choice(b, items[i], items[i]->text);
            continue;
        }
        texts[kept++] = pm_arena_strdup(b->arena, items[i]->text);
    }
    check_length(b, count, "items");
    *list = (PmList){kept > 0 ? texts : NULL, kept};
}

/* { team: web } -> "team=web" */
static void bind_pairs(Binding *b, const PmNode *mapping, PmList *list)
{
    const char **texts = pm_arena_alloc(b->arena, (mapping->count + 1) * sizeof *texts);
    size_t kept = 0;
    for (size_t i = 0; i < mapping->count; i++) {
        const PmNode *key = mapping->pairs[i].key, *value = mapping->pairs[i].value;
        if (value->kind != PM_NODE_SCALAR || strchr(key->text, '=') != NULL) {
            complain(b, value, "%s: %.60s must be text, not %s", b->param->name, key->text, pm_node_kind_name(value));
            continue;
        }
        size_t n = strlen(key->text) + strlen(value->text) + 2;
        char *text = pm_arena_alloc(b->arena, n);
        snprintf(text, n, "%s=%s", key->text, value->text);
        texts[kept++] = text;
    }
    check_length(b, mapping->count, "entries");
    *list = (PmList){kept > 0 ? texts : NULL, kept};
}

/* A default is YAML text: a list in it is written [a, b]. */
static void bind_default(Binding *b, void *field)
{
    const PmParam *p = b->param;
    if (p->def == NULL) return;
    if (p->type != PM_LIST) {
        bind_scalar(b, p->def, true, field);
        return;
    }
    PmErrorList ignored = {0};
    PmTree *tree = pm_tree_parse("default", p->def, strlen(p->def), &ignored);
    const PmNode *root = tree != NULL ? pm_tree_root(tree) : NULL;
    if (root != NULL && root->kind == PM_NODE_MAPPING && (p->flags & PM_PAIRS) != 0)
        bind_pairs(b, root, field);
    else if (root != NULL && root->kind == PM_NODE_SEQUENCE)
        bind_list(b, root->items, root->count, field);
    else if (root != NULL && root->kind == PM_NODE_SCALAR && !pm_node_is_null(root))
        bind_list(b, &root, 1, field);
    pm_tree_free(tree);
    pm_error_list_finish(&ignored);
}

/* `path: {stem}`: to YAML a mapping with one key and no value. */
static void suggest_quotes(PmError *err, const PmNode *node)
{
    if (node->kind != PM_NODE_MAPPING || node->count != 1) return;
    const PmNode *key = node->pairs[0].key, *value = node->pairs[0].value;
    if (key->plain && pm_node_is_null(value) && value->plain && err != NULL)
        pm_error_hint(err, "put quotes around it: \"{%.60s}\"", key->text);
}

static void bind_value(Binding *b, void *field)
{
    const PmNode *node = b->node;
    if (b->param->type == PM_LIST && (b->param->flags & PM_PAIRS) != 0) {
        if (node->kind == PM_NODE_MAPPING)
            bind_pairs(b, node, field);
        else
            bad_value(b, node->kind == PM_NODE_SCALAR ? node->text : "", "a mapping such as { name: value }");
    } else if (b->param->type == PM_LIST && node->kind == PM_NODE_SEQUENCE) {
        bind_list(b, node->items, node->count, field);
    } else if (b->param->type == PM_LIST && node->kind == PM_NODE_SCALAR && !pm_node_is_null(node)) {
        bind_list(b, &node, 1, field);
    } else if (b->param->type == PM_LIST) {
        bad_value(b, "", "a list such as [a, b]");
    } else if (node->kind != PM_NODE_SCALAR || (pm_node_is_null(node) && node->plain)) {
        char expected[80];
        snprintf(expected, sizeof expected, "%s %s",
                 strchr("aeiou", pm_type_name(b->param->type)[0]) != NULL ? "an" : "a", pm_type_name(b->param->type));
        PmError *err = complain(b, node, "%s must be %s, not %s", b->param->name, expected, pm_node_kind_name(node));
        if (b->param->type == PM_COLOR && pm_node_is_null(node))
            hint(err, "%s", "\"#\" begins a comment: put the color in quotes");
        suggest_quotes(err, node);
    } else {
        bind_scalar(b, node->text, node->plain || node->variable, field);
    }
}

static void check_unknown(Binding *b, const PmNode *mapping, const PmParam *params, size_t count)
{
    const char *names[NAMES_MAX + 1];
    size_t n = 0;
    for (size_t i = 0; i < count && n < NAMES_MAX; i++) names[n++] = params[i].name;
    for (size_t i = 0; b->context->also != NULL && b->context->also[i] != NULL && n < NAMES_MAX; i++)
        names[n++] = b->context->also[i];
    names[n] = NULL;
    for (size_t i = 0; i < mapping->count; i++) {
        const PmNode *key = mapping->pairs[i].key;
        if (pm_text_is_one_of(key->text, names)) continue;
        if (b->context->extensions && strncmp(key->text, "x-", 2) == 0) continue;
        PmError *err = complain(b, key, "unknown key \"%.80s\"", key->text);
        const char *near = pm_text_nearest(key->text, names), *colon = strchr(key->text, ':');
        char all[220];
        pm_text_join(names, ", ", all, sizeof all);
        if (colon != NULL && err != NULL)
            pm_error_hint(err, "a space belongs behind the colon: \"%.*s: %.40s\"", (int)(colon - key->text), key->text,
                          colon + 1);
        else if (near != NULL)
            hint(err, "did you mean \"%s\"?", near);
        else if (n > 0 && strlen(all) < sizeof all - 1)
            hint(err, "known keys: %s", all);
        else if (n == 0)
            hint(err, "%s", "it takes no parameters");
    }
}

/* `file: out/x` means its path; otherwise the keys are told. */
static void suggest_mapping(PmError *err, const PmNode *node, const PmParam *params, size_t count)
{
    const char *names[NAMES_MAX + 1], *needed = NULL;
    char all[200];
    size_t n = 0, required = 0;
    for (size_t i = 0; i < count && n < NAMES_MAX; i++) {
        names[n++] = params[i].name;
        if ((params[i].flags & PM_REQUIRED) == 0) continue;
        required++;
        needed = params[i].type == PM_STRING ? params[i].name : NULL;
    }
    names[n] = NULL;
    pm_text_join(names, ", ", all, sizeof all);
    if (err == NULL || n == 0) return;
    if (required == 1 && needed != NULL && node->kind == PM_NODE_SCALAR && !node->variable)
        pm_error_hint(err, "write { %s: \"%.80s\" }", needed, node->text);
    else
        pm_error_hint(err, "known keys: %s", all);
}

static void warn_deprecated(const Binding *b)
{
    const PmDecodeContext *context = b->context;
    if (context->warnings == NULL) return;
    PmError *warning = pm_error_list_addf(context->warnings, PM_BAD_CONFIG, context->file, b->node->line,
                                          b->node->column, context->where, "%s is deprecated", b->param->name);
    if (b->param->doc != NULL) hint(warning, "%s", b->param->doc);
}

bool pm_decode_params(const PmDecodeContext *context, const PmNode *mapping, const PmParam *params, size_t count,
                      void *config, PmArena *arena)
{
    Binding b = {.context = context, .arena = arena, .ok = true};
    if (mapping != NULL && mapping->failed) return false; /* reported already */
    if (mapping == NULL || pm_node_is_null(mapping)) {
        b.node = NULL;
    } else if (mapping->kind != PM_NODE_MAPPING) {
        suggest_mapping(complain(&b, mapping, "expected a mapping of parameters, not %s", pm_node_kind_name(mapping)),
                        mapping, params, count);
        return false;
    } else {
        check_unknown(&b, mapping, params, count);
    }
    for (size_t i = 0; i < count; i++) {
        const PmParam *param = &params[i];
        void *field = (char *)config + param->offset;
        b.param = param;
        b.node = pm_node_get(mapping, param->name);
        if (b.node != NULL && b.node->failed) {
            b.ok = false; /* reported already */
        } else if (b.node != NULL) {
            bind_value(&b, field);
            if ((param->flags & PM_DEPRECATED) != 0) warn_deprecated(&b);
        } else if ((param->flags & PM_REQUIRED) != 0) {
            PmError *err = complain(&b, mapping, "%s is missing", param->name);
            if (param->doc != NULL) hint(err, "%s", param->doc);
        } else {
            bind_default(&b, field);
        }
    }
    return b.ok;
}
