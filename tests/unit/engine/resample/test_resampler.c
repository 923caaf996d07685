/* SPDX-License-Identifier: Apache-2.0
 *
 * Pictures through the resampler: against sums in double precision that know nothing of its tables, and against
 * libvips. Each test goes through every table of loops that this processor can run.
 */
#include "engine/resample/resampler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <vips/vips.h>

static const double never = 1e9; /* a gap that nothing is averaged for */

/* ------------------------------------------------------------------ pictures */

static size_t samples_of(int32_t width, int32_t height, int32_t bands)
{
    return (size_t)width * (size_t)height * (size_t)bands;
}

static double sample(const void *pixels, bool deep, size_t i)
{
    return deep ? ((const uint16_t *)pixels)[i] : ((const uint8_t *)pixels)[i];
}

/* Waves, edges and noise over the whole range; the same every time. */
static void *paint(const PmResampleSource *source)
{
    size_t count = samples_of(source->width, source->height, source->bands);
    uint8_t *pixels = malloc(count * (source->deep ? 2 : 1));
    uint32_t noise = 12345;
    double max = source->deep ? 65535 : 255;
    for (size_t i = 0; i < count; i++) {
        size_t x = i / (size_t)source->bands % (size_t)source->width,
               y = i / (size_t)source->bands / (size_t)source->width;
        noise = noise * 1664525 + 1013904223;
        double value = 0.5 + 0.3 * sin((double)x / 7 + (double)(i % (size_t)source->bands)) * cos((double)y / 11);
        value += (x / 16 + y / 16) % 2 == 0 ? 0.15 : -0.15;
        value += (noise >> 16) / 65535.0 * 0.1 - 0.05;
        uint16_t whole = (uint16_t)(fmin(fmax(value, 0), 1) * max);
        if (source->deep)
            ((uint16_t *)(void *)pixels)[i] = whole;
        else
            pixels[i] = (uint8_t)whole;
    }
    return pixels;
}

/* One target, rows pushed `at_once` at a time. New. */
static void *scale(const PmResampleSource *source, const void *pixels, const PmResampleTarget *target,
                   const PmRowsOps *ops, int32_t at_once)
{
    size_t row = samples_of(source->width, 1, source->bands) * (source->deep ? 2 : 1);
    size_t out_size = samples_of(target->width, target->height, source->bands) * (source->deep ? 2 : 1);
    void *out = malloc(out_size);
    memset(out, 0xa5, out_size);
    PmResampler *resampler = pm_resampler_new(source, target, 1, ops);
    assert_non_null(resampler);
    pm_resampler_begin(resampler, &out);
    assert_false(pm_resampler_complete(resampler));
    for (int32_t y = 0; y < source->height; y += at_once) {
        int32_t left = source->height - y;
        pm_resampler_push(resampler, (const uint8_t *)pixels + (size_t)y * row, row, at_once < left ? at_once : left);
    }
    assert_true(pm_resampler_complete(resampler));
    pm_resampler_free(resampler);
    return out;
}

static PmResampleTarget whole(const PmResampleSource *source, int32_t width, int32_t height, PmKernel kernel,
                              double gap)
{
    return (PmResampleTarget){
        .box = {.width = source->width, .height = source->height, .kernel = kernel},
        .width = width,
        .height = height,
        .gap = gap,
    };
}

/* ------------------------------------------------------------------ the slow way */

