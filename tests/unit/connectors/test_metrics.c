/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines.h"

#include "base/file.h"
#include "connectors/emf.h"

/* The lines of `text`, parsed. New. */
static json_t *lines_of(char *text)
{
    json_t *lines = json_array();
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
        json_t *parsed = json_loads(line, 0, NULL);
        if (parsed == NULL) fail_msg("no JSON: %s", line);
        json_array_append_new(lines, parsed);
    }
    return lines;
}

/* The line with just these dimensions; NULL: none. */
static json_t *line_with(const json_t *lines, const char *dimension, const char *value)
{
    size_t i;
    json_t *line;
    json_array_foreach(lines, i, line)
    {
        const json_t *metrics = json_array_get(json_object_get(json_object_get(line, "_aws"), "CloudWatchMetrics"), 0);
        const json_t *names = json_array_get(json_object_get(metrics, "Dimensions"), 0);
        if (json_array_size(names) != (dimension != NULL ? 2 : 1)) continue;
        if (dimension == NULL) return line;
        if (strcmp(json_string_value(json_array_get(names, 1)), dimension) == 0 &&
            strcmp(json_string_value(json_object_get(line, dimension)), value) == 0)
            return line;
    }
    return NULL;
}

static json_int_t integer_at(const json_t *line, const char *name)
{
    const json_t *value = json_object_get(line, name);
    if (!json_is_integer(value)) fail_msg("%s is not there", name);
    return json_integer_value(value);
}

static void what_was_counted_is_told_once(void **state)
{
    (void)state;
    PmPipeline pipeline = {.name = "photos"};
    PmMetrics *metrics = pm_metrics_new(&pipeline);
    pm_emf_begin(metrics);
    char *text = pm_emf_take(metrics, "shop/images", 1);
    assert_string_equal(text, "");
    free(text);

    PmObject object = {.bucket = (char *)"secret-bucket", .key = (char *)"secret-key.jpg"};
    const PmOutputResult outputs[] = {{.output = "a", .size = 100, .stored = PM_STORED},
                                      {.output = "b", .size = 50, .stored = PM_STORED},
                                      {.output = "c", .size = 7, .stored = PM_STORE_CURRENT}};
    json_t *timings = json_pack("{sisis{si}}", "fetch_ms", 12, "store_ms", 30, "steps_us", "resize", 2500);
    PmError error = {.status = PM_LIMIT, .message = "too large"};
    pm_metrics_add_received(metrics, 3);
    pm_metrics_add_result(metrics, &(PmJobResult){.object = &object,
                                                  .outputs = outputs,
                                                  .output_count = 3,
                                                  .timings = timings,
                                                  .source_size = 1000,
                                                  .ms = 40});
    pm_metrics_add_result(metrics, &(PmJobResult){.object = &object, .error = &error, .source_size = 10, .ms = 5});
    pm_metrics_add_result(metrics, &(PmJobResult){.object = &object, .skipped = "gone", .ms = 1});
    text = pm_emf_take(metrics, "shop/images", 1700000000123);
    assert_null(strstr(text, "secret"));
    json_t *lines = lines_of(text);
    free(text);

    const json_t *all = line_with(lines, NULL, NULL);
    assert_non_null(all);
    const json_t *aws = json_object_get(all, "_aws");
    assert_int_equal(json_integer_value(json_object_get(aws, "Timestamp")), 1700000000123);
    const json_t *directive = json_array_get(json_object_get(aws, "CloudWatchMetrics"), 0);
    assert_string_equal(json_string_value(json_object_get(directive, "Namespace")), "shop/images");
    assert_string_equal(json_string_value(json_object_get(all, "Pipeline")), "photos");
    assert_int_equal(integer_at(all, "Messages"), 3);
    assert_int_equal(integer_at(all, "Images"), 3);
    assert_int_equal(integer_at(all, "Outputs"), 2);
    assert_int_equal(integer_at(all, "Failures"), 1);
    assert_int_equal(integer_at(all, "Skipped"), 1);
    assert_int_equal(integer_at(all, "BytesIn"), 1010);
    assert_int_equal(integer_at(all, "BytesOut"), 150);
    assert_int_equal(json_array_size(json_object_get(all, "Latency")), 3);
    assert_int_equal(json_array_size(json_object_get(all, "FetchLatency")), 1);
    assert_null(json_object_get(all, "DecodeLatency"));
    /* every metric is defined, with its unit, and only those */
    size_t i;
    const json_t *definition;
    json_array_foreach(json_object_get(directive, "Metrics"), i, definition)
    {
        const char *name = json_string_value(json_object_get(definition, "Name")),
                   *unit = json_string_value(json_object_get(definition, "Unit"));
        assert_non_null(json_object_get(all, name));
        assert_string_equal(unit, strstr(name, "Latency") != NULL  ? "Milliseconds"
                                  : strncmp(name, "Bytes", 5) == 0 ? "Bytes"
                                                                   : "Count");
    }
    assert_int_equal(json_object_size(all), i + 2); /* and _aws and Pipeline */

    const json_t *failures = line_with(lines, "Status", "limit");
    assert_non_null(failures);
    assert_int_equal(integer_at(failures, "Failures"), 1);
    const json_t *step = line_with(lines, "Step", "resize");
    assert_non_null(step);
    assert_float_equal(json_number_value(json_array_get(json_object_get(step, "StepLatency"), 0)), 2.5, 1e-9);
    assert_int_equal(json_array_size(lines), 3);
    json_decref(lines);

    text = pm_emf_take(metrics, "shop/images", 2);
    assert_string_equal(text, "");
    free(text);
    json_decref(timings);
    pm_metrics_free(metrics);
    pm_metrics_free(NULL);
}

