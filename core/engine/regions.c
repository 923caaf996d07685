/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/regions.h"

#include <math.h>
#include <string.h>

#include "base/text.h"

/* ------------------------------------------------------------------ views */

PmView pm_view_whole(void)
{
    return (PmView){.across = {1, 0, 0}, .down = {0, 1, 0}};
}

const char *pm_frame_fault(const PmFrame *frame)
{
    const double least = 1e-3, most = 1e9; /* px: far beyond any picture; no division by next to nothing */
    if (!(fabs(frame->left) <= most && fabs(frame->top) <= most)) return "a frame at no place";
    if (!(frame->width >= least && frame->width <= most && frame->height >= least && frame->height <= most))
        return "a frame of no size";
    if (frame->turns < 0 || frame->turns > 3) return "a frame with other turns than 0 to 3";
    return NULL;
}

/* The quarter turn that brings the left edge to the top. */
static void turn(PmView *view)
{
    double across[3];
    memcpy(across, view->across, sizeof across);
    for (int i = 0; i < 3; i++) {
        view->across[i] = (i == 2 ? 1 : 0) - view->down[i];
        view->down[i] = across[i];
    }
}

PmView pm_view_then(const PmView *view, const PmFrame *frame, const PmShape *in)
{
    PmView out = *view;
    for (int i = 0; i < 3; i++) {
        out.across[i] = (view->across[i] * in->width - (i == 2 ? frame->left : 0)) / frame->width;
        out.down[i] = (view->down[i] * in->height - (i == 2 ? frame->top : 0)) / frame->height;
    }
    for (int32_t i = 0; i < frame->turns; i++) turn(&out);
    if (frame->mirrored)
        for (int i = 0; i < 3; i++) out.across[i] = (i == 2 ? 1 : 0) - out.across[i];
    return out;
}

/* From shares of what the view shows to those of the source. Views are made of scales and quarter turns, so there is
 * always a way back. */
static PmView back(const PmView *view)
{
    double a = view->across[0], b = view->across[1], c = view->across[2];
    double d = view->down[0], e = view->down[1], f = view->down[2], det = a * e - b * d;
    return (PmView){.across = {e / det, -b / det, (b * f - c * e) / det},
                    .down = {-d / det, a / det, (c * d - a * f) / det}};
}

/* ------------------------------------------------------------------ regions */

static double on(const double row[3], double x, double y)
{
    return row[0] * x + row[1] * y + row[2];
}

static PmRegion seen(const PmView *view, const PmRegion *region)
{
    double x0 = on(view->across, region->left, region->top), y0 = on(view->down, region->left, region->top);
    double right = region->left + region->width, bottom = region->top + region->height;
    double x1 = on(view->across, right, bottom), y1 = on(view->down, right, bottom);
    PmRegion out = *region;
    out.left = fmin(x0, x1);
    out.top = fmin(y0, y1);
    out.width = fabs(x1 - x0);
    out.height = fabs(y1 - y0);
    return out;
}

/* Cuts off what lies outside of the picture. False: all of it does. */
static bool clip(PmRegion *region)
{
    double right = fmin(1, region->left + region->width), bottom = fmin(1, region->top + region->height);
    region->left = fmax(0, region->left);
    region->top = fmax(0, region->top);
    region->width = right - region->left;
    region->height = bottom - region->top;
    return region->width > 0 && region->height > 0;
}

const char *pm_regions_fault(const PmRegion *regions, size_t count)
{
    enum { LABEL_MAX = 63 };
    for (size_t i = 0; i < count; i++) {
        const PmRegion *r = &regions[i];
        if (!isfinite(r->left) || !isfinite(r->top) || !isfinite(r->width) || !isfinite(r->height))
            return "a region that is no number";
        if (!(r->width >= 0 && r->height >= 0)) return "a region of a width or height below 0";
        if (!(r->score >= 0 && r->score <= 1)) return "a region with a score outside of 0 to 1";
        if (r->label == NULL) continue;
        size_t length = strnlen(r->label, LABEL_MAX + 1);
        if (length > LABEL_MAX || !pm_text_is_utf8(r->label, length))
            return "a region with a label that is longer than 63 bytes or not UTF-8";
    }
    return NULL;
}

const PmRegionSet *pm_regions_add(PmArena *arena, const PmRegionSet *before, const PmView *view, const char *step,
                                  const char *name, const PmRegion *regions, size_t count)
{
    PmView home = back(view);
    PmRegionSet *set = pm_arena_alloc(arena, sizeof *set);
    *set = (PmRegionSet){.step = step, .name = pm_arena_strdup(arena, name), .before = before};
    set->items = pm_arena_alloc(arena, (count + 1) * sizeof *set->items);
    for (size_t i = 0; i < count; i++) {
        PmRegion region = regions[i];
        if (!clip(&region)) continue;
        region = seen(&home, &region);
        if (region.label != NULL) region.label = pm_arena_strdup(arena, region.label);
        set->items[set->count++] = region;
    }
    return set;
}

static bool is_of(const PmRegionSet *set, const char *step, const char *name)
{
    return strcmp(set->step, step) == 0 && strcmp(set->name, name) == 0;
}

const PmRegion *pm_regions_get(PmArena *arena, const PmRegionSet *sets, const PmView *view, const char *step,
                               const char *name, size_t *count)
{
    size_t all = 0, used = 0;
    bool any = false;
    *count = 0;
    for (const PmRegionSet *set = sets; set != NULL; set = set->before) {
        if (!is_of(set, step, name)) continue;
        any = true;
        all += set->count;
    }
    if (!any) return NULL;
    /* Newest first in the list: filled from the end, then those that are seen move to the front. */
    PmRegion *out = pm_arena_alloc(arena, (all + 1) * sizeof *out);
    size_t place = all;
    for (const PmRegionSet *set = sets; set != NULL; set = set->before) {
        if (!is_of(set, step, name)) continue;
        place -= set->count;
        memcpy(&out[place], set->items, set->count * sizeof *out);
    }
    for (size_t i = 0; i < all; i++) {
        PmRegion region = seen(view, &out[i]);
        if (clip(&region)) out[used++] = region;
    }
    *count = used;
    return out;
}