/* One direction: `count` lines of `length` samples to `scaled`, `step` apart, lines `line` apart. */
static double *slow_axis(const double *in, size_t lines, size_t length, size_t scaled, PmKernel kernel, bool rows,
                         size_t inner)
{
    double *out = calloc(lines * scaled * inner, sizeof *out), ratio = (double)length / (double)scaled;
    double stretch = fmax(ratio, 1);
    for (size_t i = 0; i < scaled; i++) {
        double centre = ((double)i + 0.5) * ratio, total = 0;
        long reach = (long)(4 * stretch) + 2;
        for (long at = (long)centre - reach; at <= (long)centre + reach; at++)
            total += pm_kernel_at(kernel, ((double)at + 0.5 - centre) / stretch);
        for (long at = (long)centre - reach; at <= (long)centre + reach; at++) {
            double weight = pm_kernel_at(kernel, ((double)at + 0.5 - centre) / stretch) / total;
            size_t from = at < 0 ? 0 : (size_t)at >= length ? length - 1 : (size_t)at;
            for (size_t l = 0; l < lines; l++)
                for (size_t b = 0; b < inner; b++) {
                    size_t in_at = rows ? (from * lines + l) * inner + b : (l * length + from) * inner + b;
                    size_t out_at = rows ? (i * lines + l) * inner + b : (l * scaled + i) * inner + b;
                    out[out_at] += in[in_at] * weight;
                }
        }
    }
    return out;
}

static double *slow(const PmResampleSource *source, const void *pixels, int32_t width, int32_t height, PmKernel kernel)
{
    size_t count = samples_of(source->width, source->height, source->bands), bands = (size_t)source->bands;
    double *in = calloc(count, sizeof *in), max = source->deep ? 65535 : 255;
    for (size_t i = 0; i < count; i++) {
        in[i] = sample(pixels, source->deep, i);
        if (source->alpha && i % bands != bands - 1)
            in[i] *= sample(pixels, source->deep, i - i % bands + bands - 1) / max;
    }
    double *tall = slow_axis(in, (size_t)source->height, (size_t)source->width, (size_t)width, kernel, false, bands);
    double *out = slow_axis(tall, (size_t)width, (size_t)source->height, (size_t)height, kernel, true, bands);
    for (size_t i = 0; source->alpha && i < samples_of(width, height, source->bands); i++) {
        double alpha = out[i - i % bands + bands - 1];
        if (i % bands != bands - 1) out[i] = alpha < 0.5 ? 0 : fmin(out[i], alpha) * max / alpha;
    }
    for (size_t i = 0; i < samples_of(width, height, source->bands); i++) out[i] = fmin(fmax(out[i], 0), max);
    free(in);
    free(tall);
    return out;
}

static void check_slow(const PmResampleSource *source, int32_t width, int32_t height, PmKernel kernel,
                       const PmRowsOps *ops)
{
    void *pixels = paint(source);
    PmResampleTarget target = whole(source, width, height, kernel, never);
    uint8_t *out = scale(source, pixels, &target, ops, 7);
    double *expected = slow(source, pixels, width, height, kernel);
    /* Rounding, and as many parts in a million of the range as the tables and the sums of floats are off. */
    double most = source->deep ? (source->alpha ? 3 : 1) : 0.52;
    for (size_t i = 0; i < samples_of(width, height, source->bands); i++)
        if (fabs(sample(out, source->deep, i) - expected[i]) > most)
            fail_msg("%s: %dx%d of %d bands to %dx%d, sample %zu: %g, not %g", ops->name, source->width, source->height,
                     source->bands, width, height, i, sample(out, source->deep, i), expected[i]);
    free(expected);
    free(out);
    free(pixels);
}

static void test_against_the_slow_way(void **state)
{
    (void)state;
    static const struct {
        int32_t width, height, to_width, to_height;
    } sizes[] = {{97, 61, 40, 25}, {64, 48, 64, 48}, {200, 33, 21, 9},  {33, 200, 3, 5},
                 {50, 50, 49, 47}, {3, 4, 1, 1},     {1, 1, 1, 1},      {1, 90, 1, 8},
                 {120, 1, 50, 1},  {20, 16, 33, 29}, {150, 150, 60, 2}, {130, 90, 130, 9}};
    for (const PmRowsOps *const *ops = pm_rows_all(); *ops != NULL; ops++)
        for (int32_t kind = 0; kind < 12; kind++)
            for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
                PmResampleSource source = {.width = sizes[i].width, .height = sizes[i].height, .bands = kind % 6 + 1};
                if (source.bands > 4) {
                    source.bands = source.bands == 5 ? 2 : 4;
                    source.alpha = true;
                }
                source.deep = kind >= 6;
                check_slow(&source, sizes[i].to_width, sizes[i].to_height,
                           (PmKernel)(PM_KERNEL_LINEAR + kind % PM_KERNEL_LANCZOS3), *ops);
                check_slow(&source, sizes[i].to_width, sizes[i].to_height, PM_KERNEL_LANCZOS3, *ops);
            }
}

