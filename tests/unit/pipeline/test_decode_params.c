/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/decode_params.h"

#include "reading.h"

typedef struct Config {
    bool enlarge;
    int64_t width, quality, size, time;
    double opacity;
    const char *text, *image, *url;
    int32_t fit;
    PmColor color;
    PmList keep;
    PmLength margin;
} Config;

static const char *const fits[] = {"cover", "contain", "fill", "inside", "outside", NULL};
static const char *const kept[] = {"icc", "copyright", "exif", NULL};

static const PmParam params[] = {
    PM_PARAM_BOOL(Config, enlarge, "enlarge", .def = "true"),
    PM_PARAM_INT(Config, width, "width", .def = "300", .min = 1, .max = 16384, .unit = "px"),
    PM_PARAM_INT(Config, quality, "quality", .min = 1, .max = 100),
    PM_PARAM_BYTES(Config, size, "max_bytes", .def = "1MiB", .min = 1024, .max = 10485760),
    PM_PARAM_DURATION(Config, time, "timeout", .def = "1500ms", .min = 100, .max = 60000),
    PM_PARAM_NUMBER(Config, opacity, "opacity", .def = "0.5", .min = 0, .max = 1),
    PM_PARAM_STRING(Config, text, "text", .flags = PM_TEMPLATE, .min = 1, .max = 20),
    PM_PARAM_ASSET(Config, image, "image"),
    PM_PARAM_ENDPOINT(Config, url, "url"),
    PM_PARAM_ENUM(Config, fit, "fit", .def = "contain", .choices = fits),
    PM_PARAM_COLOR(Config, color, "background", .def = "#ff000080"),
    PM_PARAM_LIST(Config, keep, "keep", .def = "[icc, exif]", .choices = kept, .min = 0, .max = 2),
    PM_PARAM_LENGTH(Config, margin, "margin", .def = "5%", .min = 0, .max = 100),
};

typedef struct Reading {
    PmTree *tree;
    PmArena *arena;
    PmErrorList errors, warnings;
    Config config;
    bool ok;
} Reading;

static Reading bind_with(const char *yaml, const PmParam *table, size_t count)
{
    Reading r = {.arena = pm_arena_new()};
    r.tree = pm_tree_parse("f.yaml", yaml, strlen(yaml), &r.errors);
    assert_non_null(r.tree);
    pm_tree_expand(r.tree, pm_tree_root(r.tree), test_env, NULL, &r.errors);
    PmDecodeContext context = {
        .file = "f.yaml", .where = "resize", .errors = &r.errors, .warnings = &r.warnings, .line = 7, .column = 5};
    r.ok = pm_decode_params(&context, pm_tree_root(r.tree), table, count, &r.config, r.arena);
    assert_int_equal(r.ok, r.errors.count == 0);
    return r;
}

static void finish(Reading *r)
{
    pm_error_list_finish(&r->errors);
    pm_error_list_finish(&r->warnings);
    pm_arena_free(r->arena);
    pm_tree_free(r->tree);
}

static Reading bind_text(const char *yaml)
{
    return bind_with(yaml, params, sizeof params / sizeof params[0]);
}

static void expect(const char *yaml, const char *expected)
{
    Reading r = bind_text(yaml);
    assert_string_equal(errors_text(&r.errors), expected);
    finish(&r);
}

static void defaults_fill_in(void **state)
{
    (void)state;
    Reading r = bind_text("");
    assert_true(r.config.enlarge);
    assert_int_equal(r.config.width, 300);
    assert_int_equal(r.config.size, 1048576);
    assert_int_equal(r.config.time, 1500);
    assert_near(r.config.opacity, 0.5, 0);
    assert_null(r.config.text);
    assert_int_equal(r.config.fit, 1);
    assert_near(r.config.color.a, 128 / 255.0, 1e-9);
    assert_int_equal(r.config.keep.count, 2);
    assert_string_equal(r.config.keep.items[1], "exif");
    assert_true(r.config.margin.percent);
    finish(&r);
}

