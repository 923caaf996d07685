// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include "resize.h"

/* Result never below 1 px, whatever the aspect. */
static double round_px(double value)
{
    return fmax(1, floor(value + 0.5));
}

static int to_int(double value, bool *fits)
{
    if (value > VIPS_MAX_COORD) {
        *fits = false;
        return VIPS_MAX_COORD;
    }
    return (int)value;
}

/* The whole source scaled so that one side is the box's exactly, the other by aspect: the smaller scale puts it inside
 * the box, the larger one around it. */
static void scale_to_box(double sw, double sh, double bw, double bh, bool around, double *w, double *h)
{
    bool by_width = around ? bw / sw >= bh / sh : bw / sw <= bh / sh;
    *w = by_width ? bw : round_px(sw * bh / sh);
    *h = by_width ? round_px(sh * bw / sw) : bh;
}

bool geometry_of(const Config *config, int source_width, int source_height, Geometry *geometry)
{
    double sw = source_width, sh = source_height;
    double bw = (double)config->width, bh = (double)config->height;
    double w, h;
    bool fits = true;

    if (config->scale > 0) {
        w = bw = round_px(sw * config->scale);
        h = bh = round_px(sh * config->scale);
    } else if (bw <= 0 || bh <= 0) {
        double scale = bw > 0 ? bw / sw : bh / sh;
        if (scale > 1 && !config->enlarge) scale = 1;
        w = bw = bw > 0 && scale != 1 ? bw : round_px(sw * scale);
        h = bh = bh > 0 && scale != 1 ? bh : round_px(sh * scale);
    } else {
        bool around = config->fit == FIT_COVER || config->fit == FIT_OUTSIDE;
        double most = fmax(bw / sw, bh / sh), least = fmin(bw / sw, bh / sh);
        /* Without enlarging, cover and fill shrink their box until the source fills it: the shape that was asked for
         * survives, only smaller. */
        if (!config->enlarge && most > 1 && (config->fit == FIT_COVER || config->fit == FIT_FILL)) {
            bw = round_px(bw / most);
            bh = round_px(bh / most);
        }
        if (config->fit == FIT_FILL) {
            w = bw;
            h = bh;
        } else if (!config->enlarge && (around ? most : least) > 1) {
            w = sw;
            h = sh;
        } else {
            scale_to_box(sw, sh, bw, bh, around, &w, &h);
        }
        if (config->fit == FIT_INSIDE || config->fit == FIT_OUTSIDE) {
            bw = w;
            bh = h;
        }
    }
    geometry->scaled_width = to_int(w, &fits);
    geometry->scaled_height = to_int(h, &fits);
    geometry->width = to_int(bw, &fits);
    geometry->height = to_int(bh, &fits);
    return fits;
}
