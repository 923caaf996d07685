/* SPDX-License-Identifier: Apache-2.0
 *
 * Containers written here byte by byte, and the profiles that stand for what they say.
 */
#include "engine/signal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cicp.h"
#include "engine/profile.h"

enum { MAX = 1024, DEPTH = 8 };

typedef struct File {
    uint8_t bytes[MAX];
    size_t size;
    size_t open[DEPTH]; /* where boxes begin that have no size yet */
    int depth;
} File;

static void add(File *file, const void *data, size_t size)
{
    assert_true(file->size + size <= MAX);
    memcpy(file->bytes + file->size, data, size);
    file->size += size;
}

static void add_number(File *file, uint32_t value, size_t bytes)
{
    for (size_t i = bytes; i > 0; i--) add(file, &(uint8_t){(uint8_t)(value >> (8 * (i - 1)))}, 1);
}

static void begin(File *file, const char *type)
{
    file->open[file->depth++] = file->size;
    add_number(file, 0, 4);
    add(file, type, 4);
}

static void end(File *file)
{
    size_t at = file->open[--file->depth];
    uint32_t size = (uint32_t)(file->size - at);
    for (int i = 0; i < 4; i++) file->bytes[at + (size_t)i] = (uint8_t)(size >> (24 - 8 * i));
}

static void add_nclx(File *file, unsigned primaries, unsigned transfer)
{
    begin(file, "colr");
    add(file, "nclx", 4);
    add_number(file, primaries, 2);
    add_number(file, transfer, 2);
    add_number(file, 6, 2);
    add_number(file, 0x80, 1);
    end(file);
}

/* Item 1 shows, with property 2; item 2 is `plane` of it, with properties 1 and 3. */
static File heif(unsigned primaries, unsigned transfer, const char *plane, const char *reference)
{
    File file = {0};
    begin(&file, "ftyp");
    add(&file, "avif\0\0\0\0", 8);
    end(&file);
    begin(&file, "meta");
    add_number(&file, 0, 4);
    begin(&file, "pitm");
    add_number(&file, 0, 4);
    add_number(&file, 1, 2);
    end(&file);
    begin(&file, "iref");
    add_number(&file, 0, 4);
    begin(&file, "auxl");
    add(&file, "\0\2\0\1\0\1", 6);
    end(&file);
    begin(&file, reference);
    add(&file, "\0\1\0\1\0\2", 6);
    end(&file);
    end(&file);
    begin(&file, "iprp");
    begin(&file, "ipco");
    add_nclx(&file, 1, 13);
    add_nclx(&file, primaries, transfer);
    begin(&file, "auxC");
    add_number(&file, 0, 4);
    add(&file, plane, strlen(plane) + 1);
    end(&file);
    end(&file);
    begin(&file, "ipma");
    add_number(&file, 0, 4);
    add_number(&file, 2, 4);
    add(&file, "\0\2\2\1\x83", 5);
    add(&file, "\0\1\1\x82", 4);
    end(&file);
    end(&file);
    end(&file);
    return file;
}

static const char alpha[] = "urn:mpeg:mpegB:cicp:systems:auxiliary:alpha",
                  depth[] = "urn:mpeg:mpegB:cicp:systems:auxiliary:depth";

static void heif_tells_of_the_item_that_shows(void **state)
{
    (void)state;
    File file = heif(12, 16, alpha, "prem");
    PmSignal signal = pm_signal_read(PM_FORMAT_AVIF, file.bytes, file.size);
    assert_true(signal.coded);
    assert_int_equal(signal.primaries, 12);
    assert_int_equal(signal.transfer, 16);
    assert_true(signal.alpha);
    assert_true(signal.premultiplied);
    assert_false(signal.overrides_profile);
    file = heif(9, 18, depth, "cdsc");
    signal = pm_signal_read(PM_FORMAT_HEIF, file.bytes, file.size);
    assert_int_equal(signal.primaries, 9);
    assert_false(signal.alpha);
    assert_false(signal.premultiplied);
    assert_false(pm_signal_read(PM_FORMAT_JPEG, file.bytes, file.size).coded);
}

static void damage_counts_as_not_given(void **state)
{
    (void)state;
    File file = heif(12, 16, alpha, "prem");
    for (size_t size = 0; size < file.size; size++) {
        uint8_t *copy = malloc(size + 1);
        memcpy(copy, file.bytes, size);
        assert_false(pm_signal_read(PM_FORMAT_AVIF, copy, size).coded); /* `meta` is not whole */
        pm_signal_read(PM_FORMAT_PNG, copy, size);
        free(copy);
    }
    for (size_t at = 0; at < file.size; at++) {
        uint8_t *copy = malloc(file.size);
        memcpy(copy, file.bytes, file.size);
        for (int value = 0; value < 256; value += 51) {
            copy[at] = (uint8_t)value;
            PmSignal signal = pm_signal_read(PM_FORMAT_AVIF, copy, file.size);
            assert_true(signal.coded || signal.primaries == PM_UNSPECIFIED);
        }
        free(copy);
    }
}

