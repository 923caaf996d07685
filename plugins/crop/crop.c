// SPDX-License-Identifier: Apache-2.0
#include <vips/vips.h>

#include <pixmill/plugin.h>

#include "../common/aspect.h"
#include "../common/gravity.h"

typedef struct Config {
    PmLength width, height;               /* 0: not given */
    const char *x, *y, *aspect, *gravity; /* NULL: not given. x, y are lengths, of which 0 is one */
} Config;

enum { LENGTH_MAX = 1000 * 1000 };

static const PmParam params[] = {
    PM_PARAM_LENGTH(Config, width, "width", .min = 0, .max = LENGTH_MAX,
                    .doc = "Width of what is kept: pixels, or percent of the picture's width. Not wider than the "
                           "picture; all of it when absent."),
    PM_PARAM_LENGTH(Config, height, "height", .min = 0, .max = LENGTH_MAX,
                    .doc = "Height of what is kept: pixels, or percent of the picture's height. Not higher than the "
                           "picture; all of it when absent."),
    PM_PARAM_STRING(Config, x, "x",
                    .doc = "Where it begins, from the left: pixels, or percent of the picture's width. Instead of "
                           "`gravity`."),
    PM_PARAM_STRING(Config, y, "y",
                    .doc = "Where it begins, from the top: pixels, or percent of the picture's height. Instead of "
                           "`gravity`."),
    PM_PARAM_STRING(Config, aspect, "aspect",
                    .doc = "Shape of what is kept, width by height: \"16:9\", \"1:1\", 1.5. The largest part of the "
                           "picture that has it; with width or height, the largest within them."),
    PM_PARAM_STRING(Config, gravity, "gravity",
                    .doc = "Which part is kept, where x or y does not say: center (when absent), north, north-east, "
                           "east, south-east, south, south-west, west, north-west; a focal point \"0.3,0.7\" as shares "
                           "of width and height from the top left; attention (skin, bright colours, detail) or entropy "
                           "(most detail). An animation is cut the same on all pages."),
};

typedef struct Crop {
    const PmHost *host;
    const Config *config;
    PmLength x, y; /* where the config gives them */
    double aspect; /* 0: any */
    Gravity gravity;
} Crop;

typedef struct Box {
    int left, top, width, height;
} Box;

/* ------------------------------------------------------------------ create */

static bool given(PmLength length)
{
    return length.value > 0;
}

static PmStatus check_side(const PmHost *host, PmJob *job, const char *name, PmLength length)
{
    if (!given(length)) return PM_OK;
    if (!length.percent && length.value < 1)
        return host->fail_param(job, name, "%g px is less than a pixel; a half of the picture is 50%%", length.value);
    if (length.percent && length.value > 100)
        return host->fail_param(job, name, "%g%% is more than the picture", length.value);
    return PM_OK;
}

static PmStatus check_place(const PmHost *host, PmJob *job, const char *name, const char *text, PmLength *place)
{
    if (text == NULL) return PM_OK;
    if (!length_parse(text, place) || place->value > LENGTH_MAX)
        return host->fail_param(job, name, "\"%s\" is not a length such as 12, 12px or 5%%", text);
    if (place->percent && place->value >= 100) return host->fail_param(job, name, "%s leaves nothing", text);
    return PM_OK;
}

static PmStatus check(Crop *self, PmJob *job)
{
    const PmHost *host = self->host;
    const Config *config = self->config;
    bool placed = config->x != NULL || config->y != NULL;
    PmStatus status = check_side(host, job, "width", config->width);
    if (status == PM_OK) status = check_side(host, job, "height", config->height);
    if (status == PM_OK) status = check_place(host, job, "x", config->x, &self->x);
    if (status == PM_OK) status = check_place(host, job, "y", config->y, &self->y);
    if (status != PM_OK) return status;
    if (!given(config->width) && !given(config->height) && config->aspect == NULL && !placed)
        return host->fail(job, PM_BAD_CONFIG, "needs width, height, aspect, x or y");
    if (config->aspect != NULL && !aspect_parse(config->aspect, &self->aspect))
        return host->fail_param(job, "aspect", "\"%s\" is not a shape such as \"16:9\" or 1.5, up to %d:1 or 1:%d",
                                config->aspect, ASPECT_MAX, ASPECT_MAX);
    if (!gravity_parse(config->gravity != NULL ? config->gravity : "center", &self->gravity))
        return host->fail_param(job, "gravity",
                                "\"%s\" is neither center, a direction (north, north-east, ..), attention, entropy nor "
                                "a point such as \"0.3,0.7\"",
                                config->gravity);
    if (config->gravity != NULL && placed)
        return host->fail_param(job, "gravity", "gravity and x or y exclude each other");
    return PM_OK;
}

