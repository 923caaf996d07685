/* SPDX-License-Identifier: Apache-2.0
 *
 * Steps, and the shapes that several sections share: a mapping of known keys, a choice of one.
 */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "pipeline/read.h"
#include "pipeline/sections.h"

bool pm_read_mapping(const PmReading *r, const PmNode *node, const char *where, const char *const *keys)
{
    if (node->failed) return false;
    if (node->kind != PM_NODE_MAPPING) {
        pm_read_error(r, node, where, "expected a mapping, not %s", pm_node_kind_name(node));
        return false;
    }
    for (size_t i = 0; i < node->count; i++) {
        const PmNode *key = node->pairs[i].key;
        if (pm_text_is_one_of(key->text, keys)) continue;
        PmError *err = pm_read_error(r, key, where, "unknown key \"%.80s\"", key->text);
        const char *near = pm_text_nearest(key->text, keys);
        char all[200];
        pm_text_join(keys, ", ", all, sizeof all);
        if (err == NULL) continue;
        if (near != NULL)
            pm_error_hint(err, "did you mean \"%s\"?", near);
        else
            pm_error_hint(err, "known keys: %s", all);
    }
    return true;
}

const PmPair *pm_read_choice(const PmReading *r, const PmNode *node, const char *where, const char *const *kinds)
{
    char all[160];
    pm_text_join(kinds, " or ", all, sizeof all);
    if (node->failed) return NULL;
    if (node->kind != PM_NODE_MAPPING || node->count == 0) {
        pm_read_error(r, node, where, "expected a mapping with %s, not %s", all,
                      node->kind == PM_NODE_MAPPING ? "an empty one" : pm_node_kind_name(node));
        return NULL;
    }
    const PmPair *found = NULL;
    for (size_t i = 0; i < node->count; i++) {
        const PmNode *key = node->pairs[i].key;
        if (!pm_text_is_one_of(key->text, kinds)) {
            PmError *err = pm_read_error(r, key, where, "unknown kind \"%.60s\"; expected %s", key->text, all);
            const char *near = pm_text_nearest(key->text, kinds);
            if (err != NULL && near != NULL) pm_error_hint(err, "did you mean \"%s\"?", near);
        } else if (found != NULL) {
            pm_read_error(r, key, where, "only one of %s may stand here", all);
        } else {
            found = &node->pairs[i];
        }
    }
    return found;
}

static const char *const step_keys[] = {"name", PM_KEY_WHEN, "on_reject", NULL};

static const char *arena_text(const PmReading *r, const char *a, const char *b, const char *c)
{
    char text[300];
    snprintf(text, sizeof text, "%.200s%.20s%.60s", a, b, c);
    return pm_arena_strdup(r->pipeline->arena, text);
}

/* The one key of a step that is not name, when or on_reject: the plugin's. */
static const PmPair *plugin_of(const PmReading *r, const PmNode *node, const char *where)
{
    const PmPair *plugin = NULL;
    for (size_t i = 0; i < node->count; i++) {
        const PmPair *pair = &node->pairs[i];
        if (pm_text_is_one_of(pair->key->text, step_keys)) continue;
        if (plugin == NULL) {
            plugin = pair;
            continue;
        }
        PmError *err =
            pm_read_error(r, pair->key, where, "a step has one plugin, and this one has \"%.60s\" and \"%.60s\"",
                          plugin->key->text, pair->key->text);
        const char *near =
            strcmp(pair->key->text, "if") == 0 ? PM_KEY_WHEN : pm_text_nearest(pair->key->text, step_keys);
        if (err != NULL && near != NULL)
            pm_error_hint(err, "did you mean \"%s\"?", near);
        else if (err != NULL)
            pm_error_hint(err, "begin a new step with \"- %s:\", or indent it to make it a parameter of %s",
                          pair->key->text, plugin->key->text);
    }
    if (plugin == NULL) {
        PmError *err = pm_read_error(r, node, where, "a step names no plugin");
        if (err != NULL) pm_error_hint(err, "write \"- resize: { width: 300 }\"");
    }
    return plugin;
}

