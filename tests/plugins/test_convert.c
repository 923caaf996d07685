// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

typedef struct Written {
    void *bytes;
    size_t size;
    PmPlan plan;
    VipsImage *image; /* read back */
} Written;

/* Encodes and reads back; frees the input. `format` is the source's, for auto. */
static Written write_as(const char *yaml, const char *source_format, VipsImage *in)
{
    Written w = {0};
    Step *step = step_new("convert", yaml);
    if (source_format) step_set_fact(step, "format", source_format);
    w.bytes = step_encode(step, in, &w.size, &w.plan);
    w.image = image_load(w.bytes, w.size);
    step_free(step);
    g_object_unref(in);
    return w;
}

static void written_free(Written *w)
{
    g_object_unref(w->image);
    g_free(w->bytes);
}

static bool has_magic(const Written *w, size_t at, const char *magic)
{
    return w->size > at + strlen(magic) && !memcmp((const char *)w->bytes + at, magic, strlen(magic));
}

static bool can_write(const char *format)
{
    char yaml[64];
    snprintf(yaml, sizeof(yaml), "{format: %s}", format);
    Step *step = step_try("convert", yaml);
    if (!step) assert_says("can't write");
    step_free(step);
    return step != NULL;
}

static void every_format_is_what_it_says(void **state)
{
    (void)state;
    static const struct {
        const char *format, *extension, *mime, *magic;
        size_t at;
        double within;
    } cases[] = {
        {"jpeg", "jpg", "image/jpeg", "\xff\xd8\xff", 0, 10}, {"png", "png", "image/png", "\x89PNG", 0, 0},
        {"webp", "webp", "image/webp", "WEBP", 8, 10},        {"avif", "avif", "image/avif", "ftypavif", 4, 14},
        {"gif", "gif", "image/gif", "GIF89a", 0, 20},         {"tiff", "tif", "image/tiff", "II*", 0, 0},
        {"jxl", "jxl", "image/jxl", "\xff\x0a", 0, 10},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char yaml[64];
        snprintf(yaml, sizeof(yaml), "{format: %s}", cases[i].format);
        if (i >= 3 && !can_write(cases[i].format)) {
            print_message("%s: %s\n", cases[i].format, step_message());
            continue;
        }
        Written w = write_as(yaml, NULL, image_photo(128, 96));
        assert_string_equal(w.plan.format, cases[i].format);
        assert_string_equal(w.plan.extension, cases[i].extension);
        assert_string_equal(w.plan.mime, cases[i].mime);
        assert_true(has_magic(&w, cases[i].at, cases[i].magic));
        assert_size(w.image, 128, 96);
        assert_pixel(w.image, 64, 48, 128, 128, 128 + 100 * sin(64 * 0.11) * cos(48 * 0.07), 6 + cases[i].within);
        written_free(&w);
    }
}

static void auto_follows_source_and_picture(void **state)
{
    (void)state;
    static const struct {
        const char *source, *expected;
        int kind; /* 0 photo, 1 alpha, 2 animation */
    } cases[] = {
        {"jpeg", "jpeg", 0}, {"png", "png", 0},   {"webp", "webp", 0}, {"gif", "gif", 0},   {"tiff", "jpeg", 0},
        {"heif", "jpeg", 0}, {NULL, "jpeg", 0},   {"jpeg", "jpeg", 1}, {"tiff", "png", 1},  {"svg", "png", 1},
        {"gif", "gif", 2},   {"webp", "webp", 2}, {"tiff", "webp", 2}, {"avif", "webp", 2},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        VipsImage *in = cases[i].kind == 0   ? image_photo(40, 30)
                        : cases[i].kind == 1 ? image_alpha(40, 30)
                                             : image_animation(40, 30, 3);
        /* settings that the chosen format lacks are passed over */
        Written w = write_as("{quality: 70, effort: 2, progressive: true}", cases[i].source, in);
        if (strcmp(w.plan.format, cases[i].expected))
            fail_msg("%s, kind %d: %s", cases[i].source, cases[i].kind, w.plan.format);
        written_free(&w);
    }
    if (can_write("avif")) {
        Written w = write_as("{}", "avif", image_photo(40, 30));
        assert_string_equal(w.plan.format, "avif");
        written_free(&w);
    }
}

