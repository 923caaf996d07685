/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks across sections: loops, outputs that overwrite each other, sources that do not fit.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "pipeline/read.h"

/* --- loops --- */

static bool begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Lexical: no link is followed, nothing needs to exist. Caller frees. */
static char *clean_path(const char *path)
{
    size_t n = strlen(path);
    char *out = malloc(n + 2);
    if (out == NULL) return NULL;
    size_t used = 0;
    for (const char *p = path; *p != '\0';) {
        while (*p == '/') p++;
        size_t length = strcspn(p, "/");
        if (length == 2 && strncmp(p, "..", 2) == 0) {
            while (used > 0 && out[used - 1] != '/') used--;
            if (used > 0) used--;
        } else if (length > 0 && !(length == 1 && *p == '.')) {
            out[used++] = '/';
            memmove(out + used, p, length);
            used += length;
        }
        p += length;
    }
    out[used] = '\0';
    return out;
}

static char *clean_join(const PmPipeline *pipeline, const char *path)
{
    char *joined = pm_pipeline_path(pipeline, path);
    char *clean = joined != NULL ? clean_path(joined) : NULL;
    free(joined);
    return clean;
}

/* Can a text that ends in `suffix`, whatever stands before, match the pattern? Only literal ends are looked at. */
static bool ends_fit(const char *pattern, const char *suffix)
{
    const char *end = pattern + strlen(pattern), *literal = end;
    while (literal > pattern && strchr("*?]", literal[-1]) == NULL) literal--;
    size_t p = (size_t)(end - literal), s = strlen(suffix), n = p < s ? p : s;
    return strncmp(end - n, suffix + s - n, n) == 0;
}

/* Would a file written by this template be picked up by the trigger? */
static bool lands_in_folder(const PmPipeline *pipeline, const PmDirectoryTrigger *trigger, const PmTemplate *tmpl,
                            const char *output)
{
    char *folder = clean_join(pipeline, trigger->path), *prefix = clean_join(pipeline, pm_template_prefix(tmpl));
    bool lands = false;
    if (folder != NULL && prefix != NULL) {
        size_t n = strlen(folder), m = strlen(prefix);
        char *inside = malloc(n + 2), *root = malloc(m + 2);
        if (inside != NULL && root != NULL) {
            snprintf(inside, n + 2, "%s/", folder);
            snprintf(root, m + 2, "%s/", prefix);
            bool below = begins_with(root, inside) && strlen(root) > strlen(inside); /* in a folder of the folder */
            lands = pm_template_reaches(tmpl, root, output, inside) && (trigger->recursive || !below) &&
                    (trigger->pattern == NULL || ends_fit(trigger->pattern, pm_template_suffix(tmpl)));
        }
        free(inside);
        free(root);
    }
    free(folder);
    free(prefix);
    return lands;
}

/* `output` is what {output} stands for in the place's template. */
static void check_loop(const PmReading *r, const PmPlace *place, const char *where, const char *output)
{
    const PmPipeline *p = r->pipeline;
    PmNode at = {.line = place->line, .column = place->column};
    if (place->kind == PM_PLACE_FILE && p->trigger.kind == PM_TRIGGER_DIRECTORY) {
        const PmDirectoryTrigger *trigger = p->trigger.config;
        if (trigger->path == NULL || !lands_in_folder(p, trigger, place->key, output)) return;
        PmError *err =
            pm_read_error(r, &at, where, "can write into %s, the folder that the trigger watches: it would feed itself",
                          trigger->path);
        if (err != NULL) pm_error_hint(err, "write to a folder beside it, such as out/{stem}.{ext}");
        return;
    }
    if (place->kind != PM_PLACE_S3 || p->source.kind != PM_SOURCE_S3) return;
    const PmS3Source *source = p->source.config;
    const PmS3Place *target = place->config;
    const char *prefix = source->prefix != NULL ? source->prefix : "";
    for (size_t i = 0; i < source->buckets.count; i++) {
        if (strcmp(source->buckets.items[i], target->bucket) != 0) continue;
        if (!pm_template_reaches(place->key, NULL, output, prefix)) continue;
        PmError *err =
            pm_read_error(r, &at, where, "can write to s3://%s/%s, where the sources come from: it would feed itself",
                          target->bucket, prefix);
        if (err != NULL)
            pm_error_hint(
                err, "write to another bucket, or give source.s3.prefix and the key prefixes that exclude each other");
        return;
    }
}

/* --- outputs that overwrite each other --- */

