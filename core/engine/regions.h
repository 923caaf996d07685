/* SPDX-License-Identifier: Apache-2.0
 *
 * Parts of the picture that steps have found, and where they lie in the picture at hand. Hides how they follow the
 * picture through crops and turns: they are kept as shares of the upright source, and every picture knows how its own
 * shares come from those. Pure, but for the arena.
 */
#ifndef PM_ENGINE_REGIONS_H
#define PM_ENGINE_REGIONS_H

#include "pipeline/decode_params.h"

#include <pixmill/plugin.h>

/* How shares of a picture come from shares of the source: x' = across . (x, y, 1), y' = down . (x, y, 1). */
typedef struct PmView {
    double across[3], down[3];
    const char *lost_at; /* borrowed: the step that made another picture and did not say of what; NULL: none did */
} PmView;

PmView pm_view_whole(void);
/* The view of what shows `frame` of a picture of that shape. */
PmView pm_view_then(const PmView *view, const PmFrame *frame, const PmShape *in);

/* What is wrong with it, or NULL. */
const char *pm_frame_fault(const PmFrame *frame);

enum { PM_REGIONS_MAX = 1024 /* in all that a job's steps add */ };

/* What one call added, the newest first; constant once made, so that outputs share those of the trunk. */
typedef struct PmRegionSet {
    const char *step, *name;
    PmRegion *items; /* shares of the source */
    size_t count;
    const struct PmRegionSet *before;
} PmRegionSet;

/* What is wrong with one of them, or NULL. */
const char *pm_regions_fault(const PmRegion *regions, size_t count);

/* A set of these, shares of what `view` shows; less what lies outside of it. New in the arena; the texts are copied. */
const PmRegionSet *pm_regions_add(PmArena *arena, const PmRegionSet *before, const PmView *view, const char *step,
                                  const char *name, const PmRegion *regions, size_t count);

/* All of that step and name, in the order in which they were added, as shares of what `view` shows; less what lies
 * outside of it. New in the arena; NULL when nothing was ever added under that name. */
const PmRegion *pm_regions_get(PmArena *arena, const PmRegionSet *sets, const PmView *view, const char *step,
                               const char *name, size_t *count);

#endif
