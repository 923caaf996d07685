/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/load.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/colours.h"
#include "engine/formats.h"
#include "engine/heic.h"
#include "engine/limits.h"
#include "engine/peek.h"
#include "engine/tiff_exif.h"
#include "engine/upright.h"
#include "engine/vipserr.h"

typedef struct Loader {
    const char *operation; /* nickname of the one loader for the format */
    const char *type;      /* its GType */
    const char *asset;     /* the one for assets, which come from the operator */
    bool pages;            /* an animation: has `n` */
} Loader;

static const Loader loaders[PM_FORMAT_COUNT] = {
    [PM_FORMAT_JPEG] = {"jpegload_buffer", "VipsForeignLoadJpegBuffer", "VipsForeignLoadJpegSource", false},
    [PM_FORMAT_PNG] = {"pngload_buffer", "VipsForeignLoadPngBuffer", "VipsForeignLoadPngSource", false},
    [PM_FORMAT_WEBP] = {"webpload_buffer", "VipsForeignLoadWebpBuffer", "VipsForeignLoadWebpSource", true},
    [PM_FORMAT_GIF] = {"gifload_buffer", "VipsForeignLoadNsgifBuffer", "VipsForeignLoadNsgifSource", true},
    [PM_FORMAT_TIFF] = {"tiffload_buffer", "VipsForeignLoadTiffBuffer", "VipsForeignLoadTiffSource", false},
    [PM_FORMAT_AVIF] = {"heifload_buffer", "VipsForeignLoadHeifBuffer", "VipsForeignLoadHeifSource", false},
    [PM_FORMAT_HEIF] = {"heifload_buffer", "VipsForeignLoadHeifBuffer", "VipsForeignLoadHeifSource", false},
    [PM_FORMAT_JXL] = {"jxlload_buffer", "VipsForeignLoadJxlBuffer", "VipsForeignLoadJxlSource", false},
    [PM_FORMAT_SVG] = {"svgload_buffer", "VipsForeignLoadSvgBuffer", "VipsForeignLoadSvgSource", false},
    [PM_FORMAT_PDF] = {"pdfload_buffer", "VipsForeignLoadPdfBuffer", "VipsForeignLoadPdfSource", false},
};

/* vips_block_untrusted_set() alone would block loaders that an operator may list (svg, pdf, jxl are flagged untrusted)
 * and leave others open that nobody asked for. So: everything untrusted and every loader shut, then ours opened.
 * jxlsave is flagged untrusted too, but writes only what we hand it. */
void pm_load_setup(void)
{
    vips_block_untrusted_set(TRUE);
    vips_operation_block_set("VipsForeignLoad", TRUE);
    for (size_t i = 1; i < PM_FORMAT_COUNT; i++) {
        vips_operation_block_set(loaders[i].type, FALSE);
        vips_operation_block_set(loaders[i].asset, FALSE);
    }
    vips_operation_block_set("VipsForeignSaveJxlTarget", FALSE);
}

const char *pm_load_name(PmFormat format)
{
    return (size_t)format < PM_FORMAT_COUNT ? loaders[format].operation : NULL;
}

bool pm_load_supports(PmFormat format)
{
    const char *name = pm_load_name(format);
    return name != NULL && vips_type_find("VipsOperation", name) != 0;
}

/* ------------------------------------------------------------------ opening */

/* libvips takes the block apart as it is set. How the picture lies, the file's own tag has said. */
static VipsImage *with_tiff_exif(VipsImage *in, const void *bytes, size_t size)
{
    VipsImage *out = NULL;
    uint8_t *block = malloc(PM_TIFF_EXIF_MAX);
    size_t length = block == NULL ? 0 : pm_tiff_exif(bytes, size, block);
    if (length == 0) {
        free(block);
        return in;
    }
    if (vips_copy(in, &out, NULL) == 0) {
        int orientation = vips_image_get_orientation(in);
        vips_image_set_blob_copy(out, VIPS_META_EXIF_NAME, block, length);
        vips_autorot_remove_angle(out);
        if (orientation != 1) vips_image_set_int(out, VIPS_META_ORIENTATION, orientation);
        vips_error_clear();
    }
    free(block);
    g_object_unref(in);
    return out;
}

/* A truncated file must fail, not end in a grey bar. The level above it, FAIL_ON_ERROR, would refuse files that every
 * browser shows. Always sequential: what needs another order is copied to memory when it has shrunk (execute.c). */
