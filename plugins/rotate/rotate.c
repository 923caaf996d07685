// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include <vips/vips.h>

#include <pixmill/plugin.h>

#include "../common/background.h"
#include "pixels.h"

enum { FLIP_NONE, FLIP_HORIZONTAL, FLIP_VERTICAL, FLIP_BOTH };

static const char *const flips[] = {"none", "horizontal", "vertical", "both", NULL};

typedef struct Config {
    double angle;
    int32_t flip;
    PmColor background;
} Config;

static const PmParam params[] = {
    PM_PARAM_NUMBER(Config, angle, "angle", .def = "0", .min = -360, .max = 360, .unit = "degrees",
                    .doc =
                        "Turned clockwise by this; negative: counter-clockwise. Multiples of 90 move the pixels as "
                        "they are; any other angle mixes them anew, and the result is as large as the turned picture "
                        "needs. The orientation that a camera noted has been applied before."),
    PM_PARAM_ENUM(Config, flip, "flip", .def = "none", .choices = flips,
                  .doc = "Mirrored after it is turned. horizontal: left and right change places. vertical: top and "
                         "bottom do."),
    PM_PARAM_COLOR(Config, background, "background", .def = "transparent",
                   .doc = "Colour of the corners at an angle that is not a multiple of 90. Transparent by default; "
                          "formats without transparency show convert's background there."),
};

typedef struct Rotate {
    const PmHost *host;
    const Config *config;
    double angle; /* 0 <= angle < 360 */
    int quarters; /* clockwise, 0, 1 or 3; -1: the angle is not a multiple of 90 */
    int flip;     /* a half turn is one both ways */
} Rotate;

/* ------------------------------------------------------------------ create */

static PmStatus check(const PmHost *host, PmJob *job, const Config *config, int quarters)
{
    if (config->angle == 0 && config->flip == FLIP_NONE)
        return host->fail(job, PM_BAD_CONFIG, "needs an angle other than 0, or flip");
    if (config->background.a > 0 && quarters >= 0)
        return host->fail_param(job, "background", "shows only at an angle that is not a multiple of 90");
    return PM_OK;
}

static PmStatus create(const PmHost *host, PmJob *job, const void *data, void **out)
{
    const Config *config = data;
    double angle = fmod(config->angle, 360);
    if (angle < 0) angle += 360;
    int quarters = fmod(angle, 90) == 0 ? (int)(angle / 90) % 4 : -1;
    PmStatus status = check(host, job, config, quarters);
    if (status != PM_OK) return status;
    Rotate *self = g_new0(Rotate, 1);
    self->host = host;
    self->config = config;
    self->angle = angle;
    self->quarters = quarters == 2 ? 0 : quarters;
    self->flip = quarters == 2 ? FLIP_BOTH - config->flip : config->flip;
    *out = self;
    return PM_OK;
}

static void destroy(void *self)
{
    g_free(self);
}

/* ------------------------------------------------------------------ plan */

/* The smallest box around a turned one; what sticks out by less than a thousandth of a pixel does not count. */
static void turned_size(double degrees, int width, int height, int *turned_width, int *turned_height)
{
    double angle = degrees * G_PI / 180, c = fabs(cos(angle)), s = fabs(sin(angle)), slack = 1e-3;
    *turned_width = MAX(1, (int)ceil(width * c + height * s - slack));
    *turned_height = MAX(1, (int)ceil(width * s + height * c - slack));
}

static PmStatus plan(void *data, PmJob *job, const PmShape *in, PmPlan *out)
{
    const Rotate *self = data;
    PmShape *shape = &out->out;
    (void)job;
    /* As much of it as what follows needs of the result. */
    out->need_width = out->need_height = 0;
    if (self->quarters == 0 && self->flip == FLIP_NONE) {
        out->flags = PM_SKIP;
        return PM_OK;
    }
    /* Rows stay in their order only where left and right change places and nothing else. */
    if (self->quarters != 0 || self->flip != FLIP_HORIZONTAL) out->flags = PM_RANDOM;
    if (self->quarters >= 0) {
        if (self->quarters == 0) return PM_OK;
        *shape = *in;
        shape->width = in->height;
        shape->height = in->width;
        shape->source_width = in->source_height;
        shape->source_height = in->source_width;
        return PM_OK;
    }
    turned_size(self->angle, in->width, in->height, &shape->width, &shape->height);
    turned_size(self->angle, in->source_width, in->source_height, &shape->source_width, &shape->source_height);
    background_shape(&self->config->background, shape);
    return PM_OK;
}

/* ------------------------------------------------------------------ apply */

static VipsImage *turn(const Rotate *self, VipsImage *in)
{
    VipsImage *out = NULL;
    if (self->quarters == 0) return g_object_ref(in);
    if (self->quarters > 0)
        return vips_rot(in, &out, self->quarters == 1 ? VIPS_ANGLE_D90 : VIPS_ANGLE_D270, NULL) ? NULL : out;
    VipsImage *prepared = background_prepare(in, &self->config->background);
    if (!prepared) return NULL;
    int width, height;
    turned_size(self->angle, in->Xsize, in->Ysize, &width, &height);
    out = pixels_turn(prepared, self->angle, width, height, &self->config->background);
    g_object_unref(prepared);
    return out;
}

static VipsImage *mirror(VipsImage *in, int flip)
{
    VipsImage *out = NULL;
    if (flip == FLIP_NONE) return g_object_ref(in);
    if (flip == FLIP_BOTH) return vips_rot(in, &out, VIPS_ANGLE_D180, NULL) ? NULL : out;
    VipsDirection direction = flip == FLIP_HORIZONTAL ? VIPS_DIRECTION_HORIZONTAL : VIPS_DIRECTION_VERTICAL;
    return vips_flip(in, &out, direction, NULL) ? NULL : out;
}

/* Mirrored top to bottom is half a turn, then left to right. */
static PmStatus set_frame(const Rotate *self, PmJob *job, const PmShape *shape)
{
    bool half = self->flip == FLIP_VERTICAL || self->flip == FLIP_BOTH;
    PmFrame frame = {.width = shape->width,
                     .height = shape->height,
                     .turns = (self->quarters + (half ? 2 : 0)) % 4,
                     .mirrored = self->flip == FLIP_HORIZONTAL || self->flip == FLIP_VERTICAL};
    return self->host->set_frame(job, &frame);
}

static PmStatus apply(void *data, PmJob *job, const PmShape *shape, VipsImage *in, VipsImage **out)
{
    const Rotate *self = data;
    VipsImage *turned = turn(self, in);
    VipsImage *result = turned ? mirror(turned, self->flip) : NULL;
    g_clear_object(&turned);
    if (!result)
        return self->host->fail(job, PM_BAD_INPUT, "turning %d x %d px by %g degrees", shape->width, shape->height,
                                self->angle);
    PmStatus status = self->quarters >= 0 ? set_frame(self, job, shape) : PM_OK;
    if (status == PM_OK)
        *out = result;
    else
        g_object_unref(result);
    return status;
}

static const char *const shorthand[] = {"angle", NULL};

static const PmTransform transform = {
    .name = "rotate",
    .summary = "Turn or mirror the picture.",
    PM_PARAMS(Config, params),
    .create = create,
    .destroy = destroy,
    .plan = plan,
    .apply = apply,
    .shorthand = shorthand,
};

PM_PLUGIN(transform, "1.0.0")