static void animations_keep_pages_and_times(void **state)
{
    (void)state;
    static const char *const yaml[] = {"{format: gif}", "{format: webp}", "{format: webp, lossless: true}"};
    for (size_t i = 0; i < 3; i++) {
        Written w = write_as(yaml[i], NULL, image_animation(40, 30, 4));
        assert_int_equal(w.plan.need_pages, 0);
        assert_int_equal(w.plan.out.pages, 4);
        assert_size(w.image, 40, 30);
        assert_int_equal(w.image->Ysize, 120);
        for (int page = 0; page < 4; page++)
            assert_pixel(w.image, 20, page * 30 + 15, page * 40, page * 40, page * 40, 5);
        int *delays = NULL, count = 0, loop = 0;
        assert_int_equal(vips_image_get_array_int(w.image, "delay", &delays, &count), 0);
        assert_int_equal(count, 4);
        for (int page = 0; page < 4; page++) assert_int_equal(delays[page], 100 + 10 * page);
        assert_int_equal(vips_image_get_int(w.image, "loop", &loop), 0);
        assert_int_equal(loop, 3);
        written_free(&w);
    }
    Written w = write_as("{format: jpeg}", NULL, image_animation(40, 30, 4));
    assert_int_equal(w.plan.need_pages, 1);
    assert_int_equal(w.plan.out.pages, 1);
    assert_int_equal(w.image->Ysize, 30);
    written_free(&w);
}

static void background_shows_through(void **state)
{
    (void)state;
    Written w = write_as("{format: jpeg, quality: 95}", NULL, image_alpha(64, 32));
    assert_int_equal(w.image->Bands, 3);
    assert_pixel(w.image, 8, 16, 255, 0, 0, 4);
    assert_pixel(w.image, 56, 16, 255, 255, 255, 4);
    written_free(&w);
    w = write_as("{format: jpeg, quality: 95, background: \"#2040a0\"}", NULL, image_alpha(64, 32));
    assert_pixel(w.image, 56, 16, 0x20, 0x40, 0xa0, 4);
    written_free(&w);
    /* grey stays grey, unless the background is coloured */
    w = write_as("{format: jpeg, background: black}", NULL, image_flat(32, 32, 2, 200, 0, 0, 0));
    assert_int_equal(w.image->Bands, 1);
    assert_pixel(w.image, 16, 16, 0, 0, 0, 2);
    written_free(&w);
    w = write_as("{format: jpeg, background: red}", NULL, image_flat(32, 32, 2, 200, 0, 0, 0));
    assert_int_equal(w.image->Bands, 3);
    assert_pixel(w.image, 16, 16, 255, 0, 0, 4);
    written_free(&w);
    w = write_as("{format: webp, lossless: true}", NULL, image_alpha(64, 32));
    assert_int_equal(w.image->Bands, 4);
    assert_true(image_at(w.image, 56, 16, 3) == 0);
    written_free(&w);
}

/* 16 bits a sample: value * 257 in every band. */
static VipsImage *deep(VipsImage *in)
{
    VipsImage *cast = NULL, *scaled = NULL, *out = NULL;
    assert_int_equal(vips_linear1(in, &scaled, 257, 0, NULL), 0);
    assert_int_equal(vips_cast(scaled, &cast, VIPS_FORMAT_USHORT, NULL), 0);
    assert_int_equal(vips_copy(cast, &out, "interpretation",
                               in->Bands < 3 ? VIPS_INTERPRETATION_GREY16 : VIPS_INTERPRETATION_RGB16, NULL),
                     0);
    g_object_unref(scaled);
    g_object_unref(cast);
    g_object_unref(in);
    return out;
}

