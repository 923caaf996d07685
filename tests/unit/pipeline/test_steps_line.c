/* SPDX-License-Identifier: Apache-2.0
 *
 * Whatever stands on the command line, what comes of it is YAML or an error at a place of the line.
 */
#include "pipeline/steps_line.h"

#include "pipeline/tree.h"
#include "reading.h"

/* The text of the i-th step's value or parameter (key "": the value). */
static void expect(const char *line, size_t i, const char *plugin, const char *key, const char *value, int column)
{
    PmStepsLine read;
    PmError err = {0};
    PmErrorList errors = {0};
    if (pm_steps_line_read(line, &read, &err) != PM_OK) fail_msg("%s: %s", line, err.message);
    PmTree *tree = pm_tree_parse(PM_STEPS_LINE_FILE, read.yaml, read.size, &errors);
    if (errors.count > 0) fail_msg("%s: %s in\n%s", line, errors.items[0].message, read.yaml);
    const PmNode *steps =
        pm_node_get(pm_node_get(pm_node_get(pm_tree_root(tree), "outputs"), PM_STEPS_LINE_OUTPUT), "steps");
    assert_true(i < steps->count);
    const PmNode *step = steps->items[i];
    assert_int_equal(step->count, 1);
    assert_string_equal(step->pairs[0].key->text, plugin);
    if (key == NULL) {
        assert_int_equal(step->pairs[0].value->count, 0);
    } else {
        const PmNode *node = pm_node_get(step->pairs[0].value, key);
        assert_non_null(node);
        if (strcmp(node->text, value) != 0) fail_msg("%s: \"%s\" is not \"%s\"", line, node->text, value);
        assert_int_equal(node->column, column);
    }
    pm_tree_free(tree);
    pm_steps_line_finish(&read);
}

static void values_are_what_was_written(void **state)
{
    (void)state;
    expect("grayscale", 0, "grayscale", NULL, NULL, 0);
    expect("resize 400, convert webp", 0, "resize", "", "400", 8);
    expect("resize 400, convert webp", 1, "convert", "", "webp", 21);
    expect("resize 400,convert webp", 1, "convert", "", "webp", 20);
    expect("resize width=400 fit=cover", 0, "resize", "fit", "cover", 22);
    expect("watermark 'it''s, \"so\"' color=#ff0000", 0, "watermark", "", "it's, \"so\"", 11);
    expect("watermark \"it's \\\"so\\\"\" color=#ff0000", 0, "watermark", "", "it's \"so\"", 11);
    expect("watermark x color=#ff0000", 0, "watermark", "color", "#ff0000", 19);
}

static void odd_values_are_quoted(void **state)
{
    (void)state;
    expect("watermark text=*star", 0, "watermark", "text", "*star", 16);
    expect("watermark text=&amp", 0, "watermark", "text", "&amp", 16);
    expect("watermark text=a:b", 0, "watermark", "text", "a:b", 16);
    expect("watermark text=%5", 0, "watermark", "text", "%5", 16);
    expect("watermark text=-", 0, "watermark", "text", "-", 16);
    expect("watermark text=é", 0, "watermark", "text", "é", 16);
    expect("watermark text=\"\"", 0, "watermark", "text", "", 16);
}

static void lines_are_found_again(void **state)
{
    (void)state;
    PmStepsLine read;
    PmError err = {0};
    assert_int_equal(pm_steps_line_read("resize 1,\n\n  convert\n png", &read, &err), PM_OK);
    bool seen = false;
    for (int i = 1; i <= (int)read.line_count; i++) {
        PmError at = {.status = PM_BAD_CONFIG, .file = PM_STEPS_LINE_FILE, .line = i};
        pm_steps_line_place(&read, &at);
        assert_true(at.line >= 1 && at.line <= 4);
        seen |= at.line == 4;
    }
    assert_true(seen);
    PmError other = {.file = "p.yaml", .line = 3}, none = {.file = PM_STEPS_LINE_FILE, .line = 100000};
    pm_steps_line_place(&read, &other);
    pm_steps_line_place(&read, &none);
    assert_int_equal(other.line, 3);
    assert_int_equal(none.line, 100000);
    pm_steps_line_finish(&read);
}

static void too_much_is_refused(void **state)
{
    (void)state;
    enum { MANY = 70000 };
    char *text = malloc(MANY + 1);
    memset(text, 'a', MANY);
    text[MANY] = '\0';
    PmStepsLine read;
    PmError err = {0};
    assert_int_equal(pm_steps_line_read(text, &read, &err), PM_BAD_CONFIG);
    assert_string_equal(err.message, "more than 64 KiB of steps");
    pm_steps_line_finish(&read);
    /* Every token is put in its column: far to the right, that is long. */
    pm_error_clear(&err);
    for (size_t i = 0; i < MANY; i++) text[i] = i % 2 == 0 ? 'a' : ',';
    text[60001] = '\0';
    assert_int_equal(pm_steps_line_read(text, &read, &err), PM_LIMIT);
    assert_string_equal(err.message, "the steps are too long, or memory is short");
    pm_steps_line_finish(&read);
    free(text);
}

/* Without brackets, whose content is YAML of the user's own, there is no syntax error to come. */
static void any_bytes_become_yaml_or_an_error(void **state)
{
    (void)state;
    static const char some[] = "resize 300x2,'\"=#:-&*!|>%@`~\n\t\\{}?ab\xc3\xa9";
    uint32_t random = 12345;
    size_t taken = 0;
    for (int round = 0; round < 5000; round++) {
        char line[40] = "r ";
        size_t size = 2;
        for (size_t n = (random = random * 1664525u + 1013904223u) >> 27; size < n + 2 && size < sizeof line - 1;) {
            random = random * 1664525u + 1013904223u;
            line[size++] = some[(random >> 8) % (sizeof some - 1)];
        }
        line[size] = '\0';
        if (strpbrk(line, "{}") != NULL) continue;
        PmStepsLine read;
        PmError err = {0};
        PmErrorList errors = {0};
        if (pm_steps_line_read(line, &read, &err) == PM_OK) {
            taken++;
            PmTree *tree = pm_tree_parse(PM_STEPS_LINE_FILE, read.yaml, read.size, &errors);
            bool utf8 = true;
            for (size_t i = 0; i < size; i++) utf8 = utf8 && (unsigned char)line[i] < 0x80;
            /* Doubled keys are the user's. */
            if (utf8 && tree == NULL) fail_msg("%s: %s in\n%s", line, errors.items[0].message, read.yaml);
            pm_tree_free(tree);
            pm_error_list_finish(&errors);
        } else {
            assert_true(err.line >= 1 && err.column >= 1);
        }
        pm_steps_line_finish(&read);
    }
    assert_true(taken > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_what_was_written),
        cmocka_unit_test(odd_values_are_quoted),
        cmocka_unit_test(lines_are_found_again),
        cmocka_unit_test(too_much_is_refused),
        cmocka_unit_test(any_bytes_become_yaml_or_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
