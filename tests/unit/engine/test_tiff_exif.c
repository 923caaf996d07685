/* SPDX-License-Identifier: Apache-2.0
 *
 * TIFFs written here entry by entry, and what of them becomes a block.
 */
#include "engine/tiff_exif.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAKE = 0x010f,
    STRIPS = 0x0111,
    SHOT = 0x8769,
    LENS = 0xa434,
    NOTE = 0x927c,
    ASCII = 2,
    LONG = 4,
    UNDEFINED = 7
};

static uint8_t out[PM_TIFF_EXIF_MAX];

typedef struct Tiff {
    uint8_t *bytes;
    size_t size;
    bool big;
} Tiff;

static void put(Tiff *tiff, size_t at, uint32_t value, size_t width)
{
    for (size_t i = 0; i < width; i++) tiff->bytes[at + i] = (uint8_t)(value >> 8 * (tiff->big ? width - 1 - i : i));
}

static Tiff tiff_new(size_t size, bool big)
{
    Tiff tiff = {.bytes = calloc(1, size), .size = size, .big = big};
    assert_non_null(tiff.bytes);
    memcpy(tiff.bytes, big ? "MM" : "II", 2);
    put(&tiff, 2, 42, 2);
    put(&tiff, 4, 8, 4);
    return tiff;
}

static void entry(Tiff *tiff, size_t directory, unsigned index, unsigned tag, unsigned type, uint32_t count,
                  uint32_t value)
{
    size_t at = directory + 2 + (size_t)index * 12;
    put(tiff, directory, index + 1, 2);
    put(tiff, at, tag, 2);
    put(tiff, at + 2, type, 2);
    put(tiff, at + 4, count, 4);
    put(tiff, at + 8, value, 4);
}

/* The block, from memory that ends where the file ends; frees the file. */
static size_t block_of(Tiff *tiff)
{
    size_t size = pm_tiff_exif(tiff->bytes, tiff->size, out);
    free(tiff->bytes);
    return size;
}

static bool holds(size_t size, const char *text)
{
    return memmem(out, size, text, strlen(text)) != NULL;
}

static void tells_of_the_picture_and_not_of_its_pixels(void **state)
{
    (void)state;
    for (int big = 0; big < 2; big++) {
        Tiff tiff = tiff_new(400, big);
        entry(&tiff, 8, 0, MAKE, ASCII, 5, 100);
        entry(&tiff, 8, 1, STRIPS, ASCII, 7, 120);
        entry(&tiff, 8, 2, SHOT, LONG, 1, 200);
        entry(&tiff, 200, 0, LENS, ASCII, 9, 300);
        memcpy(tiff.bytes + 100, "ACME", 5);
        memcpy(tiff.bytes + 120, "PIXELS", 7);
        memcpy(tiff.bytes + 300, "Lens 1-2", 9);
        size_t size = block_of(&tiff);
        assert_true(size > 0);
        assert_memory_equal(out, big ? "Exif\0\0MM\0*" : "Exif\0\0II*\0", 10);
        assert_true(holds(size, "ACME"));
        assert_true(holds(size, "Lens 1-2"));
        assert_false(holds(size, "PIXELS"));
        /* read as a TIFF once more, it tells the same */
        uint8_t again[PM_TIFF_EXIF_MAX], *first = malloc(size - 6);
        assert_non_null(first);
        memcpy(first, out + 6, size - 6);
        size_t second = pm_tiff_exif(first, size - 6, again);
        assert_true(second > 0 && second <= size);
        assert_non_null(memmem(again, second, "Lens 1-2", 9));
        free(first);
    }
}

static void put_wide(Tiff *tiff, size_t at, uint64_t value)
{
    for (size_t i = 0; i < 8; i++) tiff->bytes[at + i] = (uint8_t)(value >> 8 * (tiff->big ? 7 - i : i));
}

