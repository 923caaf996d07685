/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "engine/host.h"
#include "engine/shorthand.h"

/* ------------------------------------------------------------------ assets */

const PmAsset *pm_assets_find(const PmAsset *assets, const char *name)
{
    for (; assets != NULL; assets = assets->next)
        if (strcmp(assets->name, name) == 0) return assets;
    return NULL;
}

void pm_assets_free(PmAsset *assets)
{
    while (assets != NULL) {
        PmAsset *next = assets->next;
        free(assets->bytes);
        free(assets);
        assets = next;
    }
}

/* The node of a parameter's value, or of the step when it was not written (a default). */
static PmError *param_error(PmStepMaker *maker, const PmStep *step, const char *param, const char *message)
{
    const PmNode *node = pm_step_param(step, param);
    return pm_error_list_addf(maker->errors, PM_BAD_CONFIG, maker->pipeline->file,
                              node != NULL ? node->line : step->line, node != NULL ? node->column : step->column,
                              step->where, "%s: %s", param, message);
}

static void read_asset(PmStepMaker *maker, const PmStep *step, const char *param, const char *name)
{
    if (pm_assets_find(maker->assets, name) != NULL) return;
    char why[256] = "no memory", message[768];
    char *path = pm_pipeline_path(maker->pipeline, name);
    PmAsset *asset = calloc(1, sizeof *asset);
    if (path != NULL && asset != NULL &&
        pm_file_read(path, maker->pipeline->limits.file_size, "limits.file_size", &asset->bytes, &asset->size, why,
                     sizeof why)) {
        asset->name = pm_arena_strdup(maker->arena, name);
        asset->next = maker->assets;
        maker->assets = asset;
        asset = NULL;
    } else {
        snprintf(message, sizeof message, "cannot read \"%s\": %s", name, why);
        PmError *error = param_error(maker, step, param, message);
        char instead[200];
        if (error != NULL && pm_pipeline_shell_path(name, instead, sizeof instead))
            pm_error_hint(error, "write \"%s\": no shell reads the file", instead);
        if (error != NULL && path != NULL && strcmp(path, name) != 0) pm_error_hint(error, "looked for %s", path);
    }
    free(asset);
    free(path);
}

/* ------------------------------------------------------------------ values that the table cannot check */

/* Which service and operation there are is known to the broker alone, which signs: it is told of the endpoint, whether
 * an operator wrote it or it is the parameter's default. */
static void check_signed_endpoint(PmStepMaker *maker, const PmStep *step, const char *param, const char *url)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    const char *service = url + strlen("aws://");
    size_t length = strspn(service, "abcdefghijklmnopqrstuvwxyz0123456789-");
    const char *operation = service[length] == '/' ? service + length + 1 : "";
    if (length == 0 || *operation == '\0' || operation[strspn(operation, letters)] != '\0') {
        PmError *error = param_error(maker, step, param, "aws://SERVICE/OPERATION expected");
        if (error != NULL) pm_error_hint(error, "such as aws://rekognition/DetectFaces");
        return;
    }
    const PmNode *node = pm_step_param(step, param);
    json_array_append_new(maker->endpoints, json_pack("{ss ss ss si si}", "url", url, "param", param, "where",
                                                      step->where, "line", node != NULL ? node->line : step->line,
                                                      "column", node != NULL ? node->column : step->column));
}

static void check_endpoint(PmStepMaker *maker, const PmStep *step, const char *param, const char *url)
{
    if (strncmp(url, "aws://", 6) == 0) {
        check_signed_endpoint(maker, step, param, url);
        return;
    }
    bool http = strncmp(url, "https://", 8) == 0 || strncmp(url, "http://", 7) == 0;
    const char *host = http ? strstr(url, "://") + 3 : "";
    if (*host != '\0' && *host != '/' && strpbrk(url, " \t\r\n") == NULL) return;
    param_error(maker, step, param, "an https:// or http:// address expected");
}

static bool is_plugin_fact(const json_t *facts, const char *name)
{
    size_t i;
    json_t *fact;
    json_array_foreach(facts, i, fact) if (strcmp(json_string_value(fact), name) == 0) return true;
    return false;
}

/* The nearest of the facts that a template may name here, or NULL. */
static const char *nearest_fact(const json_t *facts, const char *name)
{
    enum { NAMES_MAX = 256 };
    const char *names[NAMES_MAX + 1];
    size_t count = 0, i;
    for (const PmFactInfo *info = pm_fact_table; info->name != NULL && count < NAMES_MAX; info++)
        if (info->flags & PM_FACT_PLUGIN) names[count++] = info->name;
    json_t *fact;
    json_array_foreach(facts, i, fact)
    {
        if (count < NAMES_MAX) names[count++] = json_string_value(fact);
    }
    names[count] = NULL;
    return pm_text_nearest(name, names);
}

/* The form was checked when the text was bound. Which facts there are is known only here: pixmill's own, and
 * "step.fact" of an earlier step. */
