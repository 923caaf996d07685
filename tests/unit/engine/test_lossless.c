/* SPDX-License-Identifier: Apache-2.0
 *
 * Small files written here piece by piece: what is copied of them, what is left out, and what is refused.
 */
#include "engine/lossless/lossless.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

typedef struct File {
    uint8_t bytes[200000];
    size_t size;
} File;

static File source, donor, made;

static void add(File *file, const void *bytes, size_t size)
{
    assert_true(size <= sizeof file->bytes - file->size);
    memcpy(file->bytes + file->size, bytes, size);
    file->size += size;
}

#define ADD(file, text) add(file, text, sizeof(text) - 1)

static bool write_piece(void *data, const void *bytes, size_t size)
{
    add(data, bytes, size);
    return true;
}

static bool refuse(void *data, const void *bytes, size_t size)
{
    (void)data, (void)bytes, (void)size;
    return false;
}

/* From memory that ends where the file ends. */
static const char *judge(PmFormat format, const File *file, size_t size)
{
    uint8_t *copy = malloc(size + 1);
    assert_non_null(copy);
    memmove(copy + 1, file->bytes, size); /* its end is the block's */
    const char *why = pm_lossless_judge(format, (PmLosslessBytes){copy + 1, size});
    free(copy);
    return why;
}

static bool copy(PmFormat format, int orientation)
{
    PmLosslessOut out = {write_piece, &made};
    made.size = 0;
    return pm_lossless_write(format, (PmLosslessBytes){source.bytes, source.size},
                             (PmLosslessBytes){donor.bytes, donor.size}, orientation, &out);
}

static bool holds(const File *file, const char *text)
{
    return memmem(file->bytes, file->size, text, strlen(text)) != NULL;
}

/* ------------------------------------------------------------------ JPEG */

static void add_segment(File *file, uint8_t marker, const void *body, size_t size)
{
    uint8_t head[4] = {0xff, marker, (uint8_t)((size + 2) >> 8), (uint8_t)(size + 2)};
    add(file, head, sizeof head);
    add(file, body, size);
}

/* 16x8 px, grey, two blocks; `coded` is what its scan holds. */
static void add_picture(File *file, const void *coded, size_t size)
{
    uint8_t quantizer[65] = {0}, dc[18] = {0}, ac[18] = {0x10};
    memset(quantizer + 1, 1, 64);
    dc[1] = ac[1] = 1;
    add_segment(file, 0xdb, quantizer, sizeof quantizer);
    add_segment(file, 0xc0, "\x08\0\x08\0\x10\x01\x01\x11\0", 9);
    add_segment(file, 0xc4, dc, sizeof dc);
    add_segment(file, 0xc4, ac, sizeof ac);
    add_segment(file, 0xda, "\x01\x01\0\0\x3f\0", 6);
    add(file, coded, size);
    ADD(file, "\xff\xd9");
}

static void begin_jpeg(File *file)
{
    file->size = 0;
    ADD(file, "\xff\xd8");
}

static void jpeg_with(const char *coded, size_t size)
{
    begin_jpeg(&source);
    add_segment(&source, 0xe1, "Exif\0\0secret", 12);
    add_segment(&source, 0xfe, "secret", 6);
    add_picture(&source, coded, size);
    begin_jpeg(&donor);
    add_segment(&donor, 0xe0, "JFIF\0\1\1\0\0\1\0\1\0\0", 14);
    add_segment(&donor, 0xe2, "ICC_PROFILE\0kept", 16);
    add_segment(&donor, 0xee, "Adobe\0\0\0\0\0\0\1", 12);
    add_picture(&donor, "\x0f", 1);
}

