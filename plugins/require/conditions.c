// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "require.h"

static bool read_positive(const char *text, const char **end, double *value)
{
    char *after = NULL;
    if (!g_ascii_isdigit(*text)) return false; /* no blanks, signs or names of infinity */
    *value = g_ascii_strtod(text, &after);
    *end = after;
    return isfinite(*value) && *value > 0;
}

bool aspect_parse(const char *text, double *aspect)
{
    const char *end = text;
    double width = 0, height = 1;
    if (!read_positive(text, &end, &width)) return false;
    if (*end == ':' && !read_positive(end + 1, &end, &height)) return false;
    *aspect = width / height;
    return *end == '\0' && isfinite(*aspect) && *aspect > 0;
}

static bool is_listed(const PmList *list, const char *word)
{
    for (size_t i = 0; i < list->count; i++)
        if (!strcmp(list->items[i], word)) return true;
    return false;
}

/* "jpeg, png" */
static void name_all(const PmList *list, char *out, size_t size)
{
    out[0] = '\0';
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0) g_strlcat(out, ", ", size);
        g_strlcat(out, list->items[i], size);
    }
}

/* The same words as the fact {shape}. */
static const char *shape_of(const Seen *seen)
{
    if (seen->width == seen->height) return "square";
    return seen->width > seen->height ? "landscape" : "portrait";
}

static bool sides_broken(const Config *config, const Seen *seen, bool small, char *detail)
{
    const struct {
        const char *name;
        int64_t limit, value;
    } sides[] = {
        {small ? "min_width" : "max_width", small ? config->min_width : config->max_width, seen->width},
        {small ? "min_height" : "max_height", small ? config->min_height : config->max_height, seen->height},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(sides); i++) {
        if (!sides[i].limit || (small ? sides[i].value >= sides[i].limit : sides[i].value <= sides[i].limit)) continue;
        snprintf(detail, DETAIL_MAX, "%lldx%lld px, %s is %lld px", (long long)seen->width, (long long)seen->height,
                 sides[i].name, (long long)sides[i].limit);
        return true;
    }
    /* Computed as whole pixels: 1000x1000 is one megapixel and not a hair less. */
    double pixels = (double)seen->width * (double)seen->height;
    double limit = small ? config->min_megapixels : config->max_megapixels;
    if (!(limit > 0) || (small ? pixels >= rint(limit * 1e6) : pixels <= rint(limit * 1e6))) return false;
    snprintf(detail, DETAIL_MAX, "%lldx%lld px are %.4g megapixels, %s is %.4g", (long long)seen->width,
             (long long)seen->height, pixels / 1e6, small ? "min_megapixels" : "max_megapixels", limit);
    return true;
}

/* 1920x1080 is 16:9 and 1366x768 almost: half a pixel of either side is forgiven. */
static bool aspect_broken(const Config *config, const Aspects *aspects, const Seen *seen, char *detail)
{
    double width = (double)seen->width, height = (double)seen->height;
    bool narrow = aspects->min > 0 && (width + 0.5) / (height - 0.5) < aspects->min;
    bool wide = aspects->max > 0 && (width - 0.5) / (height + 0.5) > aspects->max;
    if (narrow || wide)
        snprintf(detail, DETAIL_MAX, "%lldx%lld px, %s is %s", (long long)seen->width, (long long)seen->height,
                 narrow ? "min_aspect" : "max_aspect", narrow ? config->min_aspect : config->max_aspect);
    return narrow || wide;
}

const char *condition_broken(const Config *config, const Aspects *aspects, const Seen *seen, char detail[DETAIL_MAX])
{
    char names[128];
    if (config->formats.count && !(seen->format && is_listed(&config->formats, seen->format))) {
        name_all(&config->formats, names, sizeof names);
        snprintf(detail, DETAIL_MAX, "%s, formats is %s", seen->format ? seen->format : "unknown format", names);
        return "wrong format";
    }
    if (sides_broken(config, seen, true, detail)) return "too small";
    if (sides_broken(config, seen, false, detail)) return "too large";
    if (config->shapes.count && !is_listed(&config->shapes, shape_of(seen))) {
        name_all(&config->shapes, names, sizeof names);
        snprintf(detail, DETAIL_MAX, "%lldx%lld px is %s, shapes is %s", (long long)seen->width,
                 (long long)seen->height, shape_of(seen), names);
        return "wrong shape";
    }
    if (aspect_broken(config, aspects, seen, detail)) return "wrong aspect";
    if (config->max_pages && seen->pages > config->max_pages) {
        snprintf(detail, DETAIL_MAX, "%lld pages, max_pages is %lld", (long long)seen->pages,
                 (long long)config->max_pages);
        return "too many pages";
    }
    return NULL;
}