static void depth_is_kept_or_brought_down(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        int bands;
        VipsBandFormat format;
        double unit;
    } cases[] = {
        {"{format: jpeg, quality: 95}", 3, VIPS_FORMAT_UCHAR, 1},
        {"{format: jpeg, quality: 95}", 4, VIPS_FORMAT_UCHAR, 1},
        {"{format: jpeg, quality: 95}", 1, VIPS_FORMAT_UCHAR, 1},
        {"{format: webp, quality: 95}", 3, VIPS_FORMAT_UCHAR, 1},
        {"{format: gif}", 3, VIPS_FORMAT_UCHAR, 1},
        {"{format: png}", 3, VIPS_FORMAT_USHORT, 257},
        {"{format: png}", 1, VIPS_FORMAT_USHORT, 257},
        {"{format: png, bitdepth: 8}", 4, VIPS_FORMAT_UCHAR, 1},
        {"{format: png, palette: true}", 3, VIPS_FORMAT_UCHAR, 1},
        {"{format: tiff}", 3, VIPS_FORMAT_USHORT, 257},
        {"{format: tiff, bitdepth: 8}", 3, VIPS_FORMAT_UCHAR, 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        VipsImage *in = deep(image_flat(32, 32, cases[i].bands, 200, 100, 50, 255));
        Written w = write_as(cases[i].yaml, NULL, in);
        if (w.image->BandFmt != cases[i].format)
            fail_msg("%s, %d bands: band format %d", cases[i].yaml, cases[i].bands, w.image->BandFmt);
        double u = cases[i].unit;
        bool grey = cases[i].bands < 3;
        assert_pixel(w.image, 16, 16, 200 * u, (grey ? 200 : 100) * u, (grey ? 200 : 50) * u, u > 1 ? 0 : 4);
        written_free(&w);
    }
    Written w = write_as("{format: png, bitdepth: 16}", NULL, image_flat(32, 32, 3, 200, 100, 50, 255));
    assert_int_equal(w.image->BandFmt, VIPS_FORMAT_USHORT);
    assert_pixel(w.image, 16, 16, 200 * 256, 100 * 256, 50 * 256, 256);
    written_free(&w);
    if (!can_write("avif")) return;
    bool ten = vips_version(1) >= 15; /* libheif beside older ones aborts on 10 bits */
    const char *const avif[] = {"{format: avif, bitdepth: 12}", "{format: avif}", "{format: avif, bitdepth: 8}",
                                "{format: avif, bitdepth: 10}"};
    const int bits[] = {12, ten ? 10 : 12, 8, 10};
    for (size_t i = 0; i < (ten ? 4 : 3); i++) {
        w = write_as(avif[i], NULL, deep(image_flat(64, 64, 3, 200, 100, 50, 255)));
        int depth = 0;
        if (vips_image_get_typeof(w.image, "heif-bitdepth")) {
            assert_int_equal(vips_image_get_int(w.image, "heif-bitdepth", &depth), 0);
            assert_int_equal(depth, bits[i]);
        }
        double u = w.image->BandFmt == VIPS_FORMAT_USHORT ? 257 : 1;
        assert_pixel(w.image, 32, 32, 200 * u, 100 * u, 50 * u, 6 * u);
        written_free(&w);
    }
}

/* The same colours, told in Display P3. */
static VipsImage *in_p3(VipsImage *in)
{
    VipsImage *out = NULL;
    assert_int_equal(vips_icc_transform(in, &out, "p3", "input_profile", "srgb", NULL), 0);
    assert_true(vips_image_get_typeof(out, VIPS_META_ICC_NAME) != 0);
    g_object_unref(in);
    return out;
}