static bool plugin_name_ok(const char *name)
{
    size_t n = strlen(name);
    return n > 0 && n <= 40 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

static void set_plugin(const PmReading *r, const PmNode *key, const PmNode *params, const char *where, PmStep *step)
{
    step->plugin = step->name = key->text;
    step->line = key->line;
    step->column = key->column;
    step->where = arena_text(r, where, ": ", key->text);
    if (!plugin_name_ok(key->text)) {
        pm_read_error(r, key, where, "\"%.60s\" cannot name a plugin", key->text);
        return;
    }
    if (params == NULL || pm_node_is_null(params) || params->failed) return;
    step->params = params;
    if (params->kind != PM_NODE_SEQUENCE) return; /* whether the plugin takes a single value only the engine knows */
    PmError *err = pm_read_error(r, params, step->where, "expected a mapping of parameters, not a list");
    if (err != NULL) pm_error_hint(err, "write \"%s: { key: value }\"", key->text);
}

const PmNode *pm_step_param(const PmStep *step, const char *param)
{
    if (step->params == NULL || step->params->kind == PM_NODE_SEQUENCE) return NULL;
    if (step->params->kind == PM_NODE_SCALAR) return step->params;
    const PmNode *node = pm_node_get(step->params, param);
    return node != NULL ? node : pm_node_get(step->params, ""); /* the short form among others */
}

static void read_on_reject(const PmReading *r, const PmNode *node, PmStep *step)
{
    if (node->failed) return;
    for (int i = 0; node->kind == PM_NODE_SCALAR && pm_on_reject_names[i] != NULL; i++)
        if (strcmp(pm_on_reject_names[i], node->text) == 0) {
            step->on_reject = (PmOnReject)i;
            step->has_on_reject = true;
            return;
        }
    bool word = node->kind == PM_NODE_SCALAR;
    PmError *err = pm_read_error(
        r, node, step->where, "on_reject must be quarantine, drop, blur, placeholder or flag, not %s%.60s%s",
        word ? "\"" : "", word ? pm_node_quoted(node) : pm_node_kind_name(node), word ? "\"" : "");
    const char *near = word ? pm_text_nearest(node->text, pm_on_reject_names) : NULL;
    if (err != NULL && near != NULL) pm_error_hint(err, "did you mean \"%s\"?", near);
}

/* The step that goes by this name already: among those before in its list, or in the trunk, whose facts every output
 * sees beside those of its own steps. */
static const PmStep *named(const PmReading *r, const PmStep *before, size_t count, const char *name)
{
    const PmPipeline *p = r->pipeline;
    for (size_t i = 0; i < count; i++)
        if (strcmp(before[i].name, name) == 0) return &before[i];
    for (size_t i = 0; before != p->steps && i < p->step_count; i++)
        if (strcmp(p->steps[i].name, name) == 0) return &p->steps[i];
    return NULL;
}

static void read_name(const PmReading *r, const PmNode *node, const PmStep *before, size_t count, PmStep *step)
{
    size_t n = node->kind == PM_NODE_SCALAR ? strlen(node->text) : 0;
    if (node->failed) return;
    if (n == 0 || n > 48 || strspn(node->text, "abcdefghijklmnopqrstuvwxyz0123456789_-") != n) {
        pm_read_error(r, node, step->where, "name must be 1 to 48 of a-z, 0-9, - and _");
        return;
    }
    const PmStep *other = named(r, before, count, node->text);
    if (other != NULL)
        pm_read_error(r, node, step->where, "the name \"%s\" is taken by the step on line %d", pm_node_quoted(node),
                      other->line);
    else
        step->name = node->text;
}

/* The second watermark is watermark-2, so that facts and logs can tell them apart. */
static void number_name(const PmReading *r, const PmStep *before, size_t count, PmStep *step)
{
    char number[24];
    step->name = step->plugin;
    for (size_t k = 2; named(r, before, count, step->name) != NULL; k++) {
        snprintf(number, sizeof number, "%zu", k);
        step->name = arena_text(r, step->plugin, "-", number);
    }
}

static void read_step(const PmReading *r, const PmNode *node, const char *where, const PmStep *before, size_t count,
                      PmStep *step)
{
    step->plugin = step->name = "";
    step->where = where;
    step->line = node->line;
    step->column = node->column;
    if (node->failed) return;
    if (node->kind == PM_NODE_SCALAR && !pm_node_is_null(node)) { /* "- strip-metadata" */
        set_plugin(r, node, NULL, where, step);
        number_name(r, before, count, step);
        return;
    }
    if (node->kind != PM_NODE_MAPPING) {
        PmError *err =
            pm_read_error(r, node, where, "a step must be a mapping with one plugin, not %s", pm_node_kind_name(node));
        if (err != NULL) pm_error_hint(err, "write \"- resize: { width: 300 }\"");
        return;
    }
    const PmPair *plugin = plugin_of(r, node, where);
    if (plugin == NULL) return;
    set_plugin(r, plugin->key, plugin->value, where, step);
    const PmNode *name = pm_node_get(node, "name"), *when = pm_node_get(node, PM_KEY_WHEN),
                 *on_reject = pm_node_get(node, "on_reject");
    if (name != NULL)
        read_name(r, name, before, count, step);
    else
        number_name(r, before, count, step);
    if (when != NULL) step->when = pm_when_new(r->pipeline->file, step->where, when, r->errors);
    if (on_reject != NULL) read_on_reject(r, on_reject, step);
}

void pm_read_steps(const PmReading *r, const PmNode *node, const char *path, const char *where, PmStep **steps,
                   size_t *count)
{
    if (node == NULL || pm_node_is_null(node) || node->failed) return;
    if (node->kind != PM_NODE_SEQUENCE) {
        PmError *err = pm_read_error(r, node, where, "steps must be a list, not %s", pm_node_kind_name(node));
        if (err != NULL) pm_error_hint(err, "begin each step with \"- \"");
        return;
    }
    if (node->count > PM_STEPS_MAX) {
        pm_read_error(r, node, where, "%zu steps; %d are allowed", node->count, (int)PM_STEPS_MAX);
        return;
    }
    *steps = pm_arena_alloc(r->pipeline->arena, (node->count + 1) * sizeof **steps);
    for (size_t i = 0; i < node->count; i++) {
        char index[32];
        snprintf(index, sizeof index, "%zu]", i);
        (*steps)[i].path = arena_text(r, path, "[", index);
        read_step(r, node->items[i], where, *steps, i, &(*steps)[i]);
        *count = i + 1;
    }
}
