/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the convert plugin share: the settings, the table of formats with one saver each (formats.c),
 * fitting the pixels to a format (prepare.c) and the search for a size (search.c).
 */
#ifndef CONVERT_H
#define CONVERT_H

#include <vips/vips.h>

#include <pixmill/plugin.h>

typedef struct Config {
    int32_t format;                                         /* FormatId, or 0: auto */
    int64_t quality, min_quality, effort, bitdepth, colors; /* 0: not given */
    bool lossless, exact, progressive, palette, optimize_coding, keep_smaller, reencode;
    int32_t subsampling;
    double dither;
    PmColor background;
    int64_t max_bytes; /* 0: not given */
} Config;

typedef enum FormatId {
    FORMAT_AUTO, /* the order of the choices of `format` */
    FORMAT_JPEG,
    FORMAT_PNG,
    FORMAT_WEBP,
    FORMAT_AVIF,
    FORMAT_GIF,
    FORMAT_TIFF,
    FORMAT_JXL,
    FORMAT_COUNT
} FormatId;

typedef enum Subsampling { SUBSAMPLING_AUTO, SUBSAMPLING_420, SUBSAMPLING_444 } Subsampling;

/* Settings that not every format has. */
enum {
    TAKES_QUALITY = 1,
    TAKES_EFFORT = 2,
    TAKES_LOSSLESS = 4,
    TAKES_PROGRESSIVE = 8,
    TAKES_SUBSAMPLING = 16,
    TAKES_PALETTE = 32,
    TAKES_COLORS = 64, /* colors and dither */
    TAKES_BITDEPTH = 128,
    TAKES_OPTIMIZE = 256,
    TAKES_MAX_BYTES = 512,
    TAKES_EXACT = 1024,
};

typedef struct Format {
    const char *name, *extension, *mime;
    unsigned takes;
    int quality;  /* when none is given; 0: the format has none */
    int side_max; /* px */
    bool alpha, animated, profile;
    bool xmp, iptc;    /* whether it has a place for them */
    bool rgb_only;     /* grey is stored as RGB */
    int depths[4];     /* bits a sample, ended by 0; the first holds 8-bit pictures, the second deep ones */
    const char *saver; /* libvips' operation */
    int (*save)(VipsImage *image, VipsTarget *target, const Config *config, int quality);
} Format;

extern const Format formats[FORMAT_COUNT];

/* What a format takes, given the other settings: a png with a palette has a quality. */
unsigned format_takes(const Format *format, const Config *config);
/* True when this libvips, with the codecs at hand, writes the format; asked without computing a pixel, since that would
 * leave libvips' threads behind in the process that workers are forked from. When not, `why` says what is missing. */
bool format_works(const Format *format, char *why, size_t why_size);
bool format_has_depth(const Format *format, int64_t depth);
/* False where `lossless` of this libvips changes samples by 1 or 2. */
bool format_is_exact(const Format *format);
/* Whether this libvips' saver of the format has a setting of that name. */
bool format_has_setting(const Format *format, const char *name);
/* Bits a sample that will be written for an image of this band format. */
int format_depth(const Format *format, const Config *config, VipsBandFormat band_format);

/* `in` with its IPTC as the format keeps it. Takes `in`; new, or `in` itself; NULL with libvips' message set. */
VipsImage *fit_iptc(VipsImage *in, const Format *format);

/* `in` as the format can hold it: depth, alpha, colour space. New; NULL with libvips' message set. */
VipsImage *prepare(VipsImage *in, const Format *format, const Config *config);

/* One more setting of a saver, by name; no name: none. */
typedef struct SaveOption {
    const char *name;
    int value;
} SaveOption;

/* What a saver is told so that it writes no EXIF where the image has none; metadata.c. strips: it may be told to leave
 * out all metadata, where libvips 8.14 has no other way and the image has no other either. */
SaveOption metadata_option(VipsImage *image, bool strips);

/* format->save(), with the EXIF that the image has and no other. *lost: the format has no place for it. */
int save_with_metadata(VipsImage *image, VipsTarget *target, const Format *format, const Config *config, int quality,
                       bool *lost);

/* Writes `image` at the best quality from config->min_quality to `quality` that takes no more than config->max_bytes.
 * PM_LIMIT, said with `host`, when none does. A format without a quality is written as it comes, with a warning. */
PmStatus search_quality(const PmHost *host, PmJob *job, VipsImage *image, VipsTarget *out, const Format *format,
                        const Config *config, int quality, bool *lost);

#endif
