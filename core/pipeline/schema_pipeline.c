/* SPDX-License-Identifier: Apache-2.0
 *
 * The JSON Schema of the whole pipeline file: sections from sections.c and the kinds, steps from the plugins'
 * descriptions.
 */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "pipeline/facts.h"
#include "pipeline/schema.h"
#include "pipeline/schema_internal.h"
#include "pipeline/sections.h"

static json_t *nullable(json_t *schema)
{
    json_object_set_new(schema, "type", json_pack("[ss]", "object", "null"));
    return schema;
}

static json_t *section_schema(const PmSection *section)
{
    json_t *schema = pm_schema_object(section->params, section->count);
    json_object_set_new(schema, "description", json_string(section->doc));
    return schema;
}

/* One kind's settings; null stands for those of which none must be written. */
static json_t *kind_schema(const PmSection *section)
{
    json_t *schema = section_schema(section);
    return json_object_get(schema, "required") != NULL ? schema : nullable(schema);
}

/* An object that holds exactly one of these keys. Takes `properties`. */
static json_t *choice_schema(json_t *properties, const char *doc)
{
    return json_pack("{sssssbsisiso}", "description", doc, "type", "object", "additionalProperties", 0, "minProperties",
                     1, "maxProperties", 1, "properties", properties);
}

/* The kinds that have a role. */
static json_t *kinds_schema(const PmKind *const *kinds, PmKindRole role, const char *doc)
{
    json_t *properties = json_object();
    for (; *kinds != NULL; kinds++)
        if (pm_kind_section(*kinds, role) != NULL)
            json_object_set_new(properties, (*kinds)->name, kind_schema(pm_kind_section(*kinds, role)));
    return choice_schema(properties, doc);
}

static json_t *quarantine_schema(const PmKind *const *kinds)
{
    json_t *schema = kinds_schema(kinds, PM_ROLE_PLACE,
                                  "Where rejected sources go. Default: the trigger's own place for "
                                  "failures.");
    for (; *kinds != NULL; kinds++) {
        json_t *one = json_object_get(json_object_get(schema, "properties"), (*kinds)->name);
        if (one != NULL) json_object_set_new(one, "description", json_string((*kinds)->quarantine_doc));
    }
    return schema;
}

/* One trigger; a kind that may stand beside another is a second key. */
static json_t *trigger_schema(const PmKind *const *kinds)
{
    json_t *schema = kinds_schema(kinds, PM_ROLE_TRIGGER, "What brings images. `apply` needs none.");
    json_t *pairs = json_array(), *alone = json_object();
    const PmKind *hosted = NULL;
    for (size_t i = 0; kinds[i] != NULL; i++)
        if (kinds[i]->beside != NULL) hosted = kinds[i];
    for (size_t i = 0; kinds[i] != NULL; i++) {
        if (kinds[i]->trigger.path == NULL || kinds[i] == hosted) continue;
        for (size_t k = 0; k < i; k++)
            if (kinds[k]->trigger.path != NULL && kinds[k] != hosted)
                json_array_append_new(pairs, json_pack("{s[ss]}", "required", kinds[k]->name, kinds[i]->name));
        if (hosted != NULL && strcmp(kinds[i]->name, hosted->beside) != 0)
            json_object_set_new(alone, kinds[i]->name, json_pack("{s{s[s]}}", "not", "required", hosted->name));
    }
    if (hosted != NULL) json_object_set_new(schema, "maxProperties", json_integer(2));
    if (json_array_size(pairs) > 0) json_object_set_new(schema, "not", json_pack("{sO}", "anyOf", pairs));
    if (json_object_size(alone) > 0) json_object_set(schema, "dependentSchemas", alone);
    json_decref(pairs);
    json_decref(alone);
    return schema;
}

const PmSection *pm_schema_shared(const PmKind *const *kinds, size_t i)
{
    for (size_t k = 0; kinds[k] != NULL; k++) {
        const PmSection *section = kinds[k]->shared;
        size_t before = 0;
        while (before < k && kinds[before]->shared != section) before++;
        if (section != NULL && before == k && i-- == 0) return section;
    }
    return NULL;
}

static json_t *ref(const char *name)
{
    return json_pack("{ss+}", "$ref", "#/$defs/", name);
}

