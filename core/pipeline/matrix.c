/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/matrix.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"
#include "pipeline/sections.h"

enum { VARIABLES_MAX = 8, VALUES_MAX = PM_OUTPUTS_MAX, NAME_MAX_BYTES = 32 };

typedef struct Variable {
    const PmNode *key;
    const PmNode *const *values; /* scalars */
    size_t count;
    size_t at; /* of the combination at hand */
    bool used;
} Variable;

typedef struct Matrix {
    const PmReading *r;
    const char *where; /* "outputs.photo" */
    int line;          /* of `for` */
    Variable variables[VARIABLES_MAX];
    size_t count;
    size_t *nodes, *bytes; /* that were copied for all matrices of the file */
} Matrix;

/* --- reading --- */

static bool variable_name_ok(const char *name)
{
    size_t n = strlen(name);
    return n > 0 && n <= NAME_MAX_BYTES && name[0] >= 'a' && name[0] <= 'z' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == n;
}

static bool read_values(const Matrix *m, const PmNode *node, Variable *variable)
{
    const char *name = variable->key->text;
    if (node->failed) return false;
    const PmNode **alone = pm_arena_alloc(m->r->pipeline->arena, sizeof *alone);
    *alone = node; /* a list of one may be written without brackets */
    bool list = node->kind == PM_NODE_SEQUENCE;
    variable->values = list ? node->items : (const PmNode *const *)alone;
    variable->count = list ? node->count : 1;
    if (variable->count == 0 || variable->count > VALUES_MAX) {
        pm_read_error(m->r, node, m->where, "for: %s has %zu values; 1 to %d are allowed", name, variable->count,
                      (int)VALUES_MAX);
        return false;
    }
    for (size_t i = 0; i < variable->count; i++) {
        const PmNode *value = variable->values[i];
        if (value->failed) return false;
        if (value->kind == PM_NODE_SCALAR && !pm_node_is_null(value) && value->text[0] != '\0') continue;
        PmError *err = pm_read_error(m->r, value, m->where, "for: a value of %s must be a number or text, not %s", name,
                                     pm_node_kind_name(value));
        if (err != NULL) pm_error_hint(err, "write for: { size: [320, 640], format: [avif, jpeg] }");
        return false;
    }
    return true;
}

static bool read_for(Matrix *m, const PmNode *node)
{
    if (node->failed) return false;
    if (node->kind != PM_NODE_MAPPING || node->count == 0) {
        PmError *err = pm_read_error(m->r, node, m->where, "for must be a mapping from names to values, not %s",
                                     node->kind == PM_NODE_MAPPING ? "an empty one" : pm_node_kind_name(node));
        if (err != NULL) pm_error_hint(err, "write for: { size: [320, 640], format: [avif, jpeg] }");
        return false;
    }
    if (node->count > VARIABLES_MAX) {
        pm_read_error(m->r, node, m->where, "for has %zu names; %d are allowed", node->count, (int)VARIABLES_MAX);
        return false;
    }
    bool good = true;
    for (size_t i = 0; i < node->count; i++) {
        Variable *variable = &m->variables[m->count++];
        *variable = (Variable){.key = node->pairs[i].key, .values = &node->pairs[i].key, .count = 1};
        if (!variable_name_ok(variable->key->text)) {
            PmError *err =
                pm_read_error(m->r, variable->key, m->where, "for: \"%.60s\" cannot name a value", variable->key->text);
            if (err != NULL) pm_error_hint(err, "use 1 to %d of a-z, 0-9 and _, a letter first", (int)NAME_MAX_BYTES);
            good = false;
        } else {
            good = read_values(m, node->pairs[i].value, variable) && good;
        }
    }
    return good;
}

/* How many outputs it makes; 0 after an error. */
static size_t combinations(const Matrix *m, const PmNode *node)
{
    size_t product = 1; /* at most 64 to the power of 8 */
    for (size_t i = 0; i < m->count; i++) product *= m->variables[i].count;
    if (product <= PM_OUTPUTS_MAX) return product;
    pm_read_error(m->r, node, m->where, "for makes %zu outputs; %d are allowed", product, (int)PM_OUTPUTS_MAX);
    return 0;
}

/* The next combination: the last name's values change first, as they are read. */
static void advance(Matrix *m)
{
    for (size_t i = m->count; i-- > 0;) {
        if (++m->variables[i].at < m->variables[i].count) return;
        m->variables[i].at = 0;
    }
}

/* --- filling in --- */

static const PmNode *value_of(const Variable *variable)
{
    return variable->values[variable->at];
}

/* The {name} that `text` begins with; its size in *size. NULL: another fact, or none. */
static Variable *variable_at(Matrix *m, const char *text, size_t *size)
{
    for (size_t i = 0; i < m->count; i++) {
        size_t n = strlen(m->variables[i].key->text);
        if (strncmp(text + 1, m->variables[i].key->text, n) != 0 || text[1 + n] != '}') continue;
        *size = n + 2;
        return &m->variables[i];
    }
    return NULL;
}