/* ------------------------------------------------------------------ against libvips */

/* Mean structural similarity of the first band, windows of 8x8, every fourth. */
static double ssim(const uint8_t *a, const uint8_t *b, size_t width, size_t height, size_t bands)
{
    double total = 0;
    size_t windows = 0;
    for (size_t y = 0; y + 8 <= height; y += 4)
        for (size_t x = 0; x + 8 <= width; x += 4, windows++) {
            double sa = 0, sb = 0, saa = 0, sbb = 0, sab = 0;
            for (size_t i = 0; i < 64; i++) {
                size_t at = ((y + i / 8) * width + x + i % 8) * bands;
                double p = a[at], q = b[at];
                sa += p;
                sb += q;
                saa += p * p;
                sbb += q * q;
                sab += p * q;
            }
            double ma = sa / 64, mb = sb / 64, va = saa / 64 - ma * ma, vb = sbb / 64 - mb * mb, c = sab / 64 - ma * mb;
            total += (2 * ma * mb + 6.5025) * (2 * c + 58.5225) / ((ma * ma + mb * mb + 6.5025) * (va + vb + 58.5225));
        }
    return total / (double)windows;
}

typedef struct Far {
    double mean, most;
} Far;

static Far apart(const uint8_t *a, const uint8_t *b, size_t count)
{
    Far far = {0};
    for (size_t i = 0; i < count; i++) {
        double off = fabs((double)a[i] - b[i]);
        far.mean += off / (double)count;
        far.most = fmax(far.most, off);
    }
    return far;
}

/* With the gap that `quality: best` has. libvips knows 64 places between two samples, and at an edge takes the next. */
static void test_against_libvips(void **state)
{
    (void)state;
    PmResampleSource source = {.width = 1023, .height = 770, .bands = 3};
    uint8_t *pixels = paint(&source);
    VipsImage *in = vips_image_new_from_memory(pixels, samples_of(1023, 770, 3), 1023, 770, 3, VIPS_FORMAT_UCHAR);
    static const struct {
        int32_t width, height;
    } sizes[] = {{1000, 753}, {720, 542}, {500, 376}, {251, 189}, {128, 96}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        int32_t width = sizes[i].width, height = sizes[i].height;
        VipsImage *small = NULL;
        assert_int_equal(vips_resize(in, &small, width / 1023.0, "vscale", height / 770.0, "gap", 3.0, NULL), 0);
        assert_int_equal(small->Xsize, width);
        assert_int_equal(small->Ysize, height);
        size_t size;
        uint8_t *theirs = vips_image_write_to_memory(small, &size);
        for (const PmRowsOps *const *ops = pm_rows_all(); *ops != NULL; ops++) {
            PmResampleTarget target = whole(&source, width, height, PM_KERNEL_LANCZOS3, 3);
            uint8_t *ours = scale(&source, pixels, &target, *ops, 16);
            double alike = ssim(ours, theirs, (size_t)width, (size_t)height, 3);
            Far far = apart(ours, theirs, size);
            if (!(alike > 0.999) || far.mean > 1.5 || far.most > 12)
                fail_msg("%s: %dx%d: SSIM %.5f, off by %.3f, %g at most", (*ops)->name, width, height, alike, far.mean,
                         far.most);
            free(ours);
        }
        g_free(theirs);
        g_object_unref(small);
    }
    g_object_unref(in);
    free(pixels);
}

