/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/heic.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/heif_codec.h"

bool pm_heic_is(const void *bytes, size_t size)
{
    char codec[5];
    return pm_heif_codec(bytes, size, codec) && strcmp(codec, "hvc1") == 0;
}

bool pm_heic_is_sound(const void *bytes, size_t size)
{
    if (pm_heif_is_finite(bytes, size)) return true;
    vips_error("heif", "a picture in it is a part of itself");
    return false;
}

void pm_heic_explain(const void *bytes, size_t size)
{
    char codec[5];
    if (!pm_heif_codec(bytes, size, codec) || strcmp(codec, "av01") == 0) return;
    vips_error_clear();
    vips_error("heif", "unsupported codec %s", codec);
}

#ifdef PIXMILL_HEIC
#include "engine/heic_metadata.h"

static bool works;

/* libheif has libde265 start one thread for each tile, and waits for ever where there is no memory for its stack. A
 * program's own function comes before a library's: no thread is started, and libde265 decodes where it is called. */
__attribute__((visibility("default"))) int de265_start_worker_threads(void *context, int count);
int de265_start_worker_threads(void *context, int count)
{
    (void)context;
    (void)count;
    return 0; /* DE265_OK */
}

/* libheif's codecs may be files of their own (from 1.17 on in Debian and Ubuntu). They are looked for beside the
 * library, which is where distributions have them and bundles, too; never where the machine has those of another
 * libheif. */
void pm_heic_setup(void)
{
    Dl_info info;
    char folder[4096];
    if (dladdr((const void *)(uintptr_t)heif_get_version, &info) != 0 && info.dli_fname != NULL) {
        const char *slash = strrchr(info.dli_fname, '/');
        int length = slash != NULL ? (int)(slash - info.dli_fname) : 0;
        snprintf(folder, sizeof folder, "%.*s/libheif/plugins", length, info.dli_fname);
        if (g_file_test(folder, G_FILE_TEST_IS_DIR)) g_setenv("LIBHEIF_PLUGIN_PATH", folder, FALSE);
    }
    heif_init(NULL);
    works = heif_have_decoder_for_format(heif_compression_HEVC) != 0;
}

bool pm_heic_works(void)
{
    return works;
}

const char *pm_heic_version(void)
{
    return heif_get_version();
}

/* One file while an image is made of it. */
typedef struct Heic {
    struct heif_image_handle *handle;
    struct heif_image *image; /* NULL until the first pixel is asked for */
    const uint8_t *pixels;
    int stride, bits; /* bits: of a sample */
    bool failed;
    GMutex lock;
} Heic;

static void heic_free(gpointer data)
{
    Heic *heic = data;
    if (heic == NULL) return;
    if (heic->image != NULL) heif_image_release(heic->image);
    if (heic->handle != NULL) heif_image_handle_release(heic->handle);
    g_mutex_clear(&heic->lock);
    free(heic);
}

static bool fine(struct heif_error error)
{
    if (error.code == heif_error_Ok) return true;
    vips_error("heif", "%s", error.message != NULL ? error.message : "libheif gives no reason");
    return false;
}

/* ------------------------------------------------------------------ pixels */

static enum heif_chroma chroma_of(bool wide, bool alpha)
{
    if (!wide) return alpha ? heif_chroma_interleaved_RGBA : heif_chroma_interleaved_RGB;
    if (G_BYTE_ORDER == G_LITTLE_ENDIAN)
        return alpha ? heif_chroma_interleaved_RRGGBBAA_LE : heif_chroma_interleaved_RRGGBB_LE;
    return alpha ? heif_chroma_interleaved_RRGGBBAA_BE : heif_chroma_interleaved_RRGGBB_BE;
}

static bool decode(Heic *heic, const VipsImage *out)
{
    bool wide = out->BandFmt == VIPS_FORMAT_USHORT, alpha = out->Bands == 4;
    struct heif_decoding_options *options = heif_decoding_options_alloc();
    if (options == NULL) {
        vips_error("heif", "out of memory");
        return false;
    }
    if (options->version >= 3)
        options->strict_decoding = 1; /* a tile that is missing is an error, not a black square */
    bool good =
        fine(heif_decode_image(heic->handle, &heic->image, heif_colorspace_RGB, chroma_of(wide, alpha), options));
    heif_decoding_options_free(options);
    if (!good) return false;
    int width = heif_image_get_width(heic->image, heif_channel_interleaved);
    int height = heif_image_get_height(heic->image, heif_channel_interleaved);
    heic->pixels = heif_image_get_plane_readonly(heic->image, heif_channel_interleaved, &heic->stride);
    heic->bits = heif_image_get_bits_per_pixel_range(heic->image, heif_channel_interleaved);
    if (width != out->Xsize || height != out->Ysize || heic->pixels == NULL) {
        vips_error("heif", "the header claims %dx%d pixels, and %dx%d are there", out->Xsize, out->Ysize, width,
                   height);
        return false;
    }
    if (heic->stride / out->Bands / (wide ? 2 : 1) < width || heic->bits < (wide ? 9 : 1) ||
        heic->bits > (wide ? 16 : 8)) {
        vips_error("heif", "unsupported samples of %d bits", heic->bits);
        return false;
    }
    return true;
}