static json_t *when_schema(void)
{
    json_t *facts = json_object();
    for (const PmFactInfo *info = pm_fact_table; info->name != NULL; info++)
        if ((info->flags & PM_FACT_WHEN) != 0)
            json_object_set_new(facts, info->name,
                                json_pack("{ssss}", "$ref", "#/$defs/condition", "description", info->doc));
    return json_pack("{ss ss si sb so s{so}}", "description",
                     "Run this only for images whose facts match; all conditions must hold.", "type", "object",
                     "minProperties", 1, "additionalProperties", 0, "properties", facts, "patternProperties",
                     "^[a-z0-9_-]+\\.[a-z0-9_.-]+$", ref("condition"));
}

static json_t *condition_schema(void)
{
    json_t *scalar = json_pack("{s[sss]}", "type", "string", "number", "boolean");
    return json_pack("{ss s[o {ss si sO}]}", "description",
                     "A value, a list of which one must match, a comparison such as \">=64\" or \">=64, <2000\", or a "
                     "pattern such as \"*.jpg\".",
                     "anyOf", scalar, "type", "array", "minItems", 1, "items", scalar);
}

static json_t *on_reject_schema(void)
{
    json_t *choices = json_array();
    for (size_t i = 0; pm_on_reject_names[i] != NULL; i++)
        json_array_append_new(choices, json_string(pm_on_reject_names[i]));
    return json_pack("{sssoss}", "description", PM_ON_REJECT_DOC, "enum", choices, "default",
                     pm_on_reject_names[PM_ON_REJECT_QUARANTINE]);
}

static bool needs_parameters(const json_t *params)
{
    size_t i;
    json_t *param;
    json_array_foreach(params, i, param)
    {
        if (json_is_true(json_object_get(param, "required"))) return true;
    }
    return false;
}

/* A single value instead of a mapping: the one parameter's own schema, or numbers with x between them. */
static json_t *shorthand_schema(const json_t *params, const json_t *shorthand)
{
    char pattern[160] = "", doc[200] = "";
    for (size_t i = 0; i < json_array_size(shorthand); i++) {
        size_t used = strlen(pattern), said = strlen(doc);
        snprintf(pattern + used, sizeof pattern - used, i == 0 ? "^[0-9.]*" : "([xX][0-9.]*)?");
        snprintf(doc + said, sizeof doc - said, "%s%.40s", i == 0 ? "Short for " : " x ",
                 json_string_value(json_array_get(shorthand, i)));
    }
    if (json_array_size(shorthand) == 1) {
        size_t i;
        json_t *param;
        json_array_foreach(params, i, param)
        {
            if (strcmp(pm_schema_text(param, "name"), json_string_value(json_array_get(shorthand, 0))) != 0) continue;
            json_t *one = json_pack("[O]", param), *schema = pm_schema_from_description(one);
            json_t *value =
                json_deep_copy(json_object_get(json_object_get(schema, "properties"), pm_schema_text(param, "name")));
            json_decref(one);
            json_decref(schema);
            return value;
        }
    }
    pm_text_copy(pattern + strlen(pattern), sizeof pattern - strlen(pattern), "$|\\{[A-Za-z_]");
    return json_pack("{s[{s[ss]}{ssss}] ss}", "anyOf", "type", "integer", "number", "type", "string", "pattern",
                     pattern, "description", doc);
}

/* Adds one plugin to the properties of a step. */
static void add_plugin(const json_t *plugin, json_t *properties, json_t *one_of, json_t *bare)
{
    const char *name = pm_schema_text(plugin, "name");
    const json_t *params = json_object_get(plugin, "params");
    json_t *schema = name[0] != '\0' ? pm_schema_from_description(params) : NULL;
    if (schema == NULL) return;
    if (!needs_parameters(params)) {
        json_object_set_new(schema, "type", json_pack("[ss]", "object", "null"));
        json_array_append_new(bare, json_string(name));
    }
    const json_t *shorthand = json_object_get(plugin, "shorthand");
    json_object_set_new(schema, "description", json_string(pm_schema_text(plugin, "summary")));
    if (json_array_size(shorthand) > 0)
        schema = json_pack("{s[oo] ss}", "anyOf", schema, shorthand_schema(params, shorthand), "description",
                           pm_schema_text(plugin, "summary"));
    json_object_set_new(properties, name, schema);
    json_array_append_new(one_of, json_pack("{s[s]}", "required", name));
}

/* One object with all plugins as properties, of which it must have one: editors then complete and complain far better
 * than with an alternative per plugin. */
