/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/peek.h"
#include "pipeline/sniff.h"

typedef struct Sample {
    PmFormat format;
    size_t size;
    const char *bytes;
    size_t enough; /* bytes that suffice to tell */
} Sample;

#define SAMPLE(format, text, enough)                       \
    {                                                      \
        PM_FORMAT_##format, sizeof(text) - 1, text, enough \
    }

static const Sample samples[] = {
    SAMPLE(JPEG, "\xFF\xD8\xFF\xE0\0\x10JFIF\0", 4),
    SAMPLE(PNG, "\x89PNG\r\n\x1A\n\0\0\0\rIHDR", 8),
    SAMPLE(WEBP, "RIFF\x20\0\0\0WEBPVP8 ", 12),
    SAMPLE(GIF, "GIF87a\x01\0\x01\0", 6),
    SAMPLE(GIF, "GIF89a\x01\0\x01\0", 6),
    SAMPLE(TIFF, "II*\0\x08\0\0\0", 4),
    SAMPLE(TIFF, "MM\0*\0\0\0\x08", 4),
    SAMPLE(TIFF, "II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0", 8),
    SAMPLE(TIFF, "MM\0+\0\x08\0\0\0\0\0\0\0\0\0\x10", 8),
    SAMPLE(AVIF,
           "\0\0\0\x1C"
           "ftypavif\0\0\0\0avifmif1miaf",
           16),
    SAMPLE(AVIF,
           "\0\0\0\x1C"
           "ftypavis\0\0\0\0avismif1miaf",
           16),
    /* The major brand says only "image": a compatible brand tells which. */
    SAMPLE(AVIF,
           "\0\0\0\x1C"
           "ftypmif1\0\0\0\0mif1avifmiaf",
           24),
    SAMPLE(HEIF,
           "\0\0\0\x18"
           "ftypheic\0\0\0\0mif1heic",
           16),
    SAMPLE(HEIF,
           "\0\0\0\x18"
           "ftypmif1\0\0\0\0mif1heic",
           16),
    SAMPLE(JXL, "\xFF\x0A\xFA\x1F", 4),
    SAMPLE(JXL,
           "\0\0\0\x0CJXL \r\n\x87\n\0\0\0\x14"
           "ftypjxl ",
           12),
    SAMPLE(PDF, "%PDF-1.7\n", 5),
    SAMPLE(SVG, "<svg xmlns='http://www.w3.org/2000/svg'/>", 5),
    SAMPLE(SVG, "\xEF\xBB\xBF<?xml version=\"1.0\"?>\n<!-- drawn > by hand -->\n<svg>", 55),
    SAMPLE(SVG, "<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" \"x.dtd\">\n<svg >", 61),
};

static void each_format_is_known(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
        assert_string_equal(pm_format_name(pm_sniff(samples[i].bytes, samples[i].size)),
                            pm_format_name(samples[i].format));
}

/* Every shorter piece is told apart or unknown, in memory of exactly its size so that a sanitizer sees one byte too
 * many. */
static void truncated_bytes_are_not_overread(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        for (size_t size = 0; size <= samples[i].size; size++) {
            char *exact = malloc(size + (size == 0));
            memcpy(exact, samples[i].bytes, size);
            PmFormat format = pm_sniff(exact, size);
            if (size >= samples[i].enough)
                assert_int_equal(format, samples[i].format);
            else if (format != PM_FORMAT_HEIF) /* an avif cut before its brand */
                assert_true(format == PM_FORMAT_UNKNOWN || format == samples[i].format);
            free(exact);
        }
    }
}