/* A background's colour is told in sRGB; in the picture's own space it has other numbers. */
static void background_follows_the_profile(void **state)
{
    (void)state;
    Written w = write_as("{format: jpeg, quality: 95, background: \"#e02010\"}", NULL, in_p3(image_alpha(64, 32)));
    assert_true(vips_image_get_typeof(w.image, VIPS_META_ICC_NAME) != 0);
    VipsImage *seen = NULL;
    assert_int_equal(vips_icc_transform(w.image, &seen, "srgb", "embedded", TRUE, NULL), 0);
    assert_pixel(seen, 56, 16, 0xe0, 0x20, 0x10, 5);
    assert_true(image_at(w.image, 56, 16, 0) < 215); /* P3's red is stronger */
    g_object_unref(seen);
    written_free(&w);
}

enum { SAMPLE = 100 };

/* Grey or RGB of one value and, with an even number of bands, opaque; `type` need not fit the samples. */
static VipsImage *flat_of(VipsBandFormat format, int bands, VipsInterpretation type)
{
    bool wide = format == VIPS_FORMAT_USHORT;
    VipsImage *t[3] = {NULL}, *flat = image_flat(33, 17, bands, SAMPLE, bands == 2 ? 255 : SAMPLE, SAMPLE, 255);
    assert_int_equal(vips_linear1(flat, &t[0], wide ? 257 : 1, 0, NULL), 0);
    assert_int_equal(vips_cast(t[0], &t[1], format, NULL), 0);
    assert_int_equal(vips_copy(t[1], &t[2], "interpretation", type, NULL), 0);
    VipsImage *held = vips_image_copy_memory(t[2]);
    for (size_t i = 0; i < 3; i++) g_object_unref(t[i]);
    g_object_unref(flat);
    return held;
}

/* Nothing but that value, to the last pixel. */
static void assert_flat(VipsImage *image, const char *what)
{
    double least = 0, most = 0;
    VipsImage *plain = NULL, *first = NULL;
    bool wide = image->BandFmt == VIPS_FORMAT_USHORT;
    assert_int_equal(vips_cast(image, &plain, VIPS_FORMAT_UCHAR, "shift", wide, NULL), 0);
    assert_int_equal(vips_extract_band(plain, &first, 0, NULL), 0);
    assert_int_equal(vips_min(first, &least, NULL), 0);
    assert_int_equal(vips_max(first, &most, NULL), 0);
    g_object_unref(first);
    g_object_unref(plain);
    if (least < SAMPLE - 6 || most > SAMPLE + 6) fail_msg("%s: %.0f to %.0f", what, least, most);
}

/* Every band format, with the interpretation that fits and with the one that does not, through every encoder: the
 * picture's own pixels come out, and none of what lies beyond them in memory. */
static void every_band_format_through_every_encoder(void **state)
{
    (void)state;
    static const VipsInterpretation types[] = {VIPS_INTERPRETATION_B_W, VIPS_INTERPRETATION_GREY16,
                                               VIPS_INTERPRETATION_sRGB, VIPS_INTERPRETATION_RGB16};
    static const char *const encoders[] = {"format: jpeg",
                                           "format: png",
                                           "format: png, bitdepth: 8",
                                           "format: png, bitdepth: 16",
                                           "format: png, palette: true",
                                           "format: webp",
                                           "format: gif",
                                           "format: tiff, bitdepth: 8",
                                           "format: tiff, bitdepth: 16",
                                           "format: avif, effort: 1"};
    bool has_avif = can_write("avif");
    for (size_t e = 0; e < sizeof(encoders) / sizeof(encoders[0]); e++)
        for (VipsBandFormat format = VIPS_FORMAT_UCHAR; format <= VIPS_FORMAT_DOUBLE; format++)
            for (int kind = 0; kind < 8; kind++) {
                char yaml[64], what[128];
                int bands = kind % 4 + 1;
                bool deep = kind >= 4, avif = strstr(encoders[e], "avif") != NULL;
                if (format == VIPS_FORMAT_COMPLEX || (avif && (!has_avif || bands == 2))) continue;
                if (format == VIPS_FORMAT_CHAR && bands % 2 == 0) continue; /* no 255, so nothing opaque */
                snprintf(yaml, sizeof(yaml), "{%s}", encoders[e]);
                snprintf(what, sizeof(what), "%s of %s, %d bands%s", encoders[e],
                         vips_enum_nick(VIPS_TYPE_BAND_FORMAT, format), bands, deep ? ", deep" : "");
                Written w = write_as(yaml, NULL, flat_of(format, bands, types[2 * (bands > 2) + deep]));
                assert_flat(w.image, what);
                written_free(&w);
            }
}

