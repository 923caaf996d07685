/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks across sections: loops, outputs that overwrite each other, sources that do not fit, facts.
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

/* Would a file written below `prefix` be picked up by the trigger? */
static bool lands_in_folder(const PmPipeline *pipeline, const PmDirectoryTrigger *trigger, const char *template_prefix)
{
    char *folder = clean_join(pipeline, trigger->path), *prefix = clean_join(pipeline, template_prefix);
    bool inside = false;
    if (folder != NULL && prefix != NULL) {
        size_t n = strlen(folder);
        bool same = strcmp(folder, prefix) == 0;
        bool below = begins_with(prefix, folder) && prefix[n] == '/';
        /* Facts may lead from above the folder into it, when the fixed part does not rule it out. */
        inside = same || (below && trigger->recursive);
    }
    free(folder);
    free(prefix);
    return inside;
}

static void check_loop(const PmReading *r, const PmPlace *place, const char *where)
{
    const PmPipeline *p = r->pipeline;
    PmNode at = {.line = place->line, .column = place->column};
    if (place->kind == PM_PLACE_FILE && p->trigger.kind == PM_TRIGGER_DIRECTORY) {
        const PmDirectoryTrigger *trigger = p->trigger.config;
        if (trigger->path == NULL || !lands_in_folder(p, trigger, pm_template_prefix(place->key))) return;
        PmError *err = pm_read_error(
            r, &at, where, "writes into %s, the folder that the trigger watches: it would feed itself", trigger->path);
        if (err != NULL) pm_error_hint(err, "write to a folder beside it, such as out/{stem}.{ext}");
        return;
    }
    if (place->kind != PM_PLACE_S3 || p->source.kind != PM_SOURCE_S3) return;
    const PmS3Source *source = p->source.config;
    const PmS3Place *target = place->config;
    const char *prefix = source->prefix != NULL ? source->prefix : "", *fixed = pm_template_prefix(place->key);
    for (size_t i = 0; i < source->buckets.count; i++) {
        if (strcmp(source->buckets.items[i], target->bucket) != 0) continue;
        if (!begins_with(fixed, prefix) && !begins_with(prefix, fixed)) continue;
        PmError *err =
            pm_read_error(r, &at, where, "writes to s3://%s/%s, where the sources come from: it would feed itself",
                          target->bucket, fixed);
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

void pm_read_crossings(const PmReading *r)
{
    const PmPipeline *p = r->pipeline;
    for (size_t i = 0; i < p->output_count; i++) check_loop(r, &p->outputs[i].to, p->outputs[i].where);
    if (p->quarantine.kind != PM_PLACE_NONE) check_loop(r, &p->quarantine, "quarantine");
    check_overwrites(r);
    if (p->trigger.kind == PM_TRIGGER_SQS && p->source.kind != PM_SOURCE_S3) {
        PmNode at = {.line = p->trigger.line, .column = p->trigger.column};
        PmError *err = pm_read_error(r, &at, "trigger: sqs", "needs source: s3 with the buckets that events may name");
        if (err != NULL) pm_error_hint(err, "source: { s3: { buckets: [my-uploads] } }");
    }
    if (p->trigger.kind == PM_TRIGGER_DIRECTORY && p->source.kind == PM_SOURCE_S3) {
        PmNode at = {.line = p->source.line, .column = p->source.column};
        pm_read_error(r, &at, "source: s3", "does not fit trigger: directory, which delivers files");
    }
}

/* --- facts --- */

static const char *after_dot(const char *name)
{
    const char *dot = strchr(name, '.');
    return dot != NULL ? dot + 1 : NULL;
}

static bool set_by_plugins(const json_t *facts, const char *name)
{
    for (size_t i = 0; i < json_array_size(facts); i++) {
        const char *fact = json_string_value(json_array_get(facts, i));
        if (fact != NULL && strcmp(fact, name) == 0) return true;
    }
    return false;
}

static void add_unknown(PmErrorList *errors, const char *file, int line, int column, const char *where,
                        const char *name, unsigned flag, const json_t *facts)
{
    const PmFactInfo *info = pm_fact_info(name);
    const char *words[400];
    size_t n = 0;
    for (const PmFactInfo *i = pm_fact_table; i->name != NULL && n < 199; i++)
        if ((i->flags & flag) != 0) words[n++] = i->name;
    for (size_t i = 0; i < json_array_size(facts) && n < 399; i++)
        if (json_is_string(json_array_get(facts, i))) words[n++] = json_string_value(json_array_get(facts, i));
    words[n] = NULL;
    const char *use = flag == PM_FACT_KEY ? "a key" : "when";
    PmError *err;
    if (info != NULL)
        err =
            pm_error_list_addf(errors, PM_BAD_CONFIG, file, line, column, where, "{%s} is not known in %s", name, use);
    else if (after_dot(name) != NULL)
        err =
            pm_error_list_addf(errors, PM_BAD_CONFIG, file, line, column, where, "no step sets the fact \"%s\"", name);
    else
        err = pm_error_list_addf(errors, PM_BAD_CONFIG, file, line, column, where, "unknown fact \"%s\"", name);
    const char *near = pm_text_nearest(name, words);
    if (err != NULL && near != NULL)
        pm_error_hint(err, "did you mean \"%s\"?", near);
    else if (err != NULL)
        pm_error_hint(err, "docs/reference/pipeline.md lists the facts");
}

static void check_place(const PmPipeline *p, const PmPlace *place, const char *where, const json_t *facts,
                        PmErrorList *errors)
{
    if (place->kind == PM_PLACE_NONE) return;
    const char *name;
    for (size_t i = 0; (name = pm_template_fact(place->key, i)) != NULL; i++) {
        const PmFactInfo *info = pm_fact_info(name);
        if ((info != NULL && (info->flags & PM_FACT_KEY) != 0) || set_by_plugins(facts, name)) continue;
        add_unknown(errors, p->file, place->line, place->column, where, name, PM_FACT_KEY, facts);
    }
}

static void check_when(const PmPipeline *p, const PmWhen *when, const char *where, const json_t *facts,
                       PmErrorList *errors)
{
    int line = 0, column = 0;
    const char *name;
    for (size_t i = 0; when != NULL && (name = pm_when_fact(when, i, &line, &column)) != NULL; i++) {
        const PmFactInfo *info = pm_fact_info(name);
        if ((info != NULL && (info->flags & PM_FACT_WHEN) != 0) || set_by_plugins(facts, name)) continue;
        add_unknown(errors, p->file, line, column, where, name, PM_FACT_WHEN, facts);
    }
}

void pm_pipeline_check_facts(const PmPipeline *p, const json_t *plugin_facts, PmErrorList *errors)
{
    for (size_t i = 0; i < p->step_count; i++) check_when(p, p->steps[i].when, p->steps[i].where, plugin_facts, errors);
    for (size_t i = 0; i < p->output_count; i++) {
        const PmOutput *output = &p->outputs[i];
        check_when(p, output->when, output->where, plugin_facts, errors);
        for (size_t k = 0; k < output->step_count; k++)
            check_when(p, output->steps[k].when, output->steps[k].where, plugin_facts, errors);
        check_place(p, &output->to, output->where, plugin_facts, errors);
    }
    check_place(p, &p->quarantine, "quarantine", plugin_facts, errors);
}
