/* SPDX-License-Identifier: Apache-2.0
 *
 * round-corners: makes the corners of a picture transparent, along a quarter of a circle.
 *
 *     - round-corners: { radius: 8%, corners: [top-left, top-right] }
 *
 * A whole plugin in the order in which it is best read: parameters, create, plan, pixels, apply, descriptor.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <vips/vips.h>

#include <pixmill/plugin.h>

/* --- parameters: a struct that the host fills in from the YAML, and the table that says how --- */

typedef struct {
    PmLength radius;
    PmList corners;
} Config;

static const char *const corner_names[] = {"top-left", "top-right", "bottom-left", "bottom-right", NULL};

static const PmParam params[] = {
    PM_PARAM_LENGTH(Config, radius, "radius", .def = "8%", .min = 0, .max = 10000,
                    .doc = "Radius of the corners: pixels, or percent of the shorter side. 50% makes a square a disc."),
    PM_PARAM_LIST(Config, corners, "corners", .def = "[top-left, top-right, bottom-left, bottom-right]", .min = 1,
                  .max = 4, .choices = corner_names, .doc = "Which corners to round."),
};

/* --- create: once per step of the pipeline --- */

typedef struct {
    const PmHost *host;   /* outlives us */
    const Config *config; /* so does this */
    bool rounded[4];      /* by index in corner_names */
} Self;

static PmStatus create(const PmHost *host, PmJob *job, const void *config, void **out)
{
    Self *self = calloc(1, sizeof *self);
    if (self == NULL) return host->fail(job, PM_LIMIT, "out of memory");
    self->host = host;
    self->config = config;

    /* The host has checked what the table says. What it cannot say is checked here, and blamed on the line of the
     * pipeline file where the value stands. */
    if (self->config->radius.percent && self->config->radius.value > 50) {
        free(self);
        return host->fail_param(job, "radius", "%g%% is more than 50%%, where opposite corners meet",
                                ((const Config *)config)->radius.value);
    }
    for (size_t i = 0; i < self->config->corners.count; i++)
        for (int c = 0; corner_names[c] != NULL; c++)
            if (strcmp(self->config->corners.items[i], corner_names[c]) == 0) self->rounded[c] = true;
    *out = self;
    return PM_OK;
}

static void destroy(void *self)
{
    free(self);
}

/* In pixels of a picture of this size. */
static double radius_px(const Config *config, int width, int height)
{
    double shorter = width < height ? width : height;
    double radius = config->radius.percent ? shorter * config->radius.value / 100 : config->radius.value;
    return fmin(radius, shorter / 2);
}

/* --- plan: what comes out, and what must go in; pure and cheap --- */

static PmStatus plan(void *data, PmJob *job, const PmShape *in, PmPlan *out)
{
    const Self *self = data;
    (void)job;

    /* `out->out` is preset to the input: say only what differs. */
    if (!in->has_alpha) {
        out->out.has_alpha = true;
        out->out.bands = in->bands + 1;
    }
    if (radius_px(self->config, in->width, in->height) == 0) {
        out->out = *in;
        out->flags |= PM_SKIP; /* nothing to do: leave this step out */
    }
    /* A radius in percent comes out the same from a smaller picture, so let the decoder shrink as far as the steps
     * after this one allow. A radius in pixels means pixels of the full picture: keep the preset. */
    if (self->config->radius.percent) out->need_width = out->need_height = 0;
    return PM_OK;
}

/* --- pixels --- */

typedef struct {
    double radius;
    bool rounded[4];
} Mask;

/* How much of the pixel at x, y lies inside the rounded picture, 0 to 1. */
static double coverage(const Mask *mask, int x, int y, int width, int height)
{
    bool right = x >= width - x - 1, bottom = y >= height - y - 1;
    if (!mask->rounded[(bottom ? 2 : 0) + (right ? 1 : 0)]) return 1;
    double dx = mask->radius - (right ? width - x - 0.5 : x + 0.5);
    double dy = mask->radius - (bottom ? height - y - 0.5 : y + 0.5);
    if (dx <= 0 || dy <= 0) return 1;
    double inside = mask->radius - hypot(dx, dy) + 0.5;
    return inside < 0 ? 0 : inside > 1 ? 1 : inside;
}

