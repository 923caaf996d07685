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
        {"width: \">=wide\"", "w.yaml:1:8: outputs.thumb: when: width: \"wide\" is not a number to compare with\n"},
        {"width: \">=\"", "w.yaml:1:8: outputs.thumb: when: width: a comparison needs a value after its sign\n"},
        {"format: \">=3\"", "w.yaml:1:9: outputs.thumb: when: format is text and cannot be compared with < or >\n"
                            "  hint: write a value, a list, \"!=value\" or a pattern with *\n"},
        {"width:", "w.yaml:1:7: outputs.thumb: when: width must be a value, a list of values or a comparison, not "
                   "nothing\n"},
        {"width: []", "w.yaml:1:8: outputs.thumb: when: width must be a value, a list of values or a comparison, not "
                      "an empty list\n"},
        {"width: {a: 1}", "w.yaml:1:8: outputs.thumb: when: width must be a value, a list of values or a comparison, "
                          "not a mapping\n  hint: write a comparison as text: width: \">=64, <2000\"\n"},
        {"{width > 64}",
         "w.yaml:1:12: outputs.thumb: when: width > 64 must be a value, a list of values or a comparison, "
         "not nothing\n  hint: write width: \"> 64\"\n"},
        {"width: [[1]]", "w.yaml:1:9: outputs.thumb: when: width: a list holds values, not a list\n"},
        {"[width]", "w.yaml:1:1: outputs.thumb: when must be a mapping of facts, not a list\n"
                    "  hint: for example: when: { width: \">=64\", format: [jpeg, png] }\n"},
        {"{}", "w.yaml:1:1: outputs.thumb: when must be a mapping of facts, not an empty one\n"
               "  hint: for example: when: { width: \">=64\", format: [jpeg, png] }\n"},
        {"format: jpg",
         "w.yaml:1:9: outputs.thumb: when: format is jpeg, png, webp, gif, tiff, avif, heif, jxl, svg or "
         "pdf, never \"jpg\"\n  hint: did you mean \"jpeg\"?\n"},
        {"format: [png, TIF, image/webp]",
         "w.yaml:1:15: outputs.thumb: when: format is jpeg, png, webp, gif, tiff, avif, heif, jxl, svg or pdf, never "
         "\"TIF\"\n  hint: did you mean \"tiff\"?\n"
         "w.yaml:1:20: outputs.thumb: when: format is jpeg, png, webp, gif, tiff, avif, heif, jxl, svg or pdf, never "
         "\"image/webp\"\n  hint: did you mean \"webp\"?\n"},
        {"format: \"!=jpg\"",
         "w.yaml:1:9: outputs.thumb: when: format is jpeg, png, webp, gif, tiff, avif, heif, jxl, svg "
         "or pdf, never \"jpg\"\n  hint: did you mean \"!=jpeg\"?\n"},
        {"format: \"q*\"",
         "w.yaml:1:9: outputs.thumb: when: format is jpeg, png, webp, gif, tiff, avif, heif, jxl, svg or "
         "pdf, never \"q*\"\n"},
        {"has_alpha: yes", "w.yaml:1:12: outputs.thumb: when: has_alpha is true or false, never \"yes\"\n"
                           "  hint: did you mean \"true\"?\n"},
        {"has_alpha: 0", "w.yaml:1:12: outputs.thumb: when: has_alpha is true or false, never \"0\"\n"
                         "  hint: did you mean \"false\"?\n"},
        {"source_ext: JPG", "w.yaml:1:13: outputs.thumb: when: source_ext is in lower case, never \"JPG\"\n"
                            "  hint: did you mean \"jpg\"?\n"},
        {"source_ext: .jpg",
         "w.yaml:1:13: outputs.thumb: when: source_ext has no \".\" in it, so it is never \".jpg\"\n"
         "  hint: did you mean \"jpg\"?\n"},
        {"name: in/cat.jpg", "w.yaml:1:7: outputs.thumb: when: name has no \"/\" in it, so it is never \"in/cat.jpg\"\n"
                             "  hint: did you mean \"cat.jpg\"?\n"},
        {"orientation: 9", "w.yaml:1:14: outputs.thumb: when: orientation is 1 to 8, never \"9\"\n"},
        {"orientation: \">8\"", "w.yaml:1:14: outputs.thumb: when: orientation is 1 to 8, never \">8\"\n"},
        {"orientation: landscape",
         "w.yaml:1:14: outputs.thumb: when: orientation is a number, and \"landscape\" is none\n"
         "  hint: The EXIF orientation that the source carried, 1 to 8; already applied.\n"},
        {"width: \"<1\"", "w.yaml:1:8: outputs.thumb: when: width is 1 or more, never \"<1\"\n"},
        {"width: 1.5", "w.yaml:1:8: outputs.thumb: when: width is a whole number, never \"1.5\"\n"},
        {"width: \">2000, <1000\"", "w.yaml:1:8: outputs.thumb: when: width: no value meets all of this\n"},
        {"width: \">4, <5\"", "w.yaml:1:8: outputs.thumb: when: width: no value meets all of this\n"},
        {"width: \"=>64\"", "w.yaml:1:8: outputs.thumb: when: width is a number, and \"=>64\" is none\n"
                            "  hint: did you mean \">=64\"?\n"},
        {"width: \"=< 64\"", "w.yaml:1:8: outputs.thumb: when: width is a number, and \"=< 64\" is none\n"
                             "  hint: did you mean \"<=64\"?\n"},
        {"width: \"<>64\"", "w.yaml:1:8: outputs.thumb: when: width: \">64\" is not a number to compare with\n"
                            "  hint: did you mean \"!=64\"?\n"},
        {"width: 64-128", "w.yaml:1:8: outputs.thumb: when: width is a number, and \"64-128\" is none\n"
                          "  hint: write a range as \">=64, <=128\"\n"},
        {"width: \">64 and <100\"",
         "w.yaml:1:8: outputs.thumb: when: width: \"64 and <100\" is not a number to compare with\n"
         "  hint: join comparisons by a comma: \">64, <100\"\n"},
        {"width: \">100px\"", "w.yaml:1:8: outputs.thumb: when: width: \"100px\" is not a number to compare with\n"
                              "  hint: write the number alone: \">100\"\n"},
        {"width: >6\n", "w.yaml:1:8: outputs.thumb: when: width is a number, and \"\" is none\n"
                        "  hint: \">\" begins a folded text: put a comparison such as \">=64\" in quotes\n"},
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

