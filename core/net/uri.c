/* SPDX-License-Identifier: Apache-2.0 */
#include "net/uri.h"

#include <string.h>

static bool unreserved(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

void pm_uri_encode(PmBuffer *out, const char *text, bool keep_slash)
{
    static const char hex[] = "0123456789ABCDEF";
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
        if (unreserved(*p) || (*p == '/' && keep_slash)) {
            pm_buffer_add(out, p, 1);
        } else {
            char triple[3] = {'%', hex[*p >> 4], hex[*p & 15]};
            pm_buffer_add(out, triple, sizeof triple);
        }
    }
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool pm_uri_decode(PmBuffer *out, const char *text, size_t size, bool form)
{
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (c == '%') {
            int high = i + 2 < size ? hex_digit(text[i + 1]) : -1;
            int low = i + 2 < size ? hex_digit(text[i + 2]) : -1;
            if (high < 0 || low < 0) return false;
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+' && form) {
            c = ' ';
        }
        if (c == '\0' || !pm_buffer_add(out, &c, 1)) return false;
    }
    return true;
}

void pm_uri_normalize(PmBuffer *out, const char *path)
{
    size_t start = out->size;
    const char *p = path;
    bool slash_at_end = true;
    while (*p != '\0') {
        while (*p == '/') p++;
        size_t n = strcspn(p, "/");
        slash_at_end = p[n] == '/' || n == 0;
        if (n == 2 && p[0] == '.' && p[1] == '.') {
            while (out->size > start && out->data[out->size - 1] != '/') out->size--;
            if (out->size > start) out->size--;
            slash_at_end = true;
        } else if (n == 1 && p[0] == '.') {
            slash_at_end = true;
        } else if (n > 0) {
            pm_buffer_adds(out, "/");
            pm_buffer_add(out, p, n);
        }
        p += n;
    }
    if (slash_at_end || out->size == start) pm_buffer_adds(out, "/");
}