static VipsImage *open_image(const void *bytes, size_t size, PmFormat format, const PmLoadOptions *options)
{
    /* libvips 8.14 takes the buffer as gpointer but does not write to it. */
    void *buffer = (void *)(uintptr_t)bytes;
    VipsAccess access = VIPS_ACCESS_SEQUENTIAL;
    VipsFailOn fail_on = VIPS_FAIL_ON_TRUNCATED;
    VipsImage *out = NULL;
    int result = -1;
    switch (format) {
    case PM_FORMAT_JPEG:
        result = vips_jpegload_buffer(buffer, size, &out, "access", access, "fail_on", fail_on, "shrink",
                                      options->shrink, NULL);
        break;
    case PM_FORMAT_PNG:
        result = vips_pngload_buffer(buffer, size, &out, "access", access, "fail_on", fail_on, NULL);
        break;
    case PM_FORMAT_WEBP:
        result = vips_webpload_buffer(buffer, size, &out, "access", access, "fail_on", fail_on, "n", options->pages,
                                      "scale", options->scale, NULL);
        break;
    case PM_FORMAT_GIF:
        result =
            vips_gifload_buffer(buffer, size, &out, "access", access, "fail_on", fail_on, "n", options->pages, NULL);
        break;
    case PM_FORMAT_TIFF:
        /* At the level below, libvips 8.18 makes grey of a strip that cannot be decoded. */
        result = vips_tiffload_buffer(buffer, size, &out, "access", access, "fail_on", VIPS_FAIL_ON_ERROR, NULL);
        if (result == 0) out = with_tiff_exif(out, bytes, size);
        break;
    case PM_FORMAT_AVIF:
    case PM_FORMAT_HEIF:
        if (!pm_heic_is_sound(bytes, size)) return NULL;
        if (pm_heic_is(bytes, size)) return pm_heic_open(bytes, size);
        result = vips_heifload_buffer(buffer, size, &out, "access", access, "fail_on", fail_on, NULL);
        if (result != 0) pm_heic_explain(bytes, size);
        break;
    case PM_FORMAT_JXL:
        result = vips_jxlload_buffer(buffer, size, &out, "access", access, "fail_on", fail_on, NULL);
        break;
    case PM_FORMAT_SVG:
        result = vips_svgload_buffer(buffer, size, &out, "access", access, "fail_on", fail_on, "scale", options->scale,
                                     NULL);
        break;
    case PM_FORMAT_PDF:
        result = vips_pdfload_buffer(buffer, size, &out, "access", access, "fail_on", fail_on, "scale", options->scale,
                                     NULL);
        break;
    case PM_FORMAT_UNKNOWN:
    case PM_FORMAT_COUNT:
        break;
    }
    return result == 0 ? out : NULL;
}

static const PmLoadOptions whole_page = {.scale = 1.0, .shrink = 1, .pages = 1};

VipsImage *pm_load_header(const void *bytes, size_t size, PmFormat format)
{
    return open_image(bytes, size, format, &whole_page);
}

static PmStatus damaged(const PmSource *source, PmError *err)
{
    char text[512];
    pm_vips_error_take(text, sizeof text);
    const char *what =
        pm_formats_lacks(text) ? "of a kind that is not supported by this build" : "damaged or cut short";
    return pm_error_set(err, PM_BAD_INPUT, "the %s is %s%s%s", pm_format_name(source->format), what,
                        text[0] != '\0' ? ": " : "", text);
}

/* Documents (tiff, pdf) and image collections (heif) show their first page: only animations have pages. */
static int32_t count_pages(VipsImage *image, PmFormat format)
{
    if (!loaders[format].pages) return 1;
    int pages = vips_image_get_n_pages(image);
    return pages > 0 ? pages : 1;
}

typedef struct Blobs {
    size_t icc, all;
} Blobs;

static void *add_blob(VipsImage *image, const char *name, GValue *value, void *data)
{
    (void)image;
    Blobs *blobs = data;
    size_t size = 0;
    if (G_VALUE_TYPE(value) == VIPS_TYPE_BLOB)
        vips_value_get_blob(value, &size);
    else if (G_VALUE_TYPE(value) == VIPS_TYPE_REF_STRING)
        vips_value_get_ref_string(value, &size);
    blobs->all += size;
    if (strcmp(name, VIPS_META_ICC_NAME) == 0) blobs->icc = size;
    return NULL;
}