/* Once, by the first caller. */
static bool decoded(Heic *heic, const VipsImage *out)
{
    g_mutex_lock(&heic->lock);
    if (heic->image == NULL && !heic->failed) heic->failed = !decode(heic, out);
    bool good = !heic->failed;
    g_mutex_unlock(&heic->lock);
    return good;
}

/* Samples of 9 to 15 bits to 16: the upper bits again below, so that the most stays the most. */
static void widen(const uint16_t *in, uint16_t *out, size_t count, int bits)
{
    int up = 16 - bits, down = bits - up;
    for (size_t i = 0; i < count; i++) {
        unsigned sample = in[i];
        out[i] = (uint16_t)(sample << up | sample >> down);
    }
}

static int generate(VipsRegion *out, void *sequence, void *a, void *b, gboolean *stop)
{
    (void)sequence;
    (void)b;
    (void)stop;
    Heic *heic = a;
    const VipsRect *area = &out->valid;
    bool wide = out->im->BandFmt == VIPS_FORMAT_USHORT;
    size_t bands = (size_t)out->im->Bands, pixel = bands * (wide ? 2 : 1), samples = (size_t)area->width * bands;
    if (!decoded(heic, out->im)) return -1;
    for (int y = area->top; y < area->top + area->height; y++) {
        const uint8_t *from = heic->pixels + (size_t)y * (size_t)heic->stride + (size_t)area->left * pixel;
        void *to = (uint8_t *)out->data + (size_t)(y - area->top) * (size_t)out->bpl;
        if (wide && heic->bits < 16)
            widen((const uint16_t *)(const void *)from, to, samples, heic->bits);
        else
            memcpy(to, from, (size_t)area->width * pixel);
    }
    return 0;
}

/* ------------------------------------------------------------------ header */

static bool read_header(Heic *heic, const void *bytes, size_t size)
{
    struct heif_context *context = heif_context_alloc();
    if (context == NULL) {
        vips_error("heif", "out of memory");
        return false;
    }
    /* One after the other on this thread: a worker is one core's, and each thread's stack is memory. */
    heif_context_set_max_decoding_threads(context, 0);
    bool good = fine(heif_context_read_from_memory_without_copy(context, bytes, size, NULL)) &&
                fine(heif_context_get_primary_image_handle(context, &heic->handle));
    heif_context_free(context); /* the handle keeps what it needs */
    return good;
}

VipsImage *pm_heic_open(const void *bytes, size_t size)
{
    Heic *heic = calloc(1, sizeof *heic);
    if (heic == NULL) {
        vips_error("heif", "out of memory");
        return NULL;
    }
    g_mutex_init(&heic->lock);
    if (!read_header(heic, bytes, size)) {
        heic_free(heic);
        return NULL;
    }
    int width = heif_image_handle_get_width(heic->handle), height = heif_image_handle_get_height(heic->handle);
    int bits = heif_image_handle_get_luma_bits_per_pixel(heic->handle);
    bool alpha = heif_image_handle_has_alpha_channel(heic->handle) != 0, wide = bits > 8;
    if (width < 1 || height < 1 || bits < 1) {
        vips_error("heif", "the header claims %dx%d pixels of %d bits", width, height, bits);
        heic_free(heic);
        return NULL;
    }
    VipsImage *image = vips_image_new();
    g_object_set_data_full(G_OBJECT(image), "pixmill-heic", heic, heic_free);
    vips_image_init_fields(image, width, height, alpha ? 4 : 3, wide ? VIPS_FORMAT_USHORT : VIPS_FORMAT_UCHAR,
                           VIPS_CODING_NONE, wide ? VIPS_INTERPRETATION_RGB16 : VIPS_INTERPRETATION_sRGB, 1.0, 1.0);
    vips_image_set_string(image, "heif-compression", "hevc");
    vips_image_set_int(image, "heif-bitdepth", bits);
    bool good = vips_image_pipelinev(image, VIPS_DEMAND_STYLE_THINSTRIP, NULL) == 0 &&
                pm_heic_metadata(image, heic->handle) &&
                vips_image_generate(image, NULL, generate, NULL, heic, NULL) == 0;
    if (good) return image;
    g_object_unref(image);
    return NULL;
}

#else

void pm_heic_setup(void)
{
}

bool pm_heic_works(void)
{
    return false;
}

const char *pm_heic_version(void)
{
    return "";
}

VipsImage *pm_heic_open(const void *bytes, size_t size)
{
    (void)bytes;
    (void)size;
    vips_error("heif", "HEVC is not supported");
    return NULL;
}

#endif
