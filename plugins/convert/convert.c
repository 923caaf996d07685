// SPDX-License-Identifier: Apache-2.0
#include "convert.h"

#include "../common/exif.h"

static const char *const format_names[] = {"auto", "jpeg", "png", "webp", "avif", "gif", "tiff", "jxl", NULL};
static const char *const subsamplings[] = {"auto", "420", "444", NULL};

static const PmParam params[] = {
    PM_PARAM_ENUM(Config, format, "format", .def = "auto", .choices = format_names,
                  .doc = "What to write. auto keeps the source's format when browsers show it (jpeg, png, webp, gif, "
                         "avif) and otherwise takes webp for animations, png with transparency, jpeg without. With "
                         "auto, settings that the chosen format doesn't have are passed over; with a named format they "
                         "are errors. webp and gif keep all pages of an animation, the others its first."),
    PM_PARAM_INT(Config, quality, "quality", .min = 1, .max = 100,
                 .doc = "Quality of a lossy format, on the scale of its own encoder. Default: 80 for jpeg, webp and "
                        "jxl, 50 for avif (about as good), 100 for a png with a palette."),
    PM_PARAM_INT(Config, effort, "effort", .min = 1, .max = 10,
                 .doc = "Time spent on a smaller file, from 1 (fastest) to 10, for png, webp, avif, gif and jxl. "
                        "Default: each encoder's own middle way."),
    PM_PARAM_BOOL(Config, lossless, "lossless", .def = "false",
                  .doc =
                      "Keep every pixel as it is: webp, avif and jxl. (png and tiff always do.) In webp, pixels that "
                      "are wholly transparent become black, unless `exact`. avif needs libvips 8.15.3 or later."),
    PM_PARAM_BOOL(Config, exact, "exact", .def = "false",
                  .doc = "Keep the colours of wholly transparent pixels in a webp, for those who edit it further; "
                         "larger files. libvips 8.14 has no such setting."),
    PM_PARAM_BOOL(Config, progressive, "progressive", .def = "false",
                  .doc = "Let the picture appear in passes while it loads: progressive jpeg, interlaced png and gif."),
    PM_PARAM_ENUM(Config, subsampling, "subsampling", .def = "auto", .choices = subsamplings,
                  .doc = "Resolution of colour in jpeg and avif: 420 halves it, 444 keeps it, which red text and thin "
                         "coloured lines need. auto: 444 from quality 90 up."),
    PM_PARAM_BOOL(Config, optimize_coding, "optimize_coding", .def = "false",
                  .doc = "Compute Huffman tables for each jpeg: 1 to 2 % smaller, for about a tenth more encoding "
                         "time. Progressive jpegs always do."),
    PM_PARAM_BOOL(Config, palette, "palette", .def = "false",
                  .doc = "Write a png of at most `colors` colours: much smaller for drawings and screenshots."),
    PM_PARAM_INT(Config, colors, "colors", .min = 2, .max = 256,
                 .doc = "Colours of a gif or of a png with `palette: true`; rounded up to 2, 4, 16 or 256 for png and "
                        "to a power of two for gif. Default: 256."),
    PM_PARAM_NUMBER(Config, dither, "dither", .def = "1", .min = 0, .max = 1,
                    .doc = "How strongly the colours of a palette are mixed by dots: 0 gives flat areas, 1 the "
                           "smoothest gradients."),
    PM_PARAM_INT(Config, bitdepth, "bitdepth", .min = 8, .max = 16, .unit = "bits",
                 .doc = "Bits a sample: 8 or 16 for png and tiff, 8, 10 or 12 for avif. Default: 8 for 8-bit pictures; "
                        "for deeper ones 16 in png and tiff, 10 in avif (12 where libvips is older than 8.15). jpeg, "
                        "webp and gif always have 8."),
    PM_PARAM_COLOR(Config, background, "background", .def = "white",
                   .doc = "What shows through transparent parts in a format without transparency (jpeg)."),
    PM_PARAM_BYTES(Config, max_bytes, "max_bytes", .min = 64, .max = 1073741824, .unit = "bytes",
                   .doc = "Largest size of the file. When `quality` gives more, the best quality that fits is searched "
                          "for, down to `min_quality`; when none fits, the image fails as over a limit. Up to seven "
                          "more encodes, for pictures that don't fit at once. With format: auto, a png or gif, which "
                          "has no quality to search over, is written however large it is, and a log line says so."),
    PM_PARAM_INT(Config, min_quality, "min_quality", .min = 1, .max = 100,
                 .doc = "The lowest quality that `max_bytes` may choose. When it is above the format's default, and "
                        "no `quality` is given, it is the quality to begin with. Default: 10."),
    PM_PARAM_BOOL(Config, keep_smaller, "keep_smaller", .def = "false",
                  .doc = "Hand on the untouched source file when it has this format, no step changed the picture, and "
                         "writing it anew would not make it smaller."),
    PM_PARAM_BOOL(Config, reencode, "reencode", .def = "false",
                  .doc =
                      "Write the pixels anew in any case. Without it, and without any other setting but `format` and "
                      "`background`, a jpeg, png or webp of which the steps before have changed metadata alone "
                      "keeps its pixels as they are coded: nothing is lost, and nothing gets smaller."),
};

