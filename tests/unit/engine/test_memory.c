/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void words_of_libraries_tell(void **state)
{
    (void)state;
    static const char *const memory[] = {
        "out of memory --- size == 189MB",
        "writing webp: picture memory error; mux error",
        "Memory allocation error: Unspecified: Failed to allocate image (6.0)",
        "Insufficient memory (case 4)",
        "Error creating thread: Resource temporarily unavailable",
        "std::bad_alloc",
        "mmap: Cannot allocate memory",
    };
    static const char *const other[] = {"", "premature end of JPEG image", "unable to encode; mux error",
                                        "out of order read"};
    pm_memory_begin();
    for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++) assert_true(pm_memory_ran_out(memory[i]));
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) assert_false(pm_memory_ran_out(other[i]));
    assert_false(pm_memory_ran_out(NULL));
}

static void an_allocation_that_failed_tells_until_the_next_job(void **state)
{
    (void)state;
    int32_t told = 7;
    pm_memory_tell(&told);
    pm_memory_begin();
    assert_int_equal(told, 0);
    pm_memory_note();
    assert_int_equal(told, 1);
    assert_true(pm_memory_ran_out(NULL));
    assert_true(pm_memory_ran_out("unable to encode; mux error"));
    pm_memory_begin();
    assert_int_equal(told, 0);
    assert_false(pm_memory_ran_out(NULL));
    pm_memory_tell(NULL);
    pm_memory_note();
    assert_int_equal(told, 0);
    pm_memory_begin();
}

static void neither_image_nor_plugin_is_blamed(void **state)
{
    (void)state;
    pm_memory_begin();
    PmError err = {0};
    pm_error_set(&err, PM_BAD_INPUT, "writing webp: unable to encode");
    assert_int_equal(pm_memory_judge(&err), PM_BAD_INPUT);
    pm_memory_note();
    assert_int_equal(pm_memory_judge(&err), PM_LIMIT);
    assert_string_equal(err.message, "not enough memory within limits.memory: writing webp: unable to encode");
    assert_int_equal(pm_memory_judge(&err), PM_LIMIT); /* once */
    assert_string_equal(err.message, "not enough memory within limits.memory: writing webp: unable to encode");
    static const PmStatus kept[] = {PM_OK, PM_BAD_CONFIG, PM_REJECTED, PM_TRANSIENT};
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        PmError one = {0};
        if (kept[i] != PM_OK) pm_error_set(&one, kept[i], "out of memory");
        assert_int_equal(pm_memory_judge(&one), kept[i]);
    }
    /* A message that fills its place is cut. */
    PmError full = {0};
    pm_error_set(&full, PM_BUG, "%0*d", (int)sizeof full.message + 50, 0);
    assert_int_equal(pm_memory_judge(&full), PM_LIMIT);
    assert_memory_equal(full.message, "not enough memory within limits.memory: 000", 43);
    pm_memory_begin();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_of_libraries_tell),
        cmocka_unit_test(an_allocation_that_failed_tells_until_the_next_job),
        cmocka_unit_test(neither_image_nor_plugin_is_blamed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
