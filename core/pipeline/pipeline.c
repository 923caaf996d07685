/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/pipeline.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "pipeline/matrix.h"
#include "pipeline/read.h"
#include "pipeline/sections.h"

PmError *pm_read_error(const PmReading *r, const PmNode *at, const char *where, const char *fmt, ...)
{
    char message[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    return pm_error_list_addf(r->errors, PM_BAD_CONFIG, r->pipeline->file, at != NULL ? at->line : 1,
                              at != NULL ? at->column : 1, where, "%s", message);
}

const void *pm_read_section(const PmReading *r, const PmSection *section, const PmNode *node, const char *where,
                            const char *const *also)
{
    void *config = section->count > 0 ? pm_arena_alloc(r->pipeline->arena, section->config_size) : NULL;
    PmDecodeContext context = {.file = r->pipeline->file,
                               .where = where,
                               .errors = r->errors,
                               .also = also,
                               .extensions = section->path[0] == '\0'}; /* the top level */
    pm_decode_params(&context, node, section->params, section->count, config, r->pipeline->arena);
    return config;
}

const char *pm_read_text(const PmReading *r, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return pm_arena_strdup(r->pipeline->arena, text);
}

/* --- outputs --- */

static bool output_name_ok(const char *name)
{
    size_t n = strlen(name);
    return n > 0 && n <= 48 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == n;
}

static void read_output(const PmReading *r, const PmOutputSource *source, PmOutput *output)
{
    static const char *const keys[] = {PM_KEY_FOR, PM_KEY_WHEN, PM_KEY_STEPS, PM_KEY_TO, NULL};
    const PmNode *node = source->node;
    output->name = source->key->text;
    output->where = source->where;
    output->node = node;
    output->matrix = source->matrix;
    output->line = source->key->line;
    output->column = source->key->column;
    if (!output_name_ok(output->name)) {
        PmError *err = pm_read_error(r, source->key, "outputs", "\"%.60s\" cannot name an output", output->name);
        if (err != NULL) pm_error_hint(err, "use 1 to 48 of a-z, 0-9, - and _");
    }
    if (node == NULL || !pm_read_mapping(r, node, output->where, keys)) return;
    const PmNode *when = pm_node_get(node, PM_KEY_WHEN), *to = pm_node_get(node, PM_KEY_TO);
    if (when != NULL) output->when = pm_when_new(r->pipeline->file, output->where, when, r->errors);
    pm_read_steps(r, pm_node_get(node, PM_KEY_STEPS), pm_read_text(r, "outputs.%.60s.steps", output->name),
                  output->where, &output->steps, &output->step_count);
    if (r->kinds == NULL) return;
    if (to == NULL) {
        PmError *err = pm_read_error(r, source->key, output->where, "to is missing");
        if (err != NULL)
            pm_error_hint(err, "say where the rendition goes: to: { file: { path: \"out/{stem}_%s.{ext}\" } }",
                          output->name);
        return;
    }
    pm_read_to(r, to, output, &output->to);
}

static void read_outputs(const PmReading *r, const PmNode *root)
{
    PmPipeline *p = r->pipeline;
    const PmNode *node = pm_node_get(root, PM_KEY_OUTPUTS);
    if (node == NULL || pm_node_is_null(node) || (node->kind == PM_NODE_MAPPING && node->count == 0)) {
        PmError *err =
            pm_read_error(r, node != NULL ? node : root, NULL, "outputs is missing: a pipeline has at least one");
        if (err != NULL)
            pm_error_hint(err, "outputs: { thumb: { steps: [...], to: { file: { path: \"out/{stem}.{ext}\" } } } }");
        return;
    }
    if (node->kind != PM_NODE_MAPPING) {
        PmError *err = pm_read_error(r, node, NULL, "outputs must be a mapping from names to outputs, not %s",
                                     pm_node_kind_name(node));
        if (err != NULL)
            pm_error_hint(err, "write \"thumb: { steps: [...], to: {...} }\" below outputs, without \"- \"");
        return;
    }
    if (node->count > PM_OUTPUTS_MAX) {
        pm_read_error(r, node, NULL, "outputs has %zu entries; %d are allowed", node->count, (int)PM_OUTPUTS_MAX);
        return;
    }
    const PmOutputSource *sources;
    size_t count = pm_matrix_expand(r, node, &sources);
    p->outputs = pm_arena_alloc(p->arena, (count + 1) * sizeof *p->outputs);
    for (size_t i = 0; i < count; i++) read_output(r, &sources[i], &p->outputs[p->output_count++]);
}

/* --- the rest --- */

/* "dir/photos.yaml" -> "photos" */
static const char *default_name(const PmReading *r)
{
    const char *file = r->pipeline->file, *slash = strrchr(file, '/'), *base = slash != NULL ? slash + 1 : file;
    const char *dot = strrchr(base, '.');
    return pm_read_text(r, "%.*s", dot != NULL && dot != base ? (int)(dot - base) : (int)strlen(base), base);
}

static void check_listen(const PmReading *r, const PmNode *root, const char *listen)
{
    char host[100];
    int port;
    if (listen == NULL || pm_text_listen_address(listen, host, sizeof host, &port)) return;
    const PmNode *node = pm_node_get(root, "listen");
    PmError *err = pm_read_error(r, node, NULL, "listen must be ADDRESS:PORT, not \"%.60s\"", pm_node_quoted(node));
    if (err != NULL) pm_error_hint(err, "listen: 127.0.0.1:9464, or \":9464\" for every address of this host");
}

static void read_top(const PmReading *r, const PmNode *root)
{
    const char *also[PM_TOP_KEYS + PM_SHARED_MAX + 1] = {NULL};
    size_t n = 0;
    for (size_t i = 0; i < PM_TOP_KEYS; i++) {
        if (pm_top_keys[i].name != NULL) also[n++] = pm_top_keys[i].name;
        if (pm_top_keys[i].name == NULL)
            for (size_t k = 0; k < PM_SHARED_MAX && r->pipeline->shared[k].section != NULL; k++)
                also[n++] = r->pipeline->shared[k].section->path;
    }
    PmPipeline *p = r->pipeline;
    const PmTopConfig *top = pm_read_section(r, pm_section(""), root, NULL, also);
    p->name = top->name;
    p->listen = top->listen;
    check_listen(r, root, p->listen);
    p->worker.count = top->workers;
    p->worker.isolation = top->isolation;
    p->worker.jobs_per_child = top->jobs_per_child;
    if (p->name == NULL) p->name = default_name(r);
}

/* A section of sections.h below the key of its name. */
static const void *read_own(const PmReading *r, const PmNode *root, const char *name)
{
    return pm_read_section(r, pm_section(name), pm_node_get(root, name), name, NULL);
}

/* Each section that kinds share, once. */
static void find_shared(const PmReading *r)
{
    PmPipeline *p = r->pipeline;
    for (size_t i = 0, n = 0; r->kinds != NULL && r->kinds[i] != NULL; i++) {
        const PmSection *section = r->kinds[i]->shared;
        size_t k = 0;
        while (k < n && p->shared[k].section != section) k++;
        if (section != NULL && k == n && n < PM_SHARED_MAX) p->shared[n++].section = section;
    }
}

/* Calls `visit` with each part of the file that the worker reads; NULL for one that is not written. */
static void visit_worker_part(const PmNode *root, void (*visit)(void *data, const PmNode *part), void *data)
{
    for (size_t i = 0; i < PM_TOP_KEYS; i++)
        if (pm_top_keys[i].worker) visit(data, pm_node_get(root, pm_top_keys[i].name));
    const PmNode *outputs = pm_node_get(root, PM_KEY_OUTPUTS);
    for (size_t i = 0; outputs != NULL && outputs->kind == PM_NODE_MAPPING && i < outputs->count; i++) {
        visit(data, pm_node_get(outputs->pairs[i].value, PM_KEY_FOR));
        visit(data, pm_node_get(outputs->pairs[i].value, PM_KEY_WHEN));
        visit(data, pm_node_get(outputs->pairs[i].value, PM_KEY_STEPS));
    }
}

typedef struct Expansion {
    const PmReading *reading;
    PmEnvLookup *lookup;
    void *data;
} Expansion;

static void expand(void *data, const PmNode *part)
{
    const Expansion *e = data;
    pm_tree_expand(e->reading->pipeline->tree, part, e->lookup, e->data, e->reading->errors);
}

static void add_variables(void *names, const PmNode *part)
{
    pm_tree_variables(part, names);
}

/* Must run before the expansion: afterwards nobody can tell which variables were used. */
static json_t *worker_variables(const PmNode *root)
{
    json_t *names = json_array();
    visit_worker_part(root, add_variables, names);
    return names;
}

json_t *pm_pipeline_worker_variables(const PmPipeline *pipeline)
{
    return json_incref(pipeline->variables);
}

static void read_root(const PmReading *r, const PmNode *root)
{
    PmPipeline *p = r->pipeline;
    find_shared(r);
    if (r->kinds != NULL)
        read_top(r, root);
    else
        p->name = default_name(r); /* the broker's own affair; never NULL */
    p->limits = *(const PmLimits *)read_own(r, root, PM_KEY_LIMITS);
    p->worker.sandbox_minimum = ((const PmSandboxConfig *)read_own(r, root, PM_KEY_SANDBOX))->minimum;
    pm_read_steps(r, pm_node_get(root, PM_KEY_STEPS), PM_KEY_STEPS, PM_KEY_STEPS, &p->steps, &p->step_count);
    read_outputs(r, root);
    if (r->kinds == NULL) return;
    p->on_error = *(const PmOnError *)read_own(r, root, PM_KEY_ON_ERROR);
    p->fetch = *(const PmFetchConfig *)read_own(r, root, PM_KEY_FETCH);
    pm_read_connections(r, root);
}

PmPipeline *pm_pipeline_read(const char *file, const char *dir, const char *text, size_t size,
                             const PmKind *const *kinds, PmEnvLookup *lookup, void *data, PmErrorList *errors)
{
    PmTree *tree = pm_tree_parse(file, text, size, errors);
    if (tree == NULL) return NULL;
    const PmNode *root = pm_tree_root(tree);
    if (root == NULL || root->kind != PM_NODE_MAPPING) {
        pm_error_list_addf(
            errors, PM_BAD_CONFIG, file, root != NULL ? root->line : 1, root != NULL ? root->column : 1, NULL,
            root == NULL || pm_node_is_null(root) ? "the file is empty" : "a pipeline file is a mapping, not %s",
            root != NULL ? pm_node_kind_name(root) : "");
        pm_tree_free(tree);
        return NULL;
    }
    PmPipeline *pipeline = calloc(1, sizeof *pipeline);
    if (pipeline == NULL) {
        pm_tree_free(tree);
        return NULL;
    }
    pipeline->tree = tree;
    pipeline->arena = pm_arena_new();
    pipeline->file = pm_arena_strdup(pipeline->arena, file);
    pipeline->dir = pm_arena_strdup(pipeline->arena, dir);
    PmReading reading = {.pipeline = pipeline, .errors = errors, .kinds = kinds};
    pipeline->variables = worker_variables(root);
    Expansion expansion = {.reading = &reading, .lookup = lookup, .data = data};
    if (kinds != NULL)
        expand(&expansion, root);
    else
        visit_worker_part(root, expand, &expansion);
    read_root(&reading, root);
    return pipeline;
}

static void free_steps(PmStep *steps, size_t count)
{
    for (size_t i = 0; i < count; i++) pm_when_free((PmWhen *)steps[i].when);
}

void pm_pipeline_free(PmPipeline *pipeline)
{
    if (pipeline == NULL) return;
    free_steps(pipeline->steps, pipeline->step_count);
    for (size_t i = 0; i < pipeline->output_count; i++) {
        PmOutput *output = &pipeline->outputs[i];
        free_steps(output->steps, output->step_count);
        pm_when_free((PmWhen *)output->when);
        pm_template_free(output->to.key);
    }
    pm_template_free(pipeline->quarantine.key);
    pm_template_free(pipeline->notify.key);
    json_decref(pipeline->variables);
    pm_arena_free(pipeline->arena);
    pm_tree_free(pipeline->tree);
    free(pipeline);
}
