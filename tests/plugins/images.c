// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

PmShape image_shape(VipsImage *image)
{
    int page_height = vips_image_get_page_height(image);
    return (PmShape){
        .width = image->Xsize,
        .height = page_height,
        .pages = image->Ysize / page_height,
        .bands = image->Bands,
        .source_width = image->Xsize,
        .source_height = page_height,
        .band_format = image->BandFmt,
        .interpretation = image->Type,
        .orientation = 1,
        .has_alpha = vips_image_hasalpha(image),
        .has_profile = vips_image_get_typeof(image, VIPS_META_ICC_NAME) != 0,
    };
}

static VipsImage *from_pixels(uint8_t *pixels, int width, int height, int bands)
{
    size_t size = (size_t)width * (size_t)height * (size_t)bands;
    VipsImage *image = vips_image_new_from_memory_copy(pixels, size, width, height, bands, VIPS_FORMAT_UCHAR);
    assert_non_null(image);
    g_free(pixels);
    VipsImage *out = NULL;
    assert_int_equal(
        vips_copy(image, &out, "interpretation", bands < 3 ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB, NULL),
        0);
    g_object_unref(image);
    VipsImage *memory = vips_image_copy_memory(out);
    g_object_unref(out);
    return memory;
}

static uint8_t *new_pixels(int width, int height, int bands)
{
    return g_malloc((size_t)width * (size_t)height * (size_t)bands);
}

VipsImage *image_photo(int width, int height)
{
    uint8_t *pixels = new_pixels(width, height, 3), *at = pixels;
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            *at++ = (uint8_t)(width > 1 ? 255 * x / (width - 1) : 0);
            *at++ = (uint8_t)(height > 1 ? 255 * y / (height - 1) : 0);
            *at++ = (uint8_t)(128 + 100 * sin(x * 0.11) * cos(y * 0.07));
        }
    }
    return from_pixels(pixels, width, height, 3);
}

VipsImage *image_flat(int width, int height, int bands, double r, double g, double b, double a)
{
    const double grey[] = {r, a}, colour[] = {r, g, b, a};
    const double *value = bands < 3 ? grey : colour;
    uint8_t *pixels = new_pixels(width, height, bands), *at = pixels;
    for (int i = 0; i < width * height; i++)
        for (int band = 0; band < bands; band++) *at++ = (uint8_t)value[band];
    return from_pixels(pixels, width, height, bands);
}

VipsImage *image_alpha(int width, int height)
{
    static const uint8_t left[4] = {255, 0, 0, 255}, right[4] = {0, 255, 0, 0};
    uint8_t *pixels = new_pixels(width, height, 4), *at = pixels;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++, at += 4) memcpy(at, x < width / 2 ? left : right, 4);
    return from_pixels(pixels, width, height, 4);
}

VipsImage *image_quarters(int width, int height)
{
    static const uint8_t quarter[4][3] = {{255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {255, 255, 255}};
    uint8_t *pixels = new_pixels(width, height, 3), *at = pixels;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++, at += 3) memcpy(at, quarter[(y >= height / 2) * 2 + (x >= width / 2)], 3);
    return from_pixels(pixels, width, height, 3);
}

VipsImage *image_places(int width, int height)
{
    assert_true(width <= 256 && height <= 256);
    uint8_t *pixels = new_pixels(width, height, 3), *at = pixels;
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            *at++ = (uint8_t)x;
            *at++ = (uint8_t)y;
            *at++ = 77;
        }
    }
    return from_pixels(pixels, width, height, 3);
}

VipsImage *image_animation(int width, int height, int pages)
{
    uint8_t *pixels = new_pixels(width, height * pages, 3), *at = pixels;
    for (int page = 0; page < pages; page++)
        for (int i = 0; i < width * height * 3; i++) *at++ = (uint8_t)(page * 40);
    VipsImage *image = from_pixels(pixels, width, height * pages, 3);
    int *delays = g_new(int, (size_t)pages);
    for (int page = 0; page < pages; page++) delays[page] = 100 + 10 * page;
    vips_image_set_int(image, VIPS_META_PAGE_HEIGHT, height);
    vips_image_set_int(image, VIPS_META_N_PAGES, pages);
    vips_image_set_array_int(image, "delay", delays, pages);
    vips_image_set_int(image, "loop", 3);
    g_free(delays);
    return image;
}

