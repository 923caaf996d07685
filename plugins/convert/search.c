// SPDX-License-Identifier: Apache-2.0
#include "convert.h"

enum { LOWEST_QUALITY = 10 }; /* when no min_quality is given */

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
    int low = config->min_quality ? (int)config->min_quality : VIPS_MIN(LOWEST_QUALITY, quality), high = quality;
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
    } else if (lossy && (int64_t)best.size > config->max_bytes) {
        status = host->fail(job, PM_LIMIT,
                            "%dx%d px as %s take %zu bytes at quality %d, the lowest allowed, more than max_bytes "
                            "%" G_GINT64_FORMAT,
                            memory->Xsize, vips_image_get_page_height(memory), format->name, best.size, best.quality,
                            config->max_bytes);
    } else {
        if ((int64_t)best.size > config->max_bytes) /* chosen by format: auto */
            host->log(job, PM_LOG_WARN,
                      "%s has no quality to search over: the file has %zu bytes, more than max_bytes %" G_GINT64_FORMAT,
                      format->name, best.size, config->max_bytes);
        if (vips_target_write(out, best.bytes, best.size) || vips_target_end(out))
            status = host->fail(job, PM_BUG, "handing over the result");
        *lost = best.lost;
    }
    attempt_finish(&best);
    g_clear_object(&memory);
    return status;
}