static void what_is_no_image_is_unknown(void **state)
{
    (void)state;
    static const Sample others[] = {
        SAMPLE(UNKNOWN, "PK\x03\x04\0\0\0\0", 0),
        SAMPLE(UNKNOWN, "\x1F\x8B\x08\0\0\0\0\0\0\x03", 0), /* gzip, so .svgz */
        SAMPLE(UNKNOWN, "RIFF\x20\0\0\0WAVEfmt ", 0),
        SAMPLE(UNKNOWN,
               "\0\0\0\x18"
               "ftypisom\0\0\0\0mp41mp42",
               0),
        SAMPLE(UNKNOWN,
               "\0\0\0\x08"
               "ftypavif\0\0\0\0avif",
               0), /* a box too short for a brand */
        SAMPLE(UNKNOWN, "<!DOCTYPE html><html><svg></svg></html>", 0),
        SAMPLE(UNKNOWN, "<html><svg>", 0),
        SAMPLE(UNKNOWN, "<svgfoo>", 0),
        SAMPLE(UNKNOWN, "<!-- never closed <svg>", 0),
        SAMPLE(UNKNOWN, "hello <svg>", 0),
        SAMPLE(UNKNOWN, "                ", 0),
        SAMPLE(UNKNOWN, "P6\n1 1\n255\n...", 0),
        SAMPLE(UNKNOWN, "BM\x46\0\0\0", 0),
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_int_equal(pm_sniff(others[i].bytes, others[i].size), PM_FORMAT_UNKNOWN);
    assert_int_equal(pm_sniff(NULL, 0), PM_FORMAT_UNKNOWN);
}

static void svg_is_looked_for_near_the_beginning_only(void **state)
{
    (void)state;
    enum { SIZE = 1 << 20 };
    char *text = malloc(SIZE);
    memset(text, ' ', SIZE);
    memcpy(text + 4000, "<svg >", 6);
    assert_int_equal(pm_sniff(text, SIZE), PM_FORMAT_SVG);
    memset(text, ' ', SIZE);
    memcpy(text + 5000, "<svg >", 6);
    assert_int_equal(pm_sniff(text, SIZE), PM_FORMAT_UNKNOWN);
    free(text);
}

static void names_go_both_ways(void **state)
{
    (void)state;
    for (int i = 1; i < PM_FORMAT_COUNT; i++) {
        assert_int_equal(pm_format_from_name(pm_format_name((PmFormat)i)), i);
        assert_non_null(strstr(pm_format_mime((PmFormat)i), "/"));
        assert_true(strlen(pm_format_extension((PmFormat)i)) >= 3);
    }
    assert_int_equal(pm_format_from_name("jpg"), PM_FORMAT_UNKNOWN);
    assert_int_equal(pm_format_from_name(NULL), PM_FORMAT_UNKNOWN);
    assert_int_equal(pm_format_from_ending("a.b/photo.JFIF"), PM_FORMAT_JPEG);
    assert_int_equal(pm_format_from_ending("photo.tiff"), PM_FORMAT_TIFF);
    assert_int_equal(pm_format_from_ending("photo.heic"), PM_FORMAT_HEIF);
    assert_int_equal(pm_format_from_ending("jpg"), PM_FORMAT_UNKNOWN);
    assert_int_equal(pm_format_from_ending("photo.jpg.bin"), PM_FORMAT_UNKNOWN);
}

/* ------------------------------------------------------------------ sizes from the first bytes */

typedef struct Header {
    PmFormat format;
    size_t size;
    const char *bytes;
    int64_t width, height;
} Header;

#define HEADER(format, text, w, h)                       \
    {                                                    \
        PM_FORMAT_##format, sizeof(text) - 1, text, w, h \
    }

static const Header headers[] = {
    HEADER(PNG, "\x89PNG\r\n\x1A\n\0\0\0\rIHDR\x7F\xFF\xFF\xFF\0\0\x01\x02", 0x7FFFFFFF, 258),
    HEADER(GIF, "GIF89a\x40\x01\xF0\0", 320, 240),
    HEADER(JPEG, "\xFF\xD8\xFF\xE0\0\x04zz\xFF\xFF\xC0\0\x11\x08\x02\x58\x03\x20\x03", 800, 600),
    HEADER(JPEG, "\xFF\xD8\xFF\x01\xFF\xC2\0\x11\x08\xFF\xDC\xFF\xDB\x03", 65499, 65500),
    HEADER(WEBP, "RIFF\x20\0\0\0WEBPVP8X\x0A\0\0\0\x10\0\0\0\x3F\x01\0\xEF\0\0", 320, 240),
    HEADER(WEBP, "RIFF\x20\0\0\0WEBPVP8L\x0A\0\0\0\x2F\x3F\xC1\x3B\0\0\0\0\0\0", 320, 240),
    HEADER(WEBP, "RIFF\x20\0\0\0WEBPVP8 \x0A\0\0\0\0\0\0\x9D\x01\x2A\x40\x01\xF0\0", 320, 240),
};

static void sizes_are_read_without_a_codec(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        PmPeek peek = {0};
        assert_true(pm_peek(headers[i].format, headers[i].bytes, headers[i].size, &peek));
        assert_int_equal(peek.width, headers[i].width);
        assert_int_equal(peek.height, headers[i].height);
    }
}

static void cut_headers_are_not_overread(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        bool found = false;
        for (size_t size = 0; size < headers[i].size; size++) {
            char *exact = malloc(size + (size == 0));
            memcpy(exact, headers[i].bytes, size);
            PmPeek peek = {-1, -1, -1};
            found = pm_peek(headers[i].format, exact, size, &peek);
            if (found)
                assert_int_equal(peek.width, headers[i].width);
            else
                assert_int_equal(peek.width, -1);
            free(exact);
        }
    }
}