static PmShape shape_of_header(const PmSource *source)
{
    VipsImage *image = source->header;
    PmShape shape = pm_shape_of(image);
    int orientation = vips_image_get_orientation(image);
    shape.pages = count_pages(image, source->format);
    shape.height = vips_image_get_page_height(image);
    shape.orientation = orientation >= 1 && orientation <= 8 ? orientation : 1;
    if (orientation >= 5 && orientation <= 8) {
        int32_t swap = shape.width;
        shape.width = shape.height;
        shape.height = swap;
    }
    pm_colours_shape(&source->colours, image, &shape);
    shape.source_width = shape.width;
    shape.source_height = shape.height;
    return shape;
}

PmStatus pm_source_open(PmSource *source, const void *bytes, size_t size, const PmLimits *limits, PmError *err)
{
    *source = (PmSource){.bytes = bytes, .size = size, .options = whole_page};
    PmStatus status = pm_limits_check_file(limits, size, err);
    if (status != PM_OK) return status;
    source->format = pm_sniff(bytes, size);
    status = pm_limits_check_format(limits, source->format, err);
    if (status != PM_OK) return status;
    if (!pm_formats_reads(source->format)) return pm_formats_refuse(source->format, err);
    PmPeek peek;
    if (pm_peek(source->format, bytes, size, &peek)) {
        /* WebP and GIF may leave the size to their frames, TIFF keeps it in tags, hence 0; codecs tell. */
        if (peek.width > 0 && peek.height > 0) status = pm_limits_check_size(limits, peek.width, peek.height, 1, err);
        if (status == PM_OK) status = pm_limits_check_held(limits, source->format, peek.pages, err);
        if (status != PM_OK) return status;
    }
    source->header = open_image(bytes, size, source->format, &source->options);
    if (source->header == NULL) return damaged(source, err);
    Blobs blobs = {0};
    vips_image_map(source->header, add_blob, &blobs);
    status = pm_limits_check_metadata(limits, blobs.icc, blobs.all, err);
    if (status != PM_OK) return status;
    status = pm_colours_read(&source->colours, source->header, source->format, bytes, size, err);
    if (status != PM_OK) return status;
    source->shape = shape_of_header(source);
    status = pm_limits_check_held(limits, source->format, source->shape.pages, err);
    if (status != PM_OK || pm_load_scales_up(source->format)) return status;
    return pm_limits_check_size(limits, source->shape.width, source->shape.height, 1, err);
}

PmStatus pm_source_check(const PmSource *source, const PmLoadOptions *options, const PmShape *loaded,
                         const PmLimits *limits, PmError *err)
{
    if (options->pages == 1 && !pm_load_scales_up(source->format)) return PM_OK; /* pm_source_open has looked */
    const PmShape *shape = pm_load_scales_up(source->format) ? loaded : &source->shape;
    return pm_limits_check_size(limits, shape->width, shape->height, shape->pages, err);
}

void pm_source_finish(PmSource *source)
{
    if (source == NULL) return;
    g_clear_object(&source->header);
}

/* ------------------------------------------------------------------ shrinking */

bool pm_load_scales_up(PmFormat format)
{
    return format == PM_FORMAT_SVG || format == PM_FORMAT_PDF;
}

/* 8, 4, 2 or 1. The full side is at least so many times what is needed. */
static int32_t choose_shrink(const PmShape *full, int32_t width, int32_t height, bool fine)
{
    static const struct {
        int32_t shrink;
        double least, fine;
    } steps[] = {{8, 9, 32}, {4, 5, 14}, {2, 3, 2.5}};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        double times = fine ? steps[i].fine : steps[i].least;
        if (full->width >= times * width && full->height >= times * height) return steps[i].shrink;
    }
    return 1;
}

PmLoadOptions pm_load_choose(PmFormat format, const PmShape *full, int32_t width, int32_t height, int32_t pages,
                             bool fine)
{
    PmLoadOptions options = {.shrink = 1, .scale = 1.0, .pages = full->pages > 1 && pages != 1 ? -1 : 1};
    if (width <= 0 || height <= 0) return options;
    if (format == PM_FORMAT_JPEG) options.shrink = choose_shrink(full, width, height, fine);
    bool scales_up = pm_load_scales_up(format);
    /* Frames of an animation are patches of the canvas, and libvips would round the place of each. */
    if (scales_up || (format == PM_FORMAT_WEBP && full->pages == 1)) {
        /* Half a pixel more, so that neither rounding nor cutting leaves less than was asked for. */
        double scale = fmax((width + 0.5) / full->width, (height + 0.5) / full->height);
        /* Not much less than the whole saves little. */
        if (scale < 0.75 || (scales_up && (width > full->width || height > full->height))) options.scale = scale;
    }
    return options;
}