/* BigTIFF has wider numbers; `value` is put as eight bytes, or is the first of them. */
static void wide_entry(Tiff *tiff, size_t directory, unsigned index, unsigned tag, unsigned type, uint64_t count,
                       uint64_t value)
{
    size_t at = directory + 8 + (size_t)index * 20;
    put_wide(tiff, directory, index + 1);
    put(tiff, at, tag, 2);
    put(tiff, at + 2, type, 2);
    put_wide(tiff, at + 4, count);
    put_wide(tiff, at + 12, value);
}

static Tiff wide_new(size_t size, bool big)
{
    Tiff tiff = tiff_new(size, big);
    put(&tiff, 2, 43, 2);
    put(&tiff, 4, 8, 2);
    put(&tiff, 6, 0, 2);
    put_wide(&tiff, 8, 16);
    return tiff;
}

static void bigtiff_tells_the_same(void **state)
{
    (void)state;
    enum { LONG8 = 16, IFD8 = 18 };
    for (int big = 0; big < 2; big++)
        for (int pointer = 0; pointer < 2; pointer++) {
            Tiff tiff = wide_new(600, big);
            wide_entry(&tiff, 16, 0, MAKE, ASCII, 5, 0); /* inside: up to eight bytes are */
            memcpy(tiff.bytes + 16 + 8 + 12, "ACME", 5);
            wide_entry(&tiff, 16, 1, STRIPS, LONG8, 1, 500);
            wide_entry(&tiff, 16, 2, SHOT, pointer ? IFD8 : LONG8, 1, 200);
            wide_entry(&tiff, 200, 0, LENS, ASCII, 9, 300);
            wide_entry(&tiff, 200, 1, NOTE, LONG8, 1, 7); /* EXIF has no such type */
            memcpy(tiff.bytes + 300, "Lens 1-2", 9);
            size_t size = block_of(&tiff);
            assert_true(size > 0);
            assert_memory_equal(out, big ? "Exif\0\0MM\0*" : "Exif\0\0II*\0", 10);
            assert_true(holds(size, "ACME"));
            assert_true(holds(size, "Lens 1-2"));
            uint8_t again[PM_TIFF_EXIF_MAX], *first = malloc(size - 6);
            assert_non_null(first);
            memcpy(first, out + 6, size - 6);
            size_t second = pm_tiff_exif(first, size - 6, again);
            assert_true(second > 0 && second <= size);
            assert_non_null(memmem(again, second, "Lens 1-2", 9));
            assert_non_null(memmem(again, second, "ACME", 5));
            free(first);
        }
}

static void damage_in_a_bigtiff_is_left_out(void **state)
{
    (void)state;
    enum { LONG8 = 16 };
    static const uint64_t far[] = {UINT64_MAX, UINT64_MAX - 100, (uint64_t)1 << 32, 599, 600};
    for (size_t i = 0; i < sizeof far / sizeof far[0]; i++) {
        Tiff tiff = wide_new(600, i % 2 == 0);
        wide_entry(&tiff, 16, 0, MAKE, ASCII, 9, far[i]);
        wide_entry(&tiff, 16, 1, SHOT, LONG8, 1, far[i]);
        wide_entry(&tiff, 16, 2, LENS, ASCII, far[i], 300);
        assert_int_equal(block_of(&tiff), 0);
        tiff = wide_new(600, i % 2 == 0);
        put_wide(&tiff, 8, far[i]);
        assert_int_equal(block_of(&tiff), 0);
        tiff = wide_new(600, i % 2 == 0); /* more entries than there can be: those that are there count */
        wide_entry(&tiff, 16, 0, MAKE, ASCII, 4, 0);
        memcpy(tiff.bytes + 16 + 8 + 12, "ACM", 4);
        put_wide(&tiff, 16, far[i]);
        assert_true(block_of(&tiff) > 0);
    }
}

