// SPDX-License-Identifier: Apache-2.0
#include "strip.h"

#include "../common/icc.h"

typedef struct Config {
    PmList keep, exif;
    int32_t icc;
} Config;

static const char *const keeps[] = {"icc", "copyright", "exif", "gps", "xmp", "iptc", NULL}; /* bit 0, 1, .. of KEEP_ */
static const char *const icc_modes[] = {"convert", "keep", "strip", NULL};

static const PmParam params[] = {
    PM_PARAM_LIST(Config, keep, "keep", .max = 16, .choices = keeps,
                  .doc =
                      "What may stay; all other metadata goes, thumbnails and comments included. copyright: artist, "
                      "credit and rights in EXIF, IPTC and XMP and nothing else of those. exif: the tags of the "
                      "EXIF standard, values byte for byte, without positions, maker notes and thumbnail. gps: "
                      "positions in EXIF; with xmp or iptc their positions and names of places, too. xmp: "
                      "properties that are known to reveal no place; with gps the whole packet. iptc: the records of "
                      "the IPTC standard but places. icc: the colour profile, same as `icc: keep`."),
    PM_PARAM_LIST(Config, exif, "exif", .max = 100,
                  .doc = "Single EXIF tags that stay, by the names of the EXIF standard: [Make, Model, "
                         "DateTimeOriginal]. Upper and lower case are the same. A GPS tag stays when it is named. "
                         "Orientation never stays: the pixels are upright already."),
    PM_PARAM_ENUM(Config, icc, "icc", .def = "convert", .choices = icc_modes,
                  .doc = "The colour profile. convert: pixels become sRGB, which every reader assumes, and the "
                         "profile goes. keep: pixels and profile stay as they are. strip: the profile goes and the "
                         "pixels stay, which changes the colours of wide-gamut pictures."),
};

typedef struct Strip {
    const PmHost *host;
    const Config *config;
    unsigned keep;
    IccMode icc;
} Strip;

static PmStatus create(const PmHost *host, PmJob *job, const void *data, void **out)
{
    const Config *config = data;
    unsigned keep = 0;
    for (size_t i = 0; i < config->keep.count; i++)
        for (unsigned bit = 0; keeps[bit]; bit++)
            if (!strcmp(config->keep.items[i], keeps[bit])) keep |= 1U << bit;
    for (size_t i = 0; i < config->exif.count; i++) {
        const char *tag = config->exif.items[i];
        if (!g_ascii_strcasecmp(tag, "Orientation"))
            return host->fail_param(job, "exif", "Orientation can't stay: the pixels are turned upright already");
        if (!exif_tag_is_known(tag))
            return host->fail_param(job, "exif", "\"%s\" is not the name of an EXIF tag, such as DateTimeOriginal",
                                    tag);
    }
    if (config->icc == ICC_STRIP && keep & KEEP_ICC) return host->fail_param(job, "icc", "strip, while keep lists icc");
    Strip *self = g_new0(Strip, 1);
    self->host = host;
    self->config = config;
    self->keep = keep;
    self->icc = keep & KEEP_ICC ? ICC_KEEP : (IccMode)config->icc;
    *out = self;
    return PM_OK;
}

static void destroy(void *self)
{
    g_free(self);
}

static PmStatus plan(void *data, PmJob *job, const PmShape *in, PmPlan *out)
{
    (void)job;
    const Strip *self = data;
    if (self->icc != ICC_KEEP) out->out.has_profile = false;
    out->need_width = out->need_height = 0;
    /* Metadata belongs to the whole animation. */
    out->flags = in->pages > 1 ? PM_ALL_PAGES : 0;
    if (self->icc != ICC_CONVERT || !in->has_profile) out->flags |= PM_NO_PIXELS;
    return PM_OK;
}

static PmStatus apply(void *data, PmJob *job, const PmShape *shape, VipsImage *in, VipsImage **out)
{
    const Strip *self = data;
    (void)shape;
    VipsImage *space = NULL, *image = NULL;

    if (self->icc == ICC_CONVERT && vips_image_get_typeof(in, VIPS_META_ICC_NAME)) {
        space = icc_to_srgb(in);
        if (!space)
            self->host->log(job, PM_LOG_WARN, "the colour profile can't be used, colours are taken for sRGB: %s",
                            vips_error_buffer());
        vips_error_clear(); /* libvips complains of a broken profile even where it finds a way round it */
    }
    int failed = vips_copy(space ? space : in, &image, NULL);
    g_clear_object(&space);
    if (failed) return self->host->fail(job, PM_BUG, "copying the picture");
    if (self->icc != ICC_KEEP) vips_image_remove(image, VIPS_META_ICC_NAME);
    fields_strip(image, self->keep, &self->config->exif);
    *out = image;
    return PM_OK;
}

static const PmTransform transform = {
    .name = "strip-metadata",
    .summary = "Remove what a picture carries besides its pixels.",
    PM_PARAMS(Config, params),
    .create = create,
    .destroy = destroy,
    .plan = plan,
    .apply = apply,
};

PM_PLUGIN(transform, "1.0.0")
