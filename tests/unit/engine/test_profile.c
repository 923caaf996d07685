/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/profile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER = 128, TABLE_AT = 132, MAX = 8192 };

typedef struct Built {
    uint8_t bytes[MAX];
    size_t size;
    size_t room; /* entries in the tag table */
    size_t tags;
} Built;

static void put32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static Built begin(const char *space, const char *pcs, size_t room)
{
    Built built = {.size = TABLE_AT + 12 * room, .room = room};
    built.bytes[8] = 4;
    memcpy(built.bytes + 12, "mntr", 4);
    memcpy(built.bytes + 16, space, 4);
    memcpy(built.bytes + 20, pcs, 4);
    memcpy(built.bytes + 36, "acsp", 4);
    put32(built.bytes + HEADER, (uint32_t)room);
    put32(built.bytes, (uint32_t)built.size);
    return built;
}

static uint8_t *add(Built *built, const char *name, const char *type, size_t size)
{
    assert_true(built->tags < built->room && built->size + size <= MAX);
    uint8_t *entry = built->bytes + TABLE_AT + 12 * built->tags++, *data = built->bytes + built->size;
    memcpy(entry, name, 4);
    put32(entry + 4, (uint32_t)built->size);
    put32(entry + 8, (uint32_t)size);
    memcpy(data, type, 4);
    built->size += size;
    put32(built->bytes, (uint32_t)built->size);
    return data;
}

static void add_curves(Built *built)
{
    static const char *const names[] = {"rTRC", "gTRC", "bTRC"}, *const colorants[] = {"rXYZ", "gXYZ", "bXYZ"};
    for (int i = 0; i < 3; i++) {
        put32(add(built, names[i], "curv", 16) + 8, 1);
        add(built, colorants[i], "XYZ ", 20);
    }
}

static Built matrix(void)
{
    Built built = begin("RGB ", "XYZ ", 6);
    add_curves(&built);
    return built;
}

/* Two nodes a side, tables of two values. */
static uint8_t *add_table(Built *built, const char *name, unsigned colours)
{
    size_t nodes = (size_t)1 << colours;
    uint8_t *data = add(built, name, "mft2", 52 + 2 * (2 * colours + 3 * nodes + 6));
    data[8] = (uint8_t)colours;
    data[9] = 3;
    data[10] = 2;
    data[49] = data[51] = 2;
    return data;
}

static PmProfile judge(const Built *built, int colours)
{
    return pm_profile_judge(built->bytes, built->size, colours);
}

static void assert_dropped(const Built *built, int colours, const char *why)
{
    PmProfile profile = judge(built, colours);
    assert_int_equal(profile.use, PM_PROFILE_DROP);
    assert_string_equal(profile.why, why);
}

static void ordinary_profiles_stay(void **state)
{
    (void)state;
    Built rgb = matrix(), grey = begin("GRAY", "XYZ ", 1), tables = begin("RGB ", "Lab ", 2);
    put32(add(&grey, "kTRC", "curv", 16) + 8, 1);
    add_table(&tables, "A2B0", 3);
    add_table(&tables, "A2B1", 3);
    const Built *all[] = {&rgb, &grey, &tables};
    for (size_t i = 0; i < 3; i++) {
        PmProfile profile = judge(all[i], i == 1 ? 1 : 3);
        assert_int_equal(profile.use, PM_PROFILE_KEEP);
        assert_int_equal(profile.size, all[i]->size);
        assert_false(profile.perceptual);
    }
}

static void a_profile_for_other_pictures_goes(void **state)
{
    (void)state;
    Built rgb = matrix(), lab = matrix(), link = matrix(), odd = matrix();
    assert_dropped(&rgb, 1, "it is for RGB pictures");
    assert_dropped(&rgb, 4, "it is for RGB pictures");
    memcpy(lab.bytes + 16, "Lab ", 4);
    assert_dropped(&lab, 3, "it is for Lab pictures");
    memcpy(link.bytes + 12, "link", 4);
    assert_dropped(&link, 3, "it describes no device");
    memcpy(odd.bytes + 16, "5CLR", 4);
    assert_dropped(&odd, 3, "it is for other pictures");
}

static void a_damaged_profile_goes(void **state)
{
    (void)state;
    Built none = matrix(), many = matrix(), later = matrix(), bare = begin("RGB ", "XYZ ", 0);
    none.bytes[36] = 'x';
    assert_dropped(&none, 3, "it is no ICC profile");
    put32(many.bytes + HEADER, 101);
    assert_dropped(&many, 3, "its table of 101 tags is damaged");
    later.bytes[8] = 5;
    assert_dropped(&later, 3, "it is of version 5, and only 2 to 4 are read");
    assert_dropped(&bare, 3, "it is damaged, or has neither curves nor tables");
    assert_int_equal(pm_profile_judge("", 0, 3).use, PM_PROFILE_DROP);
}

