/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/engine.h"
#include "engine/formats.h"

static void what_a_codec_was_not_made_for_is_not_damaged(void **state)
{
    (void)state;
    static const char *const lacking[] = {
        "image: bad labq format",
        "tiff2vips: samples out of range",
        "tiff2vips: Compression scheme 34712 strip decoding is not implemented",
        "LERC compression support is not configured",
        "Sorry, arithmetic coding is not implemented",
        "Unsupported JPEG process: SOF type 0xc3",
        "Unsupported feature: Unsupported codec (4.3000)",
        "tiff2vips: unsupported tiff image type",
    };
    static const char *const damaged[] = {"", "premature end of JPEG image", "bad seek to 66322",
                                          "read gave 2 warnings"};
    for (size_t i = 0; i < sizeof lacking / sizeof lacking[0]; i++) assert_true(pm_formats_lacks(lacking[i]));
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) assert_false(pm_formats_lacks(damaged[i]));
}

static void every_format_is_described(void **state)
{
    (void)state;
    json_t *all = pm_formats_describe();
    assert_int_equal(json_object_size(all), PM_FORMAT_COUNT - 1);
    for (int i = 1; i < PM_FORMAT_COUNT; i++) {
        const json_t *one = json_object_get(all, pm_format_name((PmFormat)i));
        assert_int_equal(json_is_true(json_object_get(one, "load")), pm_formats_reads((PmFormat)i));
        assert_int_equal(json_is_true(json_object_get(one, "save")), pm_formats_writes((PmFormat)i));
    }
    assert_true(pm_formats_reads(PM_FORMAT_JPEG) && pm_formats_writes(PM_FORMAT_JPEG));
    assert_false(pm_formats_writes(PM_FORMAT_SVG));
    assert_false(pm_formats_reads(PM_FORMAT_UNKNOWN) || pm_formats_writes(PM_FORMAT_UNKNOWN));
    assert_false(pm_formats_reads(PM_FORMAT_COUNT) || pm_formats_writes(PM_FORMAT_COUNT));
    json_decref(all);
}

static void a_refusal_says_what_is_read(void **state)
{
    (void)state;
    PmError err = {0};
    assert_int_equal(pm_formats_refuse(PM_FORMAT_HEIF, &err), PM_BAD_INPUT);
    static const char expected[] = "heif is not supported by this build, which reads jpeg, png, webp, gif, tiff";
    assert_int_equal(strncmp(err.message, expected, sizeof expected - 1), 0);
}

int main(void)
{
    PmError err = {0};
    if (pm_engine_setup(&err) != PM_OK) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_codec_was_not_made_for_is_not_damaged),
        cmocka_unit_test(every_format_is_described),
        cmocka_unit_test(a_refusal_says_what_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
