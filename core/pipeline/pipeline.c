/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/pipeline.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
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

const void *pm_read_section(const PmReading *r, const char *path, const PmNode *node, const char *where,
                            const char *const *also)
{
    const PmSection *section = pm_section(path);
    void *config = pm_arena_alloc(r->pipeline->arena, section->config_size);
    PmBindContext context = {.file = r->pipeline->file, .where = where, .errors = r->errors, .also = also};
    pm_bind(&context, node, section->params, section->count, config, r->pipeline->arena);
    return config;
}

static const char *text_of(const PmReading *r, const char *fmt, ...) PM_PRINTF(2, 3);
static const char *text_of(const PmReading *r, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return pm_arena_strdup(r->pipeline->arena, text);
}

/* --- places --- */

static void read_place(const PmReading *r, const char *section, const PmNode *node, const char *where, PmPlace *place)
{
    static const char *const kinds[] = {"file", "s3"};
    const PmPair *pair = pm_read_choice(r, node, where, kinds, 2);
    place->line = node->line;
    place->column = node->column;
    if (pair == NULL) return;
    bool is_file = strcmp(pair->key->text, "file") == 0;
    size_t before = r->errors->count;
    const char *path = text_of(r, "%s.%s", section, pair->key->text);
    const void *config = pm_read_section(r, path, pair->value, where, NULL);
    const char *text = is_file ? ((const PmFilePlace *)config)->path : ((const PmS3Place *)config)->key;
    bool no_bucket = !is_file && ((const PmS3Place *)config)->bucket == NULL;
    if (r->errors->count > before || text == NULL || no_bucket) return; /* reported already */
    size_t at = 0;
    PmError err = {0};
    PmTemplate *tmpl = pm_template_new(is_file ? PM_TEMPLATE_PATH : PM_TEMPLATE_KEY, text, &at, &err);
    if (tmpl == NULL) {
        const PmNode *value = pm_node_get(pair->value, is_file ? "path" : "key");
        PmError *added = pm_read_error(r, value, where, "%s \"%.200s\": %s", is_file ? "path" : "key",
                                       value != NULL && value->variable ? pm_node_quoted(value) : text, err.message);
        if (added != NULL && err.hint[0] != '\0') pm_error_hint(added, "%s", err.hint);
        return;
    }
    place->kind = is_file ? PM_PLACE_FILE : PM_PLACE_S3;
    place->key = tmpl;
    place->config = config;
}

/* --- outputs --- */

static bool output_name_ok(const char *name)
{
    size_t n = strlen(name);
    return n > 0 && n <= 48 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == n;
}

static void read_output(const PmReading *r, const PmPair *pair, PmOutput *output)
{
    static const char *const keys[] = {"when", "steps", "to", NULL};
    const PmNode *node = pair->value;
    output->name = pair->key->text;
    output->where = text_of(r, "outputs.%.60s", output->name);
    output->line = pair->key->line;
    output->column = pair->key->column;
    if (!output_name_ok(output->name)) {
        PmError *err = pm_read_error(r, pair->key, "outputs", "\"%.60s\" cannot name an output", output->name);
        if (err != NULL) pm_error_hint(err, "use 1 to 48 of a-z, 0-9, - and _");
    }
    if (!pm_read_mapping(r, node, output->where, keys)) return;
    const PmNode *when = pm_node_get(node, "when"), *to = pm_node_get(node, "to");
    if (when != NULL) output->when = pm_when_new(r->pipeline->file, output->where, when, r->errors);
    pm_read_steps(r, pm_node_get(node, "steps"), text_of(r, "outputs.%.60s.steps", output->name), output->where,
                  &output->steps, &output->step_count);
    if (r->reader == PM_READ_WORKER) return;
    if (to == NULL) {
        PmError *err = pm_read_error(r, pair->key, output->where, "to is missing");
        if (err != NULL)
            pm_error_hint(err, "say where the rendition goes: to: { file: { path: \"out/{stem}_%s.{ext}\" } }",
                          output->name);
        return;
    }
    read_place(r, "outputs.*.to", to, output->where, &output->to);
}

static void read_outputs(const PmReading *r, const PmNode *root)
{
    PmPipeline *p = r->pipeline;
    const PmNode *node = pm_node_get(root, "outputs");
    if (node == NULL || pm_node_is_null(node) || (node->kind == PM_NODE_MAPPING && node->count == 0)) {
        PmError *err =
            pm_read_error(r, node != NULL ? node : root, NULL, "outputs is missing: a pipeline has at least one");
        if (err != NULL)
            pm_error_hint(err, "outputs: { thumb: { steps: [...], to: { file: { path: \"out/{stem}.{ext}\" } } } }");
        return;
    }
    if (node->kind != PM_NODE_MAPPING) {
        pm_read_error(r, node, NULL, "outputs must be a mapping from names to outputs, not %s",
                      pm_node_kind_name(node));
        return;
    }
    if (node->count > PM_OUTPUTS_MAX) {
        pm_read_error(r, node, NULL, "outputs has %zu entries; %d are allowed", node->count, (int)PM_OUTPUTS_MAX);
        return;
    }
    p->outputs = pm_arena_alloc(p->arena, node->count * sizeof *p->outputs);
    for (size_t i = 0; i < node->count; i++) read_output(r, &node->pairs[i], &p->outputs[p->output_count++]);
}

