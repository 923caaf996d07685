/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/decode_memory.h"

#include <stdio.h>

#include "base/text.h"

#define MIB ((int64_t)1024 * 1024)

/* Measured in fresh children with libvips 8.14, pictures of 3 and 50 megapixels to a JPEG of 1,200 px, in steps of
 * 6 MiB, and rounded up. What the file takes itself is not in it. */
const PmDecodeMemory pm_decode_memory_table[] = {
    {PM_FORMAT_JPEG, false, "JPEG", 60, 20},
    {PM_FORMAT_JPEG, true, "JPEG, progressive", 50, 250},
    {PM_FORMAT_PNG, false, "PNG", 60, 50},
    {PM_FORMAT_PNG, true, "PNG, interlaced", 50, 340},
    {PM_FORMAT_WEBP, false, "WebP", 50, 416},
    {PM_FORMAT_GIF, false, "GIF", 50, 386},
    {PM_FORMAT_TIFF, false, "TIFF, in strips", 60, 20},
    {PM_FORMAT_AVIF, false, "AVIF", 60, 800},
    {PM_FORMAT_HEIF, false, "HEIC", 50, 520},
    {PM_FORMAT_UNKNOWN, false, NULL, 0, 0},
};

const PmDecodeMemory *pm_decode_memory(PmFormat format, bool interlaced)
{
    const PmDecodeMemory *found = NULL;
    for (const PmDecodeMemory *row = pm_decode_memory_table; row->name != NULL; row++)
        if (row->format == format && (found == NULL || row->interlaced == interlaced)) found = row;
    return found;
}

/* Whole MiB for each 100 megapixels: 1048576 / 1e8 bytes a pixel, reduced. */
enum { NUMERATOR = 1024, DENOMINATOR = 97656 };

int64_t pm_decode_memory_bytes(const PmDecodeMemory *row, int64_t pixels)
{
    enum { PIXELS_MAX = 1000000000 }; /* what could not be decoded anyway; keeps the product below 2^63 */
    if (pixels > PIXELS_MAX) pixels = PIXELS_MAX;
    return row->fixed_mib * MIB + pixels * row->mib_per_100 / DENOMINATOR * NUMERATOR;
}

int64_t pm_decode_memory_pixels(const PmDecodeMemory *row, int64_t bytes)
{
    int64_t left = bytes - row->fixed_mib * MIB;
    return left > 0 ? left / NUMERATOR * DENOMINATOR / row->mib_per_100 : 0;
}

/* "12.5 megapixels" */
static void megapixels_text(char *out, size_t size, int64_t pixels)
{
    double millions = (double)pixels / 1e6;
    snprintf(out, size, millions < 10 ? "%.1f megapixels" : "%.0f megapixels", millions);
}

/* Rounded up to what one would write in the file. */
static long long mib_up(int64_t bytes)
{
    return (long long)((bytes + MIB - 1) / MIB);
}

/* "about 9.1 megapixels of webp"; with the interlaced kind where it may be that. */
static void list_ceilings(PmFormat format, int64_t limit, char *out, size_t size)
{
    const PmDecodeMemory *plain = pm_decode_memory(format, false), *other = pm_decode_memory(format, true);
    char most[40], most_other[40];
    megapixels_text(most, sizeof most, pm_decode_memory_pixels(plain, limit));
    megapixels_text(most_other, sizeof most_other, pm_decode_memory_pixels(other, limit));
    if (plain == other)
        snprintf(out, size, "about %s of %s", most, pm_format_name(format));
    else
        snprintf(out, size, "about %s of %s, interlaced %s", most, pm_format_name(format), most_other);
}

void pm_decode_memory_hint(PmFormat format, bool interlaced, int64_t pixels, int64_t held, int64_t limit, PmError *err)
{
    const PmDecodeMemory *row = pm_decode_memory(format, interlaced);
    char size[40], given[32], ceilings[120];
    pm_text_bytes(given, sizeof given, limit);
    megapixels_text(size, sizeof size, pixels);
    if (row == NULL) {
        pm_error_hint(err, "raise limits.memory, which is %s", given);
        return;
    }
    if (pixels <= 0) {
        list_ceilings(format, limit, ceilings, sizeof ceilings);
        pm_error_hint(err, "%s is enough to decode %s; raise limits.memory for more", given, ceilings);
        return;
    }
    int64_t decoding = pm_decode_memory_bytes(row, pixels), all = decoding + held;
    const char *name = pm_format_name(format);
    if (all > limit && held > 0)
        pm_error_hint(
            err,
            "decoding %s of %s takes about %lld MiB, and steps hold %lld MiB of pictures: raise limits.memory "
            "above %lld MiB",
            size, name, mib_up(decoding), mib_up(held), mib_up(all));
    else if (all > limit)
        pm_error_hint(err, "decoding %s of %s takes about %lld MiB: raise limits.memory, which is %s", size, name,
                      mib_up(decoding), given);
    else
        pm_error_hint(err,
                      "decoding %s of %s takes about %lld MiB of it; steps and encoders at full size take the rest: "
                      "resize first, or raise limits.memory, which is %s",
                      size, name, mib_up(all), given);
}

void pm_decode_memory_markdown(PmBuffer *page)
{
    pm_buffer_adds(
        page, "What decoding takes of `limits.memory`, of one page to a rendition of 1,200 px (measured with libvips "
              "8.14). Pictures that are held at full size come on top, and encoders of large renditions; "
              "`pixmill explain` shows the former as `memory_bytes`.\n\n"
              "| Source | MiB for 12 megapixels | MiB for 50 megapixels | 64 MiB, the least, are enough for |\n"
              "|---|---|---|---|\n");
    for (const PmDecodeMemory *row = pm_decode_memory_table; row->name != NULL; row++) {
        char least[40];
        megapixels_text(least, sizeof least, pm_decode_memory_pixels(row, 64 * MIB));
        pm_buffer_addf(page, "| %s | %lld | %lld | %s |\n", row->name, mib_up(pm_decode_memory_bytes(row, 12000000)),
                       mib_up(pm_decode_memory_bytes(row, 50000000)), least);
    }
    pm_buffer_adds(page, "\n");
}
