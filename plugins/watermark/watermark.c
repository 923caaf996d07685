// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "asset.h"
#include "pixels.h"
#include "stamp.h"

/* A stamp up to this size is kept for the next job: most pictures of a bucket are of few sizes. */
enum { KEEP_BYTES = 4 * 1024 * 1024 };

/* The last stamp, and all that it depends on. Compared by value, so that it serves all pages of an animation, and
 * a later job with the same needs, and never a job with others. */
typedef struct Cache {
    Canvas canvas;
    bool grey, deep;
    char *text;      /* NULL with an image */
    GBytes *profile; /* NULL: none */
    VipsImage *stamp;
} Cache;

typedef struct Watermark {
    const PmHost *host;
    const Config *config;
    Anchor anchor;
    VipsImage *asset; /* 8-bit RGBA, or NULL with a text */
    Face face;
    bool grey; /* the watermark has no colour, so that a grey picture stays grey */
    Cache cache;
} Watermark;

static const char *const aligns[] = {"left", "center", "right", NULL};

/* In the order of `modes`. */
static const char *const blends[] = {"over",       "atop",   "multiply", "screen",     "overlay", "soft-light",
                                     "hard-light", "darken", "lighten",  "difference", NULL};
static const VipsBlendMode modes[] = {
    VIPS_BLEND_MODE_OVER,    VIPS_BLEND_MODE_ATOP,       VIPS_BLEND_MODE_MULTIPLY,   VIPS_BLEND_MODE_SCREEN,
    VIPS_BLEND_MODE_OVERLAY, VIPS_BLEND_MODE_SOFT_LIGHT, VIPS_BLEND_MODE_HARD_LIGHT, VIPS_BLEND_MODE_DARKEN,
    VIPS_BLEND_MODE_LIGHTEN, VIPS_BLEND_MODE_DIFFERENCE,
};

static const PmParam params[] = {
    PM_PARAM_ASSET(Config, image, "image", .doc = "The picture to put on: PNG, WebP or JPEG. This or `text`."),
    PM_PARAM_STRING(Config, text, "text", .flags = PM_TEMPLATE,
                    .doc = "The text to put on; {facts} are filled in for every image, for instance {stem}. Several "
                           "lines are allowed. A text with facts is drawn in `font` alone: choose one that has the "
                           "characters to come."),
    PM_PARAM_STRING(Config, font, "font", .def = "sans", .min = 1, .max = 200,
                    .doc = "Font of the text as Pango writes it, without a size: family, then style, such as "
                           "`DejaVu Sans Bold`. A family that is not installed is replaced by the nearest."),
    PM_PARAM_LENGTH(Config, size, "size", .def = "5%", .min = 0.1, .max = 10000,
                    .doc = "Height of the font's em. Percent of the picture's shorter side."),
    PM_PARAM_COLOR(Config, color, "color", .def = "white", .doc = "Colour of the text."),
    PM_PARAM_ENUM(Config, align, "align", .def = "center", .choices = aligns,
                  .doc = "How the lines of a text with several lie to each other."),
    PM_PARAM_LENGTH(Config, stroke_width, "stroke_width", .def = "0", .max = 1000,
                    .doc = "Width of the line around the letters; 0: none. Percent of `size`."),
    PM_PARAM_COLOR(Config, stroke_color, "stroke_color", .def = "black", .doc = "Colour of that line."),
    PM_PARAM_LENGTH(Config, shadow, "shadow", .def = "0", .max = 1000,
                    .doc = "How far a soft shadow of the text falls to the lower right; 0: none. Percent of `size`."),
    PM_PARAM_COLOR(Config, shadow_color, "shadow_color", .def = "#000000a0", .doc = "Colour of the shadow."),
    PM_PARAM_STRING(Config, gravity, "gravity", .def = "south-east",
                    .doc = "Where it goes: north-west, north, north-east, west, center, east, south-west, south, "
                           "south-east, or a point such as \"0.3,0.7\" (from the left, from the top, 0 to 1) that its "
                           "centre is put on as far as the margin allows."),
    PM_PARAM_LENGTH(Config, offset_x, "offset_x", .def = "0", .min = -100000, .max = 100000,
                    .doc = "Moved to the right by this; negative: to the left. Percent of the picture's width."),
    PM_PARAM_LENGTH(Config, offset_y, "offset_y", .def = "0", .min = -100000, .max = 100000,
                    .doc = "Moved down by this; negative: up. Percent of the picture's height."),
    PM_PARAM_LENGTH(Config, margin, "margin", .def = "0", .max = 100000,
                    .doc = "Kept free at every edge. Percent of the picture's shorter side; at most a quarter of it."),
    PM_PARAM_NUMBER(Config, scale, "scale", .max = 1,
                    .doc =
                        "Width of the watermark as a part of the picture's width, before it is turned: 0.15 is 15 %. "
                        "0: an image in its own size, a text by `size`. Never larger than the picture "
                        "less its margins."),
    PM_PARAM_NUMBER(Config, opacity, "opacity", .def = "1", .max = 1, .doc = "0 invisible to 1 as it is."),
    PM_PARAM_NUMBER(Config, rotate, "rotate", .def = "0", .min = -360, .max = 360, .unit = "degrees",
                    .doc = "Turned clockwise by this."),
    PM_PARAM_BOOL(Config, tile, "tile", .def = "false",
                  .doc = "Repeated over the whole picture, starting from where `gravity` puts it."),
    PM_PARAM_LENGTH(Config, spacing, "spacing", .def = "5%", .max = 100000,
                    .doc = "Between the repetitions of `tile`. Percent of the picture's shorter side."),
    PM_PARAM_ENUM(Config, blend, "blend", .def = "over", .choices = blends,
                  .doc = "How its colours meet the picture's; `atop` is `over` that leaves transparent parts of "
                         "the picture transparent."),
};