static void values_fill_in(void **state)
{
    (void)state;
    Reading r = bind_text("enlarge: false\nwidth: 2k\nmax_bytes: 200KiB\ntimeout: 2s\nopacity: 1\n"
                          "text: \"by {stem}\"\nimage: logo.png\nurl: https://h/p\nfit: outside\n"
                          "background: \"#fff\"\nkeep: copyright\nmargin: 12px\n");
    assert_string_equal(errors_text(&r.errors), "");
    assert_false(r.config.enlarge);
    assert_int_equal(r.config.width, 2000);
    assert_int_equal(r.config.size, 204800);
    assert_int_equal(r.config.time, 2000);
    assert_string_equal(r.config.text, "by {stem}");
    assert_string_equal(r.config.image, "logo.png");
    assert_string_equal(r.config.url, "https://h/p");
    assert_int_equal(r.config.fit, 4);
    assert_near(r.config.color.r, 255, 0);
    assert_int_equal(r.config.keep.count, 1);
    assert_string_equal(r.config.keep.items[0], "copyright");
    assert_near(r.config.margin.value, 12, 0);
    finish(&r);
}

static void an_empty_list_is_a_value(void **state)
{
    (void)state;
    Reading r = bind_text("keep: []");
    assert_int_equal(r.config.keep.count, 0);
    assert_null(r.config.keep.items);
    finish(&r);
}

static void numbers_are_text_for_text(void **state)
{
    (void)state;
    Reading r = bind_text("text: 2024\nimage: true");
    assert_true(r.ok);
    assert_string_equal(r.config.text, "2024");
    finish(&r);
}

static void wrong_types_say_what_was_found(void **state)
{
    (void)state;
    expect("width: wide", "f.yaml:1:8: resize: width must be a whole number, not \"wide\"\n");
    expect("width: 3.5", "f.yaml:1:8: resize: width must be a whole number, not \"3.5\"\n");
    expect("width: \"300\"", "f.yaml:1:8: resize: width must be a whole number, not the text \"300\"\n"
                             "  hint: take the quotes away\n");
    expect("enlarge: \"true\"", "f.yaml:1:10: resize: enlarge must be true or false, not the text \"true\"\n"
                                "  hint: take the quotes away\n");
    expect("enlarge: yes", "f.yaml:1:10: resize: enlarge must be true or false, not \"yes\"\n"
                           "  hint: did you mean true?\n");
    expect("enlarge: off", "f.yaml:1:10: resize: enlarge must be true or false, not \"off\"\n"
                           "  hint: did you mean false?\n");
    expect("width: 100px", "f.yaml:1:8: resize: width must be a whole number, not \"100px\"\n"
                           "  hint: write the number alone: 100\n");
    expect("width: 50%", "f.yaml:1:8: resize: width must be a whole number, not \"50%\"\n");
    expect("opacity: 60%", "f.yaml:1:10: resize: opacity must be a number, not \"60%\"\n"
                           "  hint: did you mean 0.6? opacity runs from 0 to 1\n");
    expect("opacity: 60", "f.yaml:1:10: resize: opacity 60 is above 1\n"
                          "  hint: did you mean 0.6? opacity runs from 0 to 1\n");
    expect("quality: 0.8", "f.yaml:1:10: resize: quality must be a whole number, not \"0.8\"\n"
                           "  hint: did you mean 80? quality runs from 1 to 100\n");
    expect("quality: 80%", "f.yaml:1:10: resize: quality must be a whole number, not \"80%\"\n"
                           "  hint: did you mean 80? quality runs from 1 to 100\n");
    expect("quality: 82.5", "f.yaml:1:10: resize: quality must be a whole number, not \"82.5\"\n");
    expect("text: {stem}", "f.yaml:1:7: resize: text must be a string, not a mapping\n"
                           "  hint: put quotes around it: \"{stem}\"\n");
    expect("{ width:300 }", "f.yaml:1:3: resize: unknown key \"width:300\"\n"
                            "  hint: a space belongs behind the colon: \"width: 300\"\n");
    expect("width: [1]", "f.yaml:1:8: resize: width must be an integer, not a list\n");
    expect("opacity: {}", "f.yaml:1:10: resize: opacity must be a number, not a mapping\n");
    expect("keep: {a: b}", "f.yaml:1:7: resize: keep must be a list such as [a, b], not a mapping\n");
    expect("keep: [icc, [exif]]", "f.yaml:1:13: resize: keep: item 2 must be text, not a list\n");
    expect("timeout: 15", "f.yaml:1:10: resize: timeout must be a duration such as 15s, 1500ms or 2m, not \"15\"\n"
                          "  hint: did you mean 15s?\n");
    expect("max_bytes: 1M", "f.yaml:1:12: resize: max_bytes must be a size such as 50MiB, 200KiB or 1GB, not \"1M\"\n"
                            "  hint: did you mean 1MiB?\n");
    expect("width: 2kpx", "f.yaml:1:8: resize: width must be a whole number, not \"2kpx\"\n  hint: did you mean 2k?\n");
    expect("enlarge: \"no\"", "f.yaml:1:10: resize: enlarge must be true or false, not the text \"no\"\n"
                              "  hint: did you mean false?\n");
    expect("margin: far", "f.yaml:1:9: resize: margin must be a length such as 12, 12px or 5%, not \"far\"\n");
    expect("url: ftp://x",
           "f.yaml:1:6: resize: url must be a URL that begins with https://, http:// or aws://, not the value given\n");
    expect("image: ''", "f.yaml:1:8: resize: image must be the name of a file, not \"\"\n");
    expect("- 1", "f.yaml:1:1: resize: expected a mapping of parameters, not a list\n"
                  "  hint: known keys: enlarge, width, quality, max_bytes, timeout, opacity, text, image, url, fit, "
                  "background, keep, margin\n");
    expect("background: #fff\n", "f.yaml:1:12: resize: background must be a color, not nothing\n"
                                 "  hint: \"#\" begins a comment: put the color in quotes\n");
}

