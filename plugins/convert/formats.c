// SPDX-License-Identifier: Apache-2.0
#include <dlfcn.h>

#include "convert.h"

/* Settings are passed by name and only those that every libvips from 8.14 on knows. Nothing is stripped here: what
 * metadata an image carries is for strip-metadata to say. */

static VipsForeignSubsample subsample(const Config *config)
{
    static const VipsForeignSubsample modes[] = {VIPS_FOREIGN_SUBSAMPLE_AUTO, VIPS_FOREIGN_SUBSAMPLE_ON,
                                                 VIPS_FOREIGN_SUBSAMPLE_OFF};
    return modes[config->subsampling];
}

/* Our effort runs from 1 to 10 for every format; `usual` stands for none given. */
static int effort(const Config *config, int least, int most, int usual)
{
    if (!config->effort) return usual;
    return least + (int)(((config->effort - 1) * (most - least) + 4) / 9);
}

/* Palettes come in powers of two. */
static int palette_bits(const Config *config, bool any)
{
    int bits = 1;
    while (config->colors && bits < 8 && 1 << bits < config->colors) bits += any ? 1 : bits;
    return config->colors ? bits : 8;
}

static int save_jpeg(VipsImage *image, VipsTarget *target, const Config *config, int quality)
{
    SaveOption metadata = metadata_option(image, true);
    return vips_jpegsave_target(image, target, "Q", quality, "interlace", config->progressive, "optimize_coding",
                                config->optimize_coding, "subsample_mode", subsample(config), metadata.name,
                                metadata.value, NULL);
}

static int save_png(VipsImage *image, VipsTarget *target, const Config *config, int quality)
{
    SaveOption metadata = metadata_option(image, false); /* it would strip texts, too */
    if (config->palette)
        return vips_pngsave_target(image, target, "palette", TRUE, "Q", quality, "bitdepth",
                                   palette_bits(config, false), "dither", config->dither, "effort",
                                   effort(config, 1, 10, 7), "compression", effort(config, 1, 9, 6), "interlace",
                                   config->progressive, metadata.name, metadata.value, NULL);
    return vips_pngsave_target(image, target, "compression", effort(config, 1, 9, 6), "interlace", config->progressive,
                               metadata.name, metadata.value, NULL);
}

static int save_webp(VipsImage *image, VipsTarget *target, const Config *config, int quality)
{
    SaveOption metadata = metadata_option(image, false);
    if (config->exact && format_has_setting(&formats[FORMAT_WEBP], "exact"))
        return vips_webpsave_target(image, target, "Q", quality, "lossless", config->lossless, "effort",
                                    effort(config, 0, 6, 4), "exact", TRUE, metadata.name, metadata.value, NULL);
    return vips_webpsave_target(image, target, "Q", quality, "lossless", config->lossless, "effort",
                                effort(config, 0, 6, 4), metadata.name, metadata.value, NULL);
}

static int save_avif(VipsImage *image, VipsTarget *target, const Config *config, int quality)
{
    SaveOption metadata = metadata_option(image, true);
    return vips_heifsave_target(image, target, "compression", VIPS_FOREIGN_HEIF_COMPRESSION_AV1, "Q", quality,
                                "lossless", config->lossless, "effort", effort(config, 0, 9, 4), "bitdepth",
                                format_depth(&formats[FORMAT_AVIF], config, image->BandFmt), "subsample_mode",
                                config->lossless ? VIPS_FOREIGN_SUBSAMPLE_OFF : subsample(config), metadata.name,
                                metadata.value, NULL);
}

static int save_gif(VipsImage *image, VipsTarget *target, const Config *config, int quality)
{
    (void)quality;
    return vips_gifsave_target(image, target, "effort", effort(config, 1, 10, 7), "bitdepth",
                               palette_bits(config, true), "dither", config->dither, "interlace", config->progressive,
                               NULL);
}

