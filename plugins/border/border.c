// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include <vips/vips.h>

#include <pixmill/plugin.h>

#include "../common/aspect.h"
#include "../common/background.h"
#include "../common/ink.h"
#include "corners.h"

enum { WIDTH_MAX = 4096 };

typedef struct Config {
    PmLength width, radius;
    PmColor color;
} Config;

static const PmParam params[] = {
    PM_PARAM_LENGTH(Config, width, "width", .def = "0", .min = 0, .max = WIDTH_MAX,
                    .doc = "Added at every edge: pixels, or percent of the picture's shorter side, at most 100%."),
    PM_PARAM_COLOR(Config, color, "color", .def = "black", .doc = "Colour of the border."),
    PM_PARAM_LENGTH(Config, radius, "radius", .def = "0", .min = 0, .max = 100 * 1000,
                    .doc = "Radius of the result's corners, which become transparent: pixels, or percent of its "
                           "shorter side. 50% makes a disc of a square. Formats without transparency show convert's "
                           "background there."),
};

typedef struct Border {
    const PmHost *host;
    const Config *config;
} Border;

static PmStatus check(const PmHost *host, PmJob *job, const Config *config)
{
    if (!(config->width.value > 0) && !(config->radius.value > 0))
        return host->fail(job, PM_BAD_CONFIG, "needs width or radius");
    if (config->width.percent && config->width.value > 100)
        return host->fail_param(job, "width", "%g%% is more than 100%%", config->width.value);
    if (config->radius.percent && config->radius.value > 50)
        return host->fail_param(job, "radius", "%g%% is more than 50%%, where opposite corners meet",
                                config->radius.value);
    return PM_OK;
}

static PmStatus create(const PmHost *host, PmJob *job, const void *config, void **out)
{
    PmStatus status = check(host, job, config);
    if (status != PM_OK) return status;
    Border *self = g_new0(Border, 1);
    self->host = host;
    self->config = config;
    *out = self;
    return PM_OK;
}

static void destroy(void *self)
{
    g_free(self);
}

/* ------------------------------------------------------------------ geometry */

/* All px of the picture at hand. */
typedef struct Frame {
    int x, y; /* added on the left and right, above and below: they differ by what the decoder rounded */
    double radius;
} Frame;

/* Of the full-size picture. */
static int full_width(const Config *config, const PmShape *in)
{
    return length_px(config->width, MIN(in->source_width, in->source_height), 0);
}

static Frame frame_of(const Config *config, const PmShape *in)
{
    int width = full_width(config, in);
    Frame frame = {.x = scale_px(width, in->source_width, in->width),
                   .y = scale_px(width, in->source_height, in->height)};
    double shorter = MIN(in->width + 2 * frame.x, in->height + 2 * frame.y);
    double ratio = (double)in->width / in->source_width;
    double radius = config->radius.percent ? shorter * config->radius.value / 100 : config->radius.value * ratio;
    frame.radius = fmin(radius, shorter / 2);
    return frame;
}

/* ------------------------------------------------------------------ plan */

static PmStatus plan(void *data, PmJob *job, const PmShape *in, PmPlan *out)
{
    const Border *self = data;
    const Config *config = self->config;
    PmShape *shape = &out->out;
    int full = full_width(config, in);
    Frame frame = frame_of(config, in);
    (void)job;
    out->need_width = out->need_height = 0;
    if (full == 0 && !(config->radius.value > 0)) { /* a percentage of a few pixels */
        out->flags = PM_SKIP;
        return PM_OK;
    }
    shape->width += 2 * frame.x;
    shape->height += 2 * frame.y;
    shape->source_width += 2 * full;
    shape->source_height += 2 * full;
    if (full > 0) background_shape(&config->color, shape);
    if (config->radius.value > 0 && !shape->has_alpha) {
        shape->has_alpha = true;
        shape->bands++;
    }
    return PM_OK;
}

/* ------------------------------------------------------------------ apply */

