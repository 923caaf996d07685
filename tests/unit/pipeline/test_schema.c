/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/connector.h"
#include <cmocka.h>

typedef struct Config {
    bool enlarge;
    int64_t width;
    double opacity;
    const char *text, *image, *url;
    int32_t fit;
    PmColor background;
    PmList keep;
    int64_t size, time;
    PmLength margin;
} Config;

static const char *const fits[] = {"cover", "contain", NULL};
static const char *const kept[] = {"icc", "exif", NULL};

static const PmParam params[] = {
    PM_PARAM_BOOL(Config, enlarge, "enlarge", .def = "true", .doc = "Make small pictures larger."),
    PM_PARAM_INT(Config, width, "width", .flags = PM_REQUIRED, .min = 1, .max = 16384, .unit = "px"),
    PM_PARAM_NUMBER(Config, opacity, "opacity", .def = "0.6", .min = 0, .max = 1),
    PM_PARAM_STRING(Config, text, "text", .flags = PM_TEMPLATE, .max = 80),
    PM_PARAM_ASSET(Config, image, "image"),
    PM_PARAM_ENDPOINT(Config, url, "url", .flags = PM_SECRET),
    PM_PARAM_ENUM(Config, fit, "fit", .def = "cover", .choices = fits, .doc = "a | b"),
    PM_PARAM_COLOR(Config, background, "background", .def = "#ffffff"),
    PM_PARAM_LIST(Config, keep, "keep", .def = "[icc, exif]", .choices = kept, .min = 0, .max = 2),
    PM_PARAM_BYTES(Config, size, "size", .def = "1MiB", .min = 1, .max = 10485760),
    PM_PARAM_DURATION(Config, time, "time", .flags = PM_DEPRECATED, .min = 100, .max = 60000),
    PM_PARAM_LENGTH(Config, margin, "margin"),
};
enum { COUNT = sizeof params / sizeof params[0] };

/* The member at "a/b/0/c". */
static json_t *at(json_t *json, const char *path)
{
    char copy[200], *rest = NULL;
    strncpy(copy, path, sizeof copy - 1);
    copy[sizeof copy - 1] = '\0';
    for (char *part = strtok_r(copy, "/", &rest); part != NULL; part = strtok_r(NULL, "/", &rest))
        json = json_is_array(json) ? json_array_get(json, strtoul(part, NULL, 10)) : json_object_get(json, part);
    return json;
}

static const char *text_at(json_t *json, const char *path)
{
    const char *text = json_string_value(at(json, path));
    return text != NULL ? text : "(none)";
}

static void describes_each_type(void **state)
{
    (void)state;
    json_t *all = pm_schema_describe(params, COUNT);
    assert_int_equal(json_array_size(all), COUNT);
    assert_string_equal(text_at(all, "0/type"), "boolean");
    assert_string_equal(text_at(all, "0/default"), "true");
    assert_null(at(all, "0/required"));
    assert_null(at(all, "0/min"));
    assert_true(json_is_true(at(all, "1/required")));
    assert_int_equal(json_integer_value(at(all, "1/max")), 16384);
    assert_string_equal(text_at(all, "1/unit"), "px");
    assert_true(json_is_true(at(all, "3/template")));
    assert_true(json_is_true(at(all, "5/secret")));
    assert_string_equal(text_at(all, "6/choices/1"), "contain");
    assert_true(json_is_true(at(all, "10/deprecated")));
    json_decref(all);
}

static void description_and_table_give_the_same_schema(void **state)
{
    (void)state;
    json_t *description = pm_schema_describe(params, COUNT);
    char *wire = json_dumps(description, 0); /* as it travels */
    json_t *read = json_loads(wire, 0, NULL);
    json_t *a = pm_schema_from_description(read), *b = pm_schema_object(params, COUNT);
    assert_true(json_equal(a, b));
    json_decref(a);
    json_decref(b);
    json_decref(read);
    json_decref(description);
    free(wire);
}