static int save_tiff(VipsImage *image, VipsTarget *target, const Config *config, int quality)
{
    (void)config;
    (void)quality;
    return vips_tiffsave_target(image, target, "compression", VIPS_FOREIGN_TIFF_COMPRESSION_DEFLATE, "predictor",
                                VIPS_FOREIGN_TIFF_PREDICTOR_HORIZONTAL, NULL);
}

static int save_jxl(VipsImage *image, VipsTarget *target, const Config *config, int quality)
{
    SaveOption metadata = metadata_option(image, true);
    return vips_jxlsave_target(image, target, "Q", quality, "lossless", config->lossless, "effort",
                               effort(config, 3, 9, 7), metadata.name, metadata.value, NULL);
}

enum { SIDE_ANY = 10000000 }; /* what libvips allows at most; from 8.16 on its own name for that is not a constant */

const Format formats[FORMAT_COUNT] = {
    [FORMAT_JPEG] = {.name = "jpeg",
                     .extension = "jpg",
                     .mime = "image/jpeg",
                     .takes = TAKES_QUALITY | TAKES_PROGRESSIVE | TAKES_SUBSAMPLING | TAKES_OPTIMIZE | TAKES_MAX_BYTES,
                     .quality = 80,
                     .side_max = 65500,
                     .profile = true,
                     .xmp = true,
                     .iptc = true,
                     .depths = {8, 8},
                     .saver = "jpegsave_target",
                     .save = save_jpeg},
    [FORMAT_PNG] = {.name = "png",
                    .extension = "png",
                    .mime = "image/png",
                    .takes = TAKES_EFFORT | TAKES_PROGRESSIVE | TAKES_PALETTE | TAKES_BITDEPTH,
                    .quality = 100, /* of a palette */
                    .side_max = SIDE_ANY,
                    .alpha = true,
                    .profile = true,
                    .xmp = true,
                    .depths = {8, 16},
                    .saver = "pngsave_target",
                    .save = save_png},
    [FORMAT_WEBP] = {.name = "webp",
                     .extension = "webp",
                     .mime = "image/webp",
                     .takes = TAKES_QUALITY | TAKES_EFFORT | TAKES_LOSSLESS | TAKES_MAX_BYTES | TAKES_EXACT,
                     .quality = 80,
                     .side_max = 16383,
                     .alpha = true,
                     .animated = true,
                     .profile = true,
                     .xmp = true,
                     .rgb_only = true,
                     .depths = {8, 8},
                     .saver = "webpsave_target",
                     .save = save_webp},
    [FORMAT_AVIF] = {.name = "avif",
                     .extension = "avif",
                     .mime = "image/avif",
                     .takes = TAKES_QUALITY | TAKES_EFFORT | TAKES_LOSSLESS | TAKES_SUBSAMPLING | TAKES_BITDEPTH |
                              TAKES_MAX_BYTES,
                     .quality = 50,
                     .side_max = 16384,
                     .alpha = true,
                     .profile = true,
                     .xmp = true,
                     .rgb_only = true,
                     .depths = {8, 10, 12},
                     .saver = "heifsave_target",
                     .save = save_avif},
    [FORMAT_GIF] = {.name = "gif",
                    .extension = "gif",
                    .mime = "image/gif",
                    .takes = TAKES_EFFORT | TAKES_PROGRESSIVE | TAKES_COLORS,
                    .side_max = 65535,
                    .alpha = true,
                    .animated = true,
                    .rgb_only = true,
                    .depths = {8, 8},
                    .saver = "gifsave_target",
                    .save = save_gif},
    [FORMAT_TIFF] = {.name = "tiff",
                     .extension = "tif",
                     .mime = "image/tiff",
                     .takes = TAKES_BITDEPTH,
                     .side_max = SIDE_ANY,
                     .alpha = true,
                     .profile = true,
                     .xmp = true,
                     .iptc = true,
                     .depths = {8, 16},
                     .saver = "tiffsave_target",
                     .save = save_tiff},
    [FORMAT_JXL] = {.name = "jxl",
                    .extension = "jxl",
                    .mime = "image/jxl",
                    .takes = TAKES_QUALITY | TAKES_EFFORT | TAKES_LOSSLESS | TAKES_MAX_BYTES,
                    .quality = 80,
                    .side_max = SIDE_ANY,
                    .alpha = true,
                    .profile = true,
                    .xmp = true,
                    .depths = {8, 16},
                    .saver = "jxlsave_target",
                    .save = save_jxl},
};

