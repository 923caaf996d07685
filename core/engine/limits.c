/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/limits.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"

/* "50M", "2k", "300": as counts are written in the file. */
static void count_text(char *out, size_t size, int64_t count)
{
    if (count >= 1000000 && count % 1000000 == 0)
        snprintf(out, size, "%lldM", (long long)(count / 1000000));
    else if (count >= 10000000)
        snprintf(out, size, "%.1fM", (double)count / 1e6);
    else
        snprintf(out, size, "%lld", (long long)count);
}

PmStatus pm_limits_check_file(const PmLimits *limits, size_t bytes, PmError *err)
{
    if (bytes == 0) return pm_error_set(err, PM_BAD_INPUT, "the file is empty");
    if (limits->file_size <= 0 || (uint64_t)bytes <= (uint64_t)limits->file_size) return PM_OK;
    char found[32], allowed[32];
    pm_text_bytes(found, sizeof found, (long long)bytes);
    pm_text_bytes(allowed, sizeof allowed, limits->file_size);
    return pm_error_set(err, PM_LIMIT, "the file has %s, more than the %s of limits.file_size", found, allowed);
}

PmStatus pm_limits_check_format(const PmLimits *limits, PmFormat format, PmError *err)
{
    const char *name = pm_format_name(format);
    for (size_t i = 0; format != PM_FORMAT_UNKNOWN && i < limits->formats.count; i++)
        if (strcmp(limits->formats.items[i], name) == 0) return PM_OK;
    if (format == PM_FORMAT_UNKNOWN)
        return pm_error_set(err, PM_BAD_INPUT, "not an image of a format that pixmill knows, by its first bytes");
    PmBuffer list;
    pm_buffer_init(&list, 256);
    for (size_t i = 0; i < limits->formats.count; i++)
        pm_buffer_addf(&list, "%s%s", i > 0 ? ", " : "", limits->formats.items[i]);
    PmStatus status = pm_error_set(err, PM_BAD_INPUT, "%s images are not let in: limits.formats has %s", name,
                                   list.data != NULL ? list.data : "none");
    pm_buffer_finish(&list);
    return status;
}

PmStatus pm_limits_check_size(const PmLimits *limits, int64_t width, int64_t height, int64_t pages, PmError *err)
{
    if (width <= 0 || height <= 0 || pages <= 0)
        return pm_error_set(err, PM_BAD_INPUT, "the header claims %lldx%lld pixels", (long long)width,
                            (long long)height);
    int64_t longest = width > height ? width : height, shortest = width > height ? height : width;
    char found[32], allowed[32];
    if (limits->side > 0 && longest > limits->side)
        return pm_error_set(err, PM_LIMIT, "the image is %lldx%lld, a side longer than the %lld px of limits.side",
                            (long long)width, (long long)height, (long long)limits->side);
    if (limits->aspect > 0 && longest > limits->aspect * shortest)
        return pm_error_set(err, PM_LIMIT, "the image is %lldx%lld, more elongated than the %lld:1 of limits.aspect",
                            (long long)width, (long long)height, (long long)limits->aspect);
    if (limits->frames > 0 && pages > limits->frames)
        return pm_error_set(err, PM_LIMIT, "the animation has %lld frames, more than the %lld of limits.frames",
                            (long long)pages, (long long)limits->frames);
    /* No overflow: libvips and our peeks keep sides below 2^32, so the product of two fits in unsigned 64 bits, and
     * dividing instead of multiplying takes the pages in. */
    uint64_t page = (uint64_t)width * (uint64_t)height;
    if (limits->pixels <= 0 || page <= (uint64_t)limits->pixels / (uint64_t)pages) return PM_OK;
    count_text(found, sizeof found, page < INT64_MAX / (uint64_t)pages ? (int64_t)page * pages : INT64_MAX);
    count_text(allowed, sizeof allowed, limits->pixels);
    if (pages > 1)
        return pm_error_set(err, PM_LIMIT,
                            "the image has %s pixels in %lld frames of %lldx%lld, more than the %s of "
                            "limits.pixels",
                            found, (long long)pages, (long long)width, (long long)height, allowed);
    return pm_error_set(err, PM_LIMIT, "the image is %lldx%lld, %s pixels, more than the %s of limits.pixels",
                        (long long)width, (long long)height, found, allowed);
}

PmStatus pm_limits_check_held(const PmLimits *limits, PmFormat format, int64_t pages, PmError *err)
{
    enum { PER_FRAME = 16 };
    if (limits->frames <= 0 || pages <= PER_FRAME * limits->frames) return PM_OK;
    return pm_error_set(err, PM_LIMIT, "the %s has %lld %s, more than %d times the %lld of limits.frames",
                        pm_format_name(format), (long long)pages, format == PM_FORMAT_TIFF ? "pages" : "frames",
                        PER_FRAME, (long long)limits->frames);
}

int64_t pm_limits_cpu_ms(const PmLimits *limits, int64_t frames, int64_t written)
{
    enum { FRAMES = 16, WRITTEN = 4000000 };
    if (limits->cpu_time <= 0) return 0;
    int64_t times = 1 + (frames > 1 ? (frames - 1) / FRAMES : 0);
    int64_t most = limits->wall_time > limits->cpu_time ? limits->wall_time : limits->cpu_time;
    if (written > limits->pixels) written = limits->pixels;
    if (limits->cpu_time > most / times) return most;
    /* No overflow: a day of ms, and 4e9 pixels. */
    int64_t ms = limits->cpu_time * times + (written > 0 ? limits->cpu_time * written / WRITTEN : 0);
    return ms < most ? ms : most;
}

static PmStatus check_bytes(int64_t limit, size_t bytes, const char *what, const char *key, PmError *err)
{
    if (limit <= 0 || (uint64_t)bytes <= (uint64_t)limit) return PM_OK;
    char found[32], allowed[32];
    pm_text_bytes(found, sizeof found, (long long)bytes);
    pm_text_bytes(allowed, sizeof allowed, limit);
    return pm_error_set(err, PM_LIMIT, "%s %s, more than the %s of %s", what, found, allowed, key);
}

PmStatus pm_limits_check_metadata(const PmLimits *limits, size_t icc, size_t all, PmError *err)
{
    PmStatus status = check_bytes(limits->icc, icc, "the ICC profile has", "limits.icc", err);
    return status != PM_OK ? status : check_bytes(limits->metadata, all, "the metadata have", "limits.metadata", err);
}

PmStatus pm_limits_check_memory(const PmLimits *limits, int64_t bytes, PmError *err)
{
    return check_bytes(limits->memory, bytes > 0 ? (size_t)bytes : 0, "the pictures that this job holds at once take",
                       "limits.memory", err);
}

PmStatus pm_limits_check_output(const PmLimits *limits, int64_t width, int64_t height, PmError *err)
{
    if (limits->output_side <= 0 || (width <= limits->output_side && height <= limits->output_side)) return PM_OK;
    return pm_error_set(err, PM_LIMIT,
                        "the result would be %lldx%lld, a side longer than the %lld px of "
                        "limits.output_side",
                        (long long)width, (long long)height, (long long)limits->output_side);
}