/* ------------------------------------------------------------------ create */

static void drop_cache(Cache *cache)
{
    g_clear_object(&cache->stamp);
    g_clear_pointer(&cache->text, g_free);
    g_clear_pointer(&cache->profile, g_bytes_unref);
}

static void destroy(void *data)
{
    Watermark *self = data;
    drop_cache(&self->cache);
    text_close(&self->face);
    g_clear_object(&self->asset);
    g_free(self);
}

static PmStatus open_watermark(Watermark *self, PmJob *job)
{
    const PmHost *host = self->host;
    const Config *config = self->config;
    if (config->image != NULL && config->text != NULL)
        return host->fail_param(job, "text", "image and text exclude each other: use two watermark steps");
    if (config->image == NULL && config->text == NULL)
        return host->fail(job, PM_BAD_CONFIG, "nothing to put on: give image or text");
    if (!layout_gravity(config->gravity, &self->anchor))
        return host->fail_param(job, "gravity",
                                "\"%s\" is none of north-west, north, north-east, west, center, east, south-west, "
                                "south, south-east, nor a point such as \"0.3,0.7\"",
                                config->gravity);
    if (config->text != NULL) {
        self->grey = stamp_text_grey(config);
        return text_open(host, job, config, &self->face);
    }
    PmStatus status = asset_load(host, job, config->image, &self->asset);
    if (status == PM_OK) self->grey = pixels_grey(self->asset);
    return status;
}

static PmStatus create(const PmHost *host, PmJob *job, const void *config, void **out)
{
    Watermark *self = g_new0(Watermark, 1);
    self->host = host;
    self->config = config;
    PmStatus status = open_watermark(self, job);
    if (status != PM_OK) {
        destroy(self);
        return status;
    }
    *out = self;
    return PM_OK;
}

/* ------------------------------------------------------------------ plan */

/* 8 bit stays, 16 bit stays; whatever else there is becomes the nearer of the two. */
static bool is_deep(int format, int interpretation)
{
    if (format == VIPS_FORMAT_UCHAR || format == VIPS_FORMAT_USHORT) return format == VIPS_FORMAT_USHORT;
    return interpretation == VIPS_INTERPRETATION_RGB16 || interpretation == VIPS_INTERPRETATION_GREY16;
}

static VipsInterpretation space_of(bool grey, bool deep)
{
    if (grey) return deep ? VIPS_INTERPRETATION_GREY16 : VIPS_INTERPRETATION_B_W;
    return deep ? VIPS_INTERPRETATION_RGB16 : VIPS_INTERPRETATION_sRGB;
}

