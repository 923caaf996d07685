/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/tree.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "reading.h"

static PmTree *parse(const char *text, PmErrorList *errors)
{
    return pm_tree_parse("t.yaml", text, strlen(text), errors);
}

/* Reads `text` and compares all errors with `expected`. */
static void expect(const char *text, const char *expected)
{
    PmErrorList errors = {0};
    PmTree *tree = parse(text, &errors);
    assert_string_equal(errors_text(&errors), expected);
    pm_tree_free(tree);
    pm_error_list_finish(&errors);
}

static void nodes_know_kind_and_place(void **state)
{
    (void)state;
    PmErrorList errors = {0};
    PmTree *tree = parse("a: 1\nb:\n  - x\n  - \"é\": true\n", &errors);
    const PmNode *root = pm_tree_root(tree), *b = pm_node_get(root, "b"), *e = pm_node_get(b->items[1], "é");
    assert_int_equal(errors.count, 0);
    assert_string_equal(pm_tree_file(tree), "t.yaml");
    assert_int_equal(root->kind, PM_NODE_MAPPING);
    assert_string_equal(pm_node_get(root, "a")->text, "1");
    assert_int_equal(b->kind, PM_NODE_SEQUENCE);
    assert_int_equal(b->count, 2);
    assert_int_equal(b->items[0]->line, 3);
    assert_int_equal(b->items[0]->column, 5);
    assert_int_equal(e->line, 4);
    assert_int_equal(e->column, 10); /* characters, not bytes */
    assert_null(pm_node_get(root, "c"));
    assert_null(pm_node_get(NULL, "c"));
    assert_null(pm_node_get(b, "c"));
    pm_tree_free(tree);
}

static void kinds_are_named_as_yaml_types_them(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"a: 1", "a number"},   {"a: 1e3", "a number"}, {"a: true", "a boolean"},
        {"a: yes", "text"},     {"a: 'true'", "text"},  {"a: \"1\"", "text"},
        {"a: x", "text"},       {"a: [1]", "a list"},   {"a: {b: 1}", "a mapping"},
        {"a:", "nothing"},      {"a: ~", "nothing"},    {"a: null", "nothing"},
        {"a: NULL", "nothing"}, {"a: ''", "text"},      {"a: .inf", "text"},
        {"a: 0x10", "text"},    {"a: !!str 1", "text"}, {"a: !!int \"1\"", "a number"},
        {"a: ! 1", "text"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        PmErrorList errors = {0};
        PmTree *tree = parse(cases[i][0], &errors);
        assert_int_equal(errors.count, 0);
        const char *name = pm_node_kind_name(pm_node_get(pm_tree_root(tree), "a"));
        if (strcmp(name, cases[i][1]) != 0) fail_msg("%s is %s, expected %s", cases[i][0], name, cases[i][1]);
        pm_tree_free(tree);
    }
}

static void empty_documents_have_no_root(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "# only a comment\n", "\xef\xbb\xbf"};
    for (size_t i = 0; i < 3; i++) {
        PmErrorList errors = {0};
        PmTree *tree = parse(texts[i], &errors);
        assert_non_null(tree);
        assert_int_equal(errors.count, 0);
        assert_null(pm_tree_root(tree));
        pm_tree_free(tree);
    }
}

static void byte_order_mark_shifts_no_column(void **state)
{
    (void)state;
    PmErrorList errors = {0};
    PmTree *tree = parse("\xef\xbb\xbf"
                         "a: 1\nb: 2\n",
                         &errors);
    assert_int_equal(errors.count, 0);
    assert_non_null(pm_node_get(pm_tree_root(tree), "a"));
    assert_int_equal(pm_node_get(pm_tree_root(tree), "a")->column, 4);
    assert_non_null(pm_node_get(pm_tree_root(tree), "b"));
    pm_tree_free(tree);
}

static void duplicate_keys_name_the_first_line_and_keep_it(void **state)
{
    (void)state;
    PmErrorList errors = {0};
    PmTree *tree = parse("a: 1\nb: 2\na: 3\nb: 4\n", &errors);
    assert_string_equal(errors_text(&errors), "t.yaml:3:1: key \"a\" is written twice (first on line 1)\n"
                                              "t.yaml:4:1: key \"b\" is written twice (first on line 2)\n");
    assert_string_equal(pm_node_get(pm_tree_root(tree), "a")->text, "1");
    pm_tree_free(tree);
    pm_error_list_finish(&errors);
}

static const char *at(const PmNode *mapping, const char *key)
{
    const PmNode *node = pm_node_get(mapping, key);
    return node != NULL ? node->text : "(none)";
}