/* Averages before the kernel, against the kernel alone. */
static void test_averages_keep_the_picture(void **state)
{
    (void)state;
    PmResampleSource source = {.width = 901, .height = 677, .bands = 3};
    uint8_t *pixels = paint(&source);
    for (int32_t width = 15; width <= 150; width += 27) {
        int32_t height = width * 677 / 901;
        PmResampleTarget alone = whole(&source, width, height, PM_KERNEL_LANCZOS3, never), averaged = alone;
        averaged.gap = 3;
        uint8_t *a = scale(&source, pixels, &alone, NULL, 64), *b = scale(&source, pixels, &averaged, NULL, 64);
        double alike = ssim(a, b, (size_t)width, (size_t)height, 3);
        if (!(alike > 0.998)) fail_msg("%d px wide: SSIM %.5f", width, alike);
        free(a);
        free(b);
    }
    free(pixels);
}

/* ------------------------------------------------------------------ one pass, many targets */

static void test_targets_do_not_touch_each_other(void **state)
{
    (void)state;
    for (int32_t kind = 0; kind < 4; kind++) {
        PmResampleSource source = {.width = 333, .height = 241, .bands = 3 + kind % 2, .alpha = kind % 2 == 1};
        source.deep = kind >= 2;
        void *pixels = paint(&source);
        const PmResampleTarget targets[] = {
            whole(&source, 300, 217, PM_KERNEL_LANCZOS3, 3),
            whole(&source, 20, 14, PM_KERNEL_LANCZOS3, 3),
            {.box = {41.3, 16.7, 133.2, 167, PM_KERNEL_CUBIC, 0}, .width = 40, .height = 50, .gap = 3},
            whole(&source, 100, 2, PM_KERNEL_MITCHELL, 2), /* averaged in one direction more than in the other */
            whole(&source, 3, 200, PM_KERNEL_LINEAR, 1),
            {.box = {316.4, 223.8, 16.6, 17.2, PM_KERNEL_LANCZOS3, 0}, .width = 1, .height = 1, .gap = 3},
            whole(&source, 400, 300, PM_KERNEL_LANCZOS2, 3),
        };
        enum { COUNT = sizeof targets / sizeof targets[0] };
        size_t row = samples_of(source.width, 1, source.bands) * (source.deep ? 2 : 1);
        for (const PmRowsOps *const *ops = pm_rows_all(); *ops != NULL; ops++) {
            PmResampler *resampler = pm_resampler_new(&source, targets, COUNT, *ops);
            assert_non_null(resampler);
            void *alone[COUNT], *together[COUNT];
            size_t sizes[COUNT];
            for (size_t i = 0; i < COUNT; i++) {
                alone[i] = scale(&source, pixels, &targets[i], *ops, 1);
                sizes[i] = samples_of(targets[i].width, targets[i].height, source.bands) * (source.deep ? 2 : 1);
                together[i] = malloc(sizes[i]);
            }
            for (int again = 0; again < 2; again++) { /* as for the pages of an animation */
                for (size_t i = 0; i < COUNT; i++) memset(together[i], 0x5a, sizes[i]);
                pm_resampler_begin(resampler, together);
                pm_resampler_push(resampler, pixels, row, source.height + 5); /* rows beyond are not looked at */
                assert_true(pm_resampler_complete(resampler));
                for (size_t i = 0; i < COUNT; i++) assert_memory_equal(together[i], alone[i], sizes[i]);
            }
            for (size_t i = 0; i < COUNT; i++) {
                free(alone[i]);
                free(together[i]);
            }
            pm_resampler_free(resampler);
        }
        free(pixels);
    }
}

