// SPDX-License-Identifier: Apache-2.0
#include "layout.h"

#include <math.h>

#include "../common/gravity.h"

bool layout_gravity(const char *text, Anchor *anchor)
{
    Gravity gravity;
    if (!gravity_parse(text, &gravity) || gravity.smart) return false;
    *anchor = (Anchor){.x = gravity.x, .y = gravity.y, .focal = gravity.focal};
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