static void check_template(PmStepMaker *maker, const PmStep *step, const char *param, const char *text)
{
    PmError err = {0};
    PmTemplate *tmpl = pm_template_new(PM_TEMPLATE_TEXT, text, NULL, &err);
    const char *name = NULL;
    for (size_t i = 0; tmpl != NULL && (name = pm_template_fact(tmpl, i)) != NULL; i++) {
        const PmFactInfo *info = pm_fact_info(name);
        if ((info != NULL && (info->flags & PM_FACT_PLUGIN)) || is_plugin_fact(maker->facts, name)) continue;
        char message[256];
        if (info != NULL)
            snprintf(message, sizeof message, "{%s} is not known yet when a step runs", name);
        else if (strchr(name, '.') != NULL)
            snprintf(message, sizeof message, "no step before this one sets {%s}", name);
        else
            snprintf(message, sizeof message, "unknown fact {%s}", name);
        PmError *error = param_error(maker, step, param, message);
        const char *near = info == NULL ? nearest_fact(maker->facts, name) : NULL;
        if (error != NULL && near != NULL) pm_error_hint(error, "did you mean {%s}?", near);
    }
    pm_template_free(tmpl);
}

static void check_values(PmStepMaker *maker, const PmInstance *instance)
{
    const PmTransform *transform = &instance->plugin->transform;
    for (size_t i = 0; i < transform->param_count; i++) {
        const PmParam *param = &transform->params[i];
        bool text = param->type == PM_STRING || param->type == PM_ASSET || param->type == PM_ENDPOINT;
        const char *value =
            text ? *(const char *const *)(const void *)((const char *)instance->config + param->offset) : NULL;
        if (value == NULL) continue;
        if (param->type == PM_ASSET) read_asset(maker, instance->step, param->name, value);
        if (param->type == PM_ENDPOINT) check_endpoint(maker, instance->step, param->name, value);
        if (param->flags & PM_TEMPLATE) check_template(maker, instance->step, param->name, value);
    }
}

/* ------------------------------------------------------------------ steps */

static void add_fact(json_t *facts, const char *step, const char *fact)
{
    char name[256];
    snprintf(name, sizeof name, "%s.%s", step, fact);
    if (!is_plugin_fact(facts, name)) json_array_append_new(facts, json_string(name));
}

static void add_facts(json_t *facts, const PmInstance *instance)
{
    const char *const *own = instance->plugin->transform.facts;
    for (; own != NULL && *own != NULL; own++) add_fact(facts, instance->step->name, *own);
    if (instance->kind != PM_STEP_INSPECT) return;
    static const char *const verdict[] = {"decision", "score", "label"};
    for (size_t i = 0; i < sizeof verdict / sizeof verdict[0]; i++) add_fact(facts, instance->step->name, verdict[i]);
}

static PmStepKind kind_of(const PmLoaded *plugin)
{
    return plugin->transform.encode != NULL    ? PM_STEP_ENCODE
           : plugin->transform.inspect != NULL ? PM_STEP_INSPECT
                                               : PM_STEP_APPLY;
}

static bool check_kind(PmStepMaker *maker, const PmOutput *output, const PmInstance *instance, bool last)
{
    const PmStep *step = instance->step;
    const char *file = maker->pipeline->file;
    PmError *error = NULL;
    bool good = true;
    if (instance->kind == PM_STEP_ENCODE && (output == NULL || !last)) {
        error = pm_error_list_addf(maker->errors, PM_BAD_CONFIG, file, step->line, step->column, step->where,
                                   output == NULL ? "%s writes a file, which steps shared by all outputs cannot"
                                                  : "%s writes the file, so no step can follow it",
                                   step->plugin);
        if (error != NULL)
            pm_error_hint(error, output == NULL ? "make it the last step of each output"
                                                : "make it the last step of the output");
        good = false;
    }
    if (instance->kind == PM_STEP_ENCODE && step->when != NULL) {
        error = pm_error_list_addf(maker->errors, PM_BAD_CONFIG, file, step->line, step->column, step->where,
                                   "the step that writes the file cannot depend on `when`");
        if (error != NULL) pm_error_hint(error, "put `when` on the output");
        good = false;
    }
    if (step->has_on_reject && instance->kind != PM_STEP_INSPECT) {
        pm_error_list_addf(maker->errors, PM_BAD_CONFIG, file, step->line, step->column, step->where,
                           "`on_reject` is for steps that inspect, and %s does not", step->plugin);
        good = false;
    }
    return good;
}