static void merge_keys_fill_in_what_a_mapping_does_not_say(void **state)
{
    (void)state;
    PmErrorList errors = {0};
    PmTree *tree = parse("a: &a {x: 1, y: 2}\n"
                         "b: &b {x: 3, z: 4}\n"
                         "one: {<<: *a, y: 5}\n"
                         "late: {y: 5, <<: *a}\n"
                         "two: &two {<<: [*b, *a]}\n"
                         "again: {<<: *two, w: 6}\n",
                         &errors);
    assert_string_equal(errors_text(&errors), "");
    const PmNode *root = pm_tree_root(tree), *one = pm_node_get(root, "one"), *two = pm_node_get(root, "two"),
                 *again = pm_node_get(root, "again");
    assert_int_equal(one->count, 2);
    assert_string_equal(at(one, "x"), "1");
    assert_string_equal(at(one, "y"), "5");
    assert_string_equal(at(pm_node_get(root, "late"), "y"), "5");
    assert_int_equal(two->count, 3);
    assert_string_equal(at(two, "x"), "3"); /* the first of the list counts */
    assert_string_equal(at(two, "y"), "2");
    assert_string_equal(at(again, "z"), "4");
    assert_string_equal(at(again, "w"), "6");
    assert_int_equal(pm_node_get(again, "z")->line, 2);
    pm_tree_free(tree);
    expect("a: &a {x: 1}\nb: {<<: *a, <<: *a}\n", "t.yaml:2:13: key \"<<\" is written twice (first on line 2)\n"
                                                  "  hint: merge a list: <<: [*a, *b]\n");
    expect("b: {<<: 1}\n", "t.yaml:1:9: << takes a mapping, or a list of mappings, not a number\n"
                           "  hint: name a mapping that an anchor (&name) stands before: <<: *name\n");
    expect("a: &a {x: 1}\nb: {<<: [*a, [1]]}\n",
           "t.yaml:2:14: << takes a mapping, or a list of mappings, not a list\n"
           "  hint: name a mapping that an anchor (&name) stands before: <<: *name\n");
    expect("a: &a {<<: *a}\n", "t.yaml:1:12: alias *a stands inside what it names\n");
}

static void what_a_pipeline_file_may_not_hold(void **state)
{
    (void)state;
    expect("[a]: 1\n", "t.yaml:1:1: a key must be a word, not a list\n");
    expect("a: !secret x\nb: !!set {}\n", "t.yaml:1:4: unknown tag !secret\n  hint: a pipeline file needs no tags\n"
                                          "t.yaml:2:4: unknown tag tag:yaml.org,2002:set\n"
                                          "  hint: a pipeline file needs no tags\n");
    expect("a: !!seq {}\n", "t.yaml:1:4: the tag !!seq does not fit here\n  hint: a pipeline file needs no tags\n");
    expect("a: 1\n---\nb: 2\n", "t.yaml:2:1: a pipeline file holds one document, and a second one begins here\n");
    expect("a: \"x\\0y\"\n", "t.yaml:1:4: a value contains a NUL character\n");
    expect("\"<<\": 1\n", ""); /* in quotes it is a key like any other */
}

static void syntax_errors_speak_the_writers_words(void **state)
{
    (void)state;
    expect("a: b: c\n",
           "t.yaml:1:5: a \":\" is not expected here\n"
           "  hint: put a value that contains \": \" in quotes, and check that the keys of one mapping are "
           "equally far indented\n");
    expect("a:\n\tb: 1\n", "t.yaml:2:1: a tab cannot indent a line\n  hint: use spaces\n");
    expect("a: @x\n", "t.yaml:1:4: a value cannot begin with \"@\"\n  hint: put quotes around it: \"@x\"\n");
    expect("a: {b: 1\n", "t.yaml:2:1: expected \",\" or \"}\" in the mapping that begins at line 1, column 4\n"
                         "  hint: every { needs its }\n");
    expect("a: [1, 2\nb: 3\n", "t.yaml:2:2: expected \",\" or \"]\" in the list that begins at line 1, column 4\n"
                               "  hint: every [ needs its ]\n");
    expect("a: \"x\n", "t.yaml:2:1: no closing quote for the text that begins at line 1, column 4\n");
    expect("pattern: *.jpg\n", "t.yaml:1:10: \"*\" begins an alias; its name is made of letters, digits, - and _\n"
                               "  hint: put a glob such as \"*.jpg\" in quotes\n");
    expect("a: *nowhere\n", "t.yaml:1:4: alias *nowhere names no anchor\n");
    expect("a: &x [*x]\n", "t.yaml:1:8: alias *x stands inside what it names\n");
    expect("a: \"\\q\"\n", "t.yaml:1:5: no such escape in a text in double quotes\n"
                           "  hint: write \\\\ for a backslash, or use single quotes\n");
    expect("a: x\nbé: \xff\n", "t.yaml:2:5: the file is not valid UTF-8 here\n  hint: save it as UTF-8\n");
    expect("a: \x01\n", "t.yaml:1:4: a control character is not allowed\n");
    expect("a:\n  b: 1\n c: 2\n", "t.yaml:3:2: this line does not fit the mapping that begins at line "
                                  "1, column 1\n  hint: keys of one mapping are equally far indented\n");
}