/* What a box becomes is that part of what the whole becomes: pixels beyond its edges are the picture's. */
static void test_windows(void **state)
{
    (void)state;
    PmResampleSource source = {.width = 210, .height = 150, .bands = 3};
    uint8_t *pixels = paint(&source);
    PmResampleTarget all = whole(&source, 70, 50, PM_KERNEL_LANCZOS3, 3);
    for (const PmRowsOps *const *ops = pm_rows_all(); *ops != NULL; ops++) {
        uint8_t *full = scale(&source, pixels, &all, *ops, 9);
        for (int32_t i = 0; i < 40; i++) {
            PmResampleTarget part = all;
            int32_t left = i, top = i / 2;
            part.width = 1 + i % 30;
            part.height = 1 + i % 13;
            part.box.left = 3.0 * left;
            part.box.top = 3.0 * top;
            part.box.width = 3.0 * part.width;
            part.box.height = 3.0 * part.height;
            uint8_t *cut = scale(&source, pixels, &part, *ops, 9);
            for (int32_t y = 0; y < part.height; y++)
                assert_memory_equal(cut + samples_of(part.width, y, 3),
                                    full + samples_of(70, top + y, 3) + samples_of(left, 1, 3),
                                    samples_of(part.width, 1, 3));
            free(cut);
        }
        free(full);
    }
    free(pixels);
}

/* ------------------------------------------------------------------ what must stay as it is */

static void test_plain_stays_plain(void **state)
{
    (void)state;
    for (const PmRowsOps *const *ops = pm_rows_all(); *ops != NULL; ops++)
        for (int kernel = PM_KERNEL_LINEAR; kernel <= PM_KERNEL_LANCZOS3; kernel++)
            for (int32_t size = 1; size < 90; size += 11)
                for (int deep = 0; deep < 2; deep++) {
                    PmResampleSource source = {.width = 90, .height = 70, .bands = 1, .deep = deep == 1};
                    uint16_t pixels[90 * 70];
                    memset(pixels, 0xfd, sizeof pixels);
                    PmResampleTarget target = whole(&source, size, size, (PmKernel)kernel, 2);
                    uint8_t *out = scale(&source, pixels, &target, *ops, 70);
                    for (size_t i = 0; i < samples_of(size, size, 1) * (deep == 1 ? 2 : 1); i++)
                        assert_int_equal(out[i], 0xfd);
                    free(out);
                }
}

/* The colour of what cannot be seen, bright red, does not show at the edge of what can. */
static void test_transparent_colours(void **state)
{
    (void)state;
    PmResampleSource source = {.width = 64, .height = 64, .bands = 4, .alpha = true};
    uint8_t pixels[64 * 64 * 4];
    for (size_t i = 0; i < 64 * 64; i++) {
        bool seen = i % 64 < 32;
        memcpy(pixels + 4 * i, seen ? (uint8_t[]){0, 200, 0, 255} : (uint8_t[]){255, 0, 0, 0}, 4);
    }
    for (const PmRowsOps *const *ops = pm_rows_all(); *ops != NULL; ops++) {
        PmResampleTarget target = whole(&source, 21, 21, PM_KERNEL_LANCZOS3, 3);
        uint8_t *out = scale(&source, pixels, &target, *ops, 64);
        for (size_t i = 0; i < 21 * 21; i++) {
            const uint8_t *pixel = out + 4 * i;
            assert_int_equal(pixel[0], 0);
            if (pixel[3] > 8) assert_in_range(pixel[1], 190, 210);
            if (pixel[3] == 0) assert_int_equal(pixel[1], 0);
        }
        assert_int_equal(out[3], 255);
        assert_int_equal(out[20 * 4 + 3], 0);
        free(out);
    }
}

/* Faint pixels beside opaque ones, where weighed colours are largest against what they are divided by. */
static void test_faint_pixels(void **state)
{
    (void)state;
    PmResampleSource source = {.width = 40, .height = 40, .bands = 2, .alpha = true, .deep = true};
    uint16_t pixels[40 * 40 * 2];
    for (size_t i = 0; i < 40 * 40; i++) {
        pixels[2 * i] = 65535;
        pixels[2 * i + 1] = i % 3 == 0 ? 65535 : i % 3 == 1 ? 0 : 1;
    }
    for (const PmRowsOps *const *ops = pm_rows_all(); *ops != NULL; ops++)
        for (int32_t size = 1; size <= 40; size++) {
            PmResampleTarget target = whole(&source, size, size, PM_KERNEL_LANCZOS3, 3);
            uint16_t *out = scale(&source, pixels, &target, *ops, 40);
            for (size_t i = 0; i < samples_of(size, size, 1); i++)
                assert_true(out[2 * i] >= 65000 || out[2 * i + 1] < 64);
            free(out);
        }
}

