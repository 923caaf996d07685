/* SPDX-License-Identifier: Apache-2.0 */
#include "base/metric_set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const PmMetricFamily families[] = {
    {"t_things", PM_COUNTER, {"who", "what"}, "Things."},
    {"t_level", PM_GAUGE, {NULL}, "A level."},
    {"t_time_seconds", PM_HISTOGRAM, {"who"}, "Time."},
};
enum { THINGS, LEVEL, TIME, FAMILIES };

static PmSeries *series(PmMetricSet *set, size_t family, const char *who, const char *what)
{
    const char *const values[] = {who, what};
    return pm_metric_series(set, family, values);
}

static char *text_of(const PmMetricSet *const *sets, size_t count, PmMetricText format)
{
    PmBuffer out;
    pm_buffer_init(&out, 1 << 20);
    pm_metric_write(sets, count, format, &out);
    return pm_buffer_steal(&out);
}

static void two_sets_are_one_text(void **state)
{
    (void)state;
    PmMetricSet *a = pm_metric_set_new(families, FAMILIES), *b = pm_metric_set_new(families, FAMILIES);
    const PmMetricSet *const sets[] = {a, b};
    pm_metric_add(series(a, THINGS, "a", "x\"\\\ny"), 2);
    pm_metric_add(series(a, THINGS, "a", "x\"\\\ny"), 1);
    pm_metric_add(series(b, THINGS, "b", "x"), 0.5);
    pm_metric_put(series(b, LEVEL, NULL, NULL), 3);
    pm_metric_put(series(b, LEVEL, NULL, NULL), -1e15);
    char *text = text_of(sets, 2, PM_METRIC_PROMETHEUS);
    assert_string_equal(text, "# HELP t_things_total Things.\n# TYPE t_things_total counter\n"
                              "t_things_total{who=\"a\",what=\"x\\\"\\\\\\ny\"} 3\n"
                              "t_things_total{who=\"b\",what=\"x\"} 0.5\n"
                              "# HELP t_level A level.\n# TYPE t_level gauge\nt_level -1e+15\n");
    free(text);
    text = text_of(sets, 2, PM_METRIC_OPENMETRICS);
    assert_non_null(strstr(text, "# TYPE t_things counter\nt_things_total{"));
    free(text);
    pm_metric_set_free(a);
    pm_metric_set_free(b);
    pm_metric_set_free(NULL);
}

static void a_histogram_counts_what_lies_below(void **state)
{
    (void)state;
    PmMetricSet *set = pm_metric_set_new(families, FAMILIES);
    const PmMetricSet *const sets[] = {set};
    PmSeries *time = series(set, TIME, "a", NULL);
    pm_metric_keep_samples(set, 2);
    pm_metric_observe(set, time, 0.001); /* a bucket's end belongs to it */
    pm_metric_observe(set, time, 0.75);
    pm_metric_observe(set, time, 1000);
    char *text = text_of(sets, 1, PM_METRIC_PROMETHEUS);
    assert_non_null(strstr(text, "t_time_seconds_bucket{who=\"a\",le=\"0.001\"} 1\n"));
    assert_non_null(strstr(text, "t_time_seconds_bucket{who=\"a\",le=\"0.5\"} 1\n"));
    assert_non_null(strstr(text, "t_time_seconds_bucket{who=\"a\",le=\"1.0\"} 2\n"));
    assert_non_null(strstr(text, "t_time_seconds_bucket{who=\"a\",le=\"300.0\"} 2\n"));
    assert_non_null(strstr(text, "t_time_seconds_bucket{who=\"a\",le=\"+Inf\"} 3\n"));
    assert_non_null(strstr(text, "t_time_seconds_sum{who=\"a\"} 1000.751\nt_time_seconds_count{who=\"a\"} 3\n"));
    free(text);
    assert_int_equal(time->sample_count, 2); /* no more are kept than was said */
    pm_metric_set_free(set);
}

static void growth_is_taken_once(void **state)
{
    (void)state;
    PmMetricSet *set = pm_metric_set_new(families, FAMILIES);
    PmSeries *things = series(set, THINGS, "a", "b");
    pm_metric_add(things, 5);
    pm_metric_take(things);
    assert_true(things->more == 5);
    pm_metric_add(things, 2);
    pm_metric_take(things);
    assert_true(things->more == 2 && things->value == 7);
    pm_metric_take(things);
    assert_true(things->more == 0);
    pm_metric_set_free(set);
}

/* Labels come from fixed lists; should they not, memory still has a bound. */
static void series_have_a_bound(void **state)
{
    (void)state;
    PmMetricSet *set = pm_metric_set_new(families, FAMILIES);
    for (int i = 0; i < PM_METRIC_SERIES_MAX + 10; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        PmSeries *made = series(set, THINGS, name, "");
        assert_true((made != NULL) == (i < PM_METRIC_SERIES_MAX));
        pm_metric_add(made, 1);
    }
    assert_non_null(series(set, THINGS, "7", ""));
    pm_metric_observe(set, NULL, 1);
    pm_metric_put(NULL, 1);
    pm_metric_set_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_sets_are_one_text),
        cmocka_unit_test(a_histogram_counts_what_lies_below),
        cmocka_unit_test(growth_is_taken_once),
        cmocka_unit_test(series_have_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