/* The step's parameters as a mapping, or NULL for none. False after an error. */
static bool find_params(PmStepMaker *maker, const PmStep *step, const PmTransform *transform, const PmNode **out)
{
    const PmNode *params = step->params, *value = params;
    *out = params;
    if (params != NULL && params->kind == PM_NODE_MAPPING) value = pm_node_get(params, "");
    if (value == NULL) return true;
    if (value->kind != PM_NODE_SCALAR) return false; /* its reader has told */
    char form[PM_SHORTHAND_TEXT_MAX];
    pm_shorthand_form(transform, form, sizeof form);
    const PmNode *expanded = pm_shorthand_expand(transform, value, maker->arena);
    for (size_t i = 0; expanded != NULL && params != value && i < expanded->count; i++) {
        const PmNode *again = pm_node_get(params, expanded->pairs[i].key->text);
        if (again == NULL) continue;
        param_error(maker, step, expanded->pairs[i].key->text, "is given twice");
        return false;
    }
    if (expanded != NULL) {
        *out = params == value ? expanded : pm_shorthand_join(expanded, params, maker->arena);
        return true;
    }
    PmError *err =
        pm_error_list_addf(maker->errors, PM_BAD_CONFIG, maker->pipeline->file, value->line, value->column, step->where,
                           form[0] != '\0'   ? "\"%.60s\" has more parts than %s"
                           : params == value ? "expected a mapping of parameters, not %s"
                                             : "takes no value without a name",
                           form[0] != '\0' ? pm_node_quoted(value) : pm_node_kind_name(value), form);
    if (err != NULL && params == value) pm_error_hint(err, "write \"%s: { key: value }\"", step->plugin);
    if (err != NULL && params != value)
        pm_error_hint(err, "write NAME=VALUE; `pixmill plugins %s` lists the names", step->plugin);
    return false;
}

/* Binds and creates. False when the step cannot run. */
static bool make_step(PmStepMaker *maker, const PmOutput *output, const PmStep *step, bool last, PmInstance *instance)
{
    const PmPipeline *pipeline = maker->pipeline;
    PmError err = {0};
    PmJob loading = {.progress = maker->progress};
    pm_job_at(&loading, step->plugin, step->path, step->line); /* its constructors run now */
    const PmLoaded *plugin = pm_registry_load(maker->registry, step->plugin, &err);
    pm_job_at(&loading, NULL, NULL, 0);
    if (plugin == NULL) {
        pm_text_copy(err.where, sizeof err.where, step->where);
        pm_text_copy(err.step, sizeof err.step, step->path);
        pm_error_place(&err, pipeline->file, step->line, step->column);
        pm_error_list_add(maker->errors, &err);
        return false;
    }
    *instance = (PmInstance){.step = step, .plugin = plugin, .kind = kind_of(plugin)};
    bool good = check_kind(maker, output, instance, last);

    size_t before = maker->errors->count + maker->errors->dropped;
    void *config = pm_arena_alloc(maker->arena, plugin->transform.config_size + 1);
    PmDecodeContext context = {.file = pipeline->file, .where = step->where, .errors = maker->errors};
    const PmNode *params;
    good = find_params(maker, step, &plugin->transform, &params) &&
           pm_decode_params(&context, params, plugin->transform.params, plugin->transform.param_count, config,
                            maker->arena) &&
           good;
    instance->config = config;
    if (good) check_values(maker, instance);
    good = good && maker->errors->count + maker->errors->dropped == before;

    /* A fact is there for the steps after the one that sets it, whether or not this one could be made. */
    add_facts(maker->facts, instance);
    PmJob job = {.pipeline = pipeline,
                 .assets = maker->assets,
                 .arena = maker->arena,
                 .sink = maker->log,
                 .progress = maker->progress};
    return good && pm_call_create(&job, instance, maker->fetch, maker->errors) == PM_OK;
}

/* `convert: {}`, for an output that does not say how it is written. */
static const PmStep *implicit_convert(PmStepMaker *maker, const PmOutput *output)
{
    PmStep *step = pm_arena_alloc(maker->arena, sizeof *step);
    char text[256];
    step->plugin = "convert";
    step->name = "convert";
    snprintf(text, sizeof text, "outputs.%s.steps[%zu]", output->name, output->step_count);
    step->path = pm_arena_strdup(maker->arena, text);
    snprintf(text, sizeof text, "%s: convert", output->where);
    step->where = pm_arena_strdup(maker->arena, text);
    step->line = output->line;
    step->column = output->column;
    return step;
}

void pm_steps_make(PmStepMaker *maker, const PmOutput *output, PmInstances *out)
{
    const PmStep *steps = output != NULL ? output->steps : maker->pipeline->steps;
    size_t count = output != NULL ? output->step_count : maker->pipeline->step_count;
    out->items = pm_arena_alloc(maker->arena, (count + 1) * sizeof *out->items);
    bool encodes = false, complete = true;
    for (size_t i = 0; i < count; i++) {
        PmInstance *instance = &out->items[out->count];
        if (make_step(maker, output, &steps[i], i + 1 == count, instance))
            out->count++;
        else
            complete = false;
        encodes = instance->plugin != NULL && instance->kind == PM_STEP_ENCODE;
        if (!complete && !instance->created) *instance = (PmInstance){0};
    }
    if (output == NULL || encodes) return;
    /* Steps that could not be made may hide the encoder, so nothing is added then. */
    if (complete && make_step(maker, output, implicit_convert(maker, output), true, &out->items[out->count]))
        out->count++;
}

void pm_steps_finish(PmInstances *instances)
{
    for (size_t i = 0; i < instances->count; i++) {
        PmInstance *instance = &instances->items[i];
        if (instance->created && instance->plugin->transform.destroy != NULL)
            instance->plugin->transform.destroy(instance->self);
        instance->created = false;
    }
    instances->count = 0;
}