/* `in` on the border's colour; its own corners follow those of the result. */
static int frame_in(VipsObject *owner, VipsImage *in, const Config *config, const Frame *frame, VipsImage **out)
{
    VipsImage **t = (VipsImage **)vips_object_local_array(owner, 4);
    double inner = frame->radius - MIN(frame->x, frame->y);
    int result = -1;
    VipsArrayDouble *ink = ink_of(&config->color, in, in->Bands);
    int count = 0;
    double *values = vips_array_double_get(ink, &count);
    int width = in->Xsize + 2 * frame->x, height = in->Ysize + 2 * frame->y;
    if (vips_embed(in, &t[0], frame->x, frame->y, width, height, "extend", VIPS_EXTEND_BACKGROUND, "background", ink,
                   NULL))
        goto out;
    if (inner <= 0) {
        result = vips_copy(t[0], out, NULL);
    } else if ((t[1] = corners_mask(in->Xsize, in->Ysize, inner)) != NULL &&
               !vips_embed(t[1], &t[2], frame->x, frame->y, width, height, NULL) &&
               (t[3] = vips_image_new_from_image(t[0], values, count)) != NULL) {
        result = vips_ifthenelse(t[2], t[0], t[3], out, "blend", TRUE, NULL);
    }
out:
    vips_area_unref(VIPS_AREA(ink));
    return result;
}

/* Transparent outside of the corners. */
static int round_off(VipsObject *owner, VipsImage *in, double radius, VipsImage **out)
{
    VipsImage **t = (VipsImage **)vips_object_local_array(owner, 7);
    VipsImage *with = in;
    if (!vips_image_hasalpha(in)) {
        if (vips_addalpha(in, &t[0], NULL)) return -1;
        with = t[0];
    }
    t[1] = corners_mask(in->Xsize, in->Ysize, radius);
    return t[1] == NULL || vips_extract_band(with, &t[2], 0, "n", with->Bands - 1, NULL) ||
                   vips_extract_band(with, &t[3], with->Bands - 1, NULL) || vips_multiply(t[3], t[1], &t[4], NULL) ||
                   vips_linear1(t[4], &t[5], 1 / 255.0, 0.5, NULL) || vips_cast(t[5], &t[6], in->BandFmt, NULL) ||
                   vips_bandjoin2(t[2], t[6], out, NULL)
               ? -1
               : 0;
}

static PmStatus apply(void *data, PmJob *job, const PmShape *shape, VipsImage *in, VipsImage **out)
{
    const Border *self = data;
    const Config *config = self->config;
    VipsObject *owner = VIPS_OBJECT(vips_image_new());
    VipsImage **t = (VipsImage **)vips_object_local_array(owner, 2);
    Frame frame = frame_of(config, shape);
    VipsImage *framed = in;
    int result = 0;
    if (full_width(config, shape) > 0) {
        t[0] = background_prepare(in, &config->color);
        result = t[0] == NULL ? -1 : frame_in(owner, t[0], config, &frame, &t[1]);
        framed = t[1];
    }
    if (!result)
        result = config->radius.value > 0 ? round_off(owner, framed, frame.radius, out) : vips_copy(framed, out, NULL);
    g_object_unref(owner);
    if (result)
        return self->host->fail(job, PM_BAD_INPUT, "a border of %d px around %d x %d", frame.x, shape->width,
                                shape->height);
    PmFrame shown = {
        .left = -frame.x, .top = -frame.y, .width = shape->width + 2 * frame.x, .height = shape->height + 2 * frame.y};
    PmStatus status = self->host->set_frame(job, &shown);
    if (status != PM_OK) g_clear_object(out);
    return status;
}

static const char *const shorthand[] = {"width", NULL};

static const PmTransform transform = {
    .name = "border",
    .summary = "Put a border around the picture, and round its corners.",
    PM_PARAMS(Config, params),
    .create = create,
    .destroy = destroy,
    .plan = plan,
    .apply = apply,
    .shorthand = shorthand,
};

PM_PLUGIN(transform, "1.0.0")
