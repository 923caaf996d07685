/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "engine/limits.h"

static const char *const formats[] = {"jpeg", "png"};

static const PmLimits limits = {
    .file_size = 1024 * 1024,
    .pixels = 50000000,
    .frames = 256,
    .side = 16384,
    .aspect = 200,
    .icc = 4096,
    .metadata = 8192,
    .memory = 64 * 1024 * 1024,
    .output_side = 4096,
    .formats = {formats, 2},
};

#define assert_refused(call, status_, text)     \
    do {                                        \
        PmError err = {0};                      \
        assert_int_equal((call), status_);      \
        assert_int_equal(err.status, status_);  \
        assert_string_equal(err.message, text); \
    } while (0)

static void what_is_within_passes(void **state)
{
    (void)state;
    PmError err = {0};
    assert_int_equal(pm_limits_check_file(&limits, 1024 * 1024, &err), PM_OK);
    assert_int_equal(pm_limits_check_format(&limits, PM_FORMAT_PNG, &err), PM_OK);
    assert_int_equal(pm_limits_check_size(&limits, 10000, 5000, 1, &err), PM_OK);
    assert_int_equal(pm_limits_check_size(&limits, 200, 1, 256, &err), PM_OK);
    assert_int_equal(pm_limits_check_metadata(&limits, 4096, 8192, &err), PM_OK);
    assert_int_equal(pm_limits_check_memory(&limits, 64 * 1024 * 1024, &err), PM_OK);
    assert_int_equal(pm_limits_check_output(&limits, 4096, 4096, &err), PM_OK);
    assert_int_equal(err.status, PM_OK);
}

static void each_refusal_names_limit_and_finding(void **state)
{
    (void)state;
    assert_refused(pm_limits_check_file(&limits, 2 * 1024 * 1024, &err), PM_LIMIT,
                   "the file has 2 MiB, more than the 1 MiB of limits.file_size");
    assert_refused(pm_limits_check_file(&limits, 0, &err), PM_BAD_INPUT, "the file is empty");
    assert_refused(pm_limits_check_format(&limits, PM_FORMAT_SVG, &err), PM_BAD_INPUT,
                   "svg images are not let in: limits.formats has jpeg, png");
    assert_refused(pm_limits_check_format(&limits, PM_FORMAT_UNKNOWN, &err), PM_BAD_INPUT,
                   "not an image of a format that pixmill knows, by its first bytes");
    assert_refused(pm_limits_check_size(&limits, 16385, 100, 1, &err), PM_LIMIT,
                   "the image is 16385x100, a side longer than the 16384 px of limits.side");
    assert_refused(pm_limits_check_size(&limits, 40, 8001, 1, &err), PM_LIMIT,
                   "the image is 40x8001, more elongated than the 200:1 of limits.aspect");
    assert_refused(pm_limits_check_size(&limits, 10, 10, 257, &err), PM_LIMIT,
                   "the animation has 257 frames, more than the 256 of limits.frames");
    assert_refused(pm_limits_check_size(&limits, 10000, 5001, 1, &err), PM_LIMIT,
                   "the image is 10000x5001, 50.0M pixels, more than the 50M of limits.pixels");
    assert_refused(pm_limits_check_size(&limits, 1000, 1000, 51, &err), PM_LIMIT,
                   "the image has 51M pixels in 51 frames of 1000x1000, more than the 50M of limits.pixels");
    assert_refused(pm_limits_check_size(&limits, 0, 10, 1, &err), PM_BAD_INPUT, "the header claims 0x10 pixels");
    assert_refused(pm_limits_check_metadata(&limits, 5120, 5120, &err), PM_LIMIT,
                   "the ICC profile has 5 KiB, more than the 4 KiB of limits.icc");
    assert_refused(pm_limits_check_metadata(&limits, 10, 9216, &err), PM_LIMIT,
                   "the metadata have 9 KiB, more than the 8 KiB of limits.metadata");
    assert_refused(pm_limits_check_memory(&limits, 65 * 1024 * 1024, &err), PM_LIMIT,
                   "the pictures that this job holds at once take 65 MiB, more than the 64 MiB of limits.memory");
    assert_refused(pm_limits_check_output(&limits, 4097, 10, &err), PM_LIMIT,
                   "the result would be 4097x10, a side longer than the 4096 px of limits.output_side");
}

static void claims_do_not_overflow(void **state)
{
    (void)state;
    PmLimits open = limits;
    open.side = 0;
    open.aspect = 0;
    open.frames = 0;
    PmError err = {0};
    assert_int_equal(pm_limits_check_size(&open, UINT32_MAX, UINT32_MAX, INT32_MAX, &err), PM_LIMIT);
    pm_error_clear(&err);
    assert_int_equal(pm_limits_check_size(&limits, INT32_MAX, INT32_MAX, 1, &err), PM_LIMIT);
}

static void processor_time_grows_with_what_is_written(void **state)
{
    (void)state;
    PmLimits bounds = {.cpu_time = 5000, .wall_time = 15000, .pixels = 50000000};
    assert_int_equal(pm_limits_cpu_ms(&bounds, 1, 400), 5000);
    assert_int_equal(pm_limits_cpu_ms(&bounds, 1, 2000000), 7500);
    assert_int_equal(pm_limits_cpu_ms(&bounds, 17, 2000000), 12500);
    assert_int_equal(pm_limits_cpu_ms(&bounds, 1, 12000000), 15000); /* no longer than the wall time */
    bounds.wall_time = INT64_MAX;
    assert_int_equal(pm_limits_cpu_ms(&bounds, 1, 12000000), 20000);
    assert_int_equal(pm_limits_cpu_ms(&bounds, 1, INT64_MAX), 67500); /* no more than may be read */
    bounds.cpu_time = 24 * 3600 * 1000;
    bounds.pixels = 4000000000;
    assert_int_equal(pm_limits_cpu_ms(&bounds, 1, INT64_MAX), INT64_C(1001) * bounds.cpu_time);
}

static void processor_time_grows_with_frames(void **state)
{
    (void)state;
    PmLimits bounds = {.cpu_time = 5000, .wall_time = 15000};
    assert_int_equal(pm_limits_cpu_ms(&bounds, 1, 0), 5000);
    assert_int_equal(pm_limits_cpu_ms(&bounds, 16, 0), 5000);
    assert_int_equal(pm_limits_cpu_ms(&bounds, 17, 0), 10000);
    assert_int_equal(pm_limits_cpu_ms(&bounds, 101, 0), 15000); /* no longer than the wall time */
    bounds.wall_time = 2000;
    assert_int_equal(pm_limits_cpu_ms(&bounds, 101, 0), 5000);
    bounds.wall_time = INT64_MAX;
    assert_int_equal(pm_limits_cpu_ms(&bounds, 101, 0), 35000);
    bounds.cpu_time = 0;
    assert_int_equal(pm_limits_cpu_ms(&bounds, 101, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_within_passes),
        cmocka_unit_test(each_refusal_names_limit_and_finding),
        cmocka_unit_test(claims_do_not_overflow),
        cmocka_unit_test(processor_time_grows_with_what_is_written),
        cmocka_unit_test(processor_time_grows_with_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
