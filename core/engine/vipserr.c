/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/vipserr.h"

#include <stdio.h>
#include <string.h>
#include <vips/vips.h>

#include "base/text.h"

/* Lines that say only that something failed, which the caller knows. */
static bool is_noise(const char *line)
{
    static const char *const noise[] = {"error buffer", "unable to call", "class \"", "cache:"};
    if (line[0] == '\0') return true;
    for (size_t i = 0; i < sizeof noise / sizeof noise[0]; i++)
        if (strstr(line, noise[i]) == line) return true;
    return false;
}

/* "VipsJpeg: out of order read" -> "out of order read": the domain in front is a name from libvips' sources. */
static const char *without_domain(const char *line)
{
    const char *colon = strstr(line, ": ");
    if (colon == NULL || colon == line) return line;
    for (const char *p = line; p < colon; p++)
        if (*p == ' ') return line;
    return colon[2] != '\0' ? colon + 2 : line;
}

void pm_vips_error_take(char *out, size_t size)
{
    enum { LINES_MAX = 4 };
    char text[2048], safe[2048];
    pm_text_copy(text, sizeof text, vips_error_buffer());
    vips_error_clear();
    pm_text_utf8(safe, sizeof safe, text);
    out[0] = '\0';
    const char *seen[LINES_MAX];
    size_t count = 0;
    char *rest = safe;
    for (char *line = strsep(&rest, "\n"); line != NULL && count < LINES_MAX; line = strsep(&rest, "\n")) {
        const char *plain = without_domain(line);
        bool repeated = is_noise(plain);
        for (size_t i = 0; i < count; i++) repeated = repeated || strcmp(seen[i], plain) == 0;
        if (repeated) continue;
        seen[count++] = plain;
        size_t used = strlen(out);
        snprintf(out + used, size - used, "%s%s", used > 0 ? "; " : "", plain);
    }
    size_t length = strlen(out);
    while (length > 0 && (out[length - 1] == '.' || out[length - 1] == ' ')) out[--length] = '\0';
}

PmStatus pm_vips_error(PmError *err, PmStatus status, const char *what)
{
    char text[512];
    pm_vips_error_take(text, sizeof text);
    return pm_error_set(err, status, "%s%s%s", what, text[0] != '\0' ? ": " : "", text);
}