/* Whether a row of the page's table has that name in its first column, for just these dimensions. */
static bool page_has(const char *page, const PmEmfInfo *info)
{
    char *copy = strdup(page), *lines = NULL, dimensions[100];
    bool found = false;
    snprintf(dimensions, sizeof dimensions, "| Pipeline%s%s |", info->dimension != NULL ? ", " : "",
             info->dimension != NULL ? info->dimension : "");
    for (char *line = strtok_r(copy, "\n", &lines); line != NULL; line = strtok_r(NULL, "\n", &lines)) {
        char *end = strstr(line, dimensions), *names = NULL;
        if (line[0] != '|' || end == NULL) continue;
        *end = '\0';
        for (char *name = strtok_r(line, "|, ", &names); name != NULL; name = strtok_r(NULL, "|, ", &names))
            found = found || strcmp(name, info->name) == 0;
    }
    free(copy);
    return found;
}

static void the_page_names_every_metric(void **state)
{
    (void)state;
    char why[200];
    void *bytes = NULL;
    size_t size = 0;
    if (!pm_file_read(PM_SOURCE_DIR "/docs/lambda.md", 0, NULL, &bytes, &size, why, sizeof why)) fail_msg("%s", why);
    char *page = strndup(bytes, size);
    size_t count = 0;
    for (const PmEmfInfo *info; (info = pm_emf_info(count)) != NULL; count++) {
        if (!page_has(page, info)) fail_msg("%s is not on the page", info->name);
        assert_true(info->doc[0] != '\0');
        for (size_t other = 0; other < count; other++) {
            const PmEmfInfo *before = pm_emf_info(other);
            assert_true(strcmp(before->name, info->name) != 0 || before->dimension != info->dimension);
        }
    }
    assert_int_equal(count, 16);
    free(page);
    free(bytes);
}

static void no_member_has_more_values_than_allowed(void **state)
{
    (void)state;
    enum { RESULTS = 250, ALLOWED = 100 }; /* "values: at most 100 elements" */
    PmPipeline pipeline = {.name = "p"};
    PmMetrics *metrics = pm_metrics_new(&pipeline);
    pm_emf_begin(metrics);
    for (int i = 0; i < RESULTS; i++) pm_metrics_add_result(metrics, &(PmJobResult){.ms = i});
    char *text = pm_emf_take(metrics, "shop/images", 1);
    json_t *lines = lines_of(text);
    free(text);
    double sum = 0;
    size_t i, k, values = 0;
    json_t *line;
    const json_t *value;
    json_int_t images = 0;
    json_array_foreach(lines, i, line)
    {
        const json_t *latency = json_object_get(line, "Latency");
        assert_in_range(json_array_size(latency), 1, ALLOWED);
        values += json_array_size(latency);
        json_array_foreach(latency, k, value) sum += json_number_value(value);
        images += json_integer_value(json_object_get(line, "Images"));
    }
    assert_int_equal(values, RESULTS);
    assert_int_equal(images, RESULTS); /* told once, not in every line */
    assert_float_equal(sum, RESULTS * (RESULTS - 1) / 2.0, 1e-6);
    json_decref(lines);
    pm_metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_counted_is_told_once),
        cmocka_unit_test(the_page_names_every_metric),
        cmocka_unit_test(no_member_has_more_values_than_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