static PmStatus plan(void *data, PmJob *job, const PmShape *in, PmPlan *out)
{
    (void)job;
    Watermark *self = data;
    /* A stamp that is too large to keep goes as soon as the next job begins. */
    if (self->cache.stamp != NULL && pixels_bytes(self->cache.stamp) > KEEP_BYTES) drop_cache(&self->cache);

    out->need_width = out->need_height = 0;
    if (self->config->opacity == 0) {
        out->flags = PM_SKIP;
        return PM_OK;
    }
    int alpha = in->has_alpha ? 1 : 0;
    bool deep = is_deep(in->band_format, in->interpretation);
    bool grey = in->bands - alpha == 1 && self->grey;
    out->out.bands = (grey ? 1 : 3) + alpha;
    out->out.band_format = deep ? VIPS_FORMAT_USHORT : VIPS_FORMAT_UCHAR;
    out->out.interpretation = space_of(grey, deep);
    return PM_OK;
}

/* ------------------------------------------------------------------ apply */

/* The picture in the space and depth that plan() promised; lazy. */
static int prepare_base(VipsObject *owner, VipsImage *in, bool grey, bool deep, VipsImage **out)
{
    VipsImage **t = (VipsImage **)vips_object_local_array(owner, 3);
    VipsInterpretation space = space_of(grey, deep);
    int colours = in->Bands - (vips_image_hasalpha(in) ? 1 : 0);
    VipsImage *image = in;
    if (colours == 1 && !grey) {
        int result = vips_image_get_typeof(in, VIPS_META_ICC_NAME)
                         ? vips_icc_transform(in, &t[0], "srgb", "embedded", TRUE, "depth", deep ? 16 : 8, NULL)
                         : vips_colourspace(in, &t[0], space, NULL);
        if (result) return -1;
        image = t[0];
    } else if (in->BandFmt != VIPS_FORMAT_UCHAR && in->BandFmt != VIPS_FORMAT_USHORT) {
        if (vips_colourspace(in, &t[0], space, NULL)) return -1;
        image = t[0];
    }
    if (vips_cast(image, &t[1], deep ? VIPS_FORMAT_USHORT : VIPS_FORMAT_UCHAR, NULL)) return -1;
    return vips_copy(t[1], out, "interpretation", space, NULL);
}

static Canvas canvas_of(const PmShape *shape, const VipsImage *base)
{
    double ratio = shape->source_width > base->Xsize ? (double)base->Xsize / shape->source_width : 1;
    return (Canvas){.width = base->Xsize, .height = base->Ysize, .ratio = ratio};
}

static bool same(GBytes *a, GBytes *b)
{
    return a == b || (a != NULL && b != NULL && g_bytes_equal(a, b));
}

static bool cached(const Cache *cache, const Canvas *canvas, const Medium *medium, const char *text, GBytes *profile)
{
    return cache->stamp != NULL && cache->canvas.width == canvas->width && cache->canvas.height == canvas->height &&
           cache->canvas.ratio == canvas->ratio && cache->grey == medium->grey && cache->deep == medium->deep &&
           !g_strcmp0(cache->text, text) && same(cache->profile, profile);
}

static int make_stamp(Watermark *self, const Canvas *canvas, const Medium *medium, const char *text, VipsImage **out)
{
    VipsObject *owner = VIPS_OBJECT(vips_image_new());
    VipsImage **t = (VipsImage **)vips_object_local_array(owner, 2);
    int result = -1;
    *out = NULL;
    if (self->asset != NULL) {
        if (stamp_of_image(self->config, canvas, self->asset, &t[0])) goto out;
    } else {
        if (self->face.fixed != NULL)
            t[1] = g_object_ref(self->face.fixed);
        else if (text_draw(&self->face, text, &t[1]))
            goto out;
        if (t[1] == NULL) { /* the facts left nothing to see */
            result = 0;
            goto out;
        }
        if (stamp_of_text(self->config, canvas, t[1], self->face.size, &t[0])) goto out;
    }
    result = stamp_for_medium(t[0], medium, out);
out:
    g_object_unref(owner);
    return result;
}