static void object_refuses_unknown_keys_and_names_required_ones(void **state)
{
    (void)state;
    json_t *schema = pm_schema_object(params, COUNT);
    assert_true(json_is_false(at(schema, "additionalProperties")));
    assert_int_equal(json_array_size(at(schema, "required")), 1);
    assert_string_equal(text_at(schema, "required/0"), "width");
    assert_int_equal(json_integer_value(at(schema, "properties/width/anyOf/0/minimum")), 1);
    assert_string_equal(text_at(schema, "properties/width/anyOf/2/pattern"), "\\{[A-Za-z_]");
    assert_string_equal(text_at(schema, "properties/fit/anyOf/0/enum/0"), "cover");
    assert_string_equal(text_at(schema, "properties/fit/description"), "a | b");
    assert_true(json_is_true(at(schema, "properties/time/deprecated")));
    json_decref(schema);
}

static void defaults_are_typed(void **state)
{
    (void)state;
    json_t *schema = pm_schema_object(params, COUNT);
    assert_true(json_is_true(at(schema, "properties/enlarge/default")));
    assert_true(json_is_real(at(schema, "properties/opacity/default")));
    assert_string_equal(text_at(schema, "properties/keep/default/1"), "exif");
    assert_string_equal(text_at(schema, "properties/background/default"), "#ffffff");
    assert_string_equal(text_at(schema, "properties/size/default"), "1MiB");
    json_decref(schema);
}

static void object_without_required_has_no_empty_list(void **state)
{
    (void)state;
    json_t *schema = pm_schema_object(params, 1);
    assert_null(at(schema, "required"));
    json_decref(schema);
    schema = pm_schema_object(NULL, 0);
    assert_int_equal(json_object_size(at(schema, "properties")), 0);
    json_decref(schema);
}

static void strange_description_does_no_harm(void **state)
{
    (void)state;
    json_t *bad = json_loads("[{\"name\":\"a\",\"type\":\"nonsense\",\"default\":\"x\"},{\"type\":\"list\"},3,null,"
                             "{\"name\":\"b\",\"type\":\"list\",\"default\":\"[[\",\"choices\":7},"
                             "{\"name\":\"c\",\"type\":\"integer\",\"min\":\"x\",\"default\":7}]",
                             0, NULL);
    json_t *schema = pm_schema_from_description(bad);
    assert_int_equal(json_object_size(at(schema, "properties")), 3);
    char *page = pm_schema_markdown(bad);
    assert_non_null(page);
    free(page);
    json_decref(schema);
    schema = pm_schema_from_description(NULL);
    assert_string_equal(text_at(schema, "type"), "object");
    json_decref(schema);
    json_decref(bad);
}

static json_t *plugins(void)
{
    json_t *free_params = pm_schema_describe(params, 1);
    return json_pack("[{sssssssOso}, {ssssssso}]", "name", "resize", "kind", "apply", "summary", "Resize it.", "file",
                     free_params, "params", pm_schema_describe(params, COUNT), "name", "strip-metadata", "kind",
                     "apply", "summary", "Strip it.", "params", free_params);
}

static void pipeline_schema_holds_sections_and_plugins(void **state)
{
    (void)state;
    json_t *all = plugins(), *schema = pm_schema_pipeline(pm_kinds, all);
    assert_string_equal(text_at(schema, "$schema"), "https://json-schema.org/draft/2020-12/schema");
    assert_true(json_is_false(at(schema, "additionalProperties")));
    assert_string_equal(text_at(schema, "required/0"), "version");
    assert_string_equal(text_at(schema, "required/1"), "outputs");
    assert_string_equal(text_at(schema, "properties/limits/properties/pixels/description"),
                        "Most pixels that are decoded, of all frames where more than the first is needed.");
    assert_non_null(at(schema, "properties/trigger/properties/sqs/properties/queue_url"));
    /* resize needs a width, so it cannot be written as a bare word; strip-metadata can. */
    json_t *step = at(schema, "$defs/step");
    assert_string_equal(text_at(step, "anyOf/1/enum/0"), "strip-metadata");
    assert_int_equal(json_array_size(at(step, "anyOf/1/enum")), 1);
    json_t *object = at(step, "anyOf/0");
    assert_true(json_is_false(at(object, "additionalProperties")));
    assert_int_equal(json_array_size(at(object, "oneOf")), 2);
    assert_string_equal(text_at(object, "properties/resize/type"), "object");
    assert_string_equal(text_at(object, "properties/strip-metadata/type/1"), "null");
    assert_string_equal(text_at(object, "properties/on_reject/enum/0"), "quarantine");
    json_decref(schema);
    json_decref(all);
}