static void texts_that_need_quotes_are_found(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"path: {stem}.{ext}\n",
         "t.yaml:1:7: a \"{\" outside of quotes begins a mapping\n  hint: put quotes around it: \"{stem}.{ext}\"\n"},
        {"to: { file: { path: {dir}/{stem}.jpg } }\n", "t.yaml:1:21: a \"{\" outside of quotes begins a mapping\n  "
                                                       "hint: put quotes around it: \"{dir}/{stem}.jpg\"\n"},
        {"a: 1\nb: [ {stem}-x.jpg, y ]\n",
         "t.yaml:2:6: a \"{\" outside of quotes begins a mapping\n  hint: put quotes around it: \"{stem}-x.jpg\"\n"},
        {"é: {stem}_s.jpg # small\n",
         "t.yaml:1:4: a \"{\" outside of quotes begins a mapping\n  hint: put quotes around it: \"{stem}_s.jpg\"\n"},
        {"to: { file: out/{stem}.jpg }\n",
         "t.yaml:1:13: a \"{\" outside of quotes begins a mapping\n  hint: put quotes around it: \"out/{stem}.jpg\"\n"},
        {"to: { file: { path: \"{stem}\", x: y{z} } }\n",
         "t.yaml:1:34: a \"{\" outside of quotes begins a mapping\n  hint: put quotes around it: \"y{z}\"\n"},
        {"a: { background: #ff0000, fit: fill }\nb: 1\n",
         "t.yaml:1:18: \"#\" begins a comment\n  hint: put quotes around it: \"#ff0000\"\n"},
        {"a: [ #fff ]\nb: 1\n", "t.yaml:1:6: \"#\" begins a comment\n  hint: put quotes around it: \"#fff\"\n"},
        {"width: >=64\n", "t.yaml:1:8: \">\" begins a folded text\n  hint: put quotes around it: \">=64\"\n"},
        {"a:\n  width: >64\n  b: 1\n",
         "t.yaml:2:10: \">\" begins a folded text\n  hint: put quotes around it: \">64\"\n"},
        {"{ width: >=64, height: 3 }\n",
         "t.yaml:1:10: a value cannot begin with \">\"\n  hint: put quotes around it: \">=64\"\n"},
        {"a: %x\n", "t.yaml:1:4: a value cannot begin with \"%\"\n  hint: put quotes around it: \"%x\"\n"},
        {"format: !=png x\n", "t.yaml:1:9: unknown tag !=png\n  hint: put a comparison such as \"!=png\" in quotes\n"},
        {"a: \u201cx\u201d\n", "t.yaml:1:4: a curly quote does not quote\n  hint: write \" or '\n"},
        /* Lines end where YAML ends them: a lone carriage return, NEL, LS and PS too. */
        {"a: 1\rb: @x\rc: 1\n", "t.yaml:2:4: a value cannot begin with \"@\"\n  hint: put quotes around it: \"@x\"\n"},
        {"a: 1\r\nb: @x\r\n", "t.yaml:2:4: a value cannot begin with \"@\"\n  hint: put quotes around it: \"@x\"\n"},
        {"a: 1\u2028b: @x\n", "t.yaml:2:4: a value cannot begin with \"@\"\n  hint: put quotes around it: \"@x\"\n"},
        {"\r{ `t\n`\n`t\n", "t.yaml:2:3: a value cannot begin with \"`\"\n  hint: put quotes around it: \"`t\"\n"},
        /* A slip of another kind stays what it is. */
        {"a: {b: 1}x\n", "t.yaml:1:10: this line does not fit the mapping that begins at line 1, column 1\n"
                         "  hint: keys of one mapping are equally far indented\n"},
        {"a: { b: 1 # ff0000\n", "t.yaml:2:1: expected \",\" or \"}\" in the mapping that begins at line 1, column 4\n"
                                 "  hint: every { needs its }\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) expect(cases[i].text, cases[i].expected);
}

