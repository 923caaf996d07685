/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/preview_steps.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "pipeline/sections.h"

/* A picture on a page need not be larger. */
#define TO_SHOW "{ resize: { width: 1000, height: 1000, fit: inside } }, { convert: { format: webp, quality: 85 } }"

/* --- nodes as text --- */

static void add_text(PmBuffer *out, const char *text)
{
    PmBuffer escaped; /* ${ is not to be read a second time */
    pm_buffer_init(&escaped, PM_TREE_TEXT_MAX);
    pm_buffer_adds(&escaped, "");
    for (const char *p = text; *p != '\0'; p++) {
        if (p[0] == '$' && p[1] == '{') pm_buffer_adds(&escaped, "$");
        pm_buffer_add(&escaped, p, 1);
    }
    json_t *string = escaped.failed ? NULL : json_string(escaped.data != NULL ? escaped.data : "");
    char *quoted = string != NULL ? pm_json_text(string, JSON_ENCODE_ANY) : NULL;
    if (quoted != NULL)
        pm_buffer_adds(out, quoted);
    else
        out->failed = true;
    free(quoted);
    json_decref(string);
    pm_buffer_finish(&escaped);
}

/* What may be a number stays without quotes. */
static bool is_bare(const PmNode *node)
{
    static const char inside[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+%-";
    size_t n = strlen(node->text);
    return (node->plain || node->variable) && n > 0 && strspn(node->text, inside) == n && node->text[0] != '%' &&
           strcmp(node->text, "-") != 0 && strncmp(node->text, "---", 3) != 0;
}

static void add_node(PmBuffer *out, const PmNode *node)
{
    if (node->kind == PM_NODE_SCALAR) {
        if (is_bare(node))
            pm_buffer_adds(out, node->text);
        else if (pm_node_is_null(node))
            pm_buffer_adds(out, "null");
        else
            add_text(out, node->text);
        return;
    }
    bool list = node->kind == PM_NODE_SEQUENCE;
    pm_buffer_adds(out, list ? "[" : "{");
    for (size_t i = 0; i < node->count; i++) {
        pm_buffer_adds(out, i > 0 ? ", " : "");
        if (!list) {
            add_text(out, node->pairs[i].key->text);
            pm_buffer_adds(out, ": ");
        }
        add_node(out, list ? node->items[i] : node->pairs[i].value);
    }
    pm_buffer_adds(out, list ? "]" : "}");
}

/* --- steps --- */

static const PmNode *steps_of(const PmNode *holder)
{
    const PmNode *steps = pm_node_get(holder, PM_KEY_STEPS);
    return steps != NULL && steps->kind == PM_NODE_SEQUENCE ? steps : NULL;
}

/* An inspector that refuses would leave no pictures; what it says is shown beside the real run. */
static void add_step(PmBuffer *out, const PmStep *step, const PmNode *node)
{
    pm_buffer_adds(out, "{ ");
    add_text(out, step->plugin);
    pm_buffer_adds(out, ": ");
    if (step->params != NULL)
        add_node(out, step->params);
    else
        pm_buffer_adds(out, "{}");
    pm_buffer_adds(out, ", name: ");
    add_text(out, step->name);
    const PmNode *when = pm_node_get(node, PM_KEY_WHEN);
    if (when != NULL) {
        pm_buffer_adds(out, ", when: ");
        add_node(out, when);
    }
    if (step->has_on_reject) pm_buffer_adds(out, ", on_reject: flag");
    pm_buffer_adds(out, " }, ");
}

/* What is done until then; new, NULL: too long, or out of memory. */
static char *start_of(const PmPipeline *p, const PmOutput *output, size_t count)
{
    PmBuffer out;
    pm_buffer_init(&out, PM_TREE_TEXT_MAX);
    pm_buffer_adds(&out, "");
    const PmNode *trunk = steps_of(pm_tree_root(p->tree));
    size_t of_trunk = output == NULL ? count : p->step_count;
    for (size_t i = 0; i < of_trunk && i < p->step_count; i++)
        add_step(&out, &p->steps[i], trunk != NULL && i < trunk->count ? trunk->items[i] : NULL);
    const PmNode *steps = output != NULL && output->node != NULL ? steps_of(output->node) : NULL;
    for (size_t i = 0; output != NULL && i < count && i < output->step_count; i++)
        add_step(&out, &output->steps[i], steps != NULL && i < steps->count ? steps->items[i] : NULL);
    if (out.data == NULL) pm_buffer_add(&out, "", 0);
    char *text = out.failed ? NULL : out.data != NULL ? pm_buffer_steal(&out) : strdup("");
    pm_buffer_finish(&out);
    return text;
}

static int find(const PmPreviewSteps *steps, const char *start)
{
    for (size_t i = 0; i < steps->count; i++)
        if (strcmp(steps->starts[i], start) == 0) return (int)i;
    return -1;
}

int pm_preview_steps_find(const PmPreviewSteps *steps, const PmPipeline *pipeline, const PmOutput *output, size_t count)
{
    char *start = start_of(pipeline, output, count);
    int found = start != NULL ? find(steps, start) : -1;
    free(start);
    return found;
}

/* Outputs that begin alike share their pictures. */
static bool add_picture(PmPreviewSteps *steps, const PmPipeline *p, const PmOutput *output, size_t count)
{
    char *start = start_of(p, output, count);
    if (start == NULL) return false;
    bool there = find(steps, start) >= 0;
    if (there || steps->count == PM_PREVIEW_PICTURES_MAX) {
        steps->cut = steps->cut || !there;
        free(start);
    } else {
        steps->starts[steps->count++] = start;
    }
    return true;
}

/* The limits, but for time: these are many more pictures than the file asks for. */
static void add_limits(PmBuffer *out, const PmPipeline *p)
{
    const PmNode *limits = pm_node_get(pm_tree_root(p->tree), PM_KEY_LIMITS);
    pm_buffer_adds(out, "limits: { cpu_time: 5m, wall_time: 5m");
    for (size_t i = 0; limits != NULL && limits->kind == PM_NODE_MAPPING && i < limits->count; i++) {
        const char *key = limits->pairs[i].key->text;
        if (strcmp(key, "cpu_time") == 0 || strcmp(key, "wall_time") == 0) continue;
        pm_buffer_adds(out, ", ");
        add_text(out, key);
        pm_buffer_adds(out, ": ");
        add_node(out, limits->pairs[i].value);
    }
    pm_buffer_adds(out, " }\n");
}

/* Whether the last step of the output writes the file; what it writes is shown itself. */
static size_t shown_steps(const PmOutput *output)
{
    size_t n = output->step_count;
    return n > 0 && strcmp(output->steps[n - 1].plugin, "convert") == 0 ? n - 1 : n;
}

PmStatus pm_preview_steps_make(const PmPipeline *pipeline, bool source_only, PmPreviewSteps *out, PmError *err)
{
    *out = (PmPreviewSteps){.source_only = source_only};
    bool good = add_picture(out, pipeline, NULL, 0);
    for (size_t i = 1; good && !source_only && i <= pipeline->step_count; i++)
        good = add_picture(out, pipeline, NULL, i);
    for (size_t k = 0; good && !source_only && k < pipeline->output_count; k++)
        for (size_t i = 1; good && i <= shown_steps(&pipeline->outputs[k]); i++)
            good = add_picture(out, pipeline, &pipeline->outputs[k], i);
    PmBuffer text;
    pm_buffer_init(&text, PM_TREE_TEXT_MAX);
    pm_buffer_adds(&text, "version: 1\n");
    add_limits(&text, pipeline);
    const PmNode *sandbox = pm_node_get(pm_tree_root(pipeline->tree), PM_KEY_SANDBOX);
    if (sandbox != NULL) {
        pm_buffer_adds(&text, "sandbox: ");
        add_node(&text, sandbox);
        pm_buffer_adds(&text, "\n");
    }
    pm_buffer_adds(&text, "outputs:\n");
    for (size_t i = 0; i < out->count; i++) {
        pm_buffer_addf(&text, "  s%zu: { to: { file: { path: \"s%zu.webp\" } }, steps: [", i, i);
        pm_buffer_adds(&text, out->starts[i]);
        pm_buffer_adds(&text, TO_SHOW "] }\n");
    }
    good = good && !text.failed;
    out->size = text.size;
    out->text = pm_buffer_steal(&text);
    pm_buffer_finish(&text);
    return good ? PM_OK : pm_error_set(err, PM_LIMIT, "the pictures between the steps are too many to ask for");
}

void pm_preview_steps_finish(PmPreviewSteps *steps)
{
    for (size_t i = 0; i < steps->count; i++) free(steps->starts[i]);
    free(steps->text);
    *steps = (PmPreviewSteps){0};
}