/* {siez} is no fact, and nearly one of the names. */
static bool misspelt(const Matrix *m, const PmNode *node, const char *text)
{
    char word[NAME_MAX_BYTES + 1];
    const char *names[VARIABLES_MAX + 1];
    size_t n = strcspn(text + 1, "{}");
    if (text[1 + n] != '}' || n == 0 || n >= sizeof word) return false;
    snprintf(word, sizeof word, "%.*s", (int)n, text + 1);
    for (size_t i = 0; i < m->count; i++) names[i] = m->variables[i].key->text;
    names[m->count] = NULL;
    const char *near = pm_fact_info(word) == NULL && strchr(word, '.') == NULL ? pm_text_nearest(word, names) : NULL;
    if (near == NULL) return false;
    PmError *err = pm_read_error(m->r, node, m->where, "\"{%s}\" is neither in for nor a fact", word);
    if (err != NULL) pm_error_hint(err, "did you mean {%s}?", near);
    return true;
}

/* The text with the values in it; {{ and }} stay, as templates have them. *alone: the value that the text is, with
 * nothing beside it. False when nothing is to be filled in. */
static bool fill_text(Matrix *m, const PmNode *node, PmBuffer *out, const PmNode **alone, bool *secret, bool *wrong)
{
    bool filled = false;
    const char *text = node->text;
    for (const char *p = text; *p != '\0';) {
        size_t size = 1;
        bool twice = (p[0] == '{' || p[0] == '}') && p[1] == p[0];
        Variable *variable = p[0] == '{' && !twice ? variable_at(m, p, &size) : NULL;
        if (variable != NULL) {
            const PmNode *value = value_of(variable);
            pm_buffer_adds(out, value->text);
            variable->used = filled = true;
            *secret = *secret || value->variable;
            if (p == text && p[size] == '\0') *alone = value;
        } else {
            if (p[0] == '{' && !twice && misspelt(m, node, p)) *wrong = true;
            size = twice ? 2 : 1;
            pm_buffer_add(out, p, size);
        }
        p += size;
    }
    return filled;
}

static PmNode *copy_of(const Matrix *m, const PmNode *node)
{
    if (++*m->nodes > PM_TREE_NODES_MAX) return NULL;
    PmNode *copy = pm_arena_alloc(m->r->pipeline->arena, sizeof *copy);
    *copy = *node;
    return copy;
}

static const PmNode *too_much(const Matrix *m, const PmNode *node)
{
    pm_read_error(m->r, node, m->where, "the matrices of this file stand for more than %d values or 1 MiB of text",
                  (int)PM_TREE_NODES_MAX);
    return NULL;
}

static const PmNode *fill_scalar(Matrix *m, const PmNode *node)
{
    if (strchr(node->text, '{') == NULL) return node;
    PmBuffer out;
    pm_buffer_init(&out, PM_TREE_TEXT_MAX - *m->bytes);
    const PmNode *alone = NULL, *result = node;
    bool secret = node->variable, wrong = false;
    bool filled = fill_text(m, node, &out, &alone, &secret, &wrong);
    PmNode *copy = (filled || wrong) && !out.failed ? copy_of(m, node) : NULL;
    if (copy != NULL) {
        *m->bytes += out.size;
        copy->text = pm_arena_strdup(m->r->pipeline->arena, out.data != NULL ? out.data : "");
        copy->plain = alone != NULL && alone->plain;
        copy->variable = true;
        copy->failed = wrong;
        /* What a ${VAR} brought is not shown. */
        copy->written = !secret ? NULL : node->written != NULL ? node->written : node->text;
        result = copy;
    } else if (filled || wrong) {
        result = too_much(m, node);
    }
    pm_buffer_finish(&out);
    return result;
}

/* The node itself where nothing below it takes a value; NULL: too much, and reported. */
static const PmNode *fill(Matrix *m, const PmNode *node)
{
    if (node->kind == PM_NODE_SCALAR) return fill_scalar(m, node);
    bool list = node->kind == PM_NODE_SEQUENCE;
    PmNode *copy = NULL;
    for (size_t i = 0; i < node->count; i++) {
        const PmNode *was = list ? node->items[i] : node->pairs[i].value, *is = fill(m, was);
        if (is == NULL) return NULL;
        if (is == was) continue;
        if (copy == NULL) {
            size_t size = node->count * (list ? sizeof *node->items : sizeof *node->pairs);
            *m->nodes += node->count;
            if ((copy = copy_of(m, node)) == NULL) return too_much(m, node);
            void *items = pm_arena_alloc(m->r->pipeline->arena, size);
            memcpy(items, list ? (const void *)node->items : (const void *)node->pairs, size);
            copy->items = list ? items : NULL;
            copy->pairs = list ? NULL : items;
        }
        if (list)
            copy->items[i] = is;
        else
            ((PmPair *)copy->pairs)[i].value = is; /* the copy's own */
    }
    return copy != NULL ? copy : node;
}

/* --- outputs --- */

