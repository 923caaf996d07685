// SPDX-License-Identifier: Apache-2.0
#include "resize.h"

#include "../common/background.h"

static const char *const fits[] = {"cover", "contain", "fill", "inside", "outside", NULL};
static const char *const kernels[] = {"nearest", "linear", "cubic", "mitchell", "lanczos2", "lanczos3", NULL};
static const char *const qualities[] = {"fast", "balanced", "best", NULL};

enum { SIDE_MAX = 16384 };

static const PmParam params[] = {
    PM_PARAM_INT(Config, width, "width", .min = 1, .max = SIDE_MAX, .unit = "px",
                 .doc = "Width of the result. With width alone the height follows from the picture's shape."),
    PM_PARAM_INT(Config, height, "height", .min = 1, .max = SIDE_MAX, .unit = "px",
                 .doc = "Height of the result. With height alone the width follows from the picture's shape."),
    PM_PARAM_NUMBER(Config, scale, "scale", .min = 0.001, .max = 100,
                    .doc = "Instead of width and height: the result as a share of the source, 0.5 for half of each "
                           "side. Above 1 it needs `enlarge: true`."),
    PM_PARAM_ENUM(Config, fit, "fit", .def = "cover", .choices = fits,
                  .doc =
                      "How the picture meets a box of width and height, when both are given. cover: fill the box and "
                      "cut off what hangs over. contain: the whole picture in the box, `background` around it. "
                      "fill: stretch to the box. inside: the largest size within the box. outside: the smallest "
                      "size that covers the box. Only fill changes the picture's shape."),
    PM_PARAM_STRING(Config, gravity, "gravity", .def = "center",
                    .doc =
                        "Which part cover keeps, or where contain puts the picture: center, north, north-east, east, "
                        "south-east, south, south-west, west, north-west; a focal point \"0.3,0.7\" as shares of "
                        "width and height from the top left; for cover also attention (skin, bright colours, "
                        "detail) and entropy (most detail). An animation is cut the same on all pages."),
    PM_PARAM_BOOL(Config, enlarge, "enlarge", .def = "false",
                  .doc = "Also make small pictures larger. When false, a picture is never scaled up: inside and "
                         "outside leave it as it is, contain puts it unscaled in the full box, and cover and fill give "
                         "the shape of the box as large as the picture allows."),
    PM_PARAM_ENUM(Config, kernel, "kernel", .def = "lanczos3", .choices = kernels,
                  .doc = "How pixels are mixed: lanczos3 is sharpest, mitchell and cubic softer with less ringing, "
                         "nearest keeps hard pixel edges."),
    PM_PARAM_ENUM(Config, quality, "quality", .def = "balanced", .choices = qualities,
                  .doc =
                      "How much of the source is decoded, where the format can decode at a fraction of its size: "
                      "fast at least the size needed, balanced at least twice that, best all of it. A JPEG is shrunk "
                      "while it is decoded only where still more remains than that."),
    PM_PARAM_COLOR(Config, background, "background", .def = "transparent",
                   .doc = "Colour of the bars of `fit: contain`. Transparent by default; formats without transparency "
                          "show convert's background there."),
};

typedef struct Resize {
    const PmHost *host;
    const Config *config;
    Gravity gravity;
} Resize;

static PmStatus check(const PmHost *host, PmJob *job, const Config *config, Gravity *gravity)
{
    if (config->scale > 0 && (config->width || config->height))
        return host->fail_param(job, "scale", "scale and width or height exclude each other");
    if (!(config->scale > 0) && !config->width && !config->height)
        return host->fail(job, PM_BAD_CONFIG, "needs width, height or scale");
    if (config->scale > 1 && !config->enlarge)
        return host->fail_param(job, "scale", "%g makes the picture larger, which needs enlarge: true", config->scale);
    if (!gravity_parse(config->gravity, gravity))
        return host->fail_param(job, "gravity",
                                "\"%s\" is neither center, a direction (north, north-east, ..), attention, entropy nor "
                                "a point such as \"0.3,0.7\"",
                                config->gravity);
    bool boxed = config->width && config->height;
    bool placed = boxed && (config->fit == FIT_COVER || config->fit == FIT_CONTAIN);
    bool centered = !gravity->smart && gravity->x == 0.5 && gravity->y == 0.5;
    if (!placed && !centered)
        return host->fail_param(job, "gravity", "needs fit: cover or contain with both width and height");
    if (gravity->smart && config->fit != FIT_COVER)
        return host->fail_param(job, "gravity", "%s chooses what to cut off, and needs fit: cover", config->gravity);
    if (config->background.a > 0 && !(boxed && config->fit == FIT_CONTAIN))
        return host->fail_param(job, "background", "needs fit: contain with both width and height");
    return PM_OK;
}

static PmStatus create(const PmHost *host, PmJob *job, const void *config, void **out)
{
    Gravity gravity = {0};
    PmStatus status = check(host, job, config, &gravity);
    if (status != PM_OK) return status;
    Resize *self = g_new0(Resize, 1);
    self->host = host;
    self->config = config;
    self->gravity = gravity;
    *out = self;
    return PM_OK;
}

static void destroy(void *self)
{
    g_free(self);
}

static bool is_smart(const Resize *self, const Geometry *g)
{
    return self->gravity.smart && (g->scaled_width != g->width || g->scaled_height != g->height);
}

/* A picture that the decoder shrinks to no less than these gives the quality asked for. What is enlarged is best
 * rendered at the very size, if it is a drawing; what is not needs no more than there is. */
