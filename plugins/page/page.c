// SPDX-License-Identifier: Apache-2.0
//
// page: one page of an animation as a still picture, and how large a drawing is rendered.
//
//     - page: middle
//     - page: { dpi: 300 }
#include <math.h>
#include <string.h>

#include <vips/vips.h>

#include <pixmill/plugin.h>

#include "../common/scale.h"
#include "../common/weigh.h"

enum { SIDE_MAX = 16384, PAGE_MAX = 1000 * 1000 };
enum { SVG_DPI = 96, PDF_DPI = 72 }; /* CSS pixels and PDF's points in an inch: what is one pixel at scale 1 */

typedef struct Config {
    const char *page;
    double dpi, scale;
} Config;

static const PmParam params[] = {
    PM_PARAM_STRING(Config, page, "page", .def = "first",
                    .doc = "Which page of an animation: first, middle, last, or a number, counted from 0; the last one "
                           "where there are fewer. Of documents (PDF, TIFF) the first page is read, and no other."),
    PM_PARAM_NUMBER(Config, dpi, "dpi", .min = 1, .max = 2400, .unit = "pixels per inch",
                    .doc = "How finely a drawing is rendered: a PDF has 72 points in an inch, an SVG 96 pixels. "
                           "Pictures that are no drawings stay as they are."),
    PM_PARAM_NUMBER(Config, scale, "scale", .min = 0.01, .max = 100,
                    .doc = "The same as a factor: 2 renders a drawing at twice its own width and height."),
};

typedef enum Which { FIRST, MIDDLE, LAST, NUMBERED } Which;

typedef struct Page {
    const PmHost *host;
    const Config *config;
    Which which;
    int number;
} Page;

/* ------------------------------------------------------------------ create */

static bool parse(const char *text, Page *self)
{
    static const char *const names[] = {[FIRST] = "first", [MIDDLE] = "middle", [LAST] = "last"};
    for (int i = FIRST; i <= LAST; i++) {
        self->which = (Which)i;
        if (!strcmp(text, names[i])) return true;
    }
    char *end;
    self->which = NUMBERED;
    gint64 number = g_ascii_strtoll(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || number > PAGE_MAX) return false;
    self->number = (int)number;
    if (number == 0) self->which = FIRST;
    return true;
}

static PmStatus create(const PmHost *host, PmJob *job, const void *data, void **out)
{
    const Config *config = data;
    Page page = {.host = host, .config = config};
    if (!parse(config->page, &page))
        return host->fail_param(job, "page", "\"%s\" is neither first, middle, last nor a number from 0 to %d",
                                config->page, PAGE_MAX);
    if (config->dpi > 0 && config->scale > 0)
        return host->fail_param(job, "scale", "dpi and scale exclude each other: they say the same");
    Page *self = g_new(Page, 1);
    *self = page;
    *out = self;
    return PM_OK;
}

static void destroy(void *self)
{
    g_free(self);
}

/* ------------------------------------------------------------------ plan */

static double scale_of(const Page *self, PmJob *job)
{
    const Config *config = self->config;
    const char *format = self->host->fact(job, "format");
    bool svg = format != NULL && !strcmp(format, "svg"), pdf = format != NULL && !strcmp(format, "pdf");
    if (!svg && !pdf) return 1;
    if (config->dpi > 0) return config->dpi / (svg ? SVG_DPI : PDF_DPI);
    return config->scale > 0 ? config->scale : 1;
}

static int scaled(int side, double scale)
{
    return (int)fmin(fmax(1, floor(side * scale + 0.5)), G_MAXINT32);
}

static int index_of(const Page *self, int pages)
{
    switch (self->which) {
    case MIDDLE:
        return pages / 2;
    case LAST:
        return pages - 1;
    case NUMBERED:
        return MIN(self->number, pages - 1);
    default:
        return 0;
    }
}

static PmStatus plan(void *data, PmJob *job, const PmShape *in, PmPlan *out)
{
    const Page *self = data;
    double scale = scale_of(self, job);
    out->need_width = out->need_height = 0;
    if (scale != 1) {
        int width = scaled(in->source_width, scale), height = scaled(in->source_height, scale);
        if (width > SIDE_MAX || height > SIDE_MAX)
            return self->host->fail(job, PM_LIMIT, "%d x %d px is more than %d px a side; the drawing is %d x %d px",
                                    width, height, SIDE_MAX, in->source_width, in->source_height);
        out->out.width = out->out.source_width = out->need_width = width;
        out->out.height = out->out.source_height = out->need_height = height;
    }
    /* Asked again for the first page alone, it must not answer that it changes nothing: the others would not be cut
     * off. */
    out->out.pages = 1;
    if (self->which == FIRST)
        out->need_pages = 1;
    else if (in->pages > 1)
        out->flags = PM_ALL_PAGES;
    else if (out->out.width == in->width && out->out.height == in->height)
        out->flags = PM_SKIP;
    return PM_OK;
}

/* ------------------------------------------------------------------ apply */

typedef struct Size {
    int width, height;
} Size;

static int scale_drawing(VipsImage *in, VipsImage **out, const void *data)
{
    const Size *size = data;
    return scale_to(in, out, size->width, size->height, VIPS_KERNEL_LANCZOS3, 2.0);
}

static VipsImage *cut(const Page *self, VipsImage *in, const PmShape *shape)
{
    static const char *const of_animations[] = {
        VIPS_META_PAGE_HEIGHT, VIPS_META_N_PAGES, "delay", "gif-delay", "loop", "gif-loop"};
    bool stacked = self->which != FIRST && shape->pages > 1;
    int top = stacked ? index_of(self, shape->pages) * shape->height : 0;
    VipsImage *page = NULL, *own = NULL;
    if (vips_crop(in, &page, 0, top, shape->width, shape->height, NULL)) return NULL;
    if (vips_copy(page, &own, NULL)) own = NULL;
    g_object_unref(page);
    for (size_t i = 0; own != NULL && i < G_N_ELEMENTS(of_animations); i++) vips_image_remove(own, of_animations[i]);
    return own;
}

static PmStatus apply(void *data, PmJob *job, const PmShape *shape, VipsImage *in, VipsImage **out)
{
    const Page *self = data;
    double scale = scale_of(self, job);
    Size size = {shape->width, shape->height};
    if (scale != 1) size = (Size){scaled(shape->source_width, scale), scaled(shape->source_height, scale)};
    VipsImage *page = cut(self, in, shape);
    if (page != NULL && (size.width != page->Xsize || size.height != page->Ysize)) {
        *out = weigh_filter(page, scale_drawing, &size, false);
        g_object_unref(page);
    } else {
        *out = page;
    }
    if (*out == NULL) return self->host->fail(job, PM_BAD_INPUT, "cannot take that page");
    PmFrame whole = {.width = shape->width, .height = shape->height};
    PmStatus status = self->host->set_frame(job, &whole);
    if (status != PM_OK) g_clear_object(out);
    return status;
}

static const char *const shorthand[] = {"page", NULL};

static const PmTransform transform = {
    .name = "page",
    .summary = "Take one page of an animation, and render a drawing at another size.",
    PM_PARAMS(Config, params),
    .create = create,
    .destroy = destroy,
    .plan = plan,
    .apply = apply,
    .shorthand = shorthand,
};

PM_PLUGIN(transform, "1.0.0")
