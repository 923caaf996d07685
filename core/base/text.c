/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Length of the UTF-8 sequence at p (RFC 3629: no overlong forms, no surrogates), 0 when invalid. */
static size_t utf8_length(const unsigned char *p, size_t left)
{
    if (left == 0) return 0;
    if (p[0] < 0x80) return 1;
    size_t n = p[0] >= 0xC2 && p[0] <= 0xDF   ? 2
               : p[0] >= 0xE0 && p[0] <= 0xEF ? 3
               : p[0] >= 0xF0 && p[0] <= 0xF4 ? 4
                                              : 0;
    if (n == 0 || n > left) return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xC0) != 0x80) return 0;
    if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) || (p[0] == 0xF0 && p[1] < 0x90) ||
        (p[0] == 0xF4 && p[1] > 0x8F))
        return 0;
    return n;
}

bool pm_text_is_utf8(const char *text, size_t size)
{
    for (size_t i = 0; i < size;) {
        size_t n = utf8_length((const unsigned char *)text + i, size - i);
        if (n == 0) return false;
        i += n;
    }
    return true;
}

bool pm_text_copy(char *out, size_t size, const char *text)
{
    if (size == 0) return false;
    size_t n = strlen(text);
    bool fits = n < size;
    if (!fits) {
        n = size - 1;
        while (n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80) n--;
    }
    memmove(out, text, n);
    out[n] = '\0';
    return fits;
}

/* How rewrite() writes a byte that may not stand as it is. */
typedef enum { REPLACE, ESCAPE } Style;

/* Whether a character tells a terminal or a reader something other than itself: controls, also C1 (U+0080..U+009F),
 * line and paragraph separators, and marks and overrides of the writing direction, which make a name read as another.
 */
static bool steers(const unsigned char *p, size_t n)
{
    if (n == 1) return p[0] < 0x20 || p[0] == 0x7F;
    if (n == 2) return (p[0] == 0xC2 && p[1] < 0xA0) || (p[0] == 0xD8 && p[1] == 0x9C); /* U+061C */
    if (n != 3 || p[0] != 0xE2) return false;
    if (p[1] == 0x80) return p[2] == 0x8E || p[2] == 0x8F || (p[2] >= 0xA8 && p[2] <= 0xAE); /* U+200E.. */
    return p[1] == 0x81 && p[2] >= 0xA6 && p[2] <= 0xA9;                                     /* U+2066..U+2069 */
}

static void rewrite(char *out, size_t size, const char *text, Style style)
{
    if (size == 0) return;
    size_t used = 0, left = strlen(text);
    const unsigned char *p = (const unsigned char *)text;
    while (left > 0) {
        size_t n = utf8_length(p, left);
        bool plain = n > 0 && !(style == ESCAPE && steers(p, n));
        char piece[16];
        size_t length;
        if (plain) {
            memcpy(piece, p, n);
            length = n;
        } else if (style == ESCAPE) {
            length = (size_t)snprintf(piece, sizeof piece, "\\x%02x", p[0]);
            n = 1;
        } else {
            piece[0] = '?';
            length = n = 1;
        }
        if (used + length >= size) break;
        memcpy(out + used, piece, length);
        used += length;
        p += n;
        left -= n;
    }
    out[used] = '\0';
}

void pm_text_escape(char *out, size_t size, const char *text)
{
    rewrite(out, size, text, ESCAPE);
}

void pm_text_utf8(char *out, size_t size, const char *text)
{
    rewrite(out, size, text, REPLACE);
}

enum { NEAREST_MAX = 48 };

/* Optimal string alignment distance of two short words. */
static size_t distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    if (n > NEAREST_MAX || m > NEAREST_MAX) return SIZE_MAX;
    size_t rows[3][NEAREST_MAX + 1];
    size_t *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= m; j++) last[j] = before[j] = j;
    for (size_t i = 1; i <= n; i++) {
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);
            if (last[j] + 1 < best) best = last[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            row[j] = best;
        }
        size_t *swap = before;
        before = last;
        last = row;
        row = swap;
    }
    return last[m];
}

const char *pm_text_nearest(const char *word, const char *const *words)
{
    const char *best = NULL;
    size_t best_distance = SIZE_MAX, length = strlen(word);
    for (; words != NULL && *words != NULL; words++) {
        size_t d = distance(word, *words);
        size_t longest = strlen(*words) > length ? strlen(*words) : length;
        size_t allowed = longest <= 3 ? 1 : longest <= 7 ? 2 : 3;
        if (d <= allowed && d < longest && d < best_distance) {
            best = *words;
            best_distance = d;
        }
    }
    return best;
}

bool pm_text_is_one_of(const char *word, const char *const *words)
{
    for (; words != NULL && *words != NULL; words++)
        if (strcmp(*words, word) == 0) return true;
    return false;
}

void pm_text_join(const char *const *words, const char *last, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; words[i] != NULL && used < size; i++) {
        const char *between = i == 0 ? "" : words[i + 1] == NULL ? last : ", ";
        int n = snprintf(out + used, size - used, "%s%s", between, words[i]);
        used += n > 0 ? (size_t)n : 0;
    }
    if (used >= size) memcpy(out + size - 4, "...", 4);
}

