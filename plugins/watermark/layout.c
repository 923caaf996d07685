// SPDX-License-Identifier: Apache-2.0
#include "layout.h"

#include <math.h>
#include <string.h>

bool layout_gravity(const char *text, Anchor *anchor)
{
    static const struct {
        const char *name;
        Anchor anchor;
    } names[] = {
        {"north-west", {.x = 0, .y = 0}}, {"north", {.x = 0.5, .y = 0}},    {"north-east", {.x = 1, .y = 0}},
        {"west", {.x = 0, .y = 0.5}},     {"center", {.x = 0.5, .y = 0.5}}, {"centre", {.x = 0.5, .y = 0.5}},
        {"east", {.x = 1, .y = 0.5}},     {"south-west", {.x = 0, .y = 1}}, {"south", {.x = 0.5, .y = 1}},
        {"south-east", {.x = 1, .y = 1}},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        if (!strcmp(text, names[i].name)) {
            *anchor = names[i].anchor;
            return true;
        }
    }
    char *end;
    double x = g_ascii_strtod(text, &end);
    if (end == text || *end != ',') return false;
    const char *second = end + 1;
    double y = g_ascii_strtod(second, &end);
    if (end == second || *end != '\0') return false;
    if (!(x >= 0 && x <= 1 && y >= 0 && y <= 1)) return false;
    *anchor = (Anchor){.x = x, .y = y, .focal = true};
    return true;
}

double layout_px(PmLength length, const Canvas *canvas, double whole)
{
    return length.percent ? length.value * whole / 100 : length.value * canvas->ratio;
}

double layout_side(const Canvas *canvas)
{
    return canvas->width < canvas->height ? canvas->width : canvas->height;
}

double layout_margin(const Config *config, const Canvas *canvas)
{
    double side = layout_side(canvas);
    double margin = layout_px(config->margin, canvas, side);
    return margin > side / 4 ? side / 4 : margin;
}

double layout_fit(const Config *config, const Canvas *canvas, double width, double height, double degrees)
{
    double angle = degrees * G_PI / 180;
    double turned_width = fabs(width * cos(angle)) + fabs(height * sin(angle));
    double turned_height = fabs(width * sin(angle)) + fabs(height * cos(angle));
    double margin = layout_margin(config, canvas);
    double across = (canvas->width - 2 * margin) / turned_width;
    double down = (canvas->height - 2 * margin) / turned_height;
    double factor = across < down ? across : down;
    return factor < 1 ? factor : 1;
}

static double place(double at, bool focal, double whole, double margin, double size)
{
    double room = whole - 2 * margin - size;
    if (!focal) return margin + at * room;
    double start = at * whole - size / 2;
    return VIPS_CLIP(margin, start, margin + VIPS_MAX(0, room));
}

void layout_place(const Config *config, const Canvas *canvas, Anchor anchor, int width, int height, int *left, int *top)
{
    double margin = layout_margin(config, canvas);
    double x = place(anchor.x, anchor.focal, canvas->width, margin, width);
    double y = place(anchor.y, anchor.focal, canvas->height, margin, height);
    *left = (int)lround(x + layout_px(config->offset_x, canvas, canvas->width));
    *top = (int)lround(y + layout_px(config->offset_y, canvas, canvas->height));
}
