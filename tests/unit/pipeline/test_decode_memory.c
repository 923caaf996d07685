/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/decode_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MIB ((int64_t)1024 * 1024)

static PmError hint(PmFormat format, bool interlaced, int64_t pixels, int64_t held, int64_t limit)
{
    PmError err = {0};
    pm_error_set(&err, PM_LIMIT, "not enough memory within limits.memory");
    pm_decode_memory_hint(format, interlaced, pixels, held, limit, &err);
    return err;
}

static void the_two_directions_agree(void **state)
{
    (void)state;
    for (const PmDecodeMemory *row = pm_decode_memory_table; row->name != NULL; row++) {
        int64_t most = pm_decode_memory_pixels(row, 512 * MIB);
        assert_true(most >= 50 * 1000 * 1000); /* what the default is promised to be enough for */
        assert_true(pm_decode_memory_bytes(row, most) <= 512 * MIB);
        int64_t some = pm_decode_memory_pixels(row, 100 * MIB);
        assert_in_range(pm_decode_memory_bytes(row, some), 99 * MIB, 100 * MIB);
        assert_true(pm_decode_memory_bytes(row, some + 10000000) > 100 * MIB);
        assert_true(pm_decode_memory_pixels(row, 64 * MIB) > 0); /* the least that can be set */
        assert_int_equal(pm_decode_memory_pixels(row, 1), 0);
        assert_true(pm_decode_memory_bytes(row, INT64_MAX) > 0);
        assert_ptr_equal(pm_decode_memory(row->format, row->interlaced), row);
    }
    assert_null(pm_decode_memory(PM_FORMAT_UNKNOWN, false));
    assert_ptr_equal(pm_decode_memory(PM_FORMAT_WEBP, true), pm_decode_memory(PM_FORMAT_WEBP, false));
}

static void a_picture_that_is_too_large_is_told_what_it_takes(void **state)
{
    (void)state;
    PmError err = hint(PM_FORMAT_WEBP, false, 36000000, 0, 128 * MIB);
    assert_non_null(strstr(err.hint, "decoding 36 megapixels of webp takes about "));
    assert_non_null(strstr(err.hint, " MiB: raise limits.memory, which is 128 MiB"));
    err = hint(PM_FORMAT_PNG, true, 36000000, 100 * MIB, 128 * MIB);
    assert_non_null(strstr(err.hint, "and steps hold 100 MiB of pictures: raise limits.memory above "));
    /* Not the decoder's doing. */
    err = hint(PM_FORMAT_PNG, false, 1000000, 0, 128 * MIB);
    assert_non_null(strstr(err.hint, "steps and encoders at full size take the rest"));
}

static void without_its_size_the_largest_that_fits_is_told(void **state)
{
    (void)state;
    PmError err = hint(PM_FORMAT_AVIF, false, 0, 0, 64 * MIB);
    assert_non_null(strstr(err.hint, " megapixels of avif; raise limits.memory for more"));
    assert_non_null(strstr(err.hint, "64 MiB is enough to decode about 0."));
    err = hint(PM_FORMAT_JPEG, false, 0, 0, 128 * MIB);
    assert_non_null(strstr(err.hint, " megapixels of jpeg, interlaced "));
    err = hint(PM_FORMAT_SVG, false, 0, 0, 64 * MIB);
    assert_string_equal(err.hint, "raise limits.memory, which is 64 MiB");
    err = hint(PM_FORMAT_UNKNOWN, false, 123, 0, 64 * MIB);
    assert_string_equal(err.hint, "raise limits.memory, which is 64 MiB");
}

/* The hint has a place of its own size. */
static void the_longest_hint_is_whole(void **state)
{
    (void)state;
    for (const PmDecodeMemory *row = pm_decode_memory_table; row->name != NULL; row++) {
        static const struct {
            int64_t pixels, held;
        } all[] = {{0, 0}, {999000000, 0}, {999000000, 999999 * MIB}, {4000000, 0}};
        for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
            PmError err = hint(row->format, row->interlaced, all[i].pixels, all[i].held, 1023 * MIB - 1);
            assert_true(strlen(err.hint) + 1 < sizeof err.hint);
        }
    }
}

static void the_page_has_every_row(void **state)
{
    (void)state;
    PmBuffer page;
    pm_buffer_init(&page, 16384);
    pm_decode_memory_markdown(&page);
    assert_non_null(page.data);
    for (const PmDecodeMemory *row = pm_decode_memory_table; row->name != NULL; row++)
        assert_non_null(strstr(page.data, row->name));
    pm_buffer_finish(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_two_directions_agree),
        cmocka_unit_test(a_picture_that_is_too_large_is_told_what_it_takes),
        cmocka_unit_test(without_its_size_the_largest_that_fits_is_told),
        cmocka_unit_test(the_longest_hint_is_whole),
        cmocka_unit_test(the_page_has_every_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