void pm_load_bound(PmLoadOptions *options, const PmShape *full, const PmLimits *limits)
{
    enum { SIDE_MAX = 32767 }; /* cairo's */
    if (options->scale <= 1) return;
    int64_t longest = full->width > full->height ? full->width : full->height;
    double side = limits->side > 0 && limits->side < SIDE_MAX ? (double)limits->side : SIDE_MAX;
    double scale = fmin(options->scale, side / (double)longest);
    if (limits->pixels > 0)
        scale = fmin(scale, sqrt((double)limits->pixels / ((double)full->width * (double)full->height)));
    options->scale = fmax(scale, 1.0);
}

PmShape pm_load_shape(PmFormat format, const PmShape *full, const PmLoadOptions *options)
{
    PmShape shape = *full;
    if (options->pages == 1) shape.pages = 1;
    if (format == PM_FORMAT_JPEG) {
        shape.width = full->width / options->shrink;
        shape.height = full->height / options->shrink;
    } else {
        shape.width = (int32_t)(full->width * options->scale);
        shape.height = (int32_t)(full->height * options->scale);
    }
    if (shape.width < 1) shape.width = 1;
    if (shape.height < 1) shape.height = 1;
    return shape;
}

/* ------------------------------------------------------------------ making it plain */

/* Replaces *image by *next, which an operation made that ended with `result`. By address: the operation is called in
 * the same argument list, in no certain order. */
static bool advance(VipsImage **image, VipsImage **next, int result)
{
    if (result != 0 || *next == NULL) return false;
    g_object_unref(*image);
    *image = *next;
    *next = NULL;
    return true;
}

static bool same_options(const PmLoadOptions *a, const PmLoadOptions *b)
{
    return a->shrink == b->shrink && a->pages == b->pages && !(a->scale < b->scale) && !(a->scale > b->scale);
}

PmStatus pm_source_load(const PmSource *source, const PmLoadOptions *options, VipsImage **out, bool *in_memory,
                        PmError *err)
{
    VipsImage *image = NULL;
    *in_memory = false;
    if (same_options(options, &source->options)) {
        image = source->header;
        g_object_ref(image);
    } else {
        image = open_image(source->bytes, source->size, source->format, options);
        if (image == NULL) return damaged(source, err);
    }
    /* Metadata are set and removed on the way, and the header image is shared. */
    VipsImage *own = NULL;
    bool good = advance(&image, &own, vips_copy(image, &own, NULL)) && pm_colours_apply(&source->colours, &image) &&
                pm_upright_turn(&image, in_memory);
    if (!good) {
        g_object_unref(image);
        return damaged(source, err);
    }
    *out = image;
    return PM_OK;
}

/* Row by row, so that nothing is held. */
static int read_rows(VipsImage *image)
{
    enum { ROWS = 64 };
    VipsRegion *region = vips_region_new(image);
    int result = region != NULL ? 0 : -1;
    for (int top = 0; top < image->Ysize && result == 0; top += ROWS) {
        VipsRect rows = {0, top, image->Xsize, VIPS_MIN(ROWS, image->Ysize - top)};
        result = vips_region_prepare(region, &rows);
    }
    g_clear_object(&region);
    return result;
}

PmStatus pm_source_probe(const PmSource *source, const PmLoadOptions *options, PmError *err)
{
    VipsImage *image = open_image(source->bytes, source->size, source->format, options);
    if (image == NULL) return damaged(source, err);
    int result = read_rows(image);
    g_object_unref(image);
    return result == 0 ? PM_OK : damaged(source, err);
}

PmStatus pm_source_probe_all(const PmSource *source, PmError *err)
{
    PmLoadOptions options = whole_page;
    if (source->shape.pages > 1) options.pages = -1;
    return pm_source_probe(source, &options, err);
}

PmShape pm_shape_of(VipsImage *image)
{
    PmShape shape = {
        .width = image->Xsize,
        .height = vips_image_get_page_height(image),
        .pages = 1,
        .bands = image->Bands,
        .band_format = image->BandFmt,
        .interpretation = image->Type,
        .orientation = 1,
        .has_alpha = vips_image_hasalpha(image),
        .has_profile = vips_image_get_typeof(image, VIPS_META_ICC_NAME) != 0,
    };
    shape.pages = image->Ysize / shape.height;
    shape.source_width = shape.width;
    shape.source_height = shape.height;
    return shape;
}