static void *copy_blob(VipsImage *from, const char *name, GValue *value, void *to)
{
    const void *bytes = NULL;
    size_t size = 0;
    if (G_VALUE_TYPE(value) == VIPS_TYPE_BLOB && !vips_image_get_blob(from, name, &bytes, &size))
        vips_image_set_blob_copy(to, name, bytes, size);
    return NULL;
}

VipsImage *image_load(const void *bytes, size_t size)
{
    VipsImage *image = vips_image_new_from_buffer(bytes, size, "", "n", -1, NULL);
    if (!image) {
        vips_error_clear();
        image = vips_image_new_from_buffer(bytes, size, "", NULL);
    }
    if (!image) fail_msg("reading the result back: %s", vips_error_buffer());
    VipsImage *memory = vips_image_copy_memory(image);
    if (!memory) fail_msg("reading the result back: %s", vips_error_buffer());
    /* Blobs that heifload of libvips 8.14 attaches die with the image it loaded: take copies. The engine keeps that
     * image for as long as a job lasts. */
    vips_image_map(image, copy_blob, memory);
    g_object_unref(image);
    return memory;
}

static double *pixel(VipsImage *image, int x, int y, int *bands)
{
    double *values = NULL;
    if (vips_getpoint(image, &values, bands, x, y, NULL))
        fail_msg("pixel %d,%d of %dx%d: %s", x, y, image->Xsize, image->Ysize, vips_error_buffer());
    return values;
}

double image_at(VipsImage *image, int x, int y, int band)
{
    int bands = 0;
    double *values = pixel(image, x, y, &bands);
    assert_in_range(band, 0, bands - 1);
    double value = values[band];
    g_free(values);
    return value;
}

void assert_pixel_(VipsImage *image, int x, int y, double r, double g, double b, double within, const char *file,
                   int line)
{
    int bands = 0;
    double *v = pixel(image, x, y, &bands);
    const double want[3] = {r, g, b};
    for (int band = 0; band < 3; band++) {
        double have = v[bands < 3 ? 0 : band];
        if (fabs(have - want[band]) > within) {
            print_error("pixel %d,%d band %d: %g, expected %g +- %g\n", x, y, band, have, want[band], within);
            _fail(file, line);
        }
    }
    g_free(v);
}

void assert_says_(const char *text, const char *file, int line)
{
    if (!strstr(step_message(), text)) {
        print_error("message lacks \"%s\": %s\n", text, step_message());
        _fail(file, line);
    }
}

const PmShape shape_photo = {
    .width = 1600,
    .height = 1200,
    .pages = 1,
    .bands = 3,
    .source_width = 1600,
    .source_height = 1200,
    .interpretation = VIPS_INTERPRETATION_sRGB,
    .orientation = 1,
};

VipsImage *image_kind(int bands, bool deep)
{
    VipsImage *flat = image_flat(40, 30, bands, 90, 100, 110, 255), *scaled = NULL, *cast = NULL, *out = NULL;
    assert_int_equal(vips_linear1(flat, &scaled, deep ? 257 : 1, 0, NULL), 0);
    assert_int_equal(vips_cast(scaled, &cast, deep ? VIPS_FORMAT_USHORT : VIPS_FORMAT_UCHAR, NULL), 0);
    VipsInterpretation space = bands < 3 ? deep ? VIPS_INTERPRETATION_GREY16 : VIPS_INTERPRETATION_B_W
                               : deep    ? VIPS_INTERPRETATION_RGB16
                                         : VIPS_INTERPRETATION_sRGB;
    assert_int_equal(vips_copy(cast, &out, "interpretation", space, NULL), 0);
    g_object_unref(cast);
    g_object_unref(scaled);
    g_object_unref(flat);
    return out;
}