static const char *match_set(const char *pattern, char c, bool *hit)
{
    const char *p = pattern + 1;
    bool negate = *p == '!' || *p == '^';
    if (negate) p++;
    bool found = false;
    for (bool first = true; *p != '\0' && (first || *p != ']'); first = false) {
        if (p[1] == '-' && p[2] != '\0' && p[2] != ']') {
            if ((unsigned char)p[0] <= (unsigned char)c && (unsigned char)c <= (unsigned char)p[2]) found = true;
            p += 3;
        } else {
            if (*p == c) found = true;
            p++;
        }
    }
    if (*p != ']') return NULL; /* no closing bracket: '[' is an ordinary character */
    *hit = found != negate;
    return p + 1;
}

/* Matches one element of the pattern against c; returns what follows it, or NULL. Not for '*'. */
static const char *match_one(const char *pattern, char c)
{
    if (*pattern == '\0') return NULL;
    if (*pattern == '?') return c != '/' ? pattern + 1 : NULL;
    if (*pattern == '[') {
        bool hit = false;
        const char *next = match_set(pattern, c, &hit);
        if (next != NULL) return hit && c != '/' ? next : NULL;
    }
    return *pattern == c ? pattern + 1 : NULL;
}

/* Two fallback points, one for the last '*' and one for the last '**', keep this O(n*m) with no recursion:
 * a later star can always take over from an earlier one of the same kind. */
bool pm_text_glob(const char *pattern, const char *text)
{
    const char *star = NULL, *star_text = NULL, *deep = NULL, *deep_text = NULL;
    for (;;) {
        if (pattern[0] == '*') {
            bool crosses = pattern[1] == '*';
            while (*pattern == '*') pattern++;
            if (crosses) {
                if (pattern[0] == '/' && pm_text_glob(pattern + 1, text)) return true; /* a/ **'/' b also matches a/b */
                deep = pattern;
                deep_text = text;
                star = NULL;
            } else {
                star = pattern;
                star_text = text;
            }
            continue;
        }
        if (*text == '\0' && *pattern == '\0') return true;
        const char *next = *text != '\0' ? match_one(pattern, *text) : NULL;
        if (next != NULL) {
            pattern = next;
            text++;
        } else if (star != NULL && *star_text != '\0' && *star_text != '/') {
            pattern = star;
            text = ++star_text;
        } else if (deep != NULL && *deep_text != '\0') {
            pattern = deep;
            text = ++deep_text;
            star = NULL;
        } else {
            return false;
        }
    }
}

void pm_text_bytes(char *out, size_t size, long long bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t u = 0;
    while (value >= 1024 && u + 1 < sizeof units / sizeof units[0]) {
        value /= 1024;
        u++;
    }
    bool whole = u == 0 || value == (double)(long long)value;
    snprintf(out, size, whole ? "%.0f %s" : "%.1f %s", value, units[u]);
}

void pm_text_duration(char *out, size_t size, long long ms)
{
    if (ms >= 3600000 && ms % 3600000 == 0)
        snprintf(out, size, "%lldh", ms / 3600000);
    else if (ms >= 60000 && ms % 60000 == 0)
        snprintf(out, size, "%lldm", ms / 60000);
    else if (ms >= 1000 && ms % 1000 == 0)
        snprintf(out, size, "%llds", ms / 1000);
    else
        snprintf(out, size, "%lldms", ms);
}

void pm_text_origin(char *out, size_t size, const char *url)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_[]:";
    size_t scheme = strncasecmp(url, "https://", 8) == 0 ? 8 : strncasecmp(url, "http://", 7) == 0 ? 7 : 0;
    const char *host = url + scheme, *end = host + strcspn(host, "/?#\\");
    for (const char *p = host; p < end; p++)
        if (*p == '@') host = p + 1;
    size_t length = (size_t)(end - host), name = 0;
    while (name < length && host[name] != ':') name++;
    if (length > 0 && host[0] == '[') name = strcspn(host, "]") + 1;
    /* "http://user:pass/word@host" ends in "pass" as far as a URL goes: only digits make a port. */
    bool port = name < length && host[name] == ':' && strspn(host + name + 1, "0123456789") == length - name - 1;
    bool good = scheme > 0 && length > 0 && strspn(host, allowed) >= length && (name == length || port);
    if (good && strchr(end, '@') == NULL)
        snprintf(out, size, "%.*s%.*s", (int)scheme, url, (int)length, host);
    else
        snprintf(out, size, "(a URL)");
}

bool pm_text_listen_address(const char *text, char *host, size_t size, int *port)
{
    const char *colon = strrchr(text, ':');
    size_t digits = colon != NULL ? strspn(colon + 1, "0123456789") : 0;
    if (digits == 0 || digits > 5 || colon[1 + digits] != '\0') return false;
    *port = (int)strtol(colon + 1, NULL, 10);
    size_t length = (size_t)(colon - text);
    bool bracketed = length > 2 && text[0] == '[' && text[length - 1] == ']';
    if (!bracketed && memchr(text, ':', length) != NULL) return false; /* IPv6 without brackets: which colon? */
    if (length + 1 > size || *port > 65535) return false;
    snprintf(host, size, "%.*s", (int)(bracketed ? length - 2 : length), bracketed ? text + 1 : text);
    return true;
}