static void damaged_headers_tell_nothing(void **state)
{
    (void)state;
    static const char scan_first[] = "\xFF\xD8\xFF\xDA\0\x0C............", lost[] = "\xFF\xD8\xFF\xE0\xFF\xFFshort",
                      no_ihdr[] = "\x89PNG\r\n\x1A\n\0\0\0\rIDAT\0\0\0\x01\0\0\0\x01";
    PmPeek peek;
    assert_false(pm_peek(PM_FORMAT_JPEG, scan_first, sizeof scan_first - 1, &peek));
    assert_false(pm_peek(PM_FORMAT_JPEG, lost, sizeof lost - 1, &peek));
    assert_false(pm_peek(PM_FORMAT_PNG, no_ihdr, sizeof no_ihdr - 1, &peek));
    assert_false(pm_peek(PM_FORMAT_TIFF, "II*\0\x08\0\0\0", 8, &peek));
}

static void frames_and_pages_are_counted(void **state)
{
    (void)state;
#define DIRECTORY(next) "\0\0" next "\0\0\0"
    static const struct {
        PmFormat format;
        size_t size;
        const char *bytes;
        int64_t pages;
    } files[] = {
#define FILE_OF(format, text, pages) {PM_FORMAT_##format, sizeof(text) - 1, text, pages}
        FILE_OF(WEBP,
                "RIFF\x40\0\0\0WEBPVP8X\x0A\0\0\0\x02\0\0\0\x3F\x01\0\xEF\0\0"
                "ANMF\1\0\0\0xx"
                "ABCD\0\0\0\0"
                "ANMF\0\0\0\0",
                2),
        /* The second claims more bytes than there are. */
        FILE_OF(WEBP,
                "RIFF\x40\0\0\0WEBPVP8X\x0A\0\0\0\x02\0\0\0\x3F\x01\0\xEF\0\0"
                "ANMF\xFF\xFF\xFF\xFFxx"
                "ANMF\0\0\0\0",
                1),
        FILE_OF(TIFF, "II*\0\x08\0\0\0" DIRECTORY("\x0E") DIRECTORY("\x14") DIRECTORY("\0"), 3),
        FILE_OF(TIFF,
                "MM\0*\0\0\0\x08"
                "\0\0\0\0\0\x0E"
                "\0\0\0\0\0\0",
                2),
        /* It leads to itself, to one before (told after a round), out of the file. */
        FILE_OF(TIFF, "II*\0\x08\0\0\0" DIRECTORY("\x08") "xx", 2),
        FILE_OF(TIFF, "II*\0\x08\0\0\0" DIRECTORY("\x0E") DIRECTORY("\x14") DIRECTORY("\x08"), 6),
        FILE_OF(TIFF, "II*\0\x08\0\0\0" DIRECTORY("\xFF") "xx", 1),
        /* BigTIFF. */
        FILE_OF(TIFF,
                "II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0"
                "\0\0\0\0\0\0\0\0\x20\0\0\0\0\0\0\0"
                "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
                2),
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        PmPeek peek = {0};
        assert_true(pm_peek(files[i].format, files[i].bytes, files[i].size, &peek));
        if (peek.pages != files[i].pages) fail_msg("%zu: %lld pages", i, (long long)peek.pages);
        for (size_t size = 0; size < files[i].size; size++) { /* no byte beyond the end is read */
            char *exact = malloc(size + (size == 0));
            memcpy(exact, files[i].bytes, size);
            pm_peek(files[i].format, exact, size, &peek);
            free(exact);
        }
    }
    /* A million directories of six bytes each: counted, and not for ever. */
    size_t count = 1100000;
    char *many = calloc(count + 2, 6);
    assert_non_null(many);
    memcpy(many, "II*\0\x08\0\0", 8);
    for (size_t i = 0, at = 8; i < count; i++, at += 6) {
        uint32_t next = (uint32_t)at + 6;
        for (size_t k = 0; k < 4; k++) many[at + 2 + k] = (char)(next >> (8 * k));
    }
    PmPeek peek = {0};
    assert_true(pm_peek(PM_FORMAT_TIFF, many, (count + 2) * 6, &peek));
    assert_int_equal(peek.pages, 1000000);
    free(many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_format_is_known),         cmocka_unit_test(truncated_bytes_are_not_overread),
        cmocka_unit_test(what_is_no_image_is_unknown),  cmocka_unit_test(svg_is_looked_for_near_the_beginning_only),
        cmocka_unit_test(names_go_both_ways),           cmocka_unit_test(sizes_are_read_without_a_codec),
        cmocka_unit_test(cut_headers_are_not_overread), cmocka_unit_test(damaged_headers_tell_nothing),
        cmocka_unit_test(frames_and_pages_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