static void ranges_hold(void **state)
{
    (void)state;
    expect("width: 0", "f.yaml:1:8: resize: width 0 is below 1\n");
    expect("width: 20k", "f.yaml:1:8: resize: width 20k is above 16384\n");
    expect("opacity: 1.01", "f.yaml:1:10: resize: opacity 1.01 is above 1\n");
    expect("max_bytes: 11MiB", "f.yaml:1:12: resize: max_bytes 11MiB is above 10 MiB\n");
    expect("timeout: 2m", "f.yaml:1:10: resize: timeout 2m is above 1m\n");
    expect("margin: -1", "f.yaml:1:9: resize: margin -1 is below 0\n");
    expect("text: ''", "f.yaml:1:7: resize: text needs at least 1 characters, not 0\n");
    expect("text: aaaaaaaaaaaaaaaaaaaaa", "f.yaml:1:7: resize: text takes at most 20 characters, not 21\n");
    expect("keep: [icc, exif, icc]", "f.yaml:1:7: resize: keep takes at most 2 items, not 3\n");
}

static void unknown_words_bring_the_near_one(void **state)
{
    (void)state;
    expect("widht: 3", "f.yaml:1:1: resize: unknown key \"widht\"\n  hint: did you mean \"width\"?\n");
    expect("zzzzzz: 3",
           "f.yaml:1:1: resize: unknown key \"zzzzzz\"\n  hint: known keys: enlarge, width, quality, max_bytes, "
           "timeout, opacity, text, image, url, fit, background, keep, margin\n");
    expect("fit: covr", "f.yaml:1:6: resize: fit \"covr\" is not one of cover, contain, fill, inside, outside\n"
                        "  hint: did you mean \"cover\"?\n");
    expect("keep: [icc, exfi]", "f.yaml:1:13: resize: keep \"exfi\" is not one of icc, copyright, exif\n"
                                "  hint: did you mean \"exif\"?\n");
    expect("text: \"{stem\"", "f.yaml:1:7: resize: text: \"{\" is not closed\n  hint: write {{ for a literal brace\n");
}

static void all_errors_come_at_once(void **state)
{
    (void)state;
    expect("width: 0\nfitt: cover\nopacity: 2\n", "f.yaml:1:8: resize: width 0 is below 1\n"
                                                  "f.yaml:2:1: resize: unknown key \"fitt\"\n"
                                                  "  hint: did you mean \"fit\"?\n"
                                                  "f.yaml:3:10: resize: opacity 2 is above 1\n");
}

static void variables_count_as_written_there(void **state)
{
    (void)state;
    Reading r = bind_text("{width: \"${WIDTH}\"}");
    assert_int_equal(r.config.width, 300);
    finish(&r);
    expect("width: ${NOT_SET}", "f.yaml:1:8: the environment variable NOT_SET is not set\n"
                                "  hint: set it, or give a default: ${NOT_SET:-default}\n");
    expect("width: ${NOT_SET:-0}", "f.yaml:1:8: resize: width ${NOT_SET:-0} is below 1\n");
    expect("width: \"${DEST_BUCKET}\"", "f.yaml:1:8: resize: width must be a whole number, not \"${DEST_BUCKET}\"\n");
    expect("fit: \"a${DEST_BUCKET}\"",
           "f.yaml:1:6: resize: fit \"a${DEST_BUCKET}\" is not one of cover, contain, fill, inside, outside\n");
}

typedef struct Odd {
    const char *token;
    int64_t pin, old;
} Odd;

