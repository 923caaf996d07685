/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/decode_params.h"

#include "reading.h"

typedef bool WholeParser(const char *text, int64_t *value, char *why, size_t why_size);

typedef struct Whole {
    const char *text;
    int64_t value; /* -1: refused */
} Whole;

static void check_whole(WholeParser *parse, const Whole *cases, const char *expected)
{
    for (; cases->text != NULL; cases++) {
        int64_t value = -7;
        char why[100] = "";
        bool ok = parse(cases->text, &value, why, sizeof why);
        if (ok != (cases->value != -1)) fail_msg("\"%s\" is %s", cases->text, ok ? "taken" : "refused");
        if (ok && value != cases->value) fail_msg("\"%s\" gives %lld", cases->text, (long long)value);
        if (!ok) assert_string_equal(why, expected);
        if (!ok) assert_false(parse(cases->text, &value, NULL, 0)); /* who does not ask why gets no answer */
    }
}

static void bytes(void **state)
{
    (void)state;
    static const Whole cases[] = {{"0", 0},
                                  {"1024", 1024},
                                  {"50MiB", 52428800},
                                  {"200 KiB", 204800},
                                  {"1GB", 1000000000},
                                  {"1.5MiB", 1572864},
                                  {"2TiB", 2199023255552},
                                  {"300B", 300},
                                  {"50M", -1},
                                  {"50mib", -1},
                                  {"-1", -1},
                                  {"", -1},
                                  {"MiB", -1},
                                  {"1MiB x", -1},
                                  {"1e400", -1},
                                  {"99999999TiB", -1},
                                  {"0x10", -1},
                                  {"inf", -1},
                                  {NULL, 0}};
    check_whole(pm_parse_bytes, cases, "a size such as 50MiB, 200KiB or 1GB");
}

static void durations(void **state)
{
    (void)state;
    static const Whole cases[] = {{"0", 0},          {"15s", 15000},   {"1500ms", 1500}, {"2m", 120000}, {"1.5s", 1500},
                                  {"12h", 43200000}, {"1d", 86400000}, {"15", -1},       {"15 sec", -1}, {"-1s", -1},
                                  {"", -1},          {"s", -1},        {NULL, 0}};
    check_whole(pm_parse_duration, cases, "a duration such as 15s, 1500ms or 2m");
}

static void whole_numbers(void **state)
{
    (void)state;
    static const Whole cases[] = {
        {"300", 300},      {"+5", 5},     {"-3", -3},   {"50M", 50000000}, {"2k", 2000},
        {"1.5M", 1500000}, {"3.5", -1},   {"wide", -1}, {"", -1},          {"0x10", -1},
        {"nan", -1},       {"1_000", -1}, {"--1", -1},  {"1.2.3", -1},     {"9007199254740993000", -1},
        {".", -1},         {NULL, 0}};
    check_whole(pm_parse_int, cases, "a whole number");
}

static void numbers(void **state)
{
    (void)state;
    double value = 0;
    assert_true(pm_parse_number("0.6", &value, NULL, 0));
    assert_near(value, 0.6, 1e-12);
    assert_true(pm_parse_number("-1e3", &value, NULL, 0));
    assert_near(value, -1000, 1e-12);
    assert_true(pm_parse_number(".5", &value, NULL, 0));
    assert_near(value, 0.5, 1e-12);
    static const char *const refused[] = {"", "nan", "inf", "-inf", "0x1p3", "1e999", "1,5", "1 ", "e3", "1e", "."};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (pm_parse_number(refused[i], &value, NULL, 0)) fail_msg("\"%s\" is taken", refused[i]);
}

static void booleans(void **state)
{
    (void)state;
    bool value = false;
    assert_true(pm_parse_bool("true", &value, NULL, 0) && value);
    assert_true(pm_parse_bool("False", &value, NULL, 0) && !value);
    assert_false(pm_parse_bool("yes", &value, NULL, 0));
    assert_false(pm_parse_bool("tRUE", &value, NULL, 0));
}

static void colors(void **state)
{
    (void)state;
    PmColor c;
    assert_true(pm_parse_color("#20a0ff", &c, NULL, 0));
    assert_near(c.r, 32, 0);
    assert_near(c.g, 160, 0);
    assert_near(c.b, 255, 0);
    assert_near(c.a, 1, 0);
    assert_true(pm_parse_color("#20A0FF80", &c, NULL, 0));
    assert_near(c.a, 128 / 255.0, 1e-9);
    assert_true(pm_parse_color("#fa0", &c, NULL, 0));
    assert_near(c.g, 170, 0);
    assert_true(pm_parse_color("White", &c, NULL, 0));
    assert_near(c.r, 255, 0);
    assert_true(pm_parse_color("transparent", &c, NULL, 0));
    assert_near(c.a, 0, 0);
    static const char *const refused[] = {"", "#", "#12", "#12345", "#gggggg", "20a0ff", "#20a0ff800", "mauvish"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (pm_parse_color(refused[i], &c, NULL, 0)) fail_msg("\"%s\" is taken", refused[i]);
}

static void lengths(void **state)
{
    (void)state;
    PmLength l;
    assert_true(pm_parse_length("12", &l, NULL, 0) && !l.percent);
    assert_true(pm_parse_length("-12px", &l, NULL, 0) && !l.percent);
    assert_near(l.value, -12, 0);
    assert_true(pm_parse_length("5 %", &l, NULL, 0) && l.percent);
    assert_near(l.value, 5, 0);
    assert_false(pm_parse_length("5em", &l, NULL, 0));
    assert_false(pm_parse_length("%", &l, NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes),   cmocka_unit_test(durations), cmocka_unit_test(whole_numbers),
        cmocka_unit_test(numbers), cmocka_unit_test(booleans),  cmocka_unit_test(colors),
        cmocka_unit_test(lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
