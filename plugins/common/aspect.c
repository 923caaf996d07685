// SPDX-License-Identifier: Apache-2.0
#include "aspect.h"

#include <glib.h>
#include <math.h>

/* g_ascii_strtod, so that no locale turns the point into a comma. */
static bool read_part(const char **text, double *value)
{
    char *end;
    *value = g_ascii_strtod(*text, &end);
    bool found = end != *text && ((**text >= '0' && **text <= '9') || **text == '.');
    *text = end;
    return found;
}

bool aspect_parse(const char *text, double *aspect)
{
    double width, height = 1;
    if (!read_part(&text, &width)) return false;
    if (*text == ':') {
        text++;
        if (!read_part(&text, &height)) return false;
    }
    if (*text != '\0' || !(width > 0) || !(height > 0)) return false;
    *aspect = width / height;
    return *aspect <= ASPECT_MAX && *aspect >= 1.0 / ASPECT_MAX;
}

bool length_parse(const char *text, PmLength *length)
{
    double value;
    if (!read_part(&text, &value)) return false;
    while (*text == ' ') text++;
    bool percent = text[0] == '%' && text[1] == '\0', px = text[0] == 'p' && text[1] == 'x' && text[2] == '\0';
    if (!(value >= 0) || (*text != '\0' && !percent && !px)) return false;
    *length = (PmLength){value, percent};
    return true;
}

int length_px(PmLength length, int whole, int least)
{
    double px = floor((length.percent ? length.value * whole / 100 : length.value) + 0.5);
    if (!(px > least)) return least;
    return px < G_MAXINT32 ? (int)px : G_MAXINT32;
}

int scale_px(int at, int full, int have)
{
    return have == full ? at : (int)floor((double)at * have / full + 0.5);
}