static void colours_survive_the_profile(void **state)
{
    (void)state;
    VipsImage *told = in_p3(image_flat(32, 32, 3, 230, 60, 40, 255));
    double r = image_at(told, 16, 16, 0);
    assert_true(fabs(r - 230) > 8); /* other numbers for the same colour */
    /* gif holds no profile: sRGB numbers */
    Written w = write_as("{format: gif}", NULL, g_object_ref(told));
    assert_pixel(w.image, 16, 16, 230, 60, 40, 3);
    written_free(&w);
    /* the others keep numbers and profile */
    static const char *const yaml[] = {"{format: png}", "{format: tiff}", "{format: jpeg, quality: 95}",
                                       "{format: webp, lossless: true}"};
    for (size_t i = 0; i < 4; i++) {
        w = write_as(yaml[i], NULL, g_object_ref(told));
        assert_true(vips_image_get_typeof(w.image, VIPS_META_ICC_NAME) != 0);
        assert_true(fabs(image_at(w.image, 16, 16, 0) - r) < 4);
        written_free(&w);
    }
    g_object_unref(told);
}

static void quality_and_friends_act(void **state)
{
    (void)state;
    static const struct {
        const char *small, *large;
    } cases[] = {
        {"{format: jpeg, quality: 30}", "{format: jpeg, quality: 90}"},
        {"{format: jpeg, optimize_coding: true}", "{format: jpeg}"},
        {"{format: jpeg, subsampling: \"420\"}", "{format: jpeg, subsampling: \"444\"}"},
        {"{format: webp, quality: 30}", "{format: webp, quality: 90}"},
        {"{format: webp}", "{format: webp, lossless: true}"},
        {"{format: png, effort: 10}", "{format: png, effort: 1}"},
        {"{format: png, palette: true}", "{format: png}"},
        {"{format: png, palette: true, colors: 4}", "{format: png, palette: true, colors: 256}"},
        {"{format: gif, colors: 8}", "{format: gif}"},
        {"{format: gif, dither: 0}", "{format: gif}"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        Written small = write_as(cases[i].small, NULL, image_photo(200, 150));
        Written large = write_as(cases[i].large, NULL, image_photo(200, 150));
        if (small.size >= large.size)
            fail_msg("%s: %zu, %s: %zu", cases[i].small, small.size, cases[i].large, large.size);
        written_free(&small);
        written_free(&large);
    }
    Written w = write_as("{format: jpeg, progressive: true}", NULL, image_photo(60, 50));
    bool found = false; /* SOF2 */
    for (size_t i = 0; i + 1 < w.size; i++) found |= !memcmp((const char *)w.bytes + i, "\xff\xc2", 2);
    assert_true(found);
    written_free(&w);
}

/* The most that any sample is off. */
static double distance(VipsImage *a, VipsImage *b)
{
    VipsImage *difference = NULL, *distances = NULL;
    double most = -1;
    assert_int_equal(vips_subtract(a, b, &difference, NULL), 0);
    assert_int_equal(vips_abs(difference, &distances, NULL), 0);
    assert_int_equal(vips_max(distances, &most, NULL), 0);
    g_object_unref(difference);
    g_object_unref(distances);
    return most;
}

/* Or it says which libvips can. */
static void lossless_changes_no_sample(void **state)
{
    (void)state;
    static const char *const formats[] = {"webp", "avif", "jxl"};
    bool inexact = false;
    for (size_t i = 0; i < 3; i++) {
        char yaml[64];
        if (i > 0 && !can_write(formats[i])) continue;
        snprintf(yaml, sizeof(yaml), "{format: %s, lossless: true}", formats[i]);
        Step *step = step_try("convert", yaml);
        if (!step) {
            inexact = true;
            assert_string_equal(formats[i], "avif");
            assert_says("lossless: avif of libvips 8.1");
            assert_says("is off by up to 2 a sample, that of 8.15.3 is not; webp and png are without loss here, too");
            continue;
        }
        step_free(step);
        VipsImage *in = image_photo(60, 50);
        Written w = write_as(yaml, NULL, image_photo(60, 50));
        assert_true(distance(in, w.image) < 1e-9);
        written_free(&w);
        g_object_unref(in);
    }
    if (inexact) {
        Written w = write_as("{lossless: true}", "avif", image_alpha(60, 50)); /* auto takes another way */
        assert_string_equal(w.plan.format, "png");
        written_free(&w);
    }
}

static void what_nobody_sees_stays_when_asked_for(void **state)
{
    (void)state;
    Written w = write_as("{format: webp, lossless: true}", NULL, image_alpha(64, 32));
    assert_pixel(w.image, 56, 16, 0, 0, 0, 0);
    written_free(&w);
    Step *step = step_try("convert", "{format: webp, lossless: true, exact: true}");
    if (!step) {
        assert_says("exact: webp of libvips 8.1");
        assert_says("has no such setting");
        return;
    }
    step_free(step);
    VipsImage *in = image_alpha(64, 32);
    w = write_as("{format: webp, lossless: true, exact: true}", NULL, image_alpha(64, 32));
    assert_true(distance(in, w.image) < 1e-9);
    written_free(&w);
    g_object_unref(in);
}

static void noise(VipsImage **out, int width, int height)
{
    VipsImage *t[2] = {NULL};
    assert_int_equal(vips_gaussnoise(&t[0], width, height, "mean", 128.0, "sigma", 40.0, "seed", 7, NULL), 0);
    assert_int_equal(vips_cast(t[0], &t[1], VIPS_FORMAT_UCHAR, NULL), 0);
    assert_int_equal(vips_copy(t[1], out, "interpretation", VIPS_INTERPRETATION_B_W, NULL), 0);
    g_object_unref(t[0]);
    g_object_unref(t[1]);
}

static void max_bytes_is_met_at_the_best_quality(void **state)
{
    (void)state;
    VipsImage *in = NULL;
    noise(&in, 256, 256);
    size_t sizes[101] = {0};
    for (int quality = 10; quality <= 90; quality++) {
        char yaml[64];
        snprintf(yaml, sizeof(yaml), "{format: jpeg, quality: %d}", quality);
        Written w = write_as(yaml, NULL, g_object_ref(in));
        sizes[quality] = w.size;
        written_free(&w);
    }
    for (int quality = 10; quality < 90; quality += 13) {
        char yaml[96];
        snprintf(yaml, sizeof(yaml), "{format: jpeg, quality: 90, max_bytes: %zu}", sizes[quality]);
        Written w = write_as(yaml, NULL, g_object_ref(in));
        assert_int_equal(w.size, sizes[quality]);
        written_free(&w);
    }
    /* fits at once: the quality asked for */
    Written w = write_as("{format: jpeg, quality: 90, max_bytes: 1000000}", NULL, g_object_ref(in));
    assert_int_equal(w.size, sizes[90]);
    written_free(&w);

    Step *step = step_new("convert", "{format: jpeg, quality: 90, max_bytes: 1KiB}");
    void *bytes = NULL;
    size_t size = 0;
    PmPlan plan;
    assert_int_equal(step_try_encode(step, in, &bytes, &size, &plan), PM_LIMIT);
    char expected[96];
    snprintf(expected, sizeof(expected), "256x256 px as jpeg take %zu bytes at quality 10, the lowest allowed",
             sizes[10]);
    assert_says(expected);
    step_free(step);
    step = step_new("convert", "{max_bytes: 1KiB}"); /* auto, and png has nothing to search over: passed over */
    step_set_fact(step, "format", "png");
    assert_int_equal(step_try_encode(step, in, &bytes, &size, &plan), PM_OK);
    assert_string_equal(plan.format, "png");
    assert_true(size > 1024);
    g_free(bytes);
    step_free(step);
    g_object_unref(in);
}

static size_t size_as(const char *settings, VipsImage *in)
{
    Written w = write_as(settings, NULL, g_object_ref(in));
    size_t size = w.size;
    written_free(&w);
    return size;
}

/* Also where it is above the quality that the format has by default. */
static void min_quality_holds(void **state)
{
    (void)state;
    VipsImage *in = NULL;
    noise(&in, 128, 128);
    size_t usual = size_as("{format: jpeg}", in), high = size_as("{format: jpeg, quality: 90}", in);
    assert_true(usual < high);
    assert_int_equal(size_as("{format: jpeg, min_quality: 90, max_bytes: 1MiB}", in), high);
    assert_int_equal(size_as("{format: jpeg, min_quality: 70, max_bytes: 1MiB}", in), usual);
    assert_int_equal(size_as("{format: jpeg, quality: 5, max_bytes: 1MiB}", in),
                     size_as("{format: jpeg, quality: 5}", in));

    char yaml[96];
    snprintf(yaml, sizeof(yaml), "{format: jpeg, min_quality: 90, max_bytes: %zu}", usual);
    Step *step = step_new("convert", yaml);
    void *bytes = NULL;
    size_t size = 0;
    PmPlan plan;
    assert_int_equal(step_try_encode(step, in, &bytes, &size, &plan), PM_LIMIT);
    assert_says("bytes at quality 90, the lowest allowed, more than max_bytes");
    step_free(step);
    g_object_unref(in);
}

static void plan_speaks_for_the_encoder(void **state)
{
    (void)state;
    PmShape shape = {
        .width = 20000, .height = 100, .pages = 1, .bands = 3, .source_width = 20000, .source_height = 100};
    Step *step = step_new("convert", "{format: webp, keep_smaller: true}");
    PmPlan plan;
    assert_int_equal(step_try_plan(step, &shape, &plan), PM_LIMIT);
    assert_says("20000x100 px don't fit into webp, which holds 16383 px a side");
    shape.width = 200;
    plan = step_plan(step, &shape);
    assert_int_equal(plan.flags, PM_KEEP_SOURCE);
    assert_int_equal(plan.need_width, 0);
    step_free(step);
    static const struct {
        const char *config;
        uint32_t flags;
    } rows[] = {
        {"{format: webp}", PM_NO_PIXELS},
        {"{}", PM_NO_PIXELS},
        {"{background: black}", PM_NO_PIXELS},
        {"{format: webp, quality: 80}", 0},
        {"{format: png, effort: 3}", 0},
        {"{format: jpeg, subsampling: 444}", 0},
        {"{max_bytes: 100KiB}", 0},
        {"{reencode: true}", 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        step = step_new("convert", rows[i].config);
        assert_int_equal(step_plan(step, &shape).flags, rows[i].flags);
        step_free(step);
    }
}

static void wrong_settings_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *says;
    } cases[] = {
        {"{format: gif, quality: 80}", "quality: gif has no quality; it is for jpeg, webp, avif"},
        {"{format: png, quality: 80}", "quality: png has no quality"},
        {"{format: jpeg, lossless: true}", "lossless: jpeg has no lossless"},
        {"{format: webp, lossless: true, quality: 80}", "quality: lossless: true leaves no quality"},
        {"{format: webp, lossless: true, max_bytes: 20KiB}", "max_bytes: lossless: true leaves no quality"},
        {"{format: jpeg, exact: true}", "exact: jpeg has no exact; it is for webp"},
        {"{format: jpeg, effort: 4}", "effort: jpeg has no effort"},
        {"{format: webp, progressive: true}", "progressive: webp has no progressive"},
        {"{format: webp, subsampling: \"444\"}", "subsampling: webp has no subsampling"},
        {"{format: jpeg, palette: true}", "palette: jpeg has no palette"},
        {"{format: png, colors: 16}", "colors: png has no colors; it is for gif, and png with palette: true"},
        {"{format: webp, bitdepth: 10}", "bitdepth: webp has no bitdepth"},
        {"{format: png, bitdepth: 12}", "has no 12 bits a sample"},
        {"{bitdepth: 9}", "bitdepth: 9 is none of 8, 10, 12, 16"},
        {"{format: png, palette: true, bitdepth: 16}", "bitdepth: png has no bitdepth"},
        {"{format: png, optimize_coding: true}", "optimize_coding: png has no optimize_coding"},
        {"{format: png, max_bytes: 20KiB}", "max_bytes: png has no max_bytes"},
        {"{format: jpeg, quality: 20, min_quality: 30, max_bytes: 20KiB}", "min_quality: 30 is above quality 20"},
        {"{format: jpeg, min_quality: 30}",
         "min_quality: it is for the search that max_bytes asks for, which is not given"},
        {"{format: jpeg, quality: 0}", "quality 0 is below 1"},
        {"{format: jpeg, quality: 101}", "quality 101 is above 100"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        Step *step = step_try("convert", cases[i].yaml);
        if (step) fail_msg("%s was taken", cases[i].yaml);
        assert_says(cases[i].says);
    }
}

static void comments_without_a_name_are_left_out(void **state)
{
    (void)state;
    VipsImage *in = image_photo(8, 8);
    vips_image_set_string(in, "png-comment-0-", "lost its name");
    vips_image_set_string(in, "png-comment-1- ", "a blank one");
    vips_image_set_string(in, "png-comment-2-Author", "Jane");
    Written w = write_as("{format: png}", NULL, in);
    const char *author = NULL;
    assert_int_equal(vips_image_get_string(w.image, "png-comment-0-Author", &author), 0);
    assert_string_equal(author, "Jane");
    assert_false(vips_image_get_typeof(w.image, "png-comment-1-Author"));
    written_free(&w);
}

static void a_broken_source_is_bad_input(void **state)
{
    (void)state;
    VipsImage *in = image_photo(400, 300);
    void *bytes = NULL;
    size_t size = 0;
    assert_int_equal(vips_pngsave_buffer(in, &bytes, &size, NULL), 0);
    g_object_unref(in);
    in = vips_image_new_from_buffer(bytes, size / 2, "", "access", VIPS_ACCESS_SEQUENTIAL, "fail_on",
                                    VIPS_FAIL_ON_TRUNCATED, NULL);
    assert_non_null(in);
    Step *step = step_new("convert", "{format: jpeg}");
    void *result = NULL;
    PmPlan plan;
    size_t result_size = 0;
    assert_int_equal(step_try_encode(step, in, &result, &result_size, &plan), PM_BAD_INPUT);
    assert_says("writing jpeg");
    vips_error_clear();
    step_free(step);
    g_object_unref(in);
    g_free(bytes);
}

int main(int argc, char **argv)
{
    (void)argc;
    harness_setup(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_is_what_it_says),
        cmocka_unit_test(auto_follows_source_and_picture),
        cmocka_unit_test(animations_keep_pages_and_times),
        cmocka_unit_test(background_shows_through),
        cmocka_unit_test(background_follows_the_profile),
        cmocka_unit_test(every_band_format_through_every_encoder),
        cmocka_unit_test(depth_is_kept_or_brought_down),
        cmocka_unit_test(colours_survive_the_profile),
        cmocka_unit_test(quality_and_friends_act),
        cmocka_unit_test(lossless_changes_no_sample),
        cmocka_unit_test(what_nobody_sees_stays_when_asked_for),
        cmocka_unit_test(min_quality_holds),
        cmocka_unit_test(max_bytes_is_met_at_the_best_quality),
        cmocka_unit_test(plan_speaks_for_the_encoder),
        cmocka_unit_test(wrong_settings_are_refused),
        cmocka_unit_test(a_broken_source_is_bad_input),
        cmocka_unit_test(comments_without_a_name_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