/* --- trigger and source --- */

/* The entries of `node` without `lambda`, which may stand beside `sqs`; *lambda is its value, or NULL. */
static const PmNode *without_lambda(const PmReading *r, const PmNode *node, const PmNode **lambda)
{
    *lambda = node->kind == PM_NODE_MAPPING ? pm_node_get(node, "lambda") : NULL;
    if (*lambda == NULL) return node;
    PmNode *rest = pm_arena_alloc(r->pipeline->arena, sizeof *rest);
    *rest = *node;
    PmPair *pairs = pm_arena_alloc(r->pipeline->arena, node->count * sizeof *pairs);
    rest->count = 0;
    for (size_t i = 0; i < node->count; i++)
        if (node->pairs[i].value != *lambda) pairs[rest->count++] = node->pairs[i];
    rest->pairs = pairs;
    return rest;
}

static void read_trigger(const PmReading *r, const PmNode *node)
{
    static const char *const kinds[] = {"directory", "sqs", "lambda"};
    PmTriggerConfig *trigger = &r->pipeline->trigger;
    const PmNode *lambda = NULL, *rest = node != NULL ? without_lambda(r, node, &lambda) : NULL;
    trigger->lambda = pm_read_section(r, "trigger.lambda", lambda, "trigger: lambda", NULL);
    if (node == NULL) return; /* apply needs none; run says that it is missing */
    trigger->line = node->line;
    trigger->column = node->column;
    if (lambda != NULL) trigger->kind = PM_TRIGGER_LAMBDA;
    if (lambda != NULL && rest->count == 0) return;
    const PmPair *pair = pm_read_choice(r, rest, "trigger", kinds, 3);
    if (pair == NULL) return;
    bool is_directory = strcmp(pair->key->text, "directory") == 0;
    if (is_directory && lambda != NULL) {
        pm_read_error(r, pair->key, "trigger", "directory cannot stand beside lambda, which delivers objects of S3");
        return;
    }
    trigger->kind = is_directory ? PM_TRIGGER_DIRECTORY : PM_TRIGGER_SQS;
    trigger->config = pm_read_section(r, is_directory ? "trigger.directory" : "trigger.sqs", pair->value,
                                      is_directory ? "trigger: directory" : "trigger: sqs", NULL);
}

static void read_source(const PmReading *r, const PmNode *node)
{
    static const char *const kinds[] = {"s3", "file"};
    PmSourceConfig *source = &r->pipeline->source;
    if (node == NULL) return;
    const PmPair *pair = pm_read_choice(r, node, "source", kinds, 2);
    source->line = node->line;
    source->column = node->column;
    if (pair == NULL) return;
    if (strcmp(pair->key->text, "file") == 0) {
        PmBindContext context = {.file = r->pipeline->file, .where = "source: file", .errors = r->errors};
        pm_bind(&context, pair->value, NULL, 0, NULL, r->pipeline->arena);
        source->kind = PM_SOURCE_FILE;
        return;
    }
    source->kind = PM_SOURCE_S3;
    source->config = pm_read_section(r, "source.s3", pair->value, "source: s3", NULL);
}

static void read_notify(const PmReading *r, const PmNode *node)
{
    static const char *const kinds[] = {"file", "sqs"};
    PmNotifyConfig *notify = &r->pipeline->notify;
    if (node == NULL) return;
    const PmPair *pair = pm_read_choice(r, node, "notify", kinds, 2);
    if (pair == NULL) return;
    if (strcmp(pair->key->text, "sqs") == 0) {
        *notify = *(const PmNotifyConfig *)pm_read_section(r, "notify.sqs", pair->value, "notify: sqs", NULL);
    } else {
        PmPlace place = {0};
        read_place(r, "notify", node, "notify", &place);
        notify->path = place.key;
    }
    notify->line = node->line;
    notify->column = node->column;
}

/* "dir/photos.yaml" -> "photos" */
static const char *default_name(const PmReading *r)
{
    const char *file = r->pipeline->file, *slash = strrchr(file, '/'), *base = slash != NULL ? slash + 1 : file;
    const char *dot = strrchr(base, '.');
    return text_of(r, "%.*s", dot != NULL && dot != base ? (int)(dot - base) : (int)strlen(base), base);
}

