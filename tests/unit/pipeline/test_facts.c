/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/facts.h"

#include "reading.h"

static void key_is_taken_apart(void **state)
{
    (void)state;
    static const char *const cases[][5] = {
        /* key, dir, name, stem, source_ext */
        {"a/b/cat.final.JPG", "a/b", "cat.final.JPG", "cat.final", "jpg"},
        {"cat", "", "cat", "cat", ""},
        {"a/.profile", "a", ".profile", ".profile", ""},
        {"a/", "a", "", "", ""},
        {"/x.png", "", "x.png", "x", "png"},
        {"cat.", "", "cat.", "cat", ""},
        {"é/ü.PNG", "é", "ü.PNG", "ü", "png"},
    };
    static const char *const names[] = {"key", "dir", "name", "stem", "source_ext"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        PmFacts *facts = pm_facts_new();
        assert_true(pm_facts_set_key(facts, cases[i][0]));
        for (size_t k = 0; k < 5; k++) assert_string_equal(pm_facts_get(facts, names[k]), cases[i][k]);
        pm_facts_free(facts);
    }
}

static void date_is_utc(void **state)
{
    (void)state;
    PmFacts *facts = pm_facts_new();
    assert_true(pm_facts_set_date(facts, 1795414642042)); /* 2026-11-23T06:17:22.042Z */
    assert_string_equal(pm_facts_get(facts, "date"), "2026-11-23");
    assert_string_equal(pm_facts_get(facts, "year"), "2026");
    assert_string_equal(pm_facts_get(facts, "month"), "11");
    assert_string_equal(pm_facts_get(facts, "day"), "23");
    assert_string_equal(pm_facts_get(facts, "hour"), "06");
    pm_facts_free(facts);
}

static void values_replace_and_go(void **state)
{
    (void)state;
    PmFacts *facts = pm_facts_new();
    assert_true(pm_facts_set(facts, "a", "1"));
    assert_true(pm_facts_setf(facts, "b", "%d", 2));
    assert_true(pm_facts_set(facts, "a", "3"));
    PmFacts *copy = pm_facts_copy(facts);
    assert_true(pm_facts_set(facts, "a", NULL));
    assert_true(pm_facts_set(facts, "never", NULL));
    assert_null(pm_facts_get(facts, "a"));
    assert_string_equal(pm_facts_get(facts, "b"), "2");
    assert_string_equal(pm_facts_get(copy, "a"), "3");
    pm_facts_free(copy);
    pm_facts_free(facts);
    pm_facts_free(NULL);
}

static void caps_hold(void **state)
{
    (void)state;
    PmFacts *facts = pm_facts_new();
    char large[PM_FACT_VALUE_MAX + 2];
    memset(large, 'a', sizeof large);
    large[sizeof large - 1] = '\0';
    assert_false(pm_facts_set(facts, "large", large));
    assert_false(pm_facts_setf(facts, "large", "%s%s", large, large));
    assert_false(pm_facts_set_key(facts, large));
    assert_false(pm_facts_set(facts, large, "long name"));
    assert_false(pm_facts_set(facts, "", "no name"));
    assert_false(pm_facts_set(facts, "bytes", "a\xff"));
    assert_false(pm_facts_set(facts, "a\xff", "bytes"));
    large[PM_FACT_VALUE_MAX] = '\0';
    assert_true(pm_facts_set(facts, "large", large));
    for (int i = 1; i < PM_FACTS_MAX; i++) {
        char name[20];
        snprintf(name, sizeof name, "f%d", i);
        pm_facts_set(facts, name, "x");
    }
    assert_false(pm_facts_set(facts, "one-too-many", "x"));
    assert_true(pm_facts_set(facts, "f5", "y")); /* there already */
    assert_null(pm_facts_get(facts, "one-too-many"));
    pm_facts_free(facts);
}

static void json_goes_both_ways(void **state)
{
    (void)state;
    PmFacts *facts = pm_facts_new(), *other = pm_facts_new();
    pm_facts_set(facts, "key", "é");
    pm_facts_set(facts, "width", "3");
    json_t *json = pm_facts_to_json(facts);
    assert_true(pm_facts_add_json(other, json));
    assert_string_equal(pm_facts_get(other, "key"), "é");
    assert_string_equal(pm_facts_get(other, "width"), "3");
    json_decref(json);
    json = json_loads("{\"good\":\"1\",\"bad\":2,\"nul\":\"a\\u0000b\",\"fine\":\"2\"}", JSON_ALLOW_NUL, NULL);
    assert_false(pm_facts_add_json(other, json));
    assert_string_equal(pm_facts_get(other, "good"), "1");
    assert_string_equal(pm_facts_get(other, "fine"), "2");
    assert_null(pm_facts_get(other, "bad"));
    assert_null(pm_facts_get(other, "nul"));
    json_decref(json);
    pm_facts_free(other);
    pm_facts_free(facts);
}

static void every_fact_is_explained(void **state)
{
    (void)state;
    for (const PmFactInfo *info = pm_fact_table; info->name != NULL; info++) {
        assert_ptr_equal(pm_fact_info(info->name), info); /* so no name comes twice */
        assert_true(info->doc[0] != '\0');
        assert_true((info->flags & (PM_FACT_KEY | PM_FACT_WHEN | PM_FACT_PLUGIN)) != 0);
    }
    assert_null(pm_fact_info("nonsense"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_is_taken_apart),    cmocka_unit_test(date_is_utc),
        cmocka_unit_test(values_replace_and_go), cmocka_unit_test(caps_hold),
        cmocka_unit_test(json_goes_both_ways),   cmocka_unit_test(every_fact_is_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