static bool same_place(const PmPlace *a, const PmPlace *b)
{
    if (a->kind != b->kind || a->kind == PM_PLACE_NONE ||
        strcmp(pm_template_text(a->key), pm_template_text(b->key)) != 0)
        return false;
    if (strstr(pm_template_text(a->key), "{output}") != NULL) return false;
    return a->kind == PM_PLACE_FILE ||
           strcmp(((const PmS3Place *)a->config)->bucket, ((const PmS3Place *)b->config)->bucket) == 0;
}

static void check_overwrites(const PmReading *r)
{
    const PmPipeline *p = r->pipeline;
    for (size_t i = 0; i < p->output_count; i++)
        for (size_t k = 0; k < i; k++)
            if (same_place(&p->outputs[i].to, &p->outputs[k].to)) {
                PmNode at = {.line = p->outputs[i].to.line, .column = p->outputs[i].to.column};
                PmError *err = pm_read_error(r, &at, p->outputs[i].where, "writes to the same place as output %s",
                                             p->outputs[k].name);
                if (err != NULL) pm_error_hint(err, "put {output} into the name");
                break;
            }
}

/* --- addresses of services --- */

/* What such an address carries beyond host and path would be sent to nobody and stand in logs. */
static void check_address(const PmReading *r, const PmNode *section, const char *where, const char *key)
{
    const PmNode *node = pm_node_get(section, key);
    if (node == NULL || node->kind != PM_NODE_SCALAR || node->failed || strpbrk(node->text, "@?#") == NULL) return;
    PmError *err = pm_read_error(r, node, where, "%s carries more than a host and a path", key);
    if (err != NULL)
        pm_error_hint(err, "take user, password and query out: AWS credentials come from the environment, a profile "
                           "or a role");
}

static const PmNode *below(const PmNode *node, const char *key)
{
    return node != NULL && node->kind == PM_NODE_MAPPING ? pm_node_get(node, key) : NULL;
}

static void check_addresses(const PmReading *r)
{
    const PmNode *root = pm_tree_root(r->pipeline->tree);
    static const struct {
        const char *section, *kind, *where;
    } places[] = {{"aws", NULL, "aws"},
                  {"source", "s3", "source.s3"},
                  {"trigger", "sqs", "trigger.sqs"},
                  {"trigger", "lambda", "trigger.lambda"},
                  {"notify", "sqs", "notify.sqs"},
                  {"quarantine", "s3", "quarantine.s3"}};
    static const char *const keys[] = {"endpoint_url", "queue_url", "dead_letter_url"};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        const PmNode *section = below(root, places[i].section);
        if (places[i].kind != NULL) section = below(section, places[i].kind);
        for (size_t k = 0; section != NULL && k < sizeof keys / sizeof keys[0]; k++)
            if (section->kind == PM_NODE_MAPPING) check_address(r, section, places[i].where, keys[k]);
    }
    const PmNode *outputs = below(root, "outputs");
    for (size_t i = 0; outputs != NULL && outputs->kind == PM_NODE_MAPPING && i < outputs->count; i++) {
        const PmNode *s3 = below(below(outputs->pairs[i].value, "to"), "s3");
        char where[100];
        snprintf(where, sizeof where, "outputs.%.60s", outputs->pairs[i].key->text);
        if (s3 != NULL && s3->kind == PM_NODE_MAPPING) check_address(r, s3, where, "endpoint_url");
    }
}

void pm_read_crossings(const PmReading *r)
{
    const PmPipeline *p = r->pipeline;
    check_addresses(r);
    for (size_t i = 0; i < p->output_count; i++)
        check_loop(r, &p->outputs[i].to, p->outputs[i].where, p->outputs[i].name);
    if (p->quarantine.kind != PM_PLACE_NONE) check_loop(r, &p->quarantine, "quarantine", "");
    PmPlace record = {.kind = PM_PLACE_FILE, .key = p->notify.path, .line = p->notify.line, .column = p->notify.column};
    if (p->notify.path != NULL) check_loop(r, &record, "notify", "");
    check_overwrites(r);
    bool is_sqs = p->trigger.kind == PM_TRIGGER_SQS;
    if ((is_sqs || p->trigger.kind == PM_TRIGGER_LAMBDA) && p->source.kind != PM_SOURCE_S3) {
        PmNode at = {.line = p->trigger.line, .column = p->trigger.column};
        PmError *err = pm_read_error(r, &at, is_sqs ? "trigger: sqs" : "trigger: lambda",
                                     "needs source: s3 with the buckets that events may name");
        if (err != NULL) pm_error_hint(err, "source: { s3: { buckets: [my-uploads] } }");
    }
    if (p->trigger.kind == PM_TRIGGER_DIRECTORY && p->source.kind == PM_SOURCE_S3) {
        PmNode at = {.line = p->source.line, .column = p->source.column};
        pm_read_error(r, &at, "source: s3", "does not fit trigger: directory, which delivers files");
    }
}
