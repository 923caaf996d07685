/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/schema.h"

#include <math.h>
#include <string.h>

#include "pipeline/schema_internal.h"

/* What an editor must let pass in place of any scalar: a text with a variable in it, ${NAME} or {name} of `for`. */
#define VARIABLE "\\{[A-Za-z_]"

/* --- PmParam to description --- */

static json_t *number_json(double value)
{
    return value == floor(value) && fabs(value) < 9e15 ? json_integer((json_int_t)value) : json_real(value);
}

static void put_text(json_t *object, const char *key, const char *text)
{
    if (text != NULL && text[0] != '\0') json_object_set_new(object, key, json_string(text));
}

static json_t *describe_one(const PmParam *param)
{
    json_t *one = json_pack("{ssss}", "name", param->name, "type", pm_type_name(param->type));
    if (one == NULL) return NULL;
    if ((param->flags & PM_REQUIRED) != 0) json_object_set_new(one, "required", json_true());
    if (param->def != NULL) json_object_set_new(one, "default", json_string(param->def));
    if (param->min != 0 || param->max != 0) {
        json_object_set_new(one, "min", number_json(param->min));
        json_object_set_new(one, "max", number_json(param->max));
    }
    if (param->choices != NULL) {
        json_t *choices = json_array();
        for (size_t i = 0; param->choices[i] != NULL; i++)
            json_array_append_new(choices, json_string(param->choices[i]));
        json_object_set_new(one, "choices", choices);
    }
    put_text(one, "unit", param->unit);
    put_text(one, "doc", param->doc);
    if ((param->flags & PM_SECRET) != 0) json_object_set_new(one, "secret", json_true());
    if ((param->flags & PM_DEPRECATED) != 0) json_object_set_new(one, "deprecated", json_true());
    if ((param->flags & PM_PAIRS) != 0) json_object_set_new(one, "pairs", json_true());
    if ((param->flags & PM_TEMPLATE) != 0) json_object_set_new(one, "template", json_true());
    return one;
}

json_t *pm_schema_describe(const PmParam *params, size_t count)
{
    json_t *all = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *one = describe_one(&params[i]);
        if (one != NULL) json_array_append_new(all, one);
    }
    return all;
}

/* --- description to JSON Schema --- */

static bool find_type(const json_t *param, PmType *type)
{
    const char *name = pm_schema_text(param, "type");
    for (int t = PM_BOOL; t <= PM_LENGTH; t++)
        if (strcmp(pm_type_name((PmType)t), name) == 0) {
            *type = (PmType)t;
            return true;
        }
    return false;
}

static json_t *pattern(const char *text)
{
    return json_pack("{ssss}", "type", "string", "pattern", text);
}

/* Copies the limits of a description under the names that JSON Schema has for them here. */
static json_t *limited(json_t *schema, const json_t *param, const char *min_name, const char *max_name)
{
    json_t *min = json_object_get(param, "min"), *max = json_object_get(param, "max");
    if (schema != NULL && json_is_number(min)) json_object_set(schema, min_name, min);
    if (schema != NULL && json_is_number(max)) json_object_set(schema, max_name, max);
    return schema;
}

/* Schemas in [a, b, c] any of which will do; NULL ends the list. Takes them. */
static json_t *any_of(json_t *a, json_t *b, json_t *c)
{
    json_t *all = json_array(), *parts[] = {a, b, c};
    for (size_t i = 0; i < 3 && parts[i] != NULL; i++) json_array_append_new(all, parts[i]);
    return json_pack("{so}", "anyOf", all);
}

static json_t *text_schema(void)
{
    /* A bare 2024 or true is text for pixmill where text is asked for, and an editor reads it as a number. */
    return json_pack("{s[sss]}", "type", "string", "number", "boolean");
}

static json_t *choice_schema(const json_t *param)
{
    json_t *choices = json_object_get(param, "choices");
    return json_is_array(choices) ? json_pack("{sO}", "enum", choices) : text_schema();
}

static json_t *list_schema(const json_t *param)
{
    json_t *item = choice_schema(param);
    if (json_object_get(item, "enum") != NULL) item = any_of(item, pattern(VARIABLE), NULL);
    json_t *array = json_pack("{sssO}", "type", "array", "items", item);
    return any_of(limited(array, param, "minItems", "maxItems"), item, NULL);
}