static const PmParam odd[] = {
    PM_PARAM_STRING(Odd, token, "token", .flags = PM_SECRET | PM_REQUIRED, .max = 4, .doc = "Who may pass."),
    PM_PARAM_INT(Odd, pin, "pin", .flags = PM_SECRET, .min = 1, .max = 9),
    PM_PARAM_INT(Odd, old, "old", .flags = PM_DEPRECATED, .doc = "Use pin."),
};

static void expect_odd(const char *yaml, const char *errors, const char *warnings)
{
    Reading r = bind_with(yaml, odd, 3);
    assert_string_equal(errors_text(&r.errors), errors);
    assert_string_equal(errors_text(&r.warnings), warnings);
    finish(&r);
}

static void secrets_are_never_shown(void **state)
{
    (void)state;
    expect_odd("token: canary-7", "f.yaml:1:8: resize: token takes at most 4 characters, not 8\n", "");
    expect_odd("token: x\npin: 4711", "f.yaml:2:6: resize: pin (a secret) is above 9\n", "");
    expect_odd("token: x\npin: canary", "f.yaml:2:6: resize: pin must be a whole number, not the value given\n", "");
    expect_odd("token: x\npin: 'canary'", "f.yaml:2:6: resize: pin must be a whole number, not the value given\n", "");
}

static void what_is_missing_is_said_at_the_mapping(void **state)
{
    (void)state;
    expect_odd("pin: 3", "f.yaml:1:1: resize: token is missing\n  hint: Who may pass.\n", "");
    expect_odd("", "f.yaml:7:5: resize: token is missing\n  hint: Who may pass.\n", "");
}

static void deprecated_parameters_warn(void **state)
{
    (void)state;
    expect_odd("token: x\nold: 3", "", "f.yaml:2:6: resize: old is deprecated\n  hint: Use pin.\n");
}

static void keys_of_the_caller_are_known(void **state)
{
    (void)state;
    static const char *const also[] = {"steps", NULL};
    PmErrorList errors = {0};
    PmArena *arena = pm_arena_new();
    const char *yaml = "steps: []\nstep: []\n";
    PmTree *tree = pm_tree_parse("f.yaml", yaml, strlen(yaml), &errors);
    PmDecodeContext context = {.file = "f.yaml", .errors = &errors, .also = also};
    assert_false(pm_decode_params(&context, pm_tree_root(tree), NULL, 0, NULL, arena));
    assert_string_equal(errors_text(&errors), "f.yaml:2:1: unknown key \"step\"\n  hint: did you mean \"steps\"?\n");
    pm_error_list_finish(&errors);
    pm_tree_free(tree);
    pm_arena_free(arena);
}

static void types_have_names_and_sizes(void **state)
{
    (void)state;
    for (int t = PM_BOOL; t <= PM_LENGTH; t++) {
        assert_true(pm_type_size((PmType)t) > 0);
        assert_string_not_equal(pm_type_name((PmType)t), "unknown");
    }
    assert_string_equal(pm_type_name((PmType)99), "unknown");
    assert_int_equal(pm_type_size((PmType)99), 0);
}

static void arenas_give_zeroed_memory(void **state)
{
    (void)state;
    PmArena *arena = pm_arena_new();
    char *first = pm_arena_alloc(arena, 3), *large = pm_arena_alloc(arena, 100000), *text = pm_arena_strdup(arena, "é");
    assert_int_equal((uintptr_t)first % _Alignof(max_align_t), 0);
    assert_int_equal((uintptr_t)large % _Alignof(max_align_t), 0);
    for (size_t i = 0; i < 100000; i++) assert_int_equal(large[i], 0);
    assert_string_equal(text, "é");
    pm_arena_free(arena);
    pm_arena_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_fill_in),
        cmocka_unit_test(values_fill_in),
        cmocka_unit_test(an_empty_list_is_a_value),
        cmocka_unit_test(numbers_are_text_for_text),
        cmocka_unit_test(wrong_types_say_what_was_found),
        cmocka_unit_test(ranges_hold),
        cmocka_unit_test(unknown_words_bring_the_near_one),
        cmocka_unit_test(all_errors_come_at_once),
        cmocka_unit_test(variables_count_as_written_there),
        cmocka_unit_test(secrets_are_never_shown),
        cmocka_unit_test(what_is_missing_is_said_at_the_mapping),
        cmocka_unit_test(deprecated_parameters_warn),
        cmocka_unit_test(keys_of_the_caller_are_known),
        cmocka_unit_test(types_have_names_and_sizes),
        cmocka_unit_test(arenas_give_zeroed_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