typedef struct Convert {
    const PmHost *host;
    const Config *config;
    bool avif_tried, avif_works; /* for auto: looked up when the first avif arrives */
} Convert;

/* ------------------------------------------------------------------ settings */

typedef struct Setting {
    unsigned bit;
    bool given;
    const char *name, *formats;
} Setting;

static PmStatus check_settings(const PmHost *host, PmJob *job, const Config *config, const Format *format)
{
    const Setting settings[] = {
        {TAKES_PALETTE, config->palette, "palette", "png"},
        {TAKES_QUALITY, config->quality > 0, "quality", "jpeg, webp, avif, jxl, and png with palette: true"},
        {TAKES_EFFORT, config->effort > 0, "effort", "png, webp, avif, gif and jxl"},
        {TAKES_LOSSLESS, config->lossless, "lossless", "webp, avif and jxl"},
        {TAKES_EXACT, config->exact, "exact", "webp"},
        {TAKES_PROGRESSIVE, config->progressive, "progressive", "jpeg, png and gif"},
        {TAKES_SUBSAMPLING, config->subsampling != SUBSAMPLING_AUTO, "subsampling", "jpeg and avif"},
        {TAKES_OPTIMIZE, config->optimize_coding, "optimize_coding", "jpeg"},
        {TAKES_COLORS, config->colors > 0, "colors", "gif, and png with palette: true"},
        {TAKES_COLORS, config->dither < 1, "dither", "gif, and png with palette: true"},
        {TAKES_BITDEPTH, config->bitdepth > 0, "bitdepth", "avif, tiff, and png without palette"},
        {TAKES_MAX_BYTES, config->max_bytes > 0, "max_bytes", "jpeg, webp, avif and jxl, which have a quality"},
    };
    unsigned takes = format_takes(format, config);
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
        if (settings[i].given && !(takes & settings[i].bit))
            return host->fail_param(job, settings[i].name, "%s has no %s; it is for %s", format->name, settings[i].name,
                                    settings[i].formats);
    if (config->lossless && !format_is_exact(format))
        return host->fail_param(job, "lossless",
                                "%s of libvips %s is off by up to 2 a sample, that of 8.15.3 is not; webp and png are "
                                "without loss here, too",
                                format->name, vips_version_string());
    if (config->exact && !format_has_setting(format, "exact"))
        return host->fail_param(job, "exact", "%s of libvips %s has no such setting", format->name,
                                vips_version_string());
    if (config->bitdepth && !format_has_depth(format, config->bitdepth))
        return host->fail_param(job, "bitdepth", "%s of libvips %s has no %" G_GINT64_FORMAT " bits a sample",
                                format->name, vips_version_string(), config->bitdepth);
    return PM_OK;
}

static PmStatus check_combinations(const PmHost *host, PmJob *job, const Config *config)
{
    if (config->lossless && config->quality)
        return host->fail_param(job, "quality", "lossless: true leaves no quality to choose");
    if (config->lossless && config->max_bytes)
        return host->fail_param(job, "max_bytes", "lossless: true leaves no quality to search over");
    if (config->min_quality && !config->max_bytes)
        return host->fail_param(job, "min_quality", "it is for the search that max_bytes asks for, which is not given");
    if (config->quality && config->min_quality > config->quality)
        return host->fail_param(job, "min_quality", "%" G_GINT64_FORMAT " is above quality %" G_GINT64_FORMAT,
                                config->min_quality, config->quality);
    if (config->bitdepth && config->bitdepth != 8 && config->bitdepth != 10 && config->bitdepth != 12 &&
        config->bitdepth != 16)
        return host->fail_param(job, "bitdepth", "%" G_GINT64_FORMAT " is none of 8, 10, 12, 16", config->bitdepth);
    return PM_OK;
}

static PmStatus check_writable(const PmHost *host, PmJob *job, const Format *format)
{
    char why[256];
    if (format_works(format, why, sizeof(why))) return PM_OK;
    return host->fail_param(job, "format", "libvips %s here can't write %s: %s", vips_version_string(), format->name,
                            why);
}

static PmStatus create(const PmHost *host, PmJob *job, const void *data, void **out)
{
    const Config *config = data;
    PmStatus status = check_combinations(host, job, config);
    if (status == PM_OK && config->format != FORMAT_AUTO) {
        status = check_settings(host, job, config, &formats[config->format]);
        if (status == PM_OK) status = check_writable(host, job, &formats[config->format]);
    }
    for (FormatId id = FORMAT_JPEG; status == PM_OK && config->format == FORMAT_AUTO && id <= FORMAT_WEBP; id++)
        status = check_writable(host, job, &formats[id]);
    if (status != PM_OK) return status;
    Convert *self = g_new0(Convert, 1);
    self->host = host;
    self->config = config;
    *out = self;
    return PM_OK;
}