/* libvips calls this for one piece of the mask after another, when the picture is written. */
static int generate_mask(VipsRegion *out, void *sequence, void *a, void *b, gboolean *stop)
{
    const Mask *mask = b;
    const VipsRect *piece = &out->valid;
    (void)sequence, (void)a, (void)stop;
    for (int y = piece->top; y < piece->top + piece->height; y++) {
        float *p = (float *)VIPS_REGION_ADDR(out, piece->left, y);
        for (int x = piece->left; x < piece->left + piece->width; x++)
            *p++ = (float)coverage(mask, x, y, out->im->Xsize, out->im->Ysize);
    }
    return 0;
}

static VipsImage *new_mask(const Self *self, int width, int height)
{
    VipsImage *image = vips_image_new();
    /* Memory of the image's own: it lives as long as the image, which may be longer than apply(). */
    Mask *mask = VIPS_NEW(image, Mask);
    mask->radius = radius_px(self->config, width, height);
    memcpy(mask->rounded, self->rounded, sizeof mask->rounded);
    vips_image_init_fields(image, width, height, 1, VIPS_FORMAT_FLOAT, VIPS_CODING_NONE, VIPS_INTERPRETATION_B_W, 1, 1);
    if (vips_image_pipelinev(image, VIPS_DEMAND_STYLE_ANY, NULL) != 0 ||
        vips_image_generate(image, NULL, generate_mask, NULL, NULL, mask) != 0) {
        g_object_unref(image);
        return NULL;
    }
    return image;
}

/* --- apply: builds the operation; libvips computes it later, piece by piece --- */

static PmStatus apply(void *data, PmJob *job, const PmShape *shape, VipsImage *in, VipsImage **out)
{
    const Self *self = data;
    PmStatus status = PM_OK;

    /* `shape` is what plan() was asked about this picture; width and height are those of one page. */
    int width = shape->width, height = shape->height;

    /* One parent that owns all the images in between: unref it, and they go. */
    VipsImage *owner = vips_image_new();
    VipsImage **t = (VipsImage **)vips_object_local_array(VIPS_OBJECT(owner), 5);

    t[0] = new_mask(self, width, height);
    if (t[0] == NULL || (!shape->has_alpha && vips_addalpha(in, &t[1], NULL) != 0)) goto failed;
    VipsImage *source = t[1] != NULL ? t[1] : in;
    int colours = vips_image_get_bands(source) - 1;

    /* Keep the colours, multiply the alpha, put them together in the input's own number format. */
    if (vips_extract_band(source, &t[2], 0, "n", colours, NULL) != 0 ||
        vips_extract_band(source, &t[3], colours, NULL) != 0 || vips_multiply(t[3], t[0], &t[4], NULL) != 0)
        goto failed;
    VipsImage *alpha = NULL;
    if (vips_cast(t[4], &alpha, vips_image_get_format(in), NULL) != 0) goto failed;
    if (vips_bandjoin2(t[2], alpha, out, NULL) != 0) status = PM_BAD_INPUT;
    g_object_unref(alpha);
    if (status == PM_OK) goto done;

failed:
    /* libvips' own message is appended by the host. */
    status = self->host->fail(job, PM_BAD_INPUT, "cannot round the corners");
done:
    g_object_unref(owner);
    return status;
}

/* --- the descriptor --- */

static const PmTransform transform = {
    .name = "round-corners",
    .summary = "Make the corners transparent, along a quarter of a circle.",
    PM_PARAMS(Config, params),
    .create = create,
    .destroy = destroy,
    .plan = plan,
    .apply = apply,
};

PM_PLUGIN(transform, "1.0.0")