static void damaged_curves_are_none(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        uint32_t count; /* of a curve; the kind of a formula, shifted */
        bool good;
    } kinds[] = {{"curv", 0, true},       {"curv", 2, true},        {"curv", 3, false},       {"curv", 0x8000, false},
                 {"para", 0 << 16, true}, {"para", 1 << 16, false}, {"para", 5 << 16, false}, {"text", 0, false}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        Built grey = begin("GRAY", "XYZ ", 1);
        put32(add(&grey, "kTRC", kinds[i].type, 16) + 8, kinds[i].count);
        assert_int_equal(judge(&grey, 1).use, kinds[i].good ? PM_PROFILE_KEEP : PM_PROFILE_DROP);
    }
}

/* Little CMS reads the table first, and fails when it cannot. */
static void a_damaged_table_goes_with_its_profile(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint8_t value;
    } damages[] = {{8, 4}, {9, 4}, {10, 3}, {10, 1}, {49, 1}, {48, 0x80}, {0, 'x'}};
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        Built built = begin("RGB ", "Lab ", 7);
        add_curves(&built);
        add_table(&built, "A2B0", 3)[damages[i].at] = damages[i].value;
        assert_dropped(&built, 3, "its tables are damaged");
    }
}

static void a_table_alone_is_perceptual(void **state)
{
    (void)state;
    Built built = begin("RGB ", "Lab ", 1), ink = begin("CMYK", "Lab ", 1), both = begin("RGB ", "Lab ", 7);
    add_table(&built, "A2B0", 3);
    PmProfile profile = judge(&built, 3);
    assert_int_equal(profile.use, PM_PROFILE_CONVERT);
    assert_true(profile.perceptual);
    assert_string_equal(profile.why, "it has only a table for the perceptual intent");
    add_table(&ink, "A2B0", 4);
    assert_int_equal(judge(&ink, 4).use, PM_PROFILE_CONVERT);
    assert_true(judge(&ink, 4).perceptual);
    add_curves(&both);
    add_table(&both, "A2B0", 3);
    assert_int_equal(judge(&both, 3).use, PM_PROFILE_KEEP);
    assert_false(judge(&both, 3).perceptual);
}

static void what_encoders_refuse_is_converted(void **state)
{
    (void)state;
    Built intent = matrix(), outside = begin("RGB ", "XYZ ", 7), uneven = matrix(), longer = matrix();
    put32(intent.bytes + 64, 0xffff);
    add_curves(&outside);
    memcpy(outside.bytes + TABLE_AT + 12 * 6, "desc", 4);
    put32(outside.bytes + TABLE_AT + 12 * 6 + 4, 0xffffff00);
    uneven.size++;
    put32(uneven.bytes, (uint32_t)uneven.size);
    put32(longer.bytes, (uint32_t)longer.size + 100);
    const Built *all[] = {&intent, &outside, &uneven, &longer};
    for (size_t i = 0; i < 4; i++) {
        PmProfile profile = judge(all[i], 3);
        assert_int_equal(profile.use, PM_PROFILE_CONVERT);
        assert_false(profile.perceptual);
        assert_string_equal(profile.why, "it breaks rules of the ICC");
    }
    uneven.bytes[8] = 2; /* which asks for no multiple of four */
    assert_int_equal(judge(&uneven, 3).use, PM_PROFILE_KEEP);
}

static void what_follows_a_profile_is_no_part_of_it(void **state)
{
    (void)state;
    Built built = matrix();
    size_t size = built.size;
    built.size += 7;
    PmProfile profile = judge(&built, 3);
    assert_int_equal(profile.use, PM_PROFILE_KEEP);
    assert_int_equal(profile.size, size);
}

/* Each length and each byte; sanitizers look for reads beyond. */
static void no_damage_reads_beyond_the_end(void **state)
{
    (void)state;
    Built built = begin("RGB ", "Lab ", 8);
    add_curves(&built);
    add_table(&built, "A2B0", 3);
    add_table(&built, "A2B1", 3);
    for (size_t size = 0; size <= built.size; size++) {
        uint8_t *copy = malloc(size + 1);
        memcpy(copy, built.bytes, size);
        PmProfile profile = pm_profile_judge(copy, size, 3);
        assert_true(profile.size <= size);
        free(copy);
    }
    for (size_t at = 0; at < built.size; at++) {
        uint8_t *copy = malloc(built.size);
        memcpy(copy, built.bytes, built.size);
        for (int bit = 0; bit < 8; bit++) {
            copy[at] ^= (uint8_t)(1 << bit);
            PmProfile profile = pm_profile_judge(copy, built.size, 3);
            assert_int_equal(profile.use == PM_PROFILE_KEEP, profile.why[0] == '\0');
            copy[at] ^= (uint8_t)(1 << bit);
        }
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ordinary_profiles_stay),
        cmocka_unit_test(a_profile_for_other_pictures_goes),
        cmocka_unit_test(a_damaged_profile_goes),
        cmocka_unit_test(damaged_curves_are_none),
        cmocka_unit_test(a_damaged_table_goes_with_its_profile),
        cmocka_unit_test(a_table_alone_is_perceptual),
        cmocka_unit_test(what_encoders_refuse_is_converted),
        cmocka_unit_test(what_follows_a_profile_is_no_part_of_it),
        cmocka_unit_test(no_damage_reads_beyond_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