/* A single value may stand for one parameter, or for numbers with x between them. */
static void pipeline_schema_knows_short_forms(void **state)
{
    (void)state;
    json_t *all =
        json_loads("[{\"name\": \"resize\", \"summary\": \"s\", \"shorthand\": [\"width\", \"height\"], \"params\": "
                   "[{\"name\": \"width\", \"type\": \"integer\"}, {\"name\": \"height\", \"type\": \"integer\"}]},"
                   "{\"name\": \"convert\", \"summary\": \"s\", \"shorthand\": [\"format\"], \"params\": "
                   "[{\"name\": \"format\", \"type\": \"choice\", \"choices\": [\"png\", \"webp\"]}]}]",
                   0, NULL);
    assert_non_null(all);
    json_t *schema = pm_schema_pipeline(pm_kinds, all);
    const json_t *steps = json_object_get(
        json_array_get(json_object_get(json_object_get(json_object_get(schema, "$defs"), "step"), "anyOf"), 0),
        "properties");
    const json_t *resize = json_object_get(json_object_get(steps, "resize"), "anyOf"),
                 *convert = json_object_get(json_object_get(steps, "convert"), "anyOf");
    assert_int_equal(json_array_size(resize), 2);
    const json_t *text = json_array_get(json_object_get(json_array_get(resize, 1), "anyOf"), 1);
    assert_string_equal(json_string_value(json_object_get(text, "pattern")), "^[0-9.]*([xX][0-9.]*)?$|\\{[A-Za-z_]");
    assert_non_null(json_object_get(json_array_get(json_object_get(json_array_get(convert, 1), "anyOf"), 0), "enum"));
    json_decref(schema);
    json_decref(all);
}

static void pipeline_schema_without_plugins_lets_any_step_pass(void **state)
{
    (void)state;
    json_t *schema = pm_schema_pipeline(pm_kinds, NULL);
    assert_null(at(schema, "$defs/step/oneOf"));
    assert_null(at(schema, "$defs/step/additionalProperties"));
    json_decref(schema);
}

static void markdown_table_escapes_cells(void **state)
{
    (void)state;
    json_t *description = pm_schema_describe(params, COUNT);
    char *page = pm_schema_markdown(description);
    assert_non_null(strstr(page, "| `width` | integer, px, 1 to 16384 | required |  |\n"));
    assert_non_null(strstr(page, "| `fit` | `cover`, `contain` | `cover` | a \\| b |\n"));
    assert_non_null(strstr(page, "| `size` | size, 1 B to 10 MiB | `1MiB` |"));
    assert_non_null(strstr(page, "| `time` | duration, 100ms to 1m |  | *Deprecated.* "));
    free(page);
    json_decref(description);
    page = pm_schema_markdown(NULL);
    assert_string_equal(page, "No parameters.\n");
    free(page);
}

static void pipeline_page_names_all_sections(void **state)
{
    (void)state;
    char *page = pm_schema_pipeline_markdown(pm_kinds);
    static const char *const parts[] = {"## Top level\n",     "## `limits`\n",   "## `trigger.directory`\n",
                                        "`wall_time`",        "`queue_url`",     "## `outputs.NAME.to.s3`\n",
                                        "| `on_reject` |",    "| `has_alpha` |", "## `quarantine.file`\n",
                                        "`shared`, `per-job`"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (strstr(page, parts[i]) == NULL) fail_msg("the page lacks %s", parts[i]);
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(describes_each_type),
        cmocka_unit_test(description_and_table_give_the_same_schema),
        cmocka_unit_test(object_refuses_unknown_keys_and_names_required_ones),
        cmocka_unit_test(defaults_are_typed),
        cmocka_unit_test(object_without_required_has_no_empty_list),
        cmocka_unit_test(strange_description_does_no_harm),
        cmocka_unit_test(pipeline_schema_holds_sections_and_plugins),
        cmocka_unit_test(pipeline_schema_knows_short_forms),
        cmocka_unit_test(pipeline_schema_without_plugins_lets_any_step_pass),
        cmocka_unit_test(markdown_table_escapes_cells),
        cmocka_unit_test(pipeline_page_names_all_sections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