/* ------------------------------------------------------------------ bounds */

static void test_refused(void **state)
{
    (void)state;
    const PmResampleSource good = {.width = 10, .height = 10, .bands = 3};
    const PmResampleTarget target = whole(&good, 5, 5, PM_KERNEL_LANCZOS3, 3);
    assert_true(pm_resample_valid(&good, &target, 1));
    assert_null(pm_resampler_new(&good, &target, 0, NULL));
    PmResampleSource source = good;
    source.bands = 5;
    assert_null(pm_resampler_new(&source, &target, 1, NULL));
    source = good;
    source.alpha = true; /* of three bands none is alpha */
    assert_null(pm_resampler_new(&source, &target, 1, NULL));
    source = good;
    source.height = 0;
    assert_null(pm_resampler_new(&source, &target, 1, NULL));
    const double gaps[] = {0, 0.5, -3, NAN};
    for (size_t i = 0; i < sizeof gaps / sizeof gaps[0]; i++) {
        PmResampleTarget odd = target;
        odd.gap = gaps[i];
        assert_null(pm_resampler_new(&good, &odd, 1, NULL));
    }
    PmResampleTarget beyond = target;
    beyond.box.left = 1;
    assert_null(pm_resampler_new(&good, &beyond, 1, NULL));
    pm_resampler_free(NULL);
}

/* Rows under the kernels, not the picture: whatever the shape of the result. */
static void test_memory_is_bounded(void **state)
{
    (void)state;
    const PmResampleSource source = {.width = 16000, .height = 16000, .bands = 4};
    const int64_t picture = INT64_C(16000) * 16000 * 4;
    static const struct {
        int32_t width, height;
    } sizes[] = {{15000, 15000}, {8000, 8000}, {2667, 2667}, {100, 100}, {1, 1}, {16000, 1}, {1, 16000}, {16000, 2667}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        PmResampleTarget target = whole(&source, sizes[i].width, sizes[i].height, PM_KERNEL_LANCZOS3, 3);
        int64_t bytes = pm_resample_bytes(&source, &target, 1);
        if (bytes <= 0 || bytes > picture / 20)
            fail_msg("%dx%d: %lld bytes", target.width, target.height, (long long)bytes);
    }
    const PmResampleSource photo = {.width = 4000, .height = 3000, .bands = 3};
    const PmResampleTarget five[] = {
        whole(&photo, 2048, 1536, PM_KERNEL_LANCZOS3, 3), whole(&photo, 1280, 960, PM_KERNEL_LANCZOS3, 3),
        whole(&photo, 640, 480, PM_KERNEL_LANCZOS3, 3),   whole(&photo, 320, 240, PM_KERNEL_LANCZOS3, 3),
        whole(&photo, 160, 120, PM_KERNEL_LANCZOS3, 3),
    };
    assert_in_range(pm_resample_bytes(&photo, five, 5), 1, 10 * 1000 * 1000);
}

int main(int argc, char **argv)
{
    (void)argc;
    if (VIPS_INIT(argv[0]) != 0) return 1;
    vips_concurrency_set(1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_the_slow_way),
        cmocka_unit_test(test_against_libvips),
        cmocka_unit_test(test_averages_keep_the_picture),
        cmocka_unit_test(test_targets_do_not_touch_each_other),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_plain_stays_plain),
        cmocka_unit_test(test_transparent_colours),
        cmocka_unit_test(test_faint_pixels),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_memory_is_bounded),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    vips_shutdown();
    return failed;
}
