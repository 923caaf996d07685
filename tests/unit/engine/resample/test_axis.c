/* SPDX-License-Identifier: Apache-2.0
 *
 * Kernels, and the tables of samples and weights made of them.
 */
#include "engine/resample/axis.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

static void assert_near(double value, double expected, double most)
{
    if (!(fabs(value - expected) <= most)) fail_msg("%.9g, not %.9g", value, expected);
}

/* Kernels interpolate: 1 at their centre and 0 at every other sample, Mitchell's apart. */
static void test_kernels_at_samples(void **state)
{
    (void)state;
    for (int kernel = PM_KERNEL_LINEAR; kernel <= PM_KERNEL_LANCZOS3; kernel++) {
        assert_near(pm_kernel_at((PmKernel)kernel, 3), 0, 1e-12);
        assert_near(pm_kernel_at((PmKernel)kernel, -1.3), pm_kernel_at((PmKernel)kernel, 1.3), 1e-12);
        if (kernel == PM_KERNEL_MITCHELL) continue;
        assert_near(pm_kernel_at((PmKernel)kernel, 0), 1, 1e-12);
        assert_near(pm_kernel_at((PmKernel)kernel, 1), 0, 1e-12);
        assert_near(pm_kernel_at((PmKernel)kernel, 2), 0, 1e-12);
    }
    assert_near(pm_kernel_at(PM_KERNEL_MITCHELL, 0), 8.0 / 9, 1e-12);
    assert_near(pm_kernel_at(PM_KERNEL_MITCHELL, 1), 1.0 / 18, 1e-12);
    assert_near(pm_kernel_at(PM_KERNEL_CUBIC, 0.5), 0.5625, 1e-12);
    assert_near(pm_kernel_at(PM_KERNEL_LANCZOS3, 0.5), 0.6079271, 1e-6);
    assert_near(pm_kernel_at(PM_KERNEL_LANCZOS2, 1.5), -0.0636846, 1e-6);
}

/* What the tables hold, against sums over an endless source whose outermost samples go on. */
static void check(const PmAxisSpec *spec)
{
    PmAxis axis;
    assert_true(pm_axis_init(&axis, spec));
    assert_int_equal(axis.count, spec->count);
    assert_int_equal(axis.length, pm_axis_halved(spec->size, spec->halvings));
    assert_true(axis.taps >= 1 && axis.taps <= axis.length && axis.taps == pm_axis_taps_max(spec));
    double *expected = calloc((size_t)axis.length, sizeof *expected);
    double halved = (double)(1 << spec->halvings), scale = spec->extent / halved / spec->count,
           stretch = fmax(scale, 1);
    for (int32_t i = 0; i < axis.count; i++) {
        double centre = spec->from / halved + (i + 0.5) * scale, total = 0, sum = 0;
        int32_t reach = (int32_t)(4 * stretch + 3);
        for (int32_t at = (int32_t)centre - reach; at <= (int32_t)centre + reach; at++) {
            double weight = pm_kernel_at(spec->kernel, (at + 0.5 - centre) / stretch);
            expected[at < 0 ? 0 : at >= axis.length ? axis.length - 1 : at] += weight;
            total += weight;
        }
        assert_true(axis.first[i] >= 0 && axis.first[i] + axis.taps <= axis.length);
        if (i > 0) assert_true(axis.first[i] >= axis.first[i - 1]);
        for (int32_t at = 0; at < axis.length; at++) {
            int32_t tap = at - axis.first[i];
            double weight = tap >= 0 && tap < axis.taps ? (double)axis.weights[i * axis.taps + tap] : 0;
            assert_near(weight, expected[at] / total, 2e-5);
            sum += weight;
            expected[at] = 0;
        }
        assert_near(sum, 1, 1e-6);
    }
    free(expected);
    pm_axis_finish(&axis);
}

static void test_tables(void **state)
{
    (void)state;
    static const struct {
        int32_t size, scaled;
    } sizes[] = {{1, 1}, {2, 1}, {3, 2}, {7, 5}, {100, 100}, {100, 99}, {333, 41}, {640, 3}, {50, 77}, {1, 9}, {5, 1}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (int kernel = PM_KERNEL_LINEAR; kernel <= PM_KERNEL_LANCZOS3; kernel++)
            for (int gap = 1; gap <= 4; gap++) {
                PmAxisSpec spec = {.size = sizes[i].size,
                                   .halvings = pm_axis_halvings(sizes[i].size, sizes[i].scaled, gap),
                                   .extent = sizes[i].size,
                                   .count = sizes[i].scaled,
                                   .kernel = (PmKernel)kernel};
                check(&spec);
                spec.from = spec.size / 3.0;
                spec.extent = spec.size * 0.6;
                check(&spec);
            }
}

static void test_halvings(void **state)
{
    (void)state;
    assert_int_equal(pm_axis_halvings(1000, 1000, 3), 0);
    assert_int_equal(pm_axis_halvings(1000, 167, 3), 0);
    assert_int_equal(pm_axis_halvings(1002, 167, 3), 1);
    assert_int_equal(pm_axis_halvings(1000, 10, 2), 5);
    assert_int_equal(pm_axis_halvings(10, 100, 1), 0);
    assert_int_equal(pm_axis_halved(5, 1), 3);
    assert_int_equal(pm_axis_halved(5, 2), 2);
    assert_int_equal(pm_axis_halved(5, 9), 1);
}

static void test_refused(void **state)
{
    (void)state;
    static const PmAxisSpec bad[] = {
        {.size = 0, .extent = 1, .count = 1, .kernel = PM_KERNEL_LINEAR},
        {.size = PM_AXIS_SIDE_MAX + 1, .extent = 1, .count = 1, .kernel = PM_KERNEL_LINEAR},
        {.size = 1, .extent = 1, .count = 0, .kernel = PM_KERNEL_LINEAR},
        {.size = 1, .extent = 1, .count = PM_AXIS_SIDE_MAX + 1, .kernel = PM_KERNEL_LINEAR},
        {.size = 9, .from = 3, .extent = 6.5, .count = 3, .kernel = PM_KERNEL_LINEAR},
        {.size = 9, .from = -1, .extent = 3, .count = 3, .kernel = PM_KERNEL_LINEAR},
        {.size = 9, .extent = 0, .count = 3, .kernel = PM_KERNEL_LINEAR},
        {.size = 9, .extent = NAN, .count = 3, .kernel = PM_KERNEL_LINEAR},
        {.size = 9, .from = NAN, .extent = 3, .count = 3, .kernel = PM_KERNEL_LINEAR},
        {.size = 9, .extent = 5, .count = 5, .halvings = -1, .kernel = PM_KERNEL_LINEAR},
        {.size = 9, .extent = 5, .count = 5, .halvings = PM_AXIS_HALVINGS_MAX + 1, .kernel = PM_KERNEL_LINEAR},
        {.size = 9, .extent = 5, .count = 5, .kernel = PM_KERNEL_NEAREST},
        {.size = 9, .extent = 5, .count = 5, .kernel = PM_KERNEL_LANCZOS3 + 1},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        PmAxis axis;
        assert_false(pm_axis_init(&axis, &bad[i]));
        pm_axis_finish(&axis);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernels_at_samples),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_halvings),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
