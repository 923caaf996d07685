/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/heif_codec.h"

#define FTYP     \
    "\0\0\0\x10" \
    "ftypmif1\0\0\0\0"
#define PITM     \
    "\0\0\0\x0e" \
    "pitm\0\0\0\0\0\x01"
#define INFE(ID, TYPE) \
    "\0\0\0\x15"       \
    "infe\x02\0\0\0\0" ID "\0\0" TYPE "\0"
#define ONE      \
    "\0\0\0\x23" \
    "iinf\0\0\0\0\0\x01"
#define TWO      \
    "\0\0\0\x38" \
    "iinf\0\0\0\0\0\x02"
#define IREF                 \
    "\0\0\0\x1c"             \
    "iref\0\0\0\0\0\0\0\x10" \
    "dimg\0\x01\0\x02\0\x02\0\x02"

static void assert_codec(const char *bytes, size_t size, const char *expected)
{
    char codec[5] = "none";
    /* Of just that size, so that a sanitizer sees a byte too far. */
    char *exact = malloc(size > 0 ? size : 1);
    assert_non_null(exact);
    memcpy(exact, bytes, size);
    assert_int_equal(pm_heif_codec(exact, size, codec), expected[0] != '\0');
    assert_string_equal(codec, expected);
    free(exact);
}

#define SAYS(BYTES, CODEC) assert_codec(BYTES, sizeof(BYTES) - 1, CODEC)

/* A size of 0: the box ends with the file. */
#define META "\0\0\0\0meta\0\0\0\0"
static const char plain[] = FTYP META PITM ONE INFE("\x01", "hvc1");
static const char tiles[] = FTYP META PITM TWO INFE("\x01", "grid") INFE("\x02", "av01") IREF;

static void the_primary_picture_tells(void **state)
{
    (void)state;
    assert_codec(plain, sizeof plain - 1, "hvc1");
    SAYS(FTYP META PITM TWO INFE("\x02", "hvc1") INFE("\x01", "j2k1"), "j2k1");
    SAYS(FTYP "\0\0\0\x01meta\0\0\0\0\0\0\0\x45\0\0\0\0" PITM ONE INFE("\x01", "hvc1"), "hvc1"); /* a size of 64 bits */
}

static void a_grid_is_what_its_tiles_are(void **state)
{
    (void)state;
    assert_codec(tiles, sizeof tiles - 1, "av01");
    SAYS(FTYP META PITM ONE INFE("\x01", "grid"), "");
    /* one that is a part of itself */
    SAYS(FTYP META PITM ONE INFE("\x01", "grid") "\0\0\0\x1a"
                                                 "iref\0\0\0\0\0\0\0\x0e"
                                                 "dimg\0\x01\0\x01\0\x01",
         "");
}

static void what_does_not_tell(void **state)
{
    (void)state;
    SAYS("", "");
    SAYS(FTYP, "");
    SAYS(FTYP META, "");
    SAYS(FTYP META PITM, "");
    SAYS(FTYP META ONE INFE("\x01", "hvc1"), "");
    SAYS(FTYP META PITM ONE INFE("\x02", "hvc1"), "");
    SAYS("\0\0\0\x07ftypmif1", ""); /* smaller than its own header */
    SAYS(FTYP META PITM "\0\0\0\x22iinf\0\0\0\0\0\x01\0\0\0\x14infe\x01\0\0\0\0\x01\0\0hvc1\0", ""); /* of no type */
}

static bool ends(const char *bytes, size_t size)
{
    return pm_heif_is_finite(bytes, size);
}

#define ENDS(BYTES) ends(BYTES, sizeof(BYTES) - 1)
/* from 16 bits to 16 bits */
#define REFERENCE(TYPE, FROM, TO) "\0\0\0\x0e" TYPE "\0" FROM "\0\x01\0" TO
#define REFERENCES                "\0\0\0\0iref\0\0\0\0"

static void a_picture_that_is_a_part_of_itself_is_found(void **state)
{
    (void)state;
    assert_true(ends(plain, sizeof plain - 1));
    assert_true(ends(tiles, sizeof tiles - 1));
    assert_true(ENDS(""));
    assert_true(ENDS(FTYP META REFERENCES REFERENCE("auxl", "\x02", "\x01") REFERENCE("dimg", "\x01", "\x03")));
    assert_true(ENDS(FTYP META REFERENCES REFERENCE("cdsc", "\x01", "\x01")));
    assert_false(ENDS(FTYP META REFERENCES REFERENCE("dimg", "\x01", "\x01")));
    assert_false(ENDS(FTYP META REFERENCES REFERENCE("dimg", "\x01", "\x02") REFERENCE("dimg", "\x02", "\x01")));
    assert_false(ENDS(FTYP META REFERENCES REFERENCE("auxl", "\x02", "\x01") REFERENCE("dimg", "\x02", "\x01")));
    assert_false(ENDS(FTYP META "\0\0\0\x0ciref\0\0\0\0" REFERENCES REFERENCE("dimg", "\x01", "\x01")));
}

static void what_is_cut_is_not_overread(void **state)
{
    (void)state;
    char codec[5];
    for (int whole = 0; whole < 2; whole++) {
        const char *bytes = whole ? plain : tiles;
        size_t size = whole ? sizeof plain - 1 : sizeof tiles - 1;
        for (size_t n = 0; n < size; n++) {
            char *exact = malloc(n > 0 ? n : 1);
            assert_non_null(exact);
            memcpy(exact, bytes, n);
            bool found = pm_heif_codec(exact, n, codec);
            assert_int_equal(found, codec[0] != '\0');
            free(exact);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_primary_picture_tells),   cmocka_unit_test(a_grid_is_what_its_tiles_are),
        cmocka_unit_test(what_does_not_tell),          cmocka_unit_test(a_picture_that_is_a_part_of_itself_is_found),
        cmocka_unit_test(what_is_cut_is_not_overread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
