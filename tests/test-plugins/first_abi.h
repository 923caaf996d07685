/* SPDX-License-Identifier: Apache-2.0
 *
 * The plugin ABI as it was at 1.0, written down a second time and frozen: never edit this file, never make it
 * include pixmill/plugin.h. Plugins built with it stand for all those that were built then and are never
 * rebuilt; a host that no longer runs them is broken.
 */
#ifndef FIRST_ABI_H
#define FIRST_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct _VipsImage VipsImage;
typedef struct FirstJob FirstJob;

enum { FIRST_MAGIC = 0x314C4D50, FIRST_OK = 0, FIRST_BUG = 6, FIRST_INT = 1, FIRST_ENUM = 4 };

typedef struct FirstParam {
    const char *name;
    uint32_t type, flags;
    uint64_t offset;
    const char *def;
    double min, max;
    const char *const *choices;
    const char *unit, *doc;
} FirstParam;

typedef struct FirstShape {
    int32_t width, height, pages, bands;
    int32_t source_width, source_height;
    int32_t band_format, interpretation, orientation;
    bool has_alpha, has_profile;
    uint32_t reserved[4];
} FirstShape;

typedef struct FirstResample {
    double left, top, width, height;
    uint32_t kernel, reserved;
} FirstResample;

typedef struct FirstPlan {
    FirstShape out;
    uint32_t flags;
    int32_t need_width, need_height, need_pages;
    const char *format, *extension, *mime;
    FirstResample resample;
} FirstPlan;

typedef struct FirstRegion {
    double left, top, width, height, score;
    const char *label;
    uint32_t reserved[2];
} FirstRegion;

typedef struct FirstFrame {
    double left, top, width, height;
    int32_t turns;
    bool mirrored;
    uint32_t reserved[2];
} FirstFrame;

typedef struct FirstHost {
    uint64_t size;
    void (*log)(FirstJob *, int, const char *, ...);
    int (*fail)(FirstJob *, int, const char *, ...);
    int (*fail_param)(FirstJob *, const char *, const char *, ...);
    int (*open_asset)(FirstJob *, const char *, void **);
    int (*fetch)(FirstJob *, const void *, void *);
    int (*set_fact)(FirstJob *, const char *, const char *);
    const char *(*fact)(FirstJob *, const char *);
    const char *(*expand)(FirstJob *, const char *);
    int64_t (*remaining_ms)(FirstJob *);
    int (*add_regions)(FirstJob *, const char *, const FirstRegion *, uint64_t);
    const FirstRegion *(*regions)(FirstJob *, const char *, const char *, uint64_t *);
    int (*set_frame)(FirstJob *, const FirstFrame *);
} FirstHost;

typedef struct FirstTransform {
    const char *name, *summary;
    const void *params;
    uint64_t param_size, param_count, config_size;
    int (*create)(const FirstHost *, FirstJob *, const void *, void **);
    void (*destroy)(void *);
    int (*plan)(void *, FirstJob *, const FirstShape *, FirstPlan *);
    int (*apply)(void *, FirstJob *, const FirstShape *, VipsImage *, VipsImage **);
    int (*inspect)(void *, FirstJob *, const FirstShape *, VipsImage *, void *);
    int (*encode)(void *, FirstJob *, const FirstShape *, VipsImage *, void *);
    const char *const *mime_types;
    const char *const *facts;
    const char *const *shorthand;
    const char *const *regions;
} FirstTransform;

typedef struct FirstPlugin {
    uint32_t magic;
    uint16_t abi_major, abi_minor;
    uint64_t size, transform_size;
    int32_t vips_major, vips_minor, vips_micro;
    const char *version;
    const FirstTransform *transform;
} FirstPlugin;

#endif
