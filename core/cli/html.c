/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/html.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "net/uri.h"

static const char *reference(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void pm_html_escape(PmBuffer *out, const char *text)
{
    if (text == NULL) return;
    size_t size = strlen(text) + 1;
    char *clean = malloc(size);
    if (clean == NULL) {
        out->failed = out->no_memory = true;
        return;
    }
    pm_text_utf8(clean, size, text);
    for (const char *p = clean; *p != '\0'; p++) {
        const char *instead = reference(*p);
        unsigned char c = (unsigned char)*p;
        if (instead != NULL)
            pm_buffer_adds(out, instead);
        else if ((c >= 0x20 && c != 0x7F) || c == '\n' || c == '\t')
            pm_buffer_add(out, p, 1);
    }
    free(clean);
}

void pm_html_path(PmBuffer *out, const char *path)
{
    pm_uri_encode(out, path, true);
}