static void a_jpeg_gets_the_donors_metadata(void **state)
{
    (void)state;
    jpeg_with("\x3f", 1);
    ADD(&source, "\xff\xd8secret picture behind it\xff\xd9");
    assert_null(judge(PM_FORMAT_JPEG, &source, source.size));
    assert_true(copy(PM_FORMAT_JPEG, 1));
    assert_null(judge(PM_FORMAT_JPEG, &made, made.size));
    assert_false(holds(&made, "secret"));
    assert_true(holds(&made, "kept"));
    /* They would tell of other colours than the source's. */
    assert_false(holds(&made, "JFIF"));
    assert_false(holds(&made, "Adobe"));
    PmLosslessOut out = {refuse, NULL};
    assert_false(pm_lossless_write(PM_FORMAT_JPEG, (PmLosslessBytes){source.bytes, source.size},
                                   (PmLosslessBytes){donor.bytes, donor.size}, 1, &out));
}

static void a_jpeg_cut_anywhere_is_refused(void **state)
{
    (void)state;
    jpeg_with("\x3f", 1);
    for (size_t size = 0; size < source.size; size++) assert_non_null(judge(PM_FORMAT_JPEG, &source, size));
    jpeg_with("", 0);
    assert_string_equal(judge(PM_FORMAT_JPEG, &source, source.size), "coded data are missing");
}

static void restarts_are_counted(void **state)
{
    (void)state;
    static const struct {
        const char *coded;
        size_t size;
        bool good;
    } rows[] = {
        {"\x3f\xff\xd0\x3f", 4, true},
        {"\x3f\xff\xd1\x3f", 4, false},
        {"\x3f\x3f", 2, false},
        {"\x3f\xff\xd0\x3f\xff\xd1\x3f", 7, false},
        {"\x3f\xff\x00\xff\xff\xd0\x3f", 7, true}, /* a stuffed and a fill byte */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin_jpeg(&source);
        add_segment(&source, 0xdd, "\0\1", 2);
        add_picture(&source, rows[i].coded, rows[i].size);
        assert_int_equal(judge(PM_FORMAT_JPEG, &source, source.size) == NULL, rows[i].good);
    }
}

static void tables_that_are_missing_are_noticed(void **state)
{
    (void)state;
    static const uint8_t gone[] = {0xdb, 0xc4, 0xc0, 0xda};
    for (size_t i = 0; i < sizeof gone; i++) {
        jpeg_with("\x3f", 1);
        for (size_t at = 2; at + 1 < source.size; at++)
            if (source.bytes[at] == 0xff && source.bytes[at + 1] == gone[i]) source.bytes[at + 1] = 0xfe;
        assert_non_null(judge(PM_FORMAT_JPEG, &source, source.size));
    }
    jpeg_with("\x3f", 1);
    uint8_t *frame = memmem(source.bytes, source.size, "\xff\xc0", 2);
    assert_non_null(frame);
    frame[1] = 0xc9;
    assert_string_equal(judge(PM_FORMAT_JPEG, &source, source.size), "it is coded in a way that few programs read");
}

/* ------------------------------------------------------------------ EXIF */

static void the_orientation_is_set(void **state)
{
    (void)state;
    uint8_t *out = malloc(PM_LOSSLESS_EXIF_MAX);
    assert_non_null(out);
    size_t size = pm_lossless_set_orientation((PmLosslessBytes){0}, 6, out);
    assert_int_equal(size, 32);
    assert_memory_equal(out, "Exif\0\0MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0", 32);
    /* Make (0x010f) and Software (0x0131) around another orientation; an odd size. */
    static const uint8_t block[] = "Exif\0\0II*\0\x08\0\0\0\3\0"
                                   "\x0f\1\2\0\5\0\0\0\x32\0\0\0"
                                   "\x12\1\3\0\1\0\0\0\1\0\0\0"
                                   "\x31\1\2\0\2\0\0\0S\0\0\0"
                                   "\0\0\0\0ACME";
    size = pm_lossless_set_orientation((PmLosslessBytes){block, sizeof block}, 8, out);
    assert_true(size > sizeof block);
    size_t at = 6 + out[10]; /* where the directory begins now */
    assert_int_equal(out[at], 3);
    assert_memory_equal(out + at + 2, "\x0f\1\2\0\5\0\0\0\x32\0\0\0", 12);
    assert_memory_equal(out + at + 14, "\x12\1\3\0\1\0\0\0\x08\0\0\0", 12);
    assert_memory_equal(out + at + 26, "\x31\1\2\0\2\0\0\0S\0\0\0", 12);
    assert_memory_equal(out + 6 + 0x32, "ACME", 5);
    /* Cut anywhere it is one that can be read, or left out. */
    for (size_t cut = 0; cut < sizeof block; cut++) {
        uint8_t *part = malloc(cut + 1);
        assert_non_null(part);
        memcpy(part + 1, block, cut);
        assert_true(pm_lossless_set_orientation((PmLosslessBytes){part + 1, cut}, 3, out) >= 32);
        free(part);
    }
    uint8_t *large = calloc(1, PM_LOSSLESS_EXIF_MAX);
    assert_non_null(large);
    memcpy(large, block, sizeof block);
    assert_int_equal(pm_lossless_set_orientation((PmLosslessBytes){large, PM_LOSSLESS_EXIF_MAX}, 3, out), 0);
    free(large);
    free(out);
}

