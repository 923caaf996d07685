/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/exif_facts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static VipsImage *image;

/* As libvips writes a text of EXIF. */
static void put(const char *field, const char *value)
{
    char text[1000];
    snprintf(text, sizeof text, "%s (%s, ASCII, %zu components, %zu bytes)", value, value, strlen(value) + 1,
             strlen(value) + 1);
    vips_image_set_string(image, field, text);
}

static int setup(void **state)
{
    (void)state;
    image = vips_image_new_memory();
    return image == NULL;
}

static int teardown(void **state)
{
    (void)state;
    g_object_unref(image);
    return 0;
}

static const char *camera(const char *make, const char *model)
{
    static char out[PM_EXIF_FACT_SIZE];
    vips_image_remove(image, "exif-ifd0-Make");
    vips_image_remove(image, "exif-ifd0-Model");
    if (make != NULL) put("exif-ifd0-Make", make);
    if (model != NULL) put("exif-ifd0-Model", model);
    pm_exif_camera(image, out);
    return out;
}

static const char *taken(const char *field, const char *value)
{
    static char out[PM_EXIF_FACT_SIZE];
    vips_image_remove(image, field);
    put(field, value);
    pm_exif_taken(image, out);
    return out;
}

static void camera_is_one_word(void **state)
{
    (void)state;
    assert_string_equal(camera("Canon", "Canon EOS 5D Mark IV"), "canon-eos-5d-mark-iv");
    assert_string_equal(camera("NIKON CORPORATION", "NIKON D70"), "nikon-d70");
    assert_string_equal(camera("Apple", "iPhone 15 Pro"), "apple-iphone-15-pro");
    assert_string_equal(camera("SONY", NULL), "sony");
    assert_string_equal(camera(NULL, "X (new) 7"), "x-new-7");
    assert_string_equal(camera(NULL, NULL), "unknown");
    assert_string_equal(camera("", ""), "unknown");
}

/* Anybody can write it. */
static void camera_cannot_lead_elsewhere(void **state)
{
    (void)state;
    char longest[400];
    assert_string_equal(camera("../../etc", "/passwd"), "etc-passwd");
    assert_string_equal(camera("..", "/"), "unknown");
    assert_string_equal(camera("{key}\n\x01", "\xc3\xa4\xff"), "key");
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(strlen(camera(longest, longest)), PM_EXIF_FACT_SIZE - 2);
    vips_image_set_string(image, "exif-ifd0-Make", "no brackets at all");
    vips_image_set_string(image, "exif-ifd0-Model", "one (other, ASCII, 4 components, 4 bytes)");
    char out[PM_EXIF_FACT_SIZE];
    pm_exif_camera(image, out);
    assert_string_equal(out, "unknown");
}

static void taken_is_a_day_that_there_is(void **state)
{
    static const char *const none[] = {
        "0000:00:00 00:00:00", "2026:02:30 10:00:00", "2026-11-23 10:00:00", "2026:11", "",
        "    :  :     :  :  ", "2026:13:01 00:00:00"};
    (void)state;
    char out[PM_EXIF_FACT_SIZE];
    pm_exif_taken(image, out);
    assert_string_equal(out, "unknown");
    assert_string_equal(taken("exif-ifd0-DateTime", "2025:01:02 03:04:05"), "2025-01-02");
    assert_string_equal(taken("exif-ifd2-DateTimeOriginal", "2024:02:29 23:59:59"), "2024-02-29");
    vips_image_remove(image, "exif-ifd0-DateTime");
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_string_equal(taken("exif-ifd2-DateTimeOriginal", none[i]), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(camera_is_one_word, setup, teardown),
        cmocka_unit_test_setup_teardown(camera_cannot_lead_elsewhere, setup, teardown),
        cmocka_unit_test_setup_teardown(taken_is_a_day_that_there_is, setup, teardown),
    };
    if (VIPS_INIT("test_exif_facts")) return 1;
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    vips_shutdown();
    return failures;
}