static json_t *step_schema(const json_t *plugins)
{
    json_t *properties =
        json_pack("{s{sssssi} so so}", "name", "description", PM_STEP_NAME_DOC, "pattern", "^[a-z0-9_-]{1,48}$",
                  "maxLength", 48, PM_KEY_WHEN, ref("when"), "on_reject", on_reject_schema());
    json_t *one_of = json_array(), *bare = json_array();
    size_t i;
    json_t *plugin;
    json_array_foreach(plugins, i, plugin) add_plugin(plugin, properties, one_of, bare);
    json_t *object = json_pack("{sssoss}", "type", "object", "properties", properties, "description",
                               "One plugin with its parameters.");
    if (json_array_size(one_of) > 0) {
        json_object_set(object, "oneOf", one_of);
        json_object_set_new(object, "additionalProperties", json_false());
    }
    json_t *step = object;
    if (json_array_size(bare) > 0)
        step = json_pack("{s[o{sssO}]}", "anyOf", object, "description", "A plugin without parameters.", "enum", bare);
    json_decref(one_of);
    json_decref(bare);
    return step;
}

static json_t *steps_schema(void)
{
    return json_pack("{sssoss}", "type", "array", "items", ref("step"), "description",
                     "What is done to the picture, in this order.");
}

static json_t *for_schema(void)
{
    json_t *scalar = json_pack("{s[sss]}", "type", "string", "number", "boolean");
    return json_pack("{ss ss si s{ss} s{s[o {ss si sO}]}}", "description", PM_FOR_DOC, "type", "object",
                     "minProperties", 1, "propertyNames", "pattern", "^[a-z][a-z0-9_]{0,31}$", "additionalProperties",
                     "anyOf", scalar, "type", "array", "minItems", 1, "items", scalar);
}

static json_t *output_schema(const PmKind *const *kinds)
{
    return json_pack("{ss ss sb s[s] s{so so so so}}", "description", "A rendition.", "type", "object",
                     "additionalProperties", 0, "required", PM_KEY_TO, "properties", PM_KEY_FOR, for_schema(),
                     PM_KEY_WHEN, ref("when"), PM_KEY_STEPS, steps_schema(), PM_KEY_TO,
                     kinds_schema(kinds, PM_ROLE_PLACE, "Where the rendition goes."));
}

static void add_sections(json_t *properties, const PmKind *const *kinds)
{
    json_object_set_new(properties, PM_KEY_TRIGGER, trigger_schema(kinds));
    json_object_set_new(
        properties, PM_KEY_SOURCE,
        kinds_schema(kinds, PM_ROLE_SOURCE, "Where sources are read from. Default: what the trigger delivers."));
    json_object_set_new(properties, PM_KEY_QUARANTINE, quarantine_schema(kinds));
    json_object_set_new(properties, PM_KEY_NOTIFY,
                        kinds_schema(kinds, PM_ROLE_NOTIFY, "A record of each finished source. Default: none."));
    for (const PmSection *section = pm_sections; section->path != NULL; section++)
        if (section->path[0] != '\0') json_object_set_new(properties, section->path, nullable(section_schema(section)));
    const PmSection *shared;
    for (size_t i = 0; (shared = pm_schema_shared(kinds, i)) != NULL; i++)
        json_object_set_new(properties, shared->path, nullable(section_schema(shared)));
    json_object_set_new(properties, PM_KEY_STEPS, steps_schema());
    json_object_set_new(properties, PM_KEY_OUTPUTS,
                        json_pack("{ss ss si s{ss} so}", "description", "The renditions by name.", "type", "object",
                                  "minProperties", 1, "propertyNames", "pattern", "^[a-z0-9_-]{1,48}$",
                                  "additionalProperties", ref("output")));
}

json_t *pm_schema_pipeline(const PmKind *const *kinds, const json_t *plugins)
{
    json_t *schema = section_schema(pm_section(""));
    json_object_set_new(schema, "$schema", json_string("https://json-schema.org/draft/2020-12/schema"));
    json_object_set_new(schema, "title", json_string("pixmill pipeline"));
    json_object_set_new(schema, "patternProperties",
                        json_pack("{s{ss}}", "^x-", "description",
                                  "Your own: never looked at. A place for anchors (&name) that aliases (*name) and "
                                  "merge keys (<<: *name) stand for."));
    add_sections(json_object_get(schema, "properties"), kinds);
    json_array_append_new(json_object_get(schema, "required"), json_string(PM_KEY_OUTPUTS));
    json_object_set_new(schema, "$defs",
                        json_pack("{so so so so}", "condition", condition_schema(), "when", when_schema(), "step",
                                  step_schema(plugins), "output", output_schema(kinds)));
    return schema;
}
