/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "engine/check/step.h"

enum { WIDTH = 61, HEIGHT = 47, PAGES = 3 }; /* odd and prime: rounding shows */

PmShape pm_check_shape(VipsImage *image)
{
    int height = vips_image_get_page_height(image);
    return (PmShape){
        .width = vips_image_get_width(image),
        .height = height,
        .pages = vips_image_get_height(image) / height,
        .bands = vips_image_get_bands(image),
        .source_width = vips_image_get_width(image),
        .source_height = height,
        .band_format = vips_image_get_format(image),
        .interpretation = vips_image_get_interpretation(image),
        .orientation = 1,
        .has_alpha = vips_image_hasalpha(image),
        .has_profile = vips_image_get_typeof(image, VIPS_META_ICC_NAME) != 0,
    };
}

/* Every band a plane of its own with a pattern that no neighbour shares. */
static VipsImage *pattern(int width, int height, int bands, VipsBandFormat format, VipsInterpretation space)
{
    size_t unit = format == VIPS_FORMAT_USHORT ? 2 : 1;
    size_t row = (size_t)width * (size_t)bands * unit;
    unsigned char *bytes = g_malloc(row * (size_t)height);
    for (size_t i = 0; i < row * (size_t)height; i++) bytes[i] = (unsigned char)((i * 37 + i / row * 11) & 0xff);
    VipsImage *image = vips_image_new_from_memory_copy(bytes, row * (size_t)height, width, height, bands, format);
    g_free(bytes);
    if (image != NULL) image->Type = space;
    return image;
}

static VipsImage *rgb(int width, int height)
{
    return pattern(width, height, 3, VIPS_FORMAT_UCHAR, VIPS_INTERPRETATION_sRGB);
}

static VipsImage *in_memory(VipsImage *image)
{
    if (image == NULL) return NULL;
    VipsImage *memory = vips_image_copy_memory(image);
    g_object_unref(image);
    return memory;
}

/* The engine turns CMYK into sRGB before any step sees it. */
static VipsImage *from_cmyk(void)
{
    VipsImage *cmyk = pattern(WIDTH, HEIGHT, 4, VIPS_FORMAT_UCHAR, VIPS_INTERPRETATION_CMYK), *out = NULL;
    if (cmyk != NULL && vips_icc_transform(cmyk, &out, "srgb", "input_profile", "cmyk", NULL) != 0) out = NULL;
    if (cmyk != NULL) g_object_unref(cmyk);
    return in_memory(out);
}

static VipsImage *with_profile(void)
{
    VipsImage *image = rgb(WIDTH, HEIGHT);
    VipsBlob *profile = NULL;
    if (image == NULL || vips_profile_load("srgb", &profile, NULL) != 0) return image;
    size_t size;
    const void *bytes = vips_blob_get(profile, &size);
    vips_image_set_blob_copy(image, VIPS_META_ICC_NAME, bytes, size);
    vips_area_unref(VIPS_AREA(profile));
    return image;
}

static VipsImage *animation(void)
{
    VipsImage *image = rgb(WIDTH, HEIGHT * PAGES);
    int delays[PAGES] = {40, 80, 120};
    if (image == NULL) return NULL;
    vips_image_set_int(image, VIPS_META_PAGE_HEIGHT, HEIGHT);
    vips_image_set_int(image, VIPS_META_N_PAGES, PAGES);
    vips_image_set_int(image, "loop", 0);
    vips_image_set_array_int(image, "delay", delays, PAGES);
    return image;
}

bool pm_check_pictures_new(PmCheckPicture pictures[PM_CHECK_PICTURES])
{
    PmCheckPicture made[PM_CHECK_PICTURES] = {
        {.name = "RGB", .image = rgb(WIDTH, HEIGHT)},
        {.name = "alpha", .image = pattern(WIDTH, HEIGHT, 4, VIPS_FORMAT_UCHAR, VIPS_INTERPRETATION_sRGB)},
        {.name = "CMYK made sRGB", .image = from_cmyk()},
        {.name = "grey", .image = pattern(WIDTH, HEIGHT, 1, VIPS_FORMAT_UCHAR, VIPS_INTERPRETATION_B_W)},
        {.name = "grey with alpha", .image = pattern(WIDTH, HEIGHT, 2, VIPS_FORMAT_UCHAR, VIPS_INTERPRETATION_B_W)},
        {.name = "16-bit", .image = pattern(WIDTH, HEIGHT, 3, VIPS_FORMAT_USHORT, VIPS_INTERPRETATION_RGB16)},
        {.name = "ICC profile", .image = with_profile()},
        {.name = "animated", .image = animation()},
        {.name = "rotated", .image = rgb(HEIGHT, WIDTH)},
        {.name = "shrunk while loading", .image = rgb(WIDTH, HEIGHT)},
        {.name = "one pixel", .image = rgb(1, 1)},
    };
    bool ok = true;
    for (size_t i = 0; i < PM_CHECK_PICTURES; i++) {
        pictures[i] = made[i];
        ok = ok && made[i].image != NULL;
        if (made[i].image != NULL) pictures[i].shape = pm_check_shape(made[i].image);
    }
    pictures[8].shape.orientation = 6;
    pictures[9].shape.source_width = 4 * WIDTH;
    pictures[9].shape.source_height = 4 * HEIGHT;
    if (!ok) pm_check_pictures_free(pictures);
    return ok;
}

void pm_check_pictures_free(PmCheckPicture pictures[PM_CHECK_PICTURES])
{
    for (size_t i = 0; i < PM_CHECK_PICTURES; i++) {
        if (pictures[i].image != NULL) g_object_unref(pictures[i].image);
        pictures[i].image = NULL;
    }
}

/* Bytes of the file that a picture is read from, freed when the last image that reads them goes. */
static void free_blob(VipsImage *image, VipsBlob *blob)
{
    (void)image;
    vips_area_unref(VIPS_AREA(blob));
}

/* As the engine opens it: one pass, and no row twice. */
static VipsImage *open_tall(bool jpeg, void *bytes, size_t size)
{
    VipsImage *image = NULL;
    int result = jpeg ? vips_jpegload_buffer(bytes, size, &image, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on",
                                             VIPS_FAIL_ON_TRUNCATED, NULL)
                      : vips_pngload_buffer(bytes, size, &image, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on",
                                            VIPS_FAIL_ON_TRUNCATED, NULL);
    return result == 0 ? image : NULL;
}

VipsImage *pm_check_tall(bool jpeg, bool sequential)
{
    /* libvips computes small or narrow pictures in one go, which hides in what order a step reads. */
    enum { TALL_WIDTH = 512, TALL_HEIGHT = 2400 };
    VipsImage *tall = rgb(TALL_WIDTH, TALL_HEIGHT), *image = NULL;
    void *bytes = NULL;
    size_t size = 0;
    if (tall == NULL) return NULL;
    int result = jpeg ? vips_jpegsave_buffer(tall, &bytes, &size, NULL)
                      : vips_pngsave_buffer(tall, &bytes, &size, "compression", 1, NULL);
    g_object_unref(tall);
    if (result != 0) return NULL;
    VipsBlob *blob = vips_blob_new((VipsCallbackFn)vips_area_free_cb, bytes, size);
    image = open_tall(jpeg, bytes, size);
    if (image == NULL) {
        vips_area_unref(VIPS_AREA(blob));
        return NULL;
    }
    g_signal_connect(image, "postclose", G_CALLBACK(free_blob), blob);
    return sequential ? image : in_memory(image);
}
