// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include <vips/vips.h>

#include <pixmill/plugin.h>

#include "../common/aspect.h"
#include "../common/background.h"
#include "../common/gravity.h"
#include "pixels.h"

enum { FILL_COLOR, FILL_EDGE, FILL_MIRROR, FILL_BLUR };

static const char *const fills[] = {"color", "edge", "mirror", "blur", NULL};

enum { SIDE_MAX = 16384 };

typedef struct Config {
    PmLength width, height; /* 0: not given */
    PmLength top, right, bottom, left;
    const char *aspect, *gravity; /* NULL: not given */
    int32_t fill;
    PmColor background;
} Config;

static const PmParam params[] = {
    PM_PARAM_LENGTH(Config, width, "width", .min = 0, .max = SIDE_MAX,
                    .doc = "Width of the result: pixels, or percent of the picture's width. A wider picture stays as "
                           "it is: nothing is cut off."),
    PM_PARAM_LENGTH(Config, height, "height", .min = 0, .max = SIDE_MAX,
                    .doc = "Height of the result: pixels, or percent of the picture's height. A higher picture stays "
                           "as it is."),
    PM_PARAM_LENGTH(Config, top, "top", .def = "0", .min = 0, .max = SIDE_MAX,
                    .doc = "Added above: pixels, or percent of the picture's height."),
    PM_PARAM_LENGTH(Config, right, "right", .def = "0", .min = 0, .max = SIDE_MAX,
                    .doc = "Added on the right: pixels, or percent of the picture's width."),
    PM_PARAM_LENGTH(Config, bottom, "bottom", .def = "0", .min = 0, .max = SIDE_MAX,
                    .doc = "Added below: pixels, or percent of the picture's height."),
    PM_PARAM_LENGTH(Config, left, "left", .def = "0", .min = 0, .max = SIDE_MAX,
                    .doc = "Added on the left: pixels, or percent of the picture's width."),
    PM_PARAM_STRING(Config, aspect, "aspect",
                    .doc = "Shape of the result, width by height: \"16:9\", \"1:1\", 1.5. What lacks of it is added "
                           "after all else."),
    PM_PARAM_STRING(Config, gravity, "gravity",
                    .doc = "Where the picture lies in what width, height and aspect ask for: center (when absent), "
                           "north, north-east, east, south-east, south, south-west, west, north-west; or shares of the "
                           "room left and above it, \"0.3,0.7\"."),
    PM_PARAM_ENUM(Config, fill, "fill", .def = "color", .choices = fills,
                  .doc = "What shows around the picture. color: `background`. edge: its outermost pixels, drawn out. "
                         "mirror: its reflection. blur: itself, enlarged and blurred."),
    PM_PARAM_COLOR(Config, background, "background", .def = "transparent",
                   .doc = "Colour of `fill: color`. Transparent by default; formats without transparency show "
                          "convert's background there."),
};

typedef struct Pad {
    const PmHost *host;
    const Config *config;
    double aspect; /* 0: any */
    Gravity gravity;
} Pad;

/* ------------------------------------------------------------------ create */

static bool given(PmLength length)
{
    return length.value > 0;
}

static PmStatus check(Pad *self, PmJob *job)
{
    const PmHost *host = self->host;
    const Config *config = self->config;
    bool sized = given(config->width) || given(config->height) || config->aspect != NULL;
    bool margins =
        config->top.value > 0 || config->right.value > 0 || config->bottom.value > 0 || config->left.value > 0;
    if (!sized && !margins)
        return host->fail(job, PM_BAD_CONFIG, "needs width, height, aspect, top, right, bottom or left");
    if (config->aspect != NULL && !aspect_parse(config->aspect, &self->aspect))
        return host->fail_param(job, "aspect", "\"%s\" is not a shape such as \"16:9\" or 1.5, up to %d:1 or 1:%d",
                                config->aspect, ASPECT_MAX, ASPECT_MAX);
    if (!gravity_parse(config->gravity != NULL ? config->gravity : "center", &self->gravity) || self->gravity.smart)
        return host->fail_param(job, "gravity",
                                "\"%s\" is neither center, a direction (north, north-east, ..) nor a point such as "
                                "\"0.3,0.7\"",
                                config->gravity);
    if (config->gravity != NULL && !sized) return host->fail_param(job, "gravity", "needs width, height or aspect");
    if (config->background.a > 0 && config->fill != FILL_COLOR)
        return host->fail_param(job, "background", "needs fill: color");
    return PM_OK;
}

static PmStatus create(const PmHost *host, PmJob *job, const void *config, void **out)
{
    Pad *self = g_new0(Pad, 1);
    self->host = host;
    self->config = config;
    PmStatus status = check(self, job);
    if (status != PM_OK) {
        g_free(self);
        return status;
    }
    *out = self;
    return PM_OK;
}

static void destroy(void *self)
{
    g_free(self);
}

/* ------------------------------------------------------------------ geometry */

/* A side of the full-size picture: what is added before it, and how long the result is. */
typedef struct Side {
    double before, whole; /* whole px; doubles, so that nothing asked for is too large to say */
} Side;