static void chunk(File *file, const char *type, const void *data, size_t size)
{
    add_number(file, (uint32_t)size, 4);
    add(file, type, 4);
    add(file, data, size);
    add_number(file, 0, 4);
}

static const uint8_t gamma_18[] = {0, 0, 0xd9, 0x04}, p3[] = {12, 13, 0, 1};

static File png(void)
{
    File file = {0};
    add(&file, "\x89PNG\r\n\x1a\n", 8);
    chunk(&file, "IHDR", (uint8_t[13]){0}, 13);
    return file;
}

static void png_has_an_order(void **state)
{
    (void)state;
    File file = png();
    chunk(&file, "gAMA", gamma_18, 4);
    PmSignal signal = pm_signal_read(PM_FORMAT_PNG, file.bytes, file.size);
    assert_true(fabs(signal.gamma - 1.8) < 0.001);
    assert_false(signal.coded);
    chunk(&file, "sRGB", "", 1);
    assert_true(pm_signal_read(PM_FORMAT_PNG, file.bytes, file.size).gamma < 0.001);
    chunk(&file, "cICP", p3, 4);
    signal = pm_signal_read(PM_FORMAT_PNG, file.bytes, file.size);
    assert_true(signal.coded && signal.overrides_profile);
    assert_int_equal(signal.primaries, 12);
    assert_int_equal(signal.transfer, 13);
    file = png();
    chunk(&file, "IDAT", "", 0);
    chunk(&file, "cICP", p3, 4);
    assert_false(pm_signal_read(PM_FORMAT_PNG, file.bytes, file.size).coded);
}

static void made_profiles_are_clean(void **state)
{
    (void)state;
    static const unsigned primaries[] = {1, 2, 4, 5, 6, 7, 9, 11, 12, 22}, transfers[] = {4, 5, 8, 16, 18};
    static uint8_t profile[PM_CICP_PROFILE_MAX];
    for (size_t i = 0; i < sizeof primaries / sizeof primaries[0]; i++)
        for (size_t j = 0; j < sizeof transfers / sizeof transfers[0]; j++)
            for (int grey = 0; grey < 2; grey++) {
                PmSignal signal = {.coded = true, .primaries = primaries[i], .transfer = transfers[j]};
                size_t size = 0;
                PmCicp what = pm_cicp_profile(&signal, grey == 1, profile, &size);
                assert_int_equal(what, transfers[j] > 15 ? PM_CICP_HDR : PM_CICP_PROFILE);
                assert_true(size > 0 && size <= PM_CICP_PROFILE_MAX);
                assert_int_equal(pm_profile_judge(profile, size, grey == 1 ? 1 : 3).use, PM_PROFILE_KEEP);
            }
}

static PmCicp meaning(PmSignal signal)
{
    static uint8_t profile[PM_CICP_PROFILE_MAX];
    size_t size;
    return pm_cicp_profile(&signal, false, profile, &size);
}

static void what_is_srgb_needs_no_profile(void **state)
{
    (void)state;
    static const unsigned television[] = {1, 2, 6, 11, 12, 13, 14, 15};
    for (size_t i = 0; i < sizeof television / sizeof television[0]; i++)
        assert_int_equal(meaning((PmSignal){.coded = true, .primaries = 1, .transfer = television[i]}), PM_CICP_SRGB);
    assert_int_equal(meaning((PmSignal){0}), PM_CICP_SRGB);
    assert_int_equal(meaning((PmSignal){.transfer = 2, .primaries = 2, .gamma = 2.2}), PM_CICP_SRGB);
    assert_int_equal(meaning((PmSignal){.transfer = 2, .primaries = 2, .gamma = 1.8}), PM_CICP_PROFILE);
    assert_int_equal(meaning((PmSignal){.coded = true, .primaries = 12, .transfer = 13}), PM_CICP_PROFILE);
}

static void nonsense_is_unknown(void **state)
{
    (void)state;
    assert_int_equal(meaning((PmSignal){.coded = true, .primaries = 99, .transfer = 13}), PM_CICP_UNKNOWN);
    assert_int_equal(meaning((PmSignal){.coded = true, .primaries = 1, .transfer = 9}), PM_CICP_UNKNOWN);
    assert_int_equal(meaning((PmSignal){.transfer = 2, .gamma = 0.01}), PM_CICP_UNKNOWN);
    PmSignal flat = {.transfer = 2, .has_xy = true};
    assert_int_equal(meaning(flat), PM_CICP_UNKNOWN); /* a white without luminance */
    for (int i = 0; i < 8; i++) flat.xy[i / 2][i % 2] = 0.3;
    assert_int_equal(meaning(flat), PM_CICP_UNKNOWN); /* primaries on one point */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heif_tells_of_the_item_that_shows),
        cmocka_unit_test(damage_counts_as_not_given),
        cmocka_unit_test(png_has_an_order),
        cmocka_unit_test(made_profiles_are_clean),
        cmocka_unit_test(what_is_srgb_needs_no_profile),
        cmocka_unit_test(nonsense_is_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