/* "photo" and 320, avif -> "photo-320-avif"; what cannot stand in a name becomes "-". */
static const char *name_of(const Matrix *m, const char *base)
{
    char name[128];
    size_t used = (size_t)snprintf(name, sizeof name, "%.60s", base);
    for (size_t i = 0; i < m->count; i++) {
        const char *text = value_of(&m->variables[i])->text;
        if (used + 1 < sizeof name) name[used++] = '-';
        for (; *text != '\0' && used + 1 < sizeof name; text++) {
            char c = *text >= 'A' && *text <= 'Z' ? (char)(*text - 'A' + 'a') : *text;
            name[used++] = strchr("abcdefghijklmnopqrstuvwxyz0123456789_-", c) != NULL ? c : '-';
        }
    }
    name[used] = '\0';
    return pm_arena_strdup(m->r->pipeline->arena, name);
}

/* "size 320, format avif" */
static void combination_text(const Matrix *m, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < m->count && used < size; i++) {
        int n = snprintf(out + used, size - used, "%s%.20s %.24s", i > 0 ? ", " : "", m->variables[i].key->text,
                         pm_node_quoted(value_of(&m->variables[i])));
        used += n > 0 ? (size_t)n : 0;
    }
}

/* The output without its `for`. */
static PmNode *without_for(const Matrix *m, const PmNode *node)
{
    PmNode *copy = pm_arena_alloc(m->r->pipeline->arena, sizeof *copy);
    PmPair *pairs = pm_arena_alloc(m->r->pipeline->arena, node->count * sizeof *pairs);
    *copy = *node;
    copy->pairs = pairs;
    copy->count = 0;
    for (size_t i = 0; i < node->count; i++)
        if (strcmp(node->pairs[i].key->text, PM_KEY_FOR) != 0) pairs[copy->count++] = node->pairs[i];
    return copy;
}

static void check_used(const Matrix *m)
{
    for (size_t i = 0; m->r->kinds != NULL && i < m->count; i++) {
        const Variable *variable = &m->variables[i];
        if (variable->used) continue;
        PmError *err = pm_read_error(m->r, variable->key, m->where, "for: nothing uses {%s}", variable->key->text);
        if (err != NULL)
            pm_error_hint(err, "write \"{%s}\", in quotes, in steps, when or to, or leave it out", variable->key->text);
    }
}

/* Adds the outputs of one that has a `for`. */
static void expand(Matrix *m, const PmPair *pair, const PmNode *node, PmOutputSource *sources, size_t *count)
{
    PmArena *arena = m->r->pipeline->arena;
    m->line = node->line;
    size_t product = read_for(m, node) ? combinations(m, node) : 0;
    if (*count + product > PM_OUTPUTS_MAX) product = PM_OUTPUTS_MAX + 1 - *count; /* too many: told by the caller */
    const PmNode *body = without_for(m, pair->value);
    for (size_t i = 0; i < product; i++, advance(m)) {
        char combination[120];
        combination_text(m, combination, sizeof combination);
        PmNode *key = pm_arena_alloc(arena, sizeof *key);
        *key = *pair->key;
        key->text = name_of(m, pair->key->text);
        const char *where = pm_read_text(m->r, "outputs.%.60s (for on line %d: %s)", key->text, m->line, combination);
        sources[*count] = (PmOutputSource){.key = key, .where = where, .matrix = pair->key->text};
        m->where = where;
        const PmNode *filled = *count < PM_OUTPUTS_MAX ? fill(m, body) : NULL;
        sources[(*count)++].node = filled;
        if (filled == NULL) break;
    }
    m->where = pm_read_text(m->r, "outputs.%.60s", pair->key->text);
    if (product > 0) check_used(m);
}

/* Two values can give one name ("1.5" and "1-5"), and a name can be written out beside. */
static void check_names(const PmReading *r, const PmOutputSource *sources, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(sources[i].key->text, sources[k].key->text) == 0)
                pm_read_error(r, sources[i].key, sources[i].where, "another output (line %d) is named %.60s, too",
                              sources[k].key->line, sources[k].key->text);
}

size_t pm_matrix_expand(const PmReading *r, const PmNode *outputs, const PmOutputSource **sources)
{
    PmOutputSource *list = pm_arena_alloc(r->pipeline->arena, (PM_OUTPUTS_MAX + 1) * sizeof *list);
    size_t count = 0, nodes = 0, bytes = 0;
    for (size_t i = 0; i < outputs->count && count <= PM_OUTPUTS_MAX; i++) {
        const PmPair *pair = &outputs->pairs[i];
        const PmNode *each = pm_node_get(pair->value, PM_KEY_FOR);
        const char *where = pm_read_text(r, "outputs.%.60s", pair->key->text);
        if (each == NULL) {
            list[count++] = (PmOutputSource){.key = pair->key, .node = pair->value, .where = where};
            continue;
        }
        Matrix m = {.r = r, .where = where, .nodes = &nodes, .bytes = &bytes};
        expand(&m, pair, each, list, &count);
    }
    *sources = list;
    if (count > PM_OUTPUTS_MAX) {
        pm_read_error(r, outputs, NULL, "outputs makes more than %d outputs, which are allowed", (int)PM_OUTPUTS_MAX);
        return 0;
    }
    check_names(r, list, count);
    return count;
}