static void nothing_to_tell(void **state)
{
    (void)state;
    Tiff tiff = tiff_new(64, false);
    entry(&tiff, 8, 0, STRIPS, LONG, 1, 8);
    assert_int_equal(block_of(&tiff), 0);
    tiff = tiff_new(64, false); /* a shot that has nothing to say */
    entry(&tiff, 8, 0, SHOT, LONG, 1, 40);
    assert_int_equal(block_of(&tiff), 0);
    tiff = tiff_new(64, false);
    put(&tiff, 2, 44, 2);
    assert_int_equal(block_of(&tiff), 0);
    assert_int_equal(pm_tiff_exif("II*", 3, out), 0);
    assert_int_equal(pm_tiff_exif("GIF89a..", 8, out), 0);
}

static void damage_is_left_out(void **state)
{
    (void)state;
    static const struct Damage {
        unsigned tag, type;
        uint32_t count, value;
    } damages[] = {
        {MAKE, ASCII, 50, 60},        /* ends behind the file */
        {MAKE, ASCII, 5, 0xfffffff0}, /* begins behind it */
        {MAKE, 12, 0xffffffff, 40},   /* 32 GiB */
        {MAKE, 0, 1, 40},             /* of no type */
        {MAKE, 200, 1, 40},
        {MAKE, ASCII, 0, 40},
        {SHOT, LONG, 1, 0},          /* the header */
        {SHOT, LONG, 1, 8},          /* itself: nothing in it belongs to a shot but the pointer */
        {SHOT, LONG, 1, 63},         /* its count would end behind the file */
        {SHOT, LONG, 1, 0xffffffff}, /* beyond the file */
        {SHOT, LONG, 2, 40},
        {SHOT, ASCII, 4, 40},
    };
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        Tiff tiff = tiff_new(64, false);
        entry(&tiff, 8, 0, 0x013b, ASCII, 4, 0x00656e41); /* "Ane" */
        entry(&tiff, 8, 1, damages[i].tag, damages[i].type, damages[i].count, damages[i].value);
        size_t size = block_of(&tiff);
        assert_true(size > 0 && size < 200);
        assert_true(holds(size, "Ane"));
    }
    Tiff tiff = tiff_new(64, false); /* more entries than the file has bytes */
    entry(&tiff, 8, 0, MAKE, ASCII, 4, 0x00656e41);
    put(&tiff, 8, 0xffff, 2);
    assert_true(block_of(&tiff) > 0);
}

/* Entries that all hold the same bytes would make a block of hundreds of times the file. */
static void a_block_has_a_bound(void **state)
{
    (void)state;
    Tiff tiff = tiff_new(70000, true);
    entry(&tiff, 8, 0, MAKE, ASCII, 5, 60000);
    memcpy(tiff.bytes + 60000, "ACME", 5);
    entry(&tiff, 8, 1, SHOT, LONG, 1, 100);
    for (unsigned i = 0; i < 300; i++) entry(&tiff, 100, i, NOTE + i, UNDEFINED, 30000, 10000);
    size_t size = block_of(&tiff);
    assert_true(size > 60000 && size <= PM_TIFF_EXIF_MAX);
    assert_true(holds(size, "ACME"));
    tiff = tiff_new(200000, true); /* one that no block can hold does not cost the rest */
    entry(&tiff, 8, 0, 0x010e, ASCII, 100000, 1000);
    entry(&tiff, 8, 1, MAKE, ASCII, 5, 500);
    memcpy(tiff.bytes + 500, "ACME", 5);
    size = block_of(&tiff);
    assert_true(size > 0 && size < 100);
    assert_true(holds(size, "ACME"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_of_the_picture_and_not_of_its_pixels),
        cmocka_unit_test(bigtiff_tells_the_same),
        cmocka_unit_test(damage_in_a_bigtiff_is_left_out),
        cmocka_unit_test(nothing_to_tell),
        cmocka_unit_test(damage_is_left_out),
        cmocka_unit_test(a_block_has_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