/* ------------------------------------------------------------------ PNG */

static void add_chunk(File *file, const char *name, const void *body, size_t size)
{
    uint8_t length[4] = {0, 0, (uint8_t)(size >> 8), (uint8_t)size};
    add(file, length, 4);
    add(file, name, 4);
    add(file, body, size);
    ADD(file, "csum");
}

static void begin_png(File *file)
{
    file->size = 0;
    ADD(file, "\x89PNG\r\n\x1a\n");
    add_chunk(file, "IHDR", "0123456789012", 13);
}

static void a_png_keeps_pixels_and_gets_metadata(void **state)
{
    (void)state;
    begin_png(&source);
    add_chunk(&source, "gAMA", "gama", 4);
    add_chunk(&source, "tEXt", "secret", 6);
    add_chunk(&source, "acTL", "secret", 6);
    add_chunk(&source, "tRNS", "clear", 5);
    add_chunk(&source, "IDAT", "one", 3);
    add_chunk(&source, "IDAT", "two", 3);
    add_chunk(&source, "fdAT", "secret", 6);
    add_chunk(&source, "IEND", "", 0);
    ADD(&source, "secret");
    begin_png(&donor);
    add_chunk(&donor, "eXIf", "kept", 4);
    add_chunk(&donor, "IDAT", "donor", 5);
    add_chunk(&donor, "IEND", "", 0);
    assert_true(copy(PM_FORMAT_PNG, 1));
    assert_false(copy(PM_FORMAT_PNG, 6));
    assert_true(copy(PM_FORMAT_PNG, 1));
    assert_null(judge(PM_FORMAT_PNG, &made, made.size));
    assert_false(holds(&made, "secret") || holds(&made, "donor"));
    assert_true(holds(&made, "kept") && holds(&made, "one") && holds(&made, "two") && holds(&made, "gama") &&
                holds(&made, "clear"));
    for (size_t size = 0; size < source.size - 6; size++) assert_non_null(judge(PM_FORMAT_PNG, &source, size));

    /* A profile, or one that was taken away, speaks alone. */
    begin_png(&source);
    add_chunk(&source, "iCCP", "secret", 6);
    add_chunk(&source, "gAMA", "secret", 6);
    add_chunk(&source, "IDAT", "one", 3);
    add_chunk(&source, "IEND", "", 0);
    assert_true(copy(PM_FORMAT_PNG, 1));
    assert_false(holds(&made, "secret"));
    begin_png(&source);
    add_chunk(&source, "CgBI", "unknown and needed", 18);
    add_chunk(&source, "IDAT", "one", 3);
    add_chunk(&source, "IEND", "", 0);
    assert_non_null(judge(PM_FORMAT_PNG, &source, source.size));
}

/* ------------------------------------------------------------------ WebP */

static void add_riff(File *file, const char *name, const void *body, size_t size)
{
    uint8_t length[4] = {(uint8_t)size, (uint8_t)(size >> 8), 0, 0};
    add(file, name, 4);
    add(file, length, 4);
    add(file, body, size);
    if (size % 2 != 0) ADD(file, "\0");
}