static Side add_margins(PmLength before, PmLength after, PmLength least, int side)
{
    Side result = {.before = length_px(before, side, 0)};
    result.whole = result.before + side + length_px(after, side, 0);
    if (given(least)) result.whole = fmax(result.whole, length_px(least, side, 0));
    return result;
}

/* Half a pixel is decided as in resize's `contain`. */
static void place(Side *side, const Gravity *gravity, double at, double least)
{
    side->before += -gravity_offset(gravity, at, (int)least, (int)side->whole);
}

static bool find_canvas(const Pad *self, int width, int height, Canvas *canvas)
{
    const Config *config = self->config;
    PmLength none = {0};
    double most = MAX(SIDE_MAX, MAX(width, height));
    double least_width = add_margins(config->left, config->right, none, width).whole;
    double least_height = add_margins(config->top, config->bottom, none, height).whole;
    Side x = add_margins(config->left, config->right, config->width, width);
    Side y = add_margins(config->top, config->bottom, config->height, height);
    if (self->aspect > 0 && x.whole < y.whole * self->aspect)
        x.whole = fmax(x.whole, floor(y.whole * self->aspect + 0.5));
    else if (self->aspect > 0)
        y.whole = fmax(y.whole, floor(x.whole / self->aspect + 0.5));
    *canvas = (Canvas){0, 0, (int)fmin(x.whole, G_MAXINT32), (int)fmin(y.whole, G_MAXINT32)};
    if (x.whole > most || y.whole > most) return false;
    place(&x, &self->gravity, self->gravity.x, least_width);
    place(&y, &self->gravity, self->gravity.y, least_height);
    canvas->left = (int)x.before;
    canvas->top = (int)y.before;
    return true;
}

/* Around the picture at hand, which the decoder may have shrunk: what is added shrinks alike. */
static Canvas scale_canvas(const Canvas *full, const PmShape *in)
{
    int right = full->width - full->left - in->source_width, bottom = full->height - full->top - in->source_height;
    Canvas canvas = {.left = scale_px(full->left, in->source_width, in->width),
                     .top = scale_px(full->top, in->source_height, in->height)};
    canvas.width = canvas.left + in->width + scale_px(right, in->source_width, in->width);
    canvas.height = canvas.top + in->height + scale_px(bottom, in->source_height, in->height);
    return canvas;
}

/* ------------------------------------------------------------------ plan, apply */

static PmStatus plan(void *data, PmJob *job, const PmShape *in, PmPlan *out)
{
    const Pad *self = data;
    const Config *config = self->config;
    Canvas full;
    if (!find_canvas(self, in->source_width, in->source_height, &full))
        return self->host->fail(job, PM_LIMIT,
                                "a %d x %d picture would be padded to %d x %d px; the limit is %d a side",
                                in->source_width, in->source_height, full.width, full.height, SIDE_MAX);
    out->need_width = out->need_height = 0;
    if (full.width == in->source_width && full.height == in->source_height) {
        out->flags = PM_SKIP;
        return PM_OK;
    }
    Canvas canvas = scale_canvas(&full, in);
    out->out.width = canvas.width;
    out->out.height = canvas.height;
    out->out.source_width = full.width;
    out->out.source_height = full.height;
    if (config->fill == FILL_COLOR)
        background_shape(&config->background, &out->out);
    else
        out->flags = PM_RANDOM;
    if (config->fill == FILL_BLUR) out->flags |= PM_EAGER;
    return PM_OK;
}

static VipsImage *fill(const Config *config, VipsImage *in, const Canvas *canvas)
{
    switch (config->fill) {
    case FILL_EDGE:
        return pixels_extend(in, canvas, VIPS_EXTEND_COPY);
    case FILL_MIRROR:
        return pixels_extend(in, canvas, VIPS_EXTEND_MIRROR);
    case FILL_BLUR:
        return pixels_on_blur(in, canvas);
    default:
        return pixels_on_colour(in, canvas, &config->background);
    }
}

static PmStatus apply(void *data, PmJob *job, const PmShape *shape, VipsImage *in, VipsImage **out)
{
    const Pad *self = data;
    Canvas canvas;
    find_canvas(self, shape->source_width, shape->source_height, &canvas); /* as plan() did, for this very shape */
    canvas = scale_canvas(&canvas, shape);
    VipsImage *result = fill(self->config, in, &canvas);
    if (!result)
        return self->host->fail(job, PM_BAD_INPUT, "padding %d x %d px to %d x %d", shape->width, shape->height,
                                canvas.width, canvas.height);
    PmFrame frame = {.left = -canvas.left, .top = -canvas.top, .width = canvas.width, .height = canvas.height};
    PmStatus status = self->host->set_frame(job, &frame);
    if (status == PM_OK)
        *out = result;
    else
        g_object_unref(result);
    return status;
}

static const char *const shorthand[] = {"width", "height", NULL};

static const PmTransform transform = {
    .name = "pad",
    .summary = "Add room around the picture.",
    PM_PARAMS(Config, params),
    .create = create,
    .destroy = destroy,
    .plan = plan,
    .apply = apply,
    .shorthand = shorthand,
};

PM_PLUGIN(transform, "1.0.0")
