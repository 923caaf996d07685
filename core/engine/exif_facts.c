/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/exif_facts.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { VALUE_MAX = 256 };

/* libvips gives "VALUE (VALUE, ASCII, 6 components, 6 bytes)". False: there is no such tag, or it is empty. */
static bool value_of(VipsImage *header, const char *field, char out[VALUE_MAX])
{
    const char *text;
    if (vips_image_get_typeof(header, field) == 0 || vips_image_get_string(header, field, &text)) {
        vips_error_clear();
        return false;
    }
    for (const char *p = text; (p = strstr(p, " (")) != NULL; p += 2) {
        size_t n = (size_t)(p - text);
        if (strncmp(p + 2, text, n) != 0 || strncmp(p + 2 + n, ", ", 2) != 0) continue;
        if (n >= VALUE_MAX) n = VALUE_MAX - 1;
        memcpy(out, text, n);
        out[n] = '\0';
        return n > 0;
    }
    return false;
}

/* Appends `text` as a word, with a "-" in between. */
static void add_word(char out[PM_EXIF_FACT_SIZE], const char *text)
{
    size_t n = strlen(out);
    bool gap = n > 0;
    for (; *text != '\0'; text++) {
        char c = *text >= 'A' && *text <= 'Z' ? (char)(*text - 'A' + 'a') : *text;
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))) {
            gap = n > 0;
            continue;
        }
        if (n + 2 >= PM_EXIF_FACT_SIZE) break;
        if (gap) out[n++] = '-';
        out[n++] = c;
        gap = false;
    }
    out[n] = '\0';
}

void pm_exif_camera(VipsImage *header, char out[PM_EXIF_FACT_SIZE])
{
    char make[VALUE_MAX], model[VALUE_MAX], maker[PM_EXIF_FACT_SIZE] = "";
    out[0] = '\0';
    bool has_make = value_of(header, "exif-ifd0-Make", make), has_model = value_of(header, "exif-ifd0-Model", model);
    if (has_make) add_word(maker, make);
    if (has_model) add_word(out, model);
    /* "Canon" and "Canon EOS 5D"; "NIKON CORPORATION" and "NIKON D70". */
    size_t first = strcspn(maker, "-");
    bool named = first > 0 && strncmp(out, maker, first) == 0;
    if (!named) {
        pm_text_copy(out, PM_EXIF_FACT_SIZE, maker);
        if (has_model) add_word(out, model);
    }
    if (out[0] == '\0') pm_text_copy(out, PM_EXIF_FACT_SIZE, "unknown");
}

/* "2026:11:23 06:00:00" */
static bool day_of(VipsImage *header, const char *field, char out[PM_EXIF_FACT_SIZE])
{
    char text[VALUE_MAX];
    int digits[8], count = 0;
    if (!value_of(header, field, text)) return false;
    for (size_t i = 0; i < 10; i++) {
        bool colon = i == 4 || i == 7;
        if (text[i] == '\0' || (colon ? text[i] != ':' : text[i] < '0' || text[i] > '9')) return false;
        if (!colon) digits[count++] = text[i] - '0';
    }
    int year = digits[0] * 1000 + digits[1] * 100 + digits[2] * 10 + digits[3];
    int month = digits[4] * 10 + digits[5], day = digits[6] * 10 + digits[7];
    if (!g_date_valid_dmy((GDateDay)day, (GDateMonth)month, (GDateYear)year)) return false;
    snprintf(out, PM_EXIF_FACT_SIZE, "%04d-%02d-%02d", year, month, day);
    return true;
}

void pm_exif_taken(VipsImage *header, char out[PM_EXIF_FACT_SIZE])
{
    if (day_of(header, "exif-ifd2-DateTimeOriginal", out) || day_of(header, "exif-ifd0-DateTime", out)) return;
    pm_text_copy(out, PM_EXIF_FACT_SIZE, "unknown");
}