static void errors_before_a_syntax_error_are_kept(void **state)
{
    (void)state;
    expect("a: 1\na: 2\nb: [\n", "t.yaml:2:1: key \"a\" is written twice (first on line 1)\n"
                                 "t.yaml:4:1: a value is missing here\n");
}

static char *repeat(const char *head, const char *part, size_t times, const char *tail)
{
    PmBuffer out;
    pm_buffer_init(&out, 4 * 1024 * 1024);
    pm_buffer_adds(&out, head);
    for (size_t i = 0; i < times; i++) pm_buffer_adds(&out, part);
    pm_buffer_adds(&out, tail);
    return pm_buffer_steal(&out);
}

static void expect_repeated(const char *head, const char *part, size_t times, const char *tail, const char *message)
{
    char *text = repeat(head, part, times, tail);
    PmErrorList errors = {0};
    PmTree *tree = parse(text, &errors);
    if (message == NULL) {
        assert_non_null(tree);
        assert_int_equal(errors.count, 0);
    } else {
        assert_null(tree);
        assert_int_equal(errors.count, 1);
        assert_contains(errors.items[0].message, message);
    }
    pm_tree_free(tree);
    pm_error_list_finish(&errors);
    free(text);
}

static void caps_hold(void **state)
{
    (void)state;
    expect_repeated("", "[", 200000, "", "nests deeper than 64 levels");
    expect_repeated("a: ", "[", 63, "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", NULL);
    expect_repeated("a: [", "x,", 9997, "]", NULL); /* with the root, its key and the list: 10,000 */
    expect_repeated("a: [", "x,", 9998, "]", "more than 10000 values");
    expect_repeated("a: &a [x,x,x,x,x,x,x,x,x]\nb: [", "*a,", 998, "]", NULL);
    expect_repeated("a: &a [x,x,x,x,x,x,x,x,x]\nb: [", "*a,", 1000, "]", "more than 10000 values");
    expect_repeated("# ", "0123456789abcdef", 65536, "\n", "larger than 1 MiB");
    expect_repeated("", "- &a x\n", 300, "", "more than 256 anchors");
    expect("a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
           "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n",
           "t.yaml:4:29: the file has more than 10000 values (aliases count as what they stand for)\n");
}

/* Once through the text, whatever lies between what was opened and the mistake. */
static void a_mistake_far_from_its_beginning_is_found_at_once(void **state)
{
    (void)state;
    int64_t start = pm_clock_mono_ms();
    expect_repeated("a: { b: 1,\n", "\n", 1000000, "@", "a value cannot begin with \"@\"");
    expect_repeated("a: { b: 1,", " ", 1000000, "@", "a value cannot begin with \"@\"");
    assert_true(pm_clock_mono_ms() - start < 20000);
}

static void aliases_cannot_nest_deeper_than_the_cap(void **state)
{
    (void)state;
    PmBuffer out;
    pm_buffer_init(&out, 64 * 1024);
    pm_buffer_adds(&out, "- &a0 x\n");
    for (int i = 1; i < 100; i++) pm_buffer_addf(&out, "- &a%d [*a%d]\n", i, i - 1);
    PmErrorList errors = {0};
    assert_null(parse(out.data, &errors));
    assert_contains(errors_text(&errors), "nests deeper than 64 levels");
    pm_error_list_finish(&errors);
    pm_buffer_finish(&out);
}

static const char *expanded(const char *text, PmErrorList *errors, bool *plain)
{
    static char copy[256];
    PmTree *tree = parse(text, errors);
    assert_non_null(tree);
    pm_tree_expand(tree, pm_tree_root(tree), test_env, NULL, errors);
    const PmNode *a = pm_node_get(pm_tree_root(tree), "a");
    snprintf(copy, sizeof copy, "%s", a->text);
    if (plain != NULL) *plain = a->plain;
    pm_tree_free(tree);
    return copy;
}

static void variables_are_replaced_once(void **state)
{
    (void)state;
    PmErrorList errors = {0};
    bool plain = false;
    assert_string_equal(expanded("a: ${WIDTH}", &errors, &plain), "300");
    assert_true(plain);
    assert_string_equal(expanded("a: \"${WIDTH}\"", &errors, &plain), "300");
    assert_false(plain);
    assert_string_equal(expanded("a: x${WIDTH}y${WIDTH}z", &errors, NULL), "x300y300z");
    assert_string_equal(expanded("a: ${NOT_SET:-12}", &errors, NULL), "12");
    assert_string_equal(expanded("a: ${EMPTY:-12}", &errors, NULL), "12");
    assert_string_equal(expanded("a: x${EMPTY}y", &errors, NULL), "xy");
    assert_string_equal(expanded("a: x${NOT_SET:-}y", &errors, NULL), "xy");
    assert_string_equal(expanded("a: ${NESTED}", &errors, NULL), "${WIDTH}");
    assert_string_equal(expanded("a: $${WIDTH}", &errors, NULL), "${WIDTH}");
    assert_string_equal(expanded("a: $WIDTH $$ $", &errors, NULL), "$WIDTH $$ $");
    assert_string_equal(expanded("b: &b [\"${NESTED}\"]\nc: *b\na: x", &errors, NULL), "x");
    assert_int_equal(errors.count, 0);
}

