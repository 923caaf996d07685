/* SPDX-License-Identifier: Apache-2.0
 *
 * One step run as the engine runs it, on pictures made in memory, with a host that answers everything by itself and
 * remembers what the plugin did wrong. For check.c only.
 */
#ifndef PM_ENGINE_CHECK_STEP_H
#define PM_ENGINE_CHECK_STEP_H

#include <vips/vips.h>

#include "engine/registry.h"

/* --- pictures --- */

typedef struct PmCheckPicture {
    const char *name;
    VipsImage *image; /* in memory */
    PmShape shape;
} PmCheckPicture;

enum { PM_CHECK_PICTURES = 11 };

/* RGB, alpha, CMYK as the host hands it on, grey, 16-bit, animated, rotated, and the like. false: libvips failed. */
bool pm_check_pictures_new(PmCheckPicture pictures[PM_CHECK_PICTURES]);
void pm_check_pictures_free(PmCheckPicture pictures[PM_CHECK_PICTURES]);

/* A tall picture, a JPEG or a PNG: new; NULL when libvips failed. `sequential`: straight from the decoder, which gives
 * its rows once and in order; else the same in memory. */
VipsImage *pm_check_tall(bool jpeg, bool sequential);

/* What the engine would tell plan() of an image. */
PmShape pm_check_shape(VipsImage *image);

/* --- a step --- */

typedef struct PmCheckStep PmCheckStep;

/* Binds `params` (YAML; NULL: made up) and calls create(). NULL: `message` says why. */
PmCheckStep *pm_check_step_new(const PmLoaded *loaded, const char *params, char *message, size_t message_size);
void pm_check_step_free(PmCheckStep *step); /* calls destroy() */

/* Preset and plan(). PM_OK, or what the plugin returned; see pm_check_step_said. */
PmStatus pm_check_step_plan(PmCheckStep *step, const PmShape *in, PmPlan *out);

/* What the step did to a picture. */
typedef struct PmCheckResult {
    VipsImage *image;  /* apply: new, in memory; NULL otherwise */
    PmVerdict verdict; /* inspect */
    void *bytes;       /* encode: new, g_free */
    size_t size;
} PmCheckResult;

/* apply (once per page unless the plan says otherwise, pages rejoined), inspect or encode, pixels computed. */
PmStatus pm_check_step_run(PmCheckStep *step, VipsImage *in, const PmShape *shape, const PmPlan *plan,
                           PmCheckResult *out);
void pm_check_result_finish(PmCheckResult *result);

/* What the plugin, or libvips, said of the last failure; "" when nothing. */
const char *pm_check_step_said(const PmCheckStep *step);

/* A rule the plugin broke in its dealings with the host (a status that is none, a failure without a reason, a fact
 * that it does not list, a GLib warning); NULL when it broke none. */
const char *pm_check_step_broke(const PmCheckStep *step);

/* --- the plugin's own calls --- */

typedef void (*PmCheckFunction)(void);
typedef struct PmCheckStub {
    const char *name; /* of a function that the plugin imports */
    PmCheckFunction stub;
} PmCheckStub;

/* From now on the plugin calls these instead. false: it imports none of them. */
bool pm_check_redirect(const PmLoaded *loaded, const PmCheckStub *stubs, size_t stub_count);

/* --- failing allocations --- */

/* From now on the plugin's own call number `which` (from 0) of malloc and its like fails, and only that one.
 * false: the plugin calls none of them. */
bool pm_check_fail_allocation(const PmLoaded *loaded, unsigned which);
bool pm_check_allocation_failed(void); /* has it come to that? */

#endif