unsigned format_takes(const Format *format, const Config *config)
{
    if ((format->takes & TAKES_PALETTE) && config->palette)
        return (format->takes | TAKES_QUALITY | TAKES_COLORS) & ~(unsigned)TAKES_BITDEPTH;
    return format->takes;
}

bool format_has_depth(const Format *format, int64_t depth)
{
    /* libheif 1.15.1 (Debian 12's, beside libvips 8.14) aborts on 10 bits: strukturag/libheif#788. */
    if (format == &formats[FORMAT_AVIF] && depth == 10 && vips_version(0) == 8 && vips_version(1) < 15) return false;
    for (const int *each = format->depths; *each; each++)
        if (*each == depth) return true;
    return false;
}

bool format_is_exact(const Format *format)
{
    /* libvips has its HEIF saver write RGB, not YCbCr, since 8.15.3 (libvips/libvips#4051). */
    int version = vips_version(0) * 10000 + vips_version(1) * 100 + vips_version(2);
    return format != &formats[FORMAT_AVIF] || version >= 81503;
}

bool format_has_setting(const Format *format, const char *name)
{
    GType type = vips_type_find("VipsOperation", format->saver);
    if (!type) return false;
    gpointer class = g_type_class_ref(type);
    bool has = g_object_class_find_property(class, name) != NULL;
    g_type_class_unref(class);
    return has;
}

int format_depth(const Format *format, const Config *config, VipsBandFormat band_format)
{
    if (config->palette && format->takes & TAKES_PALETTE) return 8;
    /* With format: auto, a depth that the chosen format does not have is passed over. */
    if (format->takes & TAKES_BITDEPTH && format_has_depth(format, config->bitdepth)) return (int)config->bitdepth;
    if (band_format != VIPS_FORMAT_USHORT) return format->depths[0];
    return format_has_depth(format, format->depths[1]) ? format->depths[1] : format->depths[2];
}

static bool saver_allowed(const char *saver)
{
    GType type = vips_type_find("VipsOperation", saver);
    if (!type) return false;
    gpointer class = g_type_class_ref(type);
    bool allowed = !(VIPS_OPERATION_CLASS(class)->flags & VIPS_OPERATION_BLOCKED);
    g_type_class_unref(class);
    return allowed;
}

/* libvips has its HEIF saver even where libheif found no AV1 encoder. libheif is asked itself, where it is a library of
 * its own; built into libvips it has one. */
static bool has_av1_encoder(void)
{
    enum { HEIF_COMPRESSION_AV1 = 4 }; /* heif_compression_AV1 */
    Dl_info vips;
    if (dladdr((const void *)(guintptr)vips_init, &vips) && strstr(vips.dli_fname, "libvips-cpp"))
        return true; /* prebuilt, with its own libheif inside: another one may be here for HEIC */
    void *library = dlopen("libheif.so.1", RTLD_LAZY | RTLD_NOLOAD);
    if (!library) return true;
    void *(*init)(void *) = NULL;
    int (*have)(int) = NULL;
    *(void **)&init = dlsym(library, "heif_init"); /* loads the encoders that are files of their own */
    *(void **)&have = dlsym(library, "heif_have_encoder_for_format");
    if (init) init(NULL);
    bool found = !have || have(HEIF_COMPRESSION_AV1);
    dlclose(library);
    return found;
}

bool format_works(const Format *format, char *why, size_t why_size)
{
    if (!saver_allowed(format->saver)) {
        g_snprintf(why, why_size, "it was built without it, or does not trust its codec");
        return false;
    }
    if (format == &formats[FORMAT_AVIF] && !has_av1_encoder()) {
        g_strlcpy(why, "libheif has no AV1 encoder; Debian has one in libheif-plugin-aomenc", why_size);
        return false;
    }
    return true;
}