static void plan_need(const Config *config, const PmShape *in, const Geometry *g, PmPlan *out)
{
    bool enlarged = g->scaled_width > in->width || g->scaled_height > in->height;
    if (config->kernel == 0 /* nearest: any other pixel would be another picture */) return;
    if (config->quality == QUALITY_BEST && !enlarged) return;
    int64_t times = config->quality == QUALITY_FAST || enlarged ? 1 : 2;
    out->need_width = (int32_t)MIN(times * g->scaled_width, enlarged ? VIPS_MAX_COORD : in->width);
    out->need_height = (int32_t)MIN(times * g->scaled_height, enlarged ? VIPS_MAX_COORD : in->height);
}

/* Where the result begins in the scaled picture; below 0 where there are bars. */
typedef struct Place {
    int x, y;
} Place;

static Place place_of(const Resize *self, const Geometry *g)
{
    return (Place){gravity_offset(&self->gravity, self->gravity.x, g->scaled_width, g->width),
                   gravity_offset(&self->gravity, self->gravity.y, g->scaled_height, g->height)};
}

/* What of the input the result shows. */
static PmFrame frame_of(const PmShape *in, const Geometry *g, Place place)
{
    return (PmFrame){.left = (double)place.x * in->width / g->scaled_width,
                     .top = (double)place.y * in->height / g->scaled_height,
                     .width = (double)g->width * in->width / g->scaled_width,
                     .height = (double)g->height * in->height / g->scaled_height};
}

/* Bars are more than a resample, and what gets larger apply() mixes in a way of its own. `kernels` are named in the
 * order of PmKernel. */
static void plan_resample(const Resize *self, const PmShape *in, const Geometry *g, PmResample *out)
{
    if (g->scaled_width > in->width || g->scaled_height > in->height) return;
    if (g->width > g->scaled_width || g->height > g->scaled_height) return;
    Place place = place_of(self, g);
    PmFrame frame = frame_of(in, g, place);
    *out = (PmResample){.left = frame.left,
                        .top = frame.top,
                        .width = frame.width,
                        .height = frame.height,
                        .kernel = (PmKernel)self->config->kernel};
}

static PmStatus plan(void *data, PmJob *job, const PmShape *in, PmPlan *out)
{
    enum { SMART_PIXELS_MAX = 100 * 1000 * 1000 };
    const Resize *self = data;
    const Config *config = self->config;
    Geometry g;
    if (!geometry_of(config, in->source_width, in->source_height, &g))
        return self->host->fail(job, PM_LIMIT, "a %d x %d picture would be scaled to more than %d px a side",
                                in->source_width, in->source_height, VIPS_MAX_COORD);

    bool scaled = g.scaled_width != in->source_width || g.scaled_height != in->source_height;
    bool boxed = g.scaled_width != g.width || g.scaled_height != g.height;
    if (!scaled && !boxed) {
        out->flags = PM_SKIP;
        out->need_width = out->need_height = 0;
        return PM_OK;
    }
    if (is_smart(self, &g)) {
        double pixels = (double)g.scaled_width * g.scaled_height * in->pages;
        if (pixels > SMART_PIXELS_MAX)
            return self->host->fail(job, PM_LIMIT,
                                    "gravity %s would look at %d x %d px of %d pages before cutting; the limit is 100 "
                                    "million",
                                    config->gravity, g.scaled_width, g.scaled_height, in->pages);
        out->flags = PM_EAGER | (in->pages > 1 ? (uint32_t)PM_ALL_PAGES : 0);
    } else {
        plan_resample(self, in, &g, &out->resample);
    }
    plan_need(config, in, &g, out);

    PmShape *shape = &out->out;
    shape->width = shape->source_width = g.width;
    shape->height = shape->source_height = g.height;
    if (boxed && config->fit == FIT_CONTAIN) background_shape(&config->background, shape);
    return PM_OK;
}

static VipsImage *fit_box(const Resize *self, VipsImage *scaled, const Geometry *g, Place place)
{
    if (scaled->Xsize == g->width && scaled->Ysize == g->height) return g_object_ref(scaled);
    if (self->config->fit == FIT_CONTAIN) return pixels_pad(scaled, g, &self->gravity, &self->config->background);
    VipsImage *out = NULL;
    return vips_crop(scaled, &out, place.x, place.y, g->width, g->height, NULL) ? NULL : out;
}

static PmStatus apply(void *data, PmJob *job, const PmShape *shape, VipsImage *in, VipsImage **out)
{
    const Resize *self = data;
    Geometry g;
    VipsImage *result = NULL;

    geometry_of(self->config, shape->source_width, shape->source_height, &g);
    Place place = place_of(self, &g);
    if (is_smart(self, &g)) {
        result = pixels_smart(in, &g, &self->gravity, self->config, &place.x, &place.y);
    } else {
        VipsImage *scaled = pixels_scale(in, g.scaled_width, g.scaled_height, self->config);
        if (scaled) result = fit_box(self, scaled, &g, place);
        g_clear_object(&scaled);
    }
    if (!result)
        return self->host->fail(job, PM_BAD_INPUT, "scaling %d x %d px to %d x %d", shape->width, shape->height,
                                g.width, g.height);
    PmFrame frame = frame_of(shape, &g, place);
    PmStatus status = self->host->set_frame(job, &frame);
    if (status == PM_OK)
        *out = result;
    else
        g_object_unref(result);
    return status;
}

static const char *const shorthand[] = {"width", "height", NULL};

static const PmTransform transform = {
    .name = "resize",
    .summary = "Scale a picture to a size, and cut or pad it to a shape.",
    PM_PARAMS(Config, params),
    .create = create,
    .destroy = destroy,
    .plan = plan,
    .apply = apply,
    .shorthand = shorthand,
};

PM_PLUGIN(transform, "1.0.0")
