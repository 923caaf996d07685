/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/file/folders.h"

#include "base/clock.h"
#include "connectors/file/arrivals.h"

static void expect_keys(PmArrivals *arrivals, const char *const *keys)
{
    for (; *keys != NULL; keys++) {
        PmArrival *arrival = pm_arrivals_take(arrivals);
        assert_non_null(arrival);
        assert_string_equal(arrival->key, *keys);
    }
    assert_null(pm_arrivals_take(arrivals));
}

static void test_queues(void **state)
{
    (void)state;
    PmArrivals *arrivals = pm_arrivals_new(10);
    PmArrival *a = pm_arrivals_add(arrivals, "a"), *b = pm_arrivals_add(arrivals, "b");
    pm_arrivals_add(arrivals, "c");
    assert_ptr_equal(pm_arrivals_find(arrivals, "b"), b);
    assert_null(pm_arrivals_find(arrivals, "d"));
    pm_arrivals_later(arrivals, b, 200);
    pm_arrivals_later(arrivals, a, 100);
    assert_int_equal(pm_arrivals_count(arrivals, PM_ARRIVAL_LATER), 2);
    assert_int_equal(pm_arrivals_ripen(arrivals, 50), 100);
    assert_int_equal(pm_arrivals_ripen(arrivals, 100), 200);
    expect_keys(arrivals, (const char *const[]){"c", "a", NULL});
    assert_int_equal(pm_arrivals_ripen(arrivals, 1000), INT64_MAX);
    pm_arrivals_ready(arrivals, a); /* taken before */
    expect_keys(arrivals, (const char *const[]){"b", "a", NULL});
    assert_int_equal(pm_arrivals_count(arrivals, PM_ARRIVAL_TAKEN), 3);
    pm_arrivals_drop(arrivals, b);
    assert_null(pm_arrivals_find(arrivals, "b"));
    pm_arrivals_free(arrivals);
}

static void test_order_of_names(void **state)
{
    (void)state;
    PmArrivals *arrivals = pm_arrivals_new(10);
    pm_arrivals_add(arrivals, "b/a");
    pm_arrivals_add(arrivals, "c");
    pm_arrivals_add(arrivals, "a");
    pm_arrivals_sort(arrivals);
    expect_keys(arrivals, (const char *const[]){"a", "b/a", "c", NULL});
    pm_arrivals_free(arrivals);
}

static void test_there_is_a_bound(void **state)
{
    (void)state;
    PmArrivals *arrivals = pm_arrivals_new(2);
    PmArrival *a = pm_arrivals_add(arrivals, "a");
    assert_non_null(a);
    assert_non_null(pm_arrivals_add(arrivals, "b"));
    assert_null(pm_arrivals_add(arrivals, "c"));
    assert_ptr_equal(pm_arrivals_take(arrivals), a); /* still counts */
    assert_null(pm_arrivals_add(arrivals, "c"));
    pm_arrivals_drop(arrivals, a);
    assert_non_null(pm_arrivals_add(arrivals, "c"));
    pm_arrivals_free(arrivals);
}

static double work(size_t count)
{
    char key[64];
    int64_t started = pm_clock_mono_us();
    PmArrivals *arrivals = pm_arrivals_new(count);
    for (size_t i = 0; i < count; i++) {
        snprintf(key, sizeof key, "2026/11/photo-%08zu.jpg", i);
        assert_null(pm_arrivals_find(arrivals, key));
        assert_non_null(pm_arrivals_add(arrivals, key));
    }
    for (PmArrival *arrival; (arrival = pm_arrivals_take(arrivals)) != NULL;) {
        assert_ptr_equal(pm_arrivals_find(arrivals, arrival->key), arrival);
        pm_arrivals_drop(arrivals, arrival);
    }
    pm_arrivals_free(arrivals);
    return (double)(pm_clock_mono_us() - started);
}

/* Twenty times as many take twenty times as long, and not four hundred times. */
static void test_the_work_is_linear(void **state)
{
    (void)state;
    double few = 1e12, many = 1e12;
    work(5000);
    for (int i = 0; i < 5; i++) {
        double one = work(5000), other = work(100000);
        if (one < few) few = one;
        if (other < many) many = other;
    }
    print_message("5,000: %.1f ms, 100,000: %.1f ms\n", few / 1000, many / 1000);
    assert_true(many < few * 20 * 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queues),
        cmocka_unit_test(test_order_of_names),
        cmocka_unit_test(test_there_is_a_bound),
        cmocka_unit_test(test_the_work_is_linear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