static PmStatus create(const PmHost *host, PmJob *job, const void *config, void **out)
{
    Crop *self = g_new0(Crop, 1);
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

/* What is kept of a full-size picture. False when x or y lies outside of it. */
static bool find_box(const Crop *self, int whole_width, int whole_height, Box *box)
{
    const Config *config = self->config;
    int left = config->x != NULL ? length_px(self->x, whole_width, 0) : 0;
    int top = config->y != NULL ? length_px(self->y, whole_height, 0) : 0;
    if (left >= whole_width || top >= whole_height) return false;
    int width = whole_width - left, height = whole_height - top;
    if (given(config->width)) width = MIN(width, length_px(config->width, whole_width, 1));
    if (given(config->height)) height = MIN(height, length_px(config->height, whole_height, 1));
    if (self->aspect > 0) {
        double wide = height * self->aspect, high = width / self->aspect;
        if (wide < width)
            width = MAX(1, (int)(wide + 0.5));
        else
            height = MAX(1, MIN(height, (int)(high + 0.5)));
    }
    if (config->x == NULL) left = gravity_offset(&self->gravity, self->gravity.x, whole_width, width);
    if (config->y == NULL) top = gravity_offset(&self->gravity, self->gravity.y, whole_height, height);
    *box = (Box){left, top, width, height};
    return true;
}

/* A stretch of the full-size side in pixels of the side at hand: both ends rounded, at least a pixel. */
static void scale_stretch(int *start, int *length, int full, int have)
{
    int end = scale_px(*start + *length, full, have);
    int from = MIN(scale_px(*start, full, have), have - 1);
    *start = from;
    *length = MAX(1, end - from);
}

/* The same box in the picture at hand, which the decoder may have shrunk. */
static Box scale_box(Box box, const PmShape *in)
{
    scale_stretch(&box.left, &box.width, in->source_width, in->width);
    scale_stretch(&box.top, &box.height, in->source_height, in->height);
    return box;
}

/* ------------------------------------------------------------------ plan */

static PmStatus plan(void *data, PmJob *job, const PmShape *in, PmPlan *out)
{
    const Crop *self = data;
    Box full;
    if (!find_box(self, in->source_width, in->source_height, &full))
        return self->host->fail(job, PM_BAD_INPUT, "x and y lie outside the picture of %d x %d px", in->source_width,
                                in->source_height);
    /* Whatever follows needs of the part, in the whole's proportion. */
    out->need_width = out->need_height = 0;
    if (full.width == in->source_width && full.height == in->source_height) {
        out->flags = PM_SKIP;
        return PM_OK;
    }
    Box box = scale_box(full, in);
    out->out.width = box.width;
    out->out.height = box.height;
    out->out.source_width = full.width;
    out->out.source_height = full.height;
    /* A search reads the picture before the part that it finds is read again. */
    if (self->gravity.smart)
        out->flags = PM_RANDOM | PM_EAGER | (in->pages > 1 ? (uint32_t)PM_ALL_PAGES : 0);
    else
        out->resample = (PmResample){box.left, box.top, box.width, box.height, PM_KERNEL_NEAREST, 0};
    return PM_OK;
}

/* ------------------------------------------------------------------ apply */

static VipsImage *crop_pages(VipsImage *in, const PmShape *shape, const Box *box)
{
    if (in->Ysize == shape->height) {
        VipsImage *out = NULL;
        return vips_crop(in, &out, box->left, box->top, box->width, box->height, NULL) ? NULL : out;
    }
    int count = in->Ysize / shape->height;
    VipsImage **pages = g_new0(VipsImage *, (size_t)count);
    VipsImage *joined = NULL, *out = NULL;
    bool good = true;
    for (int i = 0; good && i < count; i++)
        good = !vips_crop(in, &pages[i], box->left, i * shape->height + box->top, box->width, box->height, NULL);
    if (good && !vips_arrayjoin(pages, &joined, count, "across", 1, NULL) && !vips_copy(joined, &out, NULL))
        vips_image_set_int(out, VIPS_META_PAGE_HEIGHT, box->height);
    g_clear_object(&joined);
    for (int i = 0; i < count; i++) g_clear_object(&pages[i]);
    g_free(pages);
    return out;
}

/* On the first page, for all of them. */
static bool search(const Crop *self, const PmShape *shape, VipsImage *in, Box *box)
{
    VipsImage *page = NULL;
    bool found = !vips_crop(in, &page, 0, 0, shape->width, shape->height, NULL) &&
                 !gravity_search(&self->gravity, page, box->width, box->height, &box->left, &box->top);
    g_clear_object(&page);
    return found;
}

static PmStatus apply(void *data, PmJob *job, const PmShape *shape, VipsImage *in, VipsImage **out)
{
    const Crop *self = data;
    Box box = {0};
    find_box(self, shape->source_width, shape->source_height, &box); /* as plan() did, for this very shape */
    box = scale_box(box, shape);
    VipsImage *result = NULL;
    if (!self->gravity.smart || search(self, shape, in, &box)) result = crop_pages(in, shape, &box);
    if (!result)
        return self->host->fail(job, PM_BAD_INPUT, "cutting %d x %d px out of %d x %d", box.width, box.height,
                                shape->width, shape->height);
    PmFrame frame = {.left = box.left, .top = box.top, .width = box.width, .height = box.height};
    PmStatus status = self->host->set_frame(job, &frame);
    if (status == PM_OK)
        *out = result;
    else
        g_object_unref(result);
    return status;
}

static const char *const shorthand[] = {"width", "height", NULL};

static const PmTransform transform = {
    .name = "crop",
    .summary = "Cut a part out of the picture.",
    PM_PARAMS(Config, params),
    .create = create,
    .destroy = destroy,
    .plan = plan,
    .apply = apply,
    .shorthand = shorthand,
};

PM_PLUGIN(transform, "1.0.0")
