// SPDX-License-Identifier: Apache-2.0
#include "convert.h"

typedef struct Attempt {
    VipsBlob *blob;
    const void *bytes; /* in blob */
    size_t size;
    int quality;
    bool lost; /* the EXIF block */
} Attempt;

static void attempt_finish(Attempt *made)
{
    if (made->blob) vips_area_unref(VIPS_AREA(made->blob));
    *made = (Attempt){0};
}

static int attempt(VipsImage *image, const Format *format, const Config *config, int quality, Attempt *made)
{
    bool lost;
    VipsTarget *target = vips_target_new_to_memory();
    if (!target || save_with_metadata(image, target, format, config, quality, &lost)) {
        g_clear_object(&target);
        return -1;
    }
    attempt_finish(made);
    g_object_get(target, "blob", &made->blob, NULL);
    made->bytes = vips_blob_get(made->blob, &made->size);
    made->quality = quality;
    made->lost = lost;
    g_object_unref(target);
    return 0;
}

static void keep(Attempt *best, Attempt *made)
{
    attempt_finish(best);
    *best = *made;
    *made = (Attempt){0};
}

/* Best-first: most pictures fit at the quality asked for, and cost one encode. Otherwise the lowest quality tells
 * whether there is anything to find, and halving the rest finds it. */
static int find(VipsImage *image, const Format *format, const Config *config, int quality, Attempt *best)
{
    Attempt made = {0};
    int low = (int)config->min_quality, high = quality;
    int result = attempt(image, format, config, high, best);
    if (result || (int64_t)best->size <= config->max_bytes || low >= high) return result;

    result = attempt(image, format, config, low, &made);
    if (result) return result;
    keep(best, &made);
    if ((int64_t)best->size > config->max_bytes) return 0;
    while (high - low > 1) { /* low fits, high doesn't */
        int middle = (low + high) / 2;
        result = attempt(image, format, config, middle, &made);
        if (result) break;
        if ((int64_t)made.size <= config->max_bytes) {
            keep(best, &made);
            low = middle;
        } else {
            high = middle;
        }
    }
    attempt_finish(&made);
    return result;
}

PmStatus search_quality(const PmHost *host, PmJob *job, VipsImage *image, VipsTarget *out, const Format *format,
                        const Config *config, int quality, bool *lost)
{
    Attempt best = {0};
    PmStatus status = PM_OK;
    VipsImage *memory = vips_image_copy_memory(image); /* read once for every attempt */
    bool lossy = (format_takes(format, config) & TAKES_MAX_BYTES) && !config->lossless;

    if (!memory ||
        (lossy ? find(memory, format, config, quality, &best) : attempt(memory, format, config, quality, &best))) {
        status = host->fail(job, PM_BAD_INPUT, "writing %s", format->name);
    } else if ((int64_t)best.size > config->max_bytes) {
        char at[64] = "";
        if (lossy) g_snprintf(at, sizeof(at), " at quality %d, the lowest allowed", best.quality);
        status = host->fail(job, PM_LIMIT, "%dx%d px as %s take %zu bytes%s, more than max_bytes %" G_GINT64_FORMAT,
                            memory->Xsize, vips_image_get_page_height(memory), format->name, best.size, at,
                            config->max_bytes);
    } else {
        if (vips_target_write(out, best.bytes, best.size) || vips_target_end(out))
            status = host->fail(job, PM_BUG, "handing over the result");
        *lost = best.lost;
    }
    attempt_finish(&best);
    g_clear_object(&memory);
    return status;
}
