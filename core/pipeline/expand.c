/* SPDX-License-Identifier: Apache-2.0
 *
 * ${NAME} and ${NAME:-default} in the scalars of a tree. One pass: what a variable brings is never read again.
 */
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"
#include "pipeline/facts.h"
#include "pipeline/tree_internal.h"

enum { NAME_MAX_BYTES = 255 };

static size_t name_length(const char *text)
{
    size_t n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789");
    return n > 0 && (text[0] < '0' || text[0] > '9') ? n : 0;
}

typedef struct Expansion {
    PmTree *tree;
    PmEnvLookup *lookup;
    void *data;
    PmErrorList *errors;
} Expansion;

static PmError *expansion_error(const Expansion *e, const PmNode *node, const char *message, const char *name,
                                size_t size)
{
    return pm_error_list_addf(e->errors, PM_BAD_CONFIG, e->tree->file, node->line, node->column, NULL, message,
                              (int)size, name);
}

/* A ${..} in a text. */
typedef struct Reference {
    char name[NAME_MAX_BYTES + 1];
    const char *fallback; /* after ":-", or NULL */
    size_t fallback_size;
    const char *end; /* what follows the reference */
} Reference;

/* Reads the reference that `text` begins with; false when it is malformed. */
static bool read_reference(const char *text, Reference *reference)
{
    const char *name = text + 2, *close = strchr(name, '}');
    size_t n = name_length(name);
    if (close == NULL || n == 0 || n > NAME_MAX_BYTES) return false;
    *reference = (Reference){.end = close + 1};
    memcpy(reference->name, name, n);
    const char *rest = name + n;
    if (rest == close) return true;
    if (strncmp(rest, ":-", 2) != 0) return false;
    reference->fallback = rest + 2;
    reference->fallback_size = (size_t)(close - reference->fallback);
    return memchr(reference->fallback, '{', reference->fallback_size) == NULL; /* no variable in a default */
}

static void malformed(const Expansion *e, const PmNode *node, const char *text)
{
    size_t n = strcspn(text, "}");
    n = text[n] == '}' ? n + 1 : n;
    PmError *err = expansion_error(e, node, "\"%.*s\" is not a variable", text, n < 60 ? n : 60);
    if (err != NULL) pm_error_hint(err, "write ${NAME} or ${NAME:-default}, and $${ for a literal ${");
}

static bool add_value(const Expansion *e, const PmNode *node, const Reference *reference, PmBuffer *out)
{
    const char *value = e->lookup(e->data, reference->name);
    size_t n = strlen(reference->name);
    if (reference->fallback != NULL && (value == NULL || value[0] == '\0')) {
        pm_buffer_add(out, reference->fallback, reference->fallback_size);
        return true;
    }
    if (value == NULL) {
        PmError *err = expansion_error(e, node, "the environment variable %.*s is not set", reference->name, n);
        if (err != NULL && pm_fact_info(reference->name) != NULL)
            pm_error_hint(err, "did you mean {%s}? ${...} is a variable of the environment", reference->name);
        if (err != NULL) pm_error_hint(err, "set it, or give a default: ${%s:-default}", reference->name);
        return false;
    }
    if (!pm_text_is_utf8(value, strlen(value))) {
        expansion_error(e, node, "the environment variable %.*s is not valid UTF-8", reference->name, n);
        return false;
    }
    pm_buffer_adds(out, value);
    return true;
}

const char *pm_node_quoted(const PmNode *node)
{
    return node->variable && node->written != NULL ? node->written : node->text;
}

/* Fills `out`; false after an error. */
static bool expand_text(const Expansion *e, PmNode *node, PmBuffer *out)
{
    for (const char *p = node->text; *p != '\0';) {
        Reference reference;
        if (strncmp(p, "$${", 3) == 0) {
            pm_buffer_adds(out, "${");
            p += 3;
        } else if (strncmp(p, "${", 2) != 0) {
            pm_buffer_add(out, p++, 1);
        } else if (!read_reference(p, &reference)) {
            malformed(e, node, p);
            return false;
        } else if (!add_value(e, node, &reference, out)) {
            return false;
        } else {
            node->variable = true;
            p = reference.end;
        }
    }
    if (!out->failed) return true;
    expansion_error(e, node, "the variables of this file bring more than 1 MiB of text%.*s", "", 0);
    return false;
}

static void expand_scalar(const Expansion *e, PmNode *node)
{
    node->expanded = true;
    if (strstr(node->text, "${") == NULL) return;
    PmBuffer out;
    pm_buffer_init(&out,
                   PM_TREE_TEXT_MAX - e->tree->expanded); /* of all scalars together: few texts can ask for much */
    node->written = node->text;
    node->failed = !expand_text(e, node, &out);
    e->tree->expanded += node->failed ? 0 : out.size;
    node->text = node->failed || out.data == NULL ? "" : pm_arena_strdup(e->tree->arena, out.data);
    pm_buffer_finish(&out);
}

static void expand_node(const Expansion *e, PmNode *node)
{
    if (node == NULL || node->expanded) return;
    if (node->kind == PM_NODE_SCALAR) {
        expand_scalar(e, node);
        return;
    }
    node->expanded = true;
    for (size_t i = 0; i < node->count; i++)
        expand_node(e, (PmNode *)(node->kind == PM_NODE_SEQUENCE ? node->items[i] : node->pairs[i].value));
}

void pm_tree_expand(PmTree *tree, const PmNode *node, PmEnvLookup *lookup, void *data, PmErrorList *errors)
{
    Expansion e = {tree, lookup, data, errors};
    expand_node(&e, (PmNode *)node); /* the tree's own node */
}

static void add_name(json_t *names, const char *name, size_t size)
{
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *have = json_string_value(json_array_get(names, i));
        if (strlen(have) == size && memcmp(have, name, size) == 0) return;
    }
    json_array_append_new(names, json_stringn(name, size));
}

void pm_tree_variables(const PmNode *node, json_t *names)
{
    if (node == NULL) return;
    for (size_t i = 0; i < node->count; i++)
        pm_tree_variables(node->kind == PM_NODE_SEQUENCE ? node->items[i] : node->pairs[i].value, names);
    if (node->kind != PM_NODE_SCALAR) return;
    for (const char *p = node->text; (p = strstr(p, "${")) != NULL; p += 2) {
        size_t n = name_length(p + 2);
        if (n > 0 && n <= NAME_MAX_BYTES && (p == node->text || p[-1] != '$')) add_name(names, p + 2, n);
    }
}
