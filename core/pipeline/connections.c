/* SPDX-License-Identifier: Apache-2.0
 *
 * What a pipeline is connected to, read by the kinds' tables: trigger, source, places. No kind is known here by name.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "pipeline/read.h"
#include "pipeline/sections.h"

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

/* --- what would be taken as it is written, and is meant otherwise --- */

bool pm_pipeline_shell_path(const char *text, char *instead, size_t size)
{
    size_t n = text[0] == '~' ? 1 : 0;
    if (text[0] == '$') n = 1 + strspn(text + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");
    if (n == 0 || (text[0] == '$' && n == 1) || (text[n] != '/' && text[n] != '\0')) return false;
    if (text[0] == '~')
        snprintf(instead, size, "${HOME}%s", text + 1);
    else
        snprintf(instead, size, "${%.*s}%s", (int)n - 1, text + 1, text + n);
    return true;
}

static void check_shell_path(const PmReading *r, const PmNode *node, const char *where, const char *key)
{
    char instead[200];
    if (node == NULL || node->kind != PM_NODE_SCALAR || node->failed || node->variable || pm_node_is_null(node) ||
        !pm_pipeline_shell_path(node->text, instead, sizeof instead))
        return;
    PmError *err =
        pm_read_error(r, node, where, "%s \"%.100s\" is taken as it is written: no shell reads it", key, node->text);
    if (err != NULL) pm_error_hint(err, "write \"%s\"", instead);
}

/* "s3://thumbs" and "thumbs/small" name more than a bucket. An access point's ARN may. */
static void check_bucket(const PmReading *r, const PmNode *node, const char *where)
{
    if (node == NULL || node->kind != PM_NODE_SCALAR || node->failed || strncmp(node->text, "arn:", 4) == 0) return;
    const char *text = node->text, *name = strncmp(text, "s3://", 5) == 0 ? text + 5 : text;
    size_t n = strcspn(name, "/");
    if (name == text && name[n] == '\0') return;
    PmError *err = pm_read_error(r, node, where, "\"%.100s\" is not a bucket's name", pm_node_quoted(node));
    if (err == NULL || node->variable) return;
    if (name[n] == '\0' || name[n + 1] == '\0')
        pm_error_hint(err, "write \"%.*s\"", (int)(n < 100 ? n : 100), name);
    else
        pm_error_hint(err, "write \"%.*s\"; \"%.60s\" belongs into the key or prefix", (int)(n < 100 ? n : 100), name,
                      name + n + 1);
}

/* Paths and names that a shell, or other tools, would read otherwise. */
static void check_text(const PmReading *r, const PmNode *node, const char *where, const char *name)
{
    static const char *const shells[] = {"path",   "done",      "failed",          "seen",
                                         "bucket", "queue_url", "dead_letter_url", "endpoint_url",
                                         "region", "profile",   "ca_bundle",       NULL};
    if (pm_text_is_one_of(name, shells)) check_shell_path(r, node, where, name);
    if (strcmp(name, "bucket") == 0) check_bucket(r, node, where);
    if (strcmp(name, "buckets") != 0) return;
    if (node != NULL && node->kind == PM_NODE_SCALAR) check_bucket(r, node, where);
    for (size_t i = 0; node != NULL && node->kind == PM_NODE_SEQUENCE && i < node->count; i++)
        check_bucket(r, node->items[i], where);
}

/* Reads one kind's settings. place: what addresses are told as, "trigger.sqs". */
static const void *read_settings(const PmReading *r, const PmSection *section, const PmNode *node, const char *where,
                                 const char *place)
{
    static const char ending[] = "_url";
    const void *config = pm_read_section(r, section, node, where, NULL);
    for (size_t i = 0; node != NULL && node->kind == PM_NODE_MAPPING && i < section->count; i++) {
        const char *name = section->params[i].name;
        size_t n = strlen(name), m = sizeof ending - 1;
        if (n > m && strcmp(name + n - m, ending) == 0) check_address(r, node, place, name);
        check_text(r, pm_node_get(node, name), where, name);
    }
    return config;
}

/* The entry of `node` whose key names a kind with that role; *kind is which. NULL after an error. */
static const PmPair *read_kind(const PmReading *r, const PmNode *node, const char *where, PmKindRole role,
                               const PmKind **kind)
{
    const char *names[PM_CHOICES_MAX + 1] = {NULL};
    size_t count = 0;
    for (size_t i = 0; r->kinds[i] != NULL && count < PM_CHOICES_MAX; i++)
        if (pm_kind_section(r->kinds[i], role) != NULL) names[count++] = r->kinds[i]->name;
    const PmPair *pair = pm_read_choice(r, node, where, names);
    for (size_t i = 0; pair != NULL && r->kinds[i] != NULL; i++)
        if (pm_kind_section(r->kinds[i], role) != NULL && strcmp(r->kinds[i]->name, pair->key->text) == 0)
            *kind = r->kinds[i];
    return pair;
}

/* --- places --- */

static const char *string_at(const void *config, const PmParam *param)
{
    return *(const char *const *)((const char *)config + param->offset);
}

/* What is missing was reported, with the rest of the section or as a variable. */
static bool is_complete(const PmSection *section, const void *config)
{
    for (size_t i = 0; i < section->count; i++) {
        const PmParam *param = &section->params[i];
        if (param->type == PM_STRING && (param->flags & PM_REQUIRED) != 0 && string_at(config, param) == NULL)
            return false;
    }
    return true;
}

static const PmParam *key_of(const PmKind *kind, const PmSection *section)
{
    for (size_t i = 0; kind->key != NULL && i < section->count; i++)
        if (strcmp(section->params[i].name, kind->key) == 0) return &section->params[i];
    return NULL;
}

static PmTemplate *read_key(const PmReading *r, const PmKind *kind, const PmNode *node, const char *where,
                            const char *text)
{
    size_t at = 0;
    PmError err = {0};
    PmTemplate *tmpl = pm_template_new(kind->key_kind, text, &at, &err);
    if (tmpl != NULL) return tmpl;
    const PmNode *value = pm_node_get(node, kind->key);
    PmError *added = pm_read_error(r, value, where, "%s \"%.200s\": %s", kind->key,
                                   value != NULL && value->variable ? pm_node_quoted(value) : text, err.message);
    if (added != NULL && err.hint[0] != '\0') pm_error_hint(added, "%s", err.hint);
    return NULL;
}

/* section: "quarantine.s3" is where its addresses are told; NULL: at `where`. */
static void read_place(const PmReading *r, const PmNode *node, const char *where, const char *section_name,
                       PmKindRole role, PmPlace *place)
{
    const PmKind *kind = NULL;
    const PmPair *pair = read_kind(r, node, where, role, &kind);
    place->line = node->line;
    place->column = node->column;
    if (kind == NULL) return;
    const PmSection *section = pm_kind_section(kind, role);
    size_t before = r->errors->count;
    const char *address = section_name != NULL ? pm_read_text(r, "%s.%s", section_name, kind->name) : where;
    /* One without a key has no place that a message could speak of: the kind is named. */
    const PmParam *key = key_of(kind, section);
    const char *crumb = key == NULL ? pm_read_text(r, "%s: %s", where, kind->name) : where;
    const void *config = read_settings(r, section, pair->value, crumb, address);
    if (r->errors->count > before || !is_complete(section, config)) return;
    if (key != NULL) place->key = read_key(r, kind, pair->value, where, string_at(config, key));
    if (key != NULL && place->key == NULL) return;
    const PmNode *value = key != NULL ? pm_node_get(pair->value, kind->key) : NULL;
    place->key_line = value != NULL ? value->line : node->line;
    place->key_column = value != NULL ? value->column : node->column;
    place->kind = kind;
    place->config = config;
}

void pm_read_to(const PmReading *r, const PmNode *node, const PmOutput *output, PmPlace *place)
{
    read_place(r, node, output->where, NULL, PM_ROLE_PLACE, place);
}

/* --- trigger and source --- */

static const PmKind *hosted_kind(const PmReading *r)
{
    for (size_t i = 0; r->kinds[i] != NULL; i++)
        if (r->kinds[i]->beside != NULL) return r->kinds[i];
    return NULL;
}

static const PmKind *named(const PmReading *r, const char *name)
{
    for (size_t i = 0; r->kinds[i] != NULL; i++)
        if (strcmp(r->kinds[i]->name, name) == 0) return r->kinds[i];
    return NULL;
}

/* What a trigger of that kind hands over, for messages. */
static const char *delivered_by(const PmReading *r, const PmKind *kind)
{
    const PmKind *source = kind->delivers != NULL ? named(r, kind->delivers) : NULL;
    return source != NULL && source->objects != NULL ? source->objects : "something else";
}

/* The entries of `node` without the hosted kind's, which may stand beside another; *hosted is its value, or NULL. */
static const PmNode *without(const PmReading *r, const PmNode *node, const PmKind *kind, const PmNode **hosted)
{
    *hosted = kind != NULL && node->kind == PM_NODE_MAPPING ? pm_node_get(node, kind->name) : NULL;
    if (*hosted == NULL) return node;
    PmNode *rest = pm_arena_alloc(r->pipeline->arena, sizeof *rest);
    *rest = *node;
    PmPair *pairs = pm_arena_alloc(r->pipeline->arena, node->count * sizeof *pairs);
    rest->count = 0;
    for (size_t i = 0; i < node->count; i++)
        if (node->pairs[i].value != *hosted) pairs[rest->count++] = node->pairs[i];
    rest->pairs = pairs;
    return rest;
}

/* key: PM_KEY_TRIGGER or PM_KEY_SOURCE */
static void read_role(const PmReading *r, const char *key, PmKindRole which, const PmKind *kind, const PmNode *node,
                      PmRole *role)
{
    const PmSection *section = pm_kind_section(kind, which);
    role->kind = kind;
    role->config = read_settings(r, section, node, pm_read_text(r, "%s: %s", key, kind->name), section->path);
}

static void read_trigger(const PmReading *r, const PmNode *node)
{
    PmRole *trigger = &r->pipeline->trigger;
    const PmKind *guest = hosted_kind(r), *kind = NULL;
    const PmNode *hosted = NULL, *rest = node != NULL ? without(r, node, guest, &hosted) : NULL;
    if (guest != NULL) read_role(r, PM_KEY_TRIGGER, PM_ROLE_TRIGGER, guest, hosted, &r->pipeline->hosted);
    if (node == NULL) return; /* apply needs none; run says that it is missing */
    trigger->line = node->line;
    trigger->column = node->column;
    if (hosted != NULL) trigger->kind = guest;
    if (hosted != NULL) trigger->config = r->pipeline->hosted.config;
    if (hosted != NULL && rest->count == 0) return;
    const PmPair *pair = read_kind(r, rest, PM_KEY_TRIGGER, PM_ROLE_TRIGGER, &kind);
    if (kind == NULL) return;
    if (hosted != NULL && strcmp(kind->name, guest->beside) != 0) {
        pm_read_error(r, pair->key, PM_KEY_TRIGGER, "%s cannot stand beside %s, which delivers %s", kind->name,
                      guest->name, delivered_by(r, guest));
        return;
    }
    read_role(r, PM_KEY_TRIGGER, PM_ROLE_TRIGGER, kind, pair->value, trigger);
}

static void read_source(const PmReading *r, const PmNode *node)
{
    PmRole *source = &r->pipeline->source;
    const PmKind *kind = NULL;
    if (node == NULL) return;
    const PmPair *pair = read_kind(r, node, PM_KEY_SOURCE, PM_ROLE_SOURCE, &kind);
    source->line = node->line;
    source->column = node->column;
    if (kind != NULL) read_role(r, PM_KEY_SOURCE, PM_ROLE_SOURCE, kind, pair->value, source);
}

/* A trigger that hands over what the source does not read, or whose source must be written. */
static void check_source(const PmReading *r)
{
    const PmPipeline *p = r->pipeline;
    const PmKind *kind = p->trigger.kind, *source = p->source.kind;
    if (kind == NULL || kind->delivers == NULL) return;
    bool fits = source != NULL && strcmp(source->name, kind->delivers) == 0;
    if (fits || (source == NULL && kind->needs_source == NULL)) return;
    PmNode at = {.line = p->source.line, .column = p->source.column};
    if (kind->needs_source == NULL) {
        pm_read_error(r, &at, pm_read_text(r, "source: %s", source->name),
                      "does not fit trigger: %s, which delivers %s", kind->name, delivered_by(r, kind));
        return;
    }
    at = (PmNode){.line = p->trigger.line, .column = p->trigger.column};
    PmError *err = pm_read_error(r, &at, pm_read_text(r, "trigger: %s", kind->name), "needs source: %s %s",
                                 kind->delivers, kind->needs_source);
    if (err != NULL) pm_error_hint(err, "%s", kind->source_hint);
}

void pm_read_connections(const PmReading *r, const PmNode *root)
{
    PmPipeline *p = r->pipeline;
    for (size_t i = 0; i < PM_SHARED_MAX && p->shared[i].section != NULL; i++) {
        const char *name = p->shared[i].section->path;
        p->shared[i].config = read_settings(r, p->shared[i].section, pm_node_get(root, name), name, name);
    }
    const PmNode *notify = pm_node_get(root, PM_KEY_NOTIFY), *quarantine = pm_node_get(root, PM_KEY_QUARANTINE);
    if (notify != NULL) read_place(r, notify, PM_KEY_NOTIFY, PM_KEY_NOTIFY, PM_ROLE_NOTIFY, &p->notify);
    read_trigger(r, pm_node_get(root, PM_KEY_TRIGGER));
    read_source(r, pm_node_get(root, PM_KEY_SOURCE));
    if (quarantine != NULL)
        read_place(r, quarantine, PM_KEY_QUARANTINE, PM_KEY_QUARANTINE, PM_ROLE_PLACE, &p->quarantine);
    check_source(r);
    /* What only the kinds themselves can judge: loops. */
    for (size_t i = 0; r->kinds[i] != NULL; i++)
        if (r->kinds[i]->check != NULL) r->kinds[i]->check(p, r->errors);
}

/* --- looking at them afterwards --- */

const void *pm_pipeline_trigger(const PmPipeline *pipeline, const PmKind *kind)
{
    if (pipeline->trigger.kind == kind) return pipeline->trigger.config;
    return pipeline->hosted.kind == kind ? pipeline->hosted.config : NULL;
}

const void *pm_pipeline_shared(const PmPipeline *pipeline, const PmSection *section)
{
    for (size_t i = 0; i < PM_SHARED_MAX; i++)
        if (pipeline->shared[i].section == section) return pipeline->shared[i].config;
    return NULL;
}

const char *pm_pipeline_shared_text(const PmPipeline *pipeline, const char *name)
{
    for (size_t i = 0; i < PM_SHARED_MAX && pipeline->shared[i].section != NULL; i++) {
        const PmSection *section = pipeline->shared[i].section;
        for (size_t k = 0; k < section->count; k++)
            if (section->params[k].type == PM_STRING && strcmp(section->params[k].name, name) == 0)
                return string_at(pipeline->shared[i].config, &section->params[k]);
    }
    return NULL;
}

bool pm_pipeline_place(const PmPipeline *pipeline, size_t i, PmPlaceUse *use)
{
    const PmPlaceUse others[] = {{&pipeline->quarantine, PM_KEY_QUARANTINE, ""},
                                 {&pipeline->notify, PM_KEY_NOTIFY, ""}};
    for (size_t k = 0; k < pipeline->output_count; k++) {
        const PmOutput *output = &pipeline->outputs[k];
        *use = (PmPlaceUse){&output->to, output->where, output->name};
        if (use->place->key != NULL && i-- == 0) return true;
    }
    for (size_t k = 0; k < sizeof others / sizeof others[0]; k++) {
        *use = others[k];
        if (use->place->key != NULL && i-- == 0) return true;
    }
    return false;
}