static json_t *value_schema(const json_t *param, PmType type)
{
    switch (type) {
    case PM_BOOL:
        return any_of(json_pack("{ss}", "type", "boolean"), pattern(VARIABLE), NULL);
    case PM_INT: /* 50M is text to an editor */
        return any_of(limited(json_pack("{ss}", "type", "integer"), param, "minimum", "maximum"),
                      pattern("^[+-]?[0-9.]+ *[kKMG]$"), pattern(VARIABLE));
    case PM_NUMBER:
        return any_of(limited(json_pack("{ss}", "type", "number"), param, "minimum", "maximum"), pattern(VARIABLE),
                      NULL);
    case PM_STRING:
        return limited(text_schema(), param, "minLength", "maxLength");
    case PM_ENUM:
        return any_of(choice_schema(param), pattern(VARIABLE), NULL);
    case PM_COLOR:
        return pattern("^(#([0-9A-Fa-f]{3,4}|[0-9A-Fa-f]{6}|[0-9A-Fa-f]{8})|[A-Za-z]+)$|" VARIABLE);
    case PM_LIST:
        if (json_is_true(json_object_get(param, "pairs")))
            return json_pack("{ss s{s[sss]}}", "type", "object", "additionalProperties", "type", "string", "number",
                             "boolean");
        return list_schema(param);
    case PM_ASSET:
        return json_pack("{sssi}", "type", "string", "minLength", 1);
    case PM_ENDPOINT:
        return pattern("^https?://|^aws://[a-z0-9-]+/[A-Za-z0-9]+$|" VARIABLE);
    case PM_BYTES:
        return any_of(limited(json_pack("{ss}", "type", "integer"), param, "minimum", "maximum"),
                      pattern("^[0-9.]+ *([KMGT]i?B|kB|B)?$|" VARIABLE), NULL);
    case PM_DURATION:
        return any_of(json_pack("{si}", "const", 0), pattern("^[0-9.]+ *(ms|s|m|min|h|d)$|^0$|" VARIABLE), NULL);
    case PM_LENGTH:
        return any_of(limited(json_pack("{ss}", "type", "number"), param, "minimum", "maximum"),
                      pattern("^[+-]?[0-9.]+ *(px|%)?$|" VARIABLE), NULL);
    }
    return json_object();
}

/* The default as the value that an editor would insert: true, 300, ["icc"], "cover". */
static json_t *default_json(PmType type, const char *text)
{
    bool truth;
    int64_t whole;
    double number;
    if (type == PM_BOOL && pm_parse_bool(text, &truth, NULL, 0)) return json_boolean(truth);
    if (type == PM_INT && pm_parse_int(text, &whole, NULL, 0)) return json_integer(whole);
    if ((type == PM_NUMBER || type == PM_LENGTH) && pm_parse_number(text, &number, NULL, 0)) return number_json(number);
    if (type != PM_LIST) return json_string(text);
    json_t *list = json_array();
    PmErrorList errors = {0};
    PmTree *tree = pm_tree_parse("default", text, strlen(text), &errors);
    const PmNode *root = tree != NULL ? pm_tree_root(tree) : NULL;
    for (size_t i = 0; root != NULL && root->kind == PM_NODE_SEQUENCE && i < root->count; i++)
        if (root->items[i]->kind == PM_NODE_SCALAR) json_array_append_new(list, json_string(root->items[i]->text));
    if (root != NULL && root->kind == PM_NODE_SCALAR && !pm_node_is_null(root))
        json_array_append_new(list, json_string(root->text));
    pm_tree_free(tree);
    pm_error_list_finish(&errors);
    return list;
}

static json_t *param_schema(const json_t *param)
{
    PmType type;
    json_t *schema = find_type(param, &type) ? value_schema(param, type) : json_object();
    if (schema == NULL) return NULL;
    put_text(schema, "description", pm_schema_text(param, "doc"));
    const char *def = json_string_value(json_object_get(param, "default"));
    if (def != NULL && find_type(param, &type)) json_object_set_new(schema, "default", default_json(type, def));
    if (json_is_true(json_object_get(param, "deprecated"))) json_object_set_new(schema, "deprecated", json_true());
    return schema;
}

json_t *pm_schema_from_description(const json_t *params)
{
    json_t *properties = json_object(), *required = json_array();
    size_t i;
    json_t *param;
    json_array_foreach(params, i, param)
    {
        const char *name = pm_schema_text(param, "name");
        json_t *schema = name[0] != '\0' ? param_schema(param) : NULL;
        if (schema == NULL) continue;
        json_object_set_new(properties, name, schema);
        if (json_is_true(json_object_get(param, "required"))) json_array_append_new(required, json_string(name));
    }
    json_t *object = json_pack("{sssbso}", "type", "object", "additionalProperties", 0, "properties", properties);
    if (json_array_size(required) > 0) json_object_set(object, "required", required);
    json_decref(required);
    return object;
}

json_t *pm_schema_object(const PmParam *params, size_t count)
{
    json_t *description = pm_schema_describe(params, count);
    json_t *schema = pm_schema_from_description(description);
    json_decref(description);
    return schema;
}