static void destroy(void *self)
{
    g_free(self);
}

/* ------------------------------------------------------------------ auto */

static bool writes_avif(Convert *self)
{
    char why[256];
    if (self->config->lossless && !format_is_exact(&formats[FORMAT_AVIF])) return false;
    if (!self->avif_tried) {
        self->avif_works = format_works(&formats[FORMAT_AVIF], why, sizeof(why));
        self->avif_tried = true;
    }
    return self->avif_works;
}

static const Format *choose(Convert *self, PmJob *job, int pages, bool has_alpha)
{
    if (self->config->format != FORMAT_AUTO) return &formats[self->config->format];
    const char *source = self->host->fact(job, "format");
    for (FormatId id = FORMAT_JPEG; source && id <= FORMAT_GIF; id++) {
        if (strcmp(source, formats[id].name) != 0 || (id == FORMAT_AVIF && !writes_avif(self))) continue;
        if (pages == 1 || formats[id].animated) return &formats[id];
    }
    return &formats[pages > 1 ? FORMAT_WEBP : has_alpha ? FORMAT_PNG : FORMAT_JPEG];
}

/* No setting says how pixels are to be coded; `keep_smaller` wants to see how long another coding is. */
static bool leaves_coding(const Config *config)
{
    return !config->quality && !config->min_quality && !config->effort && !config->bitdepth && !config->colors &&
           !config->max_bytes && !config->lossless && !config->exact && !config->progressive && !config->palette &&
           !config->optimize_coding && !config->keep_smaller && config->subsampling == SUBSAMPLING_AUTO &&
           config->dither >= 1 && !config->reencode;
}

static PmStatus plan(void *data, PmJob *job, const PmShape *in, PmPlan *out)
{
    Convert *self = data;
    const Format *format = choose(self, job, in->pages, in->has_alpha);
    if (in->width > format->side_max || in->height > format->side_max)
        return self->host->fail(job, PM_LIMIT, "%dx%d px don't fit into %s, which holds %d px a side", in->width,
                                in->height, format->name, format->side_max);
    if (!format->animated) {
        out->need_pages = 1;
        out->out.pages = 1;
    }
    out->need_width = out->need_height = 0;
    out->flags = (self->config->keep_smaller ? PM_KEEP_SOURCE : 0) | (leaves_coding(self->config) ? PM_NO_PIXELS : 0);
    out->format = format->name;
    out->extension = format->extension;
    out->mime = format->mime;
    return PM_OK;
}

/* Of what a step before was told to keep; what came along by itself goes without a word. */
static void warn_of_loss(const PmHost *host, PmJob *job, VipsImage *image, const Format *format)
{
    const struct {
        const char *field, *name;
        bool fits;
    } all[] = {{VIPS_META_XMP_NAME, "XMP packet", format->xmp}, {VIPS_META_IPTC_NAME, "IPTC block", format->iptc}};
    if (!vips_image_get_typeof(image, PM_KEPT)) return;
    for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
        if (!all[i].fits && vips_image_get_typeof(image, all[i].field))
            host->log(job, PM_LOG_WARN, "the %s that was kept has no place in %s and is left out", all[i].name,
                      format->name);
}

static PmStatus encode(void *data, PmJob *job, const PmShape *shape, VipsImage *in, VipsTarget *out)
{
    Convert *self = data;
    const Config *config = self->config;
    const Format *format = choose(self, job, shape->pages, shape->has_alpha);
    VipsImage *image = prepare(in, format, config);
    if (!image) return self->host->fail(job, PM_BAD_INPUT, "preparing the picture for %s", format->name);

    PmStatus status = PM_OK;
    bool lost = false;
    int quality = config->quality ? (int)config->quality : (int)VIPS_MAX(format->quality, config->min_quality);
    if (config->max_bytes)
        status = search_quality(self->host, job, image, out, format, config, quality, &lost);
    else if (save_with_metadata(image, out, format, config, quality, &lost))
        status = self->host->fail(job, PM_BAD_INPUT, "writing %s", format->name);
    if (status == PM_OK && lost)
        self->host->log(job, PM_LOG_WARN, "the EXIF block that was kept has no place in %s and is left out",
                        format->name);
    if (status == PM_OK) warn_of_loss(self->host, job, image, format);
    g_object_unref(image);
    return status;
}

static const char *const mime_types[] = {"image/jpeg", "image/png",  "image/webp", "image/avif",
                                         "image/gif",  "image/tiff", "image/jxl",  NULL};

static const char *const shorthand[] = {"format", NULL};

static const PmTransform transform = {
    .name = "convert",
    .summary = "Write the picture in a format.",
    PM_PARAMS(Config, params),
    .create = create,
    .destroy = destroy,
    .plan = plan,
    .encode = encode,
    .mime_types = mime_types,
    .shorthand = shorthand,
};

PM_PLUGIN(transform, "1.0.0")