static void variables_that_cannot_be_are_errors_at_their_place(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"a: ${NOT_SET}", "t.yaml:1:4: the environment variable NOT_SET is not set\n"
                          "  hint: set it, or give a default: ${NOT_SET:-default}\n"},
        {"a: '${WIDTH'", "t.yaml:1:4: \"${WIDTH\" is not a variable\n"
                         "  hint: write ${NAME} or ${NAME:-default}, and $${ for a literal ${\n"},
        {"a: ${1}", "t.yaml:1:4: \"${1}\" is not a variable\n"
                    "  hint: write ${NAME} or ${NAME:-default}, and $${ for a literal ${\n"},
        {"a: ${A:=b}", "t.yaml:1:4: \"${A:=b}\" is not a variable\n"
                       "  hint: write ${NAME} or ${NAME:-default}, and $${ for a literal ${\n"},
        {"a: ${A:-${B}}", "t.yaml:1:4: \"${A:-${B}\" is not a variable\n"
                          "  hint: write ${NAME} or ${NAME:-default}, and $${ for a literal ${\n"},
        {"a: ${BAD}", "t.yaml:1:4: the environment variable BAD is not valid UTF-8\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        PmErrorList errors = {0};
        expanded(cases[i][0], &errors, NULL);
        assert_string_equal(errors_text(&errors), cases[i][1]);
        pm_error_list_finish(&errors);
    }
}

static const char *large_env(void *data, const char *name)
{
    (void)name;
    return data;
}

static void variables_cannot_bring_more_than_the_cap(void **state)
{
    (void)state;
    char *large = repeat("", "0123456789abcdef", 8 * 1024, ""), *text = repeat("a: [", "\"${X}\",", 20, "]");
    PmErrorList errors = {0};
    PmTree *tree = parse(text, &errors);
    pm_tree_expand(tree, pm_tree_root(tree), large_env, large, &errors);
    assert_contains(errors_text(&errors), "bring more than 1 MiB of text");
    pm_tree_free(tree);
    pm_error_list_finish(&errors);
    free(large);
    free(text);
}

static void used_variables_are_listed_once(void **state)
{
    (void)state;
    PmErrorList errors = {0};
    PmTree *tree = parse("a: \"${B}${A:-x}\"\nb: [\"${B}\", \"$${C}\", \"${\", \"${9}\"]\n\"${KEY}\": 1\n", &errors);
    json_t *names = json_array();
    pm_tree_variables(pm_tree_root(tree), names);
    assert_int_equal(json_array_size(names), 2);
    assert_string_equal(json_string_value(json_array_get(names, 0)), "B");
    assert_string_equal(json_string_value(json_array_get(names, 1)), "A");
    json_decref(names);
    pm_tree_free(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_know_kind_and_place),
        cmocka_unit_test(kinds_are_named_as_yaml_types_them),
        cmocka_unit_test(empty_documents_have_no_root),
        cmocka_unit_test(byte_order_mark_shifts_no_column),
        cmocka_unit_test(duplicate_keys_name_the_first_line_and_keep_it),
        cmocka_unit_test(merge_keys_fill_in_what_a_mapping_does_not_say),
        cmocka_unit_test(what_a_pipeline_file_may_not_hold),
        cmocka_unit_test(syntax_errors_speak_the_writers_words),
        cmocka_unit_test(texts_that_need_quotes_are_found),
        cmocka_unit_test(errors_before_a_syntax_error_are_kept),
        cmocka_unit_test(caps_hold),
        cmocka_unit_test(a_mistake_far_from_its_beginning_is_found_at_once),
        cmocka_unit_test(aliases_cannot_nest_deeper_than_the_cap),
        cmocka_unit_test(variables_are_replaced_once),
        cmocka_unit_test(variables_that_cannot_be_are_errors_at_their_place),
        cmocka_unit_test(variables_cannot_bring_more_than_the_cap),
        cmocka_unit_test(used_variables_are_listed_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
