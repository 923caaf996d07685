/* SPDX-License-Identifier: Apache-2.0
 *
 * The JSON Schema of the whole pipeline file: sections from sections.c, steps from the plugins' descriptions.
 */
#include <string.h>

#include "pipeline/facts.h"
#include "pipeline/schema.h"
#include "pipeline/schema_internal.h"
#include "pipeline/sections.h"

static json_t *section_schema(const char *path)
{
    const PmSection *section = pm_section(path);
    json_t *schema = pm_schema_object(section->params, section->count);
    json_object_set_new(schema, "description", json_string(section->doc));
    return schema;
}

/* An object that holds exactly one of these keys. Takes `properties`. */
static json_t *choice_schema(json_t *properties, const char *doc)
{
    return json_pack("{sssssbsisiso}", "description", doc, "type", "object", "additionalProperties", 0, "minProperties",
                     1, "maxProperties", 1, "properties", properties);
}

/* `lambda` may stand beside `sqs`; otherwise one of them. */
static json_t *trigger_schema(void)
{
    json_t *lambda = section_schema("trigger.lambda");
    json_object_set_new(lambda, "type", json_pack("[ss]", "object", "null"));
    json_t *schema = choice_schema(json_pack("{sososo}", "directory", section_schema("trigger.directory"), "sqs",
                                             section_schema("trigger.sqs"), "lambda", lambda),
                                   "What brings images. `apply` needs none.");
    json_object_set_new(schema, "maxProperties", json_integer(2));
    json_object_set_new(schema, "not", json_pack("{s[ss]}", "required", "directory", "sqs"));
    json_object_set_new(schema, "dependentSchemas",
                        json_pack("{s{s{s[s]}}}", "directory", "not", "required", "lambda"));
    return schema;
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
    json_object_set_new(schema, "description", json_string(pm_schema_text(plugin, "summary")));
    json_object_set_new(properties, name, schema);
    json_array_append_new(one_of, json_pack("{s[s]}", "required", name));
}

/* One object with all plugins as properties, of which it must have one: editors then complete and complain far better
 * than with an alternative per plugin. */
static json_t *step_schema(const json_t *plugins)
{
    json_t *properties =
        json_pack("{s{sssssi} so so}", "name", "description", PM_STEP_NAME_DOC, "pattern", "^[a-z0-9_-]{1,48}$",
                  "maxLength", 48, "when", ref("when"), "on_reject", on_reject_schema());
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

static json_t *output_schema(void)
{
    json_t *to = choice_schema(
        json_pack("{soso}", "file", section_schema("outputs.*.to.file"), "s3", section_schema("outputs.*.to.s3")),
        "Where the rendition goes.");
    return json_pack("{ss ss sb s[s] s{so so so}}", "description", "A rendition.", "type", "object",
                     "additionalProperties", 0, "required", "to", "properties", "when", ref("when"), "steps",
                     steps_schema(), "to", to);
}

static json_t *nullable(json_t *schema)
{
    json_object_set_new(schema, "type", json_pack("[ss]", "object", "null"));
    return schema;
}

static void add_sections(json_t *properties)
{
    json_t *file = json_pack("{sss[ss]sb}", "description", "Sources are files.", "type", "object", "null",
                             "additionalProperties", 0);
    json_object_set_new(properties, "trigger", trigger_schema());
    json_object_set_new(properties, "source",
                        choice_schema(json_pack("{soso}", "s3", section_schema("source.s3"), "file", file),
                                      "Where sources are read from. Default: what the trigger delivers."));
    json_object_set_new(properties, "quarantine",
                        choice_schema(json_pack("{soso}", "file", section_schema("quarantine.file"), "s3",
                                                section_schema("quarantine.s3")),
                                      "Where rejected sources go. Default: the trigger's own place for failures."));
    json_object_set_new(
        properties, "notify",
        choice_schema(json_pack("{soso}", "file", section_schema("notify.file"), "sqs", section_schema("notify.sqs")),
                      "A record of each finished source. Default: none."));
    static const char *const plain[] = {"limits", "on_error", "sandbox", "aws", "fetch"};
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        json_object_set_new(properties, plain[i], nullable(section_schema(plain[i])));
    json_object_set_new(properties, "steps", steps_schema());
    json_object_set_new(properties, "outputs",
                        json_pack("{ss ss si s{ss} so}", "description", "The renditions by name.", "type", "object",
                                  "minProperties", 1, "propertyNames", "pattern", "^[a-z0-9_-]{1,48}$",
                                  "additionalProperties", ref("output")));
}

json_t *pm_schema_pipeline(const json_t *plugins)
{
    json_t *schema = section_schema("");
    json_object_set_new(schema, "$schema", json_string("https://json-schema.org/draft/2020-12/schema"));
    json_object_set_new(schema, "title", json_string("pixmill pipeline"));
    add_sections(json_object_get(schema, "properties"));
    json_array_append_new(json_object_get(schema, "required"), json_string("outputs"));
    json_object_set_new(schema, "$defs",
                        json_pack("{so so so so}", "condition", condition_schema(), "when", when_schema(), "step",
                                  step_schema(plugins), "output", output_schema()));
    return schema;
}
