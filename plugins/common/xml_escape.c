// SPDX-License-Identifier: Apache-2.0
#include "xml_escape.h"

#include <string.h>

void xml_escape_append(GString *out, const char *text, size_t size)
{
    for (const char *p = text, *end = text + size; p < end; p++) {
        switch (*p) {
        case '&':
            g_string_append(out, "&amp;");
            break;
        case '<':
            g_string_append(out, "&lt;");
            break;
        case '>':
            g_string_append(out, "&gt;");
            break;
        case '"':
            g_string_append(out, "&quot;");
            break;
        case '\'':
            g_string_append(out, "&#39;");
            break;
        default:
            g_string_append_c(out, *p);
        }
    }
}

char *xml_escape(const char *text)
{
    GString *out = g_string_new(NULL);
    xml_escape_append(out, text, strlen(text));
    return g_string_free(out, FALSE);
}