static void end_webp(File *file)
{
    size_t size = file->size - 8;
    file->bytes[4] = (uint8_t)size;
    file->bytes[5] = (uint8_t)(size >> 8);
}

static void begin_webp(File *file)
{
    file->size = 0;
    ADD(file, "RIFF\0\0\0\0WEBP");
}

#define STILL "\0\0\0\x9d\x01\x2a\x10\0\x08\0pixels"

static void a_webp_gets_a_canvas_for_metadata(void **state)
{
    (void)state;
    begin_webp(&source);
    add_riff(&source, "VP8 ", STILL, sizeof STILL - 1);
    add_riff(&source, "odd!", "secret", 6);
    end_webp(&source);
    ADD(&source, "secret");
    begin_webp(&donor);
    add_riff(&donor, "VP8 ", STILL, sizeof STILL - 1);
    end_webp(&donor);
    assert_true(copy(PM_FORMAT_WEBP, 1));
    assert_null(judge(PM_FORMAT_WEBP, &made, made.size));
    assert_false(holds(&made, "secret") || holds(&made, "VP8X"));
    begin_webp(&donor);
    add_riff(&donor, "VP8X", "\x08\0\0\0\x0f\0\0\x0f\0\0", 10);
    add_riff(&donor, "VP8 ", STILL, sizeof STILL - 1);
    add_riff(&donor, "EXIF", "kept!", 5);
    end_webp(&donor);
    assert_true(copy(PM_FORMAT_WEBP, 1));
    assert_null(judge(PM_FORMAT_WEBP, &made, made.size));
    assert_true(holds(&made, "kept!") && holds(&made, "pixels"));
    assert_memory_equal(made.bytes + 12, "VP8X\x0a\0\0\0\x08\0\0\0\x0f\0\0\x07\0\0", 18);
    for (size_t size = 0; size < made.size; size++) assert_non_null(judge(PM_FORMAT_WEBP, &made, size));
}

static void frames_stay_and_what_hides_in_them_goes(void **state)
{
    (void)state;
    File *frame = calloc(1, sizeof *frame);
    assert_non_null(frame);
    add(frame, "0123456789abcdef", 16);
    add_riff(frame, "ALPH", "alpha", 5);
    add_riff(frame, "VP8 ", STILL, sizeof STILL - 1);
    add_riff(frame, "odd!", "secret", 6);
    begin_webp(&source);
    add_riff(&source, "VP8X", "\x16\0\0\0\x0f\0\0\x07\0\0", 10);
    add_riff(&source, "ANIM", "colour", 6);
    add_riff(&source, "ANMF", frame->bytes, frame->size);
    add_riff(&source, "ANMF", frame->bytes, frame->size);
    add_riff(&source, "XMP ", "secret", 6);
    end_webp(&source);
    begin_webp(&donor);
    add_riff(&donor, "VP8 ", STILL, sizeof STILL - 1);
    end_webp(&donor);
    free(frame);
    assert_true(copy(PM_FORMAT_WEBP, 1));
    assert_null(judge(PM_FORMAT_WEBP, &made, made.size));
    assert_false(holds(&made, "secret"));
    assert_int_equal(made.bytes[20], 0x12);
    assert_int_equal(made.size, source.size - 3 * 14);
    for (size_t size = 0; size < made.size; size++) assert_non_null(judge(PM_FORMAT_WEBP, &made, size));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_jpeg_gets_the_donors_metadata),
        cmocka_unit_test(a_jpeg_cut_anywhere_is_refused),
        cmocka_unit_test(restarts_are_counted),
        cmocka_unit_test(tables_that_are_missing_are_noticed),
        cmocka_unit_test(the_orientation_is_set),
        cmocka_unit_test(a_png_keeps_pixels_and_gets_metadata),
        cmocka_unit_test(a_webp_gets_a_canvas_for_metadata),
        cmocka_unit_test(frames_stay_and_what_hides_in_them_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
