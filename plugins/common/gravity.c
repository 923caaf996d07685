// SPDX-License-Identifier: Apache-2.0
#include "gravity.h"

#include <math.h>
#include <string.h>

int gravity_offset(const Gravity *gravity, double at, int whole, int size)
{
    int room = whole - size; /* below 0 when the stretch is padded, not cut */
    double start = gravity->focal && room > 0 ? at * whole - size / 2.0 : at * room;
    int offset = (int)floor(start + 0.5);
    return room > 0 ? VIPS_CLIP(0, offset, room) : VIPS_CLIP(room, offset, 0);
}

bool gravity_parse(const char *text, Gravity *gravity)
{
    static const struct {
        const char *name;
        Gravity gravity;
    } names[] = {
        {"center", {.x = 0.5, .y = 0.5}},
        {"centre", {.x = 0.5, .y = 0.5}},
        {"north", {.x = 0.5, .y = 0}},
        {"south", {.x = 0.5, .y = 1}},
        {"west", {.x = 0, .y = 0.5}},
        {"east", {.x = 1, .y = 0.5}},
        {"north-west", {.x = 0, .y = 0}},
        {"north-east", {.x = 1, .y = 0}},
        {"south-west", {.x = 0, .y = 1}},
        {"south-east", {.x = 1, .y = 1}},
        {"attention", {.smart = true, .interesting = VIPS_INTERESTING_ATTENTION}},
        {"entropy", {.smart = true, .interesting = VIPS_INTERESTING_ENTROPY}},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!strcmp(text, names[i].name)) {
            *gravity = names[i].gravity;
            return true;
        }
    }
    /* g_ascii_strtod, so that no locale turns the point into a comma. */
    char *end;
    double x = g_ascii_strtod(text, &end);
    if (end == text || *end != ',') return false;
    const char *second = end + 1;
    double y = g_ascii_strtod(second, &end);
    if (end == second || *end || !(x >= 0 && x <= 1) || !(y >= 0 && y <= 1)) return false;
    *gravity = (Gravity){.x = x, .y = y, .focal = true};
    return true;
}

int gravity_search(const Gravity *gravity, VipsImage *page, int width, int height, int *x, int *y)
{
    VipsImage *cut = NULL;
    if (vips_smartcrop(page, &cut, width, height, "interesting", gravity->interesting, NULL)) return -1;
    *x = -cut->Xoffset;
    *y = -cut->Yoffset;
    g_object_unref(cut);
    return 0;
}
