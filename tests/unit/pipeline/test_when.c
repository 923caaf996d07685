/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/when.h"

#include "reading.h"

static PmWhen *read_when(const char *yaml, PmErrorList *errors, PmTree **tree)
{
    *tree = pm_tree_parse("w.yaml", yaml, strlen(yaml), errors);
    assert_non_null(*tree);
    return pm_when_new("w.yaml", "outputs.thumb", pm_tree_root(*tree), errors);
}

/* "" when it matches, else why not. */
static const char *against(const char *yaml, const char *name, const char *value)
{
    static char why[200];
    PmErrorList errors = {0};
    PmTree *tree;
    PmWhen *when = read_when(yaml, &errors, &tree);
    if (when == NULL) fail_msg("%s: %s", yaml, errors_text(&errors));
    PmFacts *facts = pm_facts_new();
    if (value != NULL) assert_true(pm_facts_set(facts, name, value));
    snprintf(why, sizeof why, "no reason given");
    bool matches = pm_when_matches(when, facts, why, sizeof why);
    if (matches) why[0] = '\0';
    assert_int_equal(pm_when_matches(when, facts, NULL, 0), matches);
    pm_facts_free(facts);
    pm_when_free(when);
    pm_tree_free(tree);
    return why;
}

static void values_lists_and_comparisons(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *name, *value, *why;
    } cases[] = {
        {"width: 300", "width", "300", ""},
        {"width: 300", "width", "301", "width is 301, not 300"},
        {"width: \">=64\"", "width", "64", ""},
        {"width: \">=64\"", "width", "40", "width is 40, not >=64"},
        {"width: \">64\"", "width", "64", "width is 64, not >64"},
        {"width: \"<2k\"", "width", "1999", ""},
        {"width: \"<=2k\"", "width", "2001", "width is 2001, not <=2k"},
        {"width: \">=64, <100\"", "width", "99", ""},
        {"width: \">=64,<100\"", "width", "100", "width is 100, not <100"},
        {"width: \"!= 5\"", "width", "6", ""},
        {"width: \"!=5\"", "width", "5", "width is 5, not !=5"},
        {"width: \"=5\"", "width", "5", ""},
        {"width: [1, 2]", "width", "2", ""},
        {"width: [1, 2]", "width", "3", "width is 3, none of those listed"},
        {"width: [\"<10\", 50]", "width", "7", ""},
        {"width: 300", "width", NULL, "width is not known"},
        {"file_size: \"<1MiB\"", "file_size", "1048575", ""},
        {"file_size: \"<1MiB\"", "file_size", "1048576", "file_size is 1048576, not <1MiB"},
        {"format: jpeg", "format", "jpeg", ""},
        {"format: [jpeg, png]", "format", "gif", "format is gif, none of those listed"},
        {"format: \"!=png\"", "format", "png", "format is png, not !=png"},
        {"format: \"!=png\"", "format", NULL, "format is not known"},
        {"has_alpha: true", "has_alpha", "true", ""},
        {"has_alpha: True", "has_alpha", "true", ""},
        {"has_alpha: false", "has_alpha", "true", "has_alpha is true, not false"},
        {"key: \"*.jpg\"", "key", "cat.jpg", ""},
        {"key: \"*.jpg\"", "key", "a/b/cat.jpg", ""},
        {"key: \"a/*.jpg\"", "key", "a/cat.jpg", ""},
        {"key: \"a/*.jpg\"", "key", "a/b/cat.jpg", "key is a/b/cat.jpg, not a/*.jpg"},
        {"key: \"a/**.jpg\"", "key", "a/b/cat.jpg", ""},
        {"key: \"[ab].jpg\"", "key", "[ab].jpg", ""}, /* the very text matches too */
        {"stem: \"1e3\"", "stem", "1000", "stem is 1000, not 1e3"},
        {"dir: \"\"", "dir", "", ""},
        {"dir: x", "dir", "", "dir is empty, not x"},
        {"nsfw-hook.score: \">=0.5\"", "nsfw-hook.score", "0.75", ""},
        {"nsfw-hook.score: \">=0.5\"", "nsfw-hook.score", "high", "nsfw-hook.score is high, not >=0.5"},
        {"nsfw-hook.decision: flag", "nsfw-hook.decision", "flag", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *why = against(cases[i].yaml, cases[i].name, cases[i].value);
        if (strcmp(why, cases[i].why) != 0)
            fail_msg("%s against %s: \"%s\" instead of \"%s\"", cases[i].yaml, cases[i].value, why, cases[i].why);
    }
}

static void all_conditions_must_hold(void **state)
{
    (void)state;
    assert_string_equal(against("{width: 3, height: 4}", "width", "3"), "height is not known");
}

static void conditions_that_cannot_be_are_errors(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *errors;
    } cases[] = {
        {"width: wide", "w.yaml:1:8: outputs.thumb: when: width is a number, and \"wide\" is none\n"},
        {"width: \">=wide\"", "w.yaml:1:8: outputs.thumb: when: width: \"wide\" is no number to compare with\n"},
        {"width: \">=\"", "w.yaml:1:8: outputs.thumb: when: width: a comparison needs a value after its sign\n"},
        {"format: \">=3\"", "w.yaml:1:9: outputs.thumb: when: format is text and cannot be compared with < or >\n"
                            "  hint: write a value, a list, \"!=value\" or a pattern with *\n"},
        {"width:", "w.yaml:1:7: outputs.thumb: when: width must be a value, a list of values or a comparison, not "
                   "nothing\n"},
        {"width: []", "w.yaml:1:8: outputs.thumb: when: width must be a value, a list of values or a comparison, not "
                      "an empty list\n"},
        {"width: {a: 1}", "w.yaml:1:8: outputs.thumb: when: width must be a value, a list of values or a comparison, "
                          "not a mapping\n"},
        {"width: [[1]]", "w.yaml:1:9: outputs.thumb: when: width: a list holds values, not a list\n"},
        {"[width]", "w.yaml:1:1: outputs.thumb: when must be a mapping of facts, not a list\n"
                    "  hint: for example: when: { width: \">=64\", format: [jpeg, png] }\n"},
        {"{}", "w.yaml:1:1: outputs.thumb: when must be a mapping of facts, not an empty one\n"
               "  hint: for example: when: { width: \">=64\", format: [jpeg, png] }\n"},
        {"{width: a, height: b}", "w.yaml:1:9: outputs.thumb: when: width is a number, and \"a\" is none\n"
                                  "w.yaml:1:20: outputs.thumb: when: height is a number, and \"b\" is none\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        PmErrorList errors = {0};
        PmTree *tree;
        assert_null(read_when(cases[i].yaml, &errors, &tree));
        assert_string_equal(errors_text(&errors), cases[i].errors);
        pm_error_list_finish(&errors);
        pm_tree_free(tree);
    }
}

static void facts_and_places_can_be_asked_for(void **state)
{
    (void)state;
    PmErrorList errors = {0};
    PmTree *tree;
    PmWhen *when = read_when("width: 3\nwidht: 4\n", &errors, &tree); /* names are looked up later */
    int line, column;
    assert_string_equal(pm_when_fact(when, 1, &line, &column), "widht");
    assert_int_equal(line, 2);
    assert_int_equal(column, 1);
    assert_null(pm_when_fact(when, 2, &line, &column));
    pm_when_free(when);
    pm_when_free(NULL);
    pm_tree_free(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_lists_and_comparisons),
        cmocka_unit_test(all_conditions_must_hold),
        cmocka_unit_test(conditions_that_cannot_be_are_errors),
        cmocka_unit_test(facts_and_places_can_be_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