/* The stamp for this picture, borrowed from the cache; NULL in *out when there is nothing to put on. */
static PmStatus find_stamp(Watermark *self, PmJob *job, VipsImage *base, const Canvas *canvas, VipsImage **out)
{
    Medium medium = {.grey = base->Bands < 3, .deep = base->BandFmt == VIPS_FORMAT_USHORT};
    char *text = NULL;
    if (self->asset == NULL) {
        PmStatus status = text_of(self->host, job, &self->face, &text);
        if (status != PM_OK) return status;
    }
    if (vips_image_get_typeof(base, VIPS_META_ICC_NAME) &&
        vips_image_get_blob(base, VIPS_META_ICC_NAME, &medium.profile, &medium.profile_size))
        medium.profile = NULL;
    GBytes *profile = medium.profile == NULL ? NULL : g_bytes_new(medium.profile, medium.profile_size);
    Cache *cache = &self->cache;
    int result = 0;
    if (!cached(cache, canvas, &medium, text, profile)) {
        drop_cache(cache);
        result = make_stamp(self, canvas, &medium, text, &cache->stamp);
        *cache =
            (Cache){*canvas, medium.grey, medium.deep, g_steal_pointer(&text), g_steal_pointer(&profile), cache->stamp};
    }
    *out = cache->stamp;
    g_free(text);
    g_clear_pointer(&profile, g_bytes_unref);
    if (result) return self->host->fail(job, PM_BAD_INPUT, "the watermark could not be made for this image");
    return PM_OK;
}

/* The stamp repeated over the whole picture so that one copy lies at left, top; lazy. */
static int tile(VipsObject *owner, VipsImage *stamp, const Canvas *canvas, int spacing, int left, int top,
                VipsImage **out)
{
    VipsImage **t = (VipsImage **)vips_object_local_array(owner, 2);
    int width = stamp->Xsize + spacing, height = stamp->Ysize + spacing;
    /* From the copy's own corner back to the corner of the first one outside the picture. */
    int x = (width - left % width) % width, y = (height - top % height) % height;
    if (vips_embed(stamp, &t[0], 0, 0, width, height, NULL) ||
        vips_replicate(t[0], &t[1], (x + canvas->width + width - 1) / width, (y + canvas->height + height - 1) / height,
                       NULL))
        return -1;
    return vips_extract_area(t[1], out, x, y, canvas->width, canvas->height, NULL);
}

static int lay_on(Watermark *self, VipsObject *owner, VipsImage *base, VipsImage *stamp, const Canvas *canvas,
                  VipsImage **out)
{
    VipsImage **t = (VipsImage **)vips_object_local_array(owner, 2);
    const Config *config = self->config;
    int left, top;
    layout_place(config, canvas, self->anchor, stamp->Xsize, stamp->Ysize, &left, &top);
    VipsImage *layer = stamp;
    if (config->tile) {
        int spacing = (int)(layout_px(config->spacing, canvas, layout_side(canvas)) + 0.5);
        if (tile(owner, stamp, canvas, spacing, left, top, &t[0])) return -1;
        layer = t[0];
        left = top = 0;
    }
    if (vips_composite2(base, layer, &t[1], modes[config->blend], "x", left, "y", top, "compositing_space", base->Type,
                        NULL))
        return -1;
    /* The result always has alpha; a picture that had none gets none. */
    return vips_extract_band(t[1], out, 0, "n", base->Bands, NULL);
}

static PmStatus apply(void *data, PmJob *job, const PmShape *shape, VipsImage *in, VipsImage **out)
{
    Watermark *self = data;
    VipsObject *owner = VIPS_OBJECT(vips_image_new());
    VipsImage **t = (VipsImage **)vips_object_local_array(owner, 1);
    int colours = in->Bands - (vips_image_hasalpha(in) ? 1 : 0);
    bool deep = is_deep(in->BandFmt, in->Type);
    PmStatus status = PM_OK;

    int result = prepare_base(owner, in, colours == 1 && self->grey, deep, &t[0]);
    if (!result) {
        Canvas canvas = canvas_of(shape, t[0]);
        VipsImage *stamp;
        status = find_stamp(self, job, t[0], &canvas, &stamp);
        if (status == PM_OK)
            result = stamp == NULL ? vips_copy(t[0], out, NULL) : lay_on(self, owner, t[0], stamp, &canvas, out);
    }
    g_object_unref(owner);
    if (result) return self->host->fail(job, PM_BAD_INPUT, "the watermark could not be put on this image");
    return status;
}

static const char *const shorthand[] = {"text", NULL};

static const PmTransform transform = {
    .name = "watermark",
    .summary = "Put an image or a text on the picture.",
    PM_PARAMS(Config, params),
    .create = create,
    .destroy = destroy,
    .plan = plan,
    .apply = apply,
    .shorthand = shorthand,
};

PM_PLUGIN(transform, "1.0.0")