static void what_can_be_is_left_alone(void **state)
{
    (void)state;
    static const char *const fine[] = {"format: \"j*\"",
                                       "format: [jpeg, png]",
                                       "format: \"!=png\"",
                                       "has_alpha: True",
                                       "source_ext: \"{jpg}\"",
                                       "source_ext: \"*\"",
                                       "key: in/a.jpg",
                                       "dir: A/b",
                                       "width: \"1*\"",
                                       "width: \">=0\"",
                                       "width: \">4, <6\"",
                                       "orientation: [1, 8]",
                                       "file_size: \">1MiB, <2MiB\"",
                                       "orientation: \"!=9\"",
                                       "guard.score: \">7\"",
                                       "guard.decision: maybe"};
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) {
        PmErrorList errors = {0};
        PmTree *tree;
        PmWhen *when = read_when(fine[i], &errors, &tree);
        if (when == NULL) fail_msg("%s: %s", fine[i], errors_text(&errors));
        pm_when_free(when);
        pm_tree_free(tree);
    }
}

static void conditions_may_exclude_each_other(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool excludes;
    } cases[] = {
        {"width: \">=1000\"", "width: \"<1000\"", true},
        {"width: \">=1000\"", "width: \"<=1000\"", false},
        {"width: \">4\"", "width: \"<5\"", true}, /* whole numbers */
        {"guard.score: \">4\"", "guard.score: \"<5\"", false},
        {"guard.score: \">=0.5\"", "guard.score: \"<0.5\"", true},
        {"width: [1, 2]", "width: \"3\"", true},
        {"width: [1, 2]", "width: \">1\"", false},
        {"width: \"1*\"", "width: 5", false}, /* not worked out */
        {"format: jpeg", "format: [png, gif]", true},
        {"format: jpeg", "format: \"!=jpeg\"", true},
        {"format: \"!=png\"", "format: \"!=jpeg\"", false},
        {"format: \"j*\"", "format: png", true},
        {"has_alpha: true", "has_alpha: false", true},
        {"source_ext: jpg", "source_ext: png", true},
        {"source_ext: jpg", "source_ext: \"*\"", false},
        {"source_ext: jpg", "source_ext: \"p*\"", true},
        {"source_ext: \"j*\"", "source_ext: \"p*\"", false},
        {"dir: a", "dir: \"!=a\"", true},
        {"key: a.jpg", "key: in/a.jpg", false}, /* a name meets keys in every folder */
        {"width: 1", "height: 2", false},
        {"{height: 9, width: 1}", "{width: 2, height: 9}", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        PmErrorList errors = {0};
        PmTree *one, *other;
        PmWhen *a = read_when(cases[i].a, &errors, &one), *b = read_when(cases[i].b, &errors, &other);
        assert_int_equal(errors.count, 0);
        if (pm_when_excludes(a, b) != cases[i].excludes || pm_when_excludes(b, a) != cases[i].excludes)
            fail_msg("%s and %s", cases[i].a, cases[i].b);
        pm_when_free(a);
        pm_when_free(b);
        pm_tree_free(one);
        pm_tree_free(other);
    }
    assert_false(pm_when_excludes(NULL, NULL));
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
        cmocka_unit_test(values_lists_and_comparisons),         cmocka_unit_test(all_conditions_must_hold),
        cmocka_unit_test(conditions_that_cannot_be_are_errors), cmocka_unit_test(what_can_be_is_left_alone),
        cmocka_unit_test(conditions_may_exclude_each_other),    cmocka_unit_test(facts_and_places_can_be_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
