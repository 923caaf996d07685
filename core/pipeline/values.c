/* SPDX-License-Identifier: Apache-2.0
 *
 * Texts to values: numbers with units, durations, colours, lengths.
 */
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pipeline/decode_params.h"

typedef struct Unit {
    const char *name;
    double factor;
} Unit;

static bool refuse(char *why, size_t size, const char *expected)
{
    if (why != NULL && size > 0) snprintf(why, size, "%s", expected);
    return false;
}

/* The leading decimal number; what follows it in *rest. Hexadecimal, nan and inf are not numbers here. */
static bool leading_number(const char *text, double *value, const char **rest)
{
    size_t sign = text[0] == '-' || text[0] == '+';
    size_t digits = strspn(text + sign, "0123456789.");
    if (digits == 0 || strspn(text + sign, ".") == digits) return false;
    size_t end = sign + digits;
    if ((text[end] == 'e' || text[end] == 'E')) {
        size_t exponent_sign = text[end + 1] == '-' || text[end + 1] == '+';
        size_t exponent = strspn(text + end + 1 + exponent_sign, "0123456789");
        if (exponent > 0) end += 1 + exponent_sign + exponent;
    }
    char number[64];
    if (end >= sizeof number) return false;
    memcpy(number, text, end);
    number[end] = '\0';
    /* A point is a point, whatever locale a plugin's library sets for the process. */
    static locale_t plain;
    if (plain == NULL) plain = newlocale(LC_ALL_MASK, "C", NULL);
    char *stop = NULL;
    *value = plain != NULL ? strtod_l(number, &stop, plain) : strtod(number, &stop);
    *rest = text + end;
    return *stop == '\0' && isfinite(*value);
}

static bool with_unit(const char *text, const Unit *units, double *value)
{
    const char *rest = NULL;
    if (!leading_number(text, value, &rest)) return false;
    while (*rest == ' ') rest++;
    for (; units->name != NULL; units++)
        if (strcmp(rest, units->name) == 0) {
            *value *= units->factor;
            return fabs(*value) < 9e15; /* whole in a double */
        }
    return false;
}

static bool whole(double value, int64_t *out)
{
    if (value != floor(value)) return false;
    *out = (int64_t)value;
    return true;
}

bool pm_parse_bytes(const char *text, int64_t *bytes, char *why, size_t why_size)
{
    static const Unit units[] = {
        {"", 1},     {"B", 1},    {"KiB", 1024}, {"MiB", 1048576.0}, {"GiB", 1073741824.0}, {"TiB", 1099511627776.0},
        {"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6},   {"GB", 1e9},        {"TB", 1e12},          {NULL, 0}};
    double value;
    if (!with_unit(text, units, &value) || value < 0 || !whole(floor(value), bytes))
        return refuse(why, why_size, "a size such as 50MiB, 200KiB or 1GB");
    return true;
}

bool pm_parse_count(const char *text, int64_t *count, char *why, size_t why_size)
{
    static const Unit units[] = {{"", 1}, {"k", 1e3}, {"K", 1e3}, {"M", 1e6}, {"G", 1e9}, {NULL, 0}};
    double value;
    if (!with_unit(text, units, &value) || !whole(value, count))
        return refuse(why, why_size, "a whole number such as 300 or 50M");
    return true;
}

bool pm_parse_int(const char *text, int64_t *value, char *why, size_t why_size)
{
    return pm_parse_count(text, value, NULL, 0) || refuse(why, why_size, "a whole number");
}

bool pm_parse_duration(const char *text, int64_t *ms, char *why, size_t why_size)
{
    static const Unit units[] = {{"ms", 1},      {"s", 1000},     {"m", 60000}, {"min", 60000},
                                 {"h", 3600000}, {"d", 86400000}, {NULL, 0}};
    double value;
    if (strcmp(text, "0") == 0) {
        *ms = 0;
        return true;
    }
    if (!with_unit(text, units, &value) || value < 0 || !whole(floor(value), ms))
        return refuse(why, why_size, "a duration such as 15s, 1500ms or 2m");
    return true;
}

bool pm_parse_number(const char *text, double *value, char *why, size_t why_size)
{
    const char *rest = NULL;
    if (leading_number(text, value, &rest) && *rest == '\0') return true;
    return refuse(why, why_size, "a number");
}

bool pm_parse_bool(const char *text, bool *value, char *why, size_t why_size)
{
    bool yes = strcmp(text, "true") == 0 || strcmp(text, "True") == 0 || strcmp(text, "TRUE") == 0;
    bool no = strcmp(text, "false") == 0 || strcmp(text, "False") == 0 || strcmp(text, "FALSE") == 0;
    if (!yes && !no) return refuse(why, why_size, "true or false");
    *value = yes;
    return true;
}

bool pm_parse_length(const char *text, PmLength *length, char *why, size_t why_size)
{
    const char *rest = NULL;
    double value;
    if (leading_number(text, &value, &rest)) {
        while (*rest == ' ') rest++;
        bool percent = strcmp(rest, "%") == 0;
        if (percent || *rest == '\0' || strcmp(rest, "px") == 0) {
            *length = (PmLength){.value = value, .percent = percent};
            return true;
        }
    }
    return refuse(why, why_size, "a length such as 12, 12px or 5%");
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* "#rgb", "#rgba", "#rrggbb", "#rrggbbaa". */
static bool parse_hex(const char *text, PmColor *color)
{
    size_t n = strlen(text + 1);
    if (n != 3 && n != 4 && n != 6 && n != 8) return false;
    size_t width = n <= 4 ? 1 : 2;
    double parts[4] = {0, 0, 0, 255};
    for (size_t i = 0; i < n / width; i++) {
        int high = hex_digit(text[1 + i * width]), low = width == 2 ? hex_digit(text[2 + i * width]) : high;
        if (high < 0 || low < 0) return false;
        parts[i] = high * 16 + low;
    }
    *color = (PmColor){parts[0], parts[1], parts[2], parts[3] / 255};
    return true;
}

bool pm_parse_color(const char *text, PmColor *color, char *why, size_t why_size)
{
    static const struct {
        const char *name;
        PmColor color;
    } names[] = {{"black", {0, 0, 0, 1}},      {"white", {255, 255, 255, 1}}, {"red", {255, 0, 0, 1}},
                 {"lime", {0, 255, 0, 1}},     {"green", {0, 128, 0, 1}},     {"blue", {0, 0, 255, 1}},
                 {"yellow", {255, 255, 0, 1}}, {"cyan", {0, 255, 255, 1}},    {"magenta", {255, 0, 255, 1}},
                 {"gray", {128, 128, 128, 1}}, {"grey", {128, 128, 128, 1}},  {"silver", {192, 192, 192, 1}},
                 {"maroon", {128, 0, 0, 1}},   {"olive", {128, 128, 0, 1}},   {"navy", {0, 0, 128, 1}},
                 {"purple", {128, 0, 128, 1}}, {"teal", {0, 128, 128, 1}},    {"orange", {255, 165, 0, 1}},
                 {"pink", {255, 192, 203, 1}}, {"brown", {165, 42, 42, 1}},   {"transparent", {0, 0, 0, 0}}};
    if (text[0] == '#' && parse_hex(text, color)) return true;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcasecmp(text, names[i].name) == 0) {
            *color = names[i].color;
            return true;
        }
    return refuse(why, why_size, "a colour such as \"#20a0ff\", \"#20a0ff80\" or white");
}
