/* SPDX-License-Identifier: Apache-2.0
 *
 * The resampler's geometry: any source, targets and windows. Refused, or tables that stay within the source, and every
 * row of every target is written, in memory of the very size that was promised.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/resample/resampler.h"

enum { TARGETS = 3, PIXELS_MAX = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int32_t take(const uint8_t **data, size_t *size, int32_t small)
{
    int32_t value = 0;
    size_t width = *size < 4 ? *size : 4;
    memcpy(&value, *data, width);
    *data += width;
    *size -= width;
    /* Mostly sizes that can be run; now and then any number. */
    return value % 16 == 15 ? value : abs(value / 16 % small) + (value % 16 != 14);
}

static void check_axis(int32_t size, double from, double extent, int32_t count, const PmResampleTarget *target)
{
    if (count < 1 || !(target->gap >= 1)) return;
    PmAxisSpec spec = {.size = size,
                       .halvings = pm_axis_halvings(extent, count, target->gap),
                       .from = from,
                       .extent = extent,
                       .count = count,
                       .kernel = target->box.kernel};
    if (!pm_axis_valid(&spec)) return;
    if ((int64_t)spec.count * pm_axis_taps_max(&spec) > 1 << 22) return;
    PmAxis axis;
    if (!pm_axis_init(&axis, &spec)) abort();
    for (int32_t i = 0; i < axis.count; i++) {
        double sum = 0;
        if (axis.first[i] < 0 || axis.first[i] + axis.taps > axis.length) abort();
        if (i > 0 && axis.first[i] < axis.first[i - 1]) abort();
        for (int32_t t = 0; t < axis.taps; t++) sum += (double)axis.weights[(size_t)i * (size_t)axis.taps + (size_t)t];
        if (!(fabs(sum - 1) < 1e-4)) abort();
    }
    pm_axis_finish(&axis);
}

static void run(const PmResampleSource *source, const PmResampleTarget *targets, size_t count, int32_t at_once)
{
    size_t sample = source->deep ? 2 : 1;
    size_t row = (size_t)source->width * (size_t)source->bands * sample;
    uint8_t *pixels = malloc(row * (size_t)source->height);
    void *out[TARGETS];
    for (size_t i = 0; i < count; i++)
        out[i] = malloc((size_t)targets[i].width * (size_t)targets[i].height * (size_t)source->bands * sample);
    memset(pixels, 0x7b, row * (size_t)source->height);
    PmResampler *resampler = pm_resampler_new(source, targets, count, NULL);
    if (resampler == NULL) abort();
    pm_resampler_begin(resampler, out);
    for (int32_t y = 0; y < source->height; y += at_once) {
        int32_t left = source->height - y;
        pm_resampler_push(resampler, pixels + (size_t)y * row, row, at_once < left ? at_once : left);
    }
    if (!pm_resampler_complete(resampler)) abort();
    for (size_t i = 0; i < count; i++) {
        const uint8_t *bytes = out[i]; /* one colour stays that colour, half transparent or not */
        size_t length = (size_t)targets[i].width * (size_t)targets[i].height * (size_t)source->bands * sample;
        for (size_t j = sample - 1; j < length; j += sample)
            if (bytes[j] != 0x7b && !(source->alpha && abs(bytes[j] - 0x7b) <= 1)) abort();
        free(out[i]);
    }
    pm_resampler_free(resampler);
    free(pixels);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4) return 0;
    uint8_t kind = data[0], gap = data[1], at_once = data[2];
    size_t count = 1 + data[3] % TARGETS;
    data += 4;
    size -= 4;
    PmResampleSource source = {.bands = 1 + kind % 4, .deep = (kind & 4) != 0, .alpha = (kind & 8) != 0};
    source.width = take(&data, &size, 600);
    source.height = take(&data, &size, 600);
    PmResampleTarget targets[TARGETS] = {0};
    bool small = (int64_t)source.width * source.height <= PIXELS_MAX;
    for (size_t i = 0; i < count; i++) {
        PmResampleTarget *target = &targets[i];
        target->box.kernel = (PmKernel)(uint8_t)take(&data, &size, PM_KERNEL_LANCZOS3 + 2);
        target->gap = gap / 16.0;
        /* In 64ths of the source's pixels, and now and then beyond it. */
        target->box.left = (take(&data, &size, 100 * 64) - 1) / 64.0;
        target->box.top = (take(&data, &size, 100 * 64) - 1) / 64.0;
        target->box.width = take(&data, &size, 600 * 64) / 64.0;
        target->box.height = take(&data, &size, 600 * 64) / 64.0;
        target->width = take(&data, &size, 300);
        target->height = take(&data, &size, 300);
        small = small && (int64_t)target->width * target->height <= PIXELS_MAX;
        check_axis(source.width, target->box.left, target->box.width, target->width, target);
        check_axis(source.height, target->box.top, target->box.height, target->height, target);
    }
    if (!pm_resample_valid(&source, targets, count)) return 0;
    int64_t bytes = pm_resample_bytes(&source, targets, count);
    if (bytes <= 0) abort();
    if (small && bytes < 64 << 20) run(&source, targets, count, at_once == 0 ? 1 : at_once);
    return 0;
}