static void read_top(const PmReading *r, const PmNode *root)
{
    static const char *const also[] = {"trigger", "source", "limits",     "on_error", "sandbox", "aws",
                                       "fetch",   "notify", "quarantine", "steps",    "outputs", NULL};
    PmPipeline *p = r->pipeline;
    const PmTopConfig *top = pm_read_section(r, "", root, NULL, also);
    p->name = top->name;
    p->worker.count = top->workers;
    p->worker.isolation = top->isolation;
    p->worker.jobs_per_child = top->jobs_per_child;
    if (p->name == NULL) p->name = default_name(r);
}

static void expand(const PmReading *r, const PmNode *root, PmEnvLookup *lookup, void *data)
{
    PmTree *tree = r->pipeline->tree;
    if (r->reader == PM_READ_ALL) {
        pm_tree_expand(tree, root, lookup, data, r->errors);
        return;
    }
    pm_tree_expand(tree, pm_node_get(root, "limits"), lookup, data, r->errors);
    pm_tree_expand(tree, pm_node_get(root, "steps"), lookup, data, r->errors);
    pm_tree_expand(tree, pm_node_get(root, "sandbox"), lookup, data, r->errors);
    const PmNode *outputs = pm_node_get(root, "outputs");
    for (size_t i = 0; outputs != NULL && outputs->kind == PM_NODE_MAPPING && i < outputs->count; i++) {
        pm_tree_expand(tree, pm_node_get(outputs->pairs[i].value, "when"), lookup, data, r->errors);
        pm_tree_expand(tree, pm_node_get(outputs->pairs[i].value, "steps"), lookup, data, r->errors);
    }
}

/* Must run before the expansion: afterwards nobody can tell which variables were used. */
static json_t *worker_variables(const PmNode *root)
{
    static const char *const sections[] = {"limits", "steps", "sandbox"};
    json_t *names = json_array();
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++)
        pm_tree_variables(pm_node_get(root, sections[i]), names);
    const PmNode *outputs = pm_node_get(root, "outputs");
    for (size_t i = 0; outputs != NULL && outputs->kind == PM_NODE_MAPPING && i < outputs->count; i++) {
        pm_tree_variables(pm_node_get(outputs->pairs[i].value, "when"), names);
        pm_tree_variables(pm_node_get(outputs->pairs[i].value, "steps"), names);
    }
    return names;
}

json_t *pm_pipeline_worker_variables(const PmPipeline *pipeline)
{
    return json_incref(pipeline->variables);
}

static void read_root(const PmReading *r, const PmNode *root)
{
    PmPipeline *p = r->pipeline;
    if (r->reader == PM_READ_ALL)
        read_top(r, root);
    else
        p->name = default_name(r); /* the broker's own affair; never NULL */
    p->limits = *(const PmLimits *)pm_read_section(r, "limits", pm_node_get(root, "limits"), "limits", NULL);
    const PmSandboxConfig *sandbox = pm_read_section(r, "sandbox", pm_node_get(root, "sandbox"), "sandbox", NULL);
    p->worker.sandbox_minimum = sandbox->minimum;
    pm_read_steps(r, pm_node_get(root, "steps"), "steps", "steps", &p->steps, &p->step_count);
    read_outputs(r, root);
    if (r->reader == PM_READ_WORKER) return;
    p->on_error = *(const PmOnError *)pm_read_section(r, "on_error", pm_node_get(root, "on_error"), "on_error", NULL);
    p->aws = *(const PmAwsConfig *)pm_read_section(r, "aws", pm_node_get(root, "aws"), "aws", NULL);
    p->fetch = *(const PmFetchConfig *)pm_read_section(r, "fetch", pm_node_get(root, "fetch"), "fetch", NULL);
    read_notify(r, pm_node_get(root, "notify"));
    read_trigger(r, pm_node_get(root, "trigger"));
    read_source(r, pm_node_get(root, "source"));
    const PmNode *quarantine = pm_node_get(root, "quarantine");
    if (quarantine != NULL) read_place(r, "quarantine", quarantine, "quarantine", &p->quarantine);
    pm_read_crossings(r);
}

PmPipeline *pm_pipeline_read(const char *file, const char *dir, const char *text, size_t size, PmReader reader,
                             PmEnvLookup *lookup, void *data, PmErrorList *errors)
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
    PmReading reading = {.pipeline = pipeline, .errors = errors, .reader = reader};
    pipeline->variables = worker_variables(root);
    expand(&reading, root, lookup, data);
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
    pm_template_free(pipeline->notify.path);
    json_decref(pipeline->variables);
    pm_arena_free(pipeline->arena);
    pm_tree_free(pipeline->tree);
    free(pipeline);
}
