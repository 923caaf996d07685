/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/resample.h"

static const char *const kernels[] = {"nearest", "linear", "cubic", "mitchell", "lanczos2", "lanczos3"};
enum { KERNEL_COUNT = sizeof kernels / sizeof kernels[0] };

const char *pm_kernel_name(PmKernel kernel)
{
    return (unsigned)kernel < KERNEL_COUNT ? kernels[kernel] : "none";
}

/* Boxes are worked out in doubles: what sticks out by less than this does not. */
static const double slack = 1e-3;

static bool within(double start, double length, int32_t side)
{
    return start >= -slack && length > 0 && start + length <= side + slack; /* false of what is no number */
}

const char *pm_resample_fault(const PmShape *in, const PmPlan *plan)
{
    const PmResample *resample = &plan->resample;
    const PmShape *out = &plan->out;
    if (resample->width == 0) return NULL;
    if (!within(resample->left, resample->width, in->width) || !within(resample->top, resample->height, in->height))
        return "a resample of a box that is not within its input";
    if ((unsigned)resample->kernel >= KERNEL_COUNT) return "a resample with a kernel that does not exist";
    if (plan->flags & PM_SKIP) return "a resample and PM_SKIP";
    if (plan->flags & (PM_RANDOM | PM_EAGER | PM_ALL_PAGES))
        return "a resample and PM_RANDOM, PM_EAGER or PM_ALL_PAGES, none of which a resample needs";
    if (out->pages != in->pages || out->bands != in->bands || out->has_alpha != in->has_alpha ||
        out->has_profile != in->has_profile || out->band_format != in->band_format)
        return "a resample, and a result that differs from the input in more than its size";
    return NULL;
}
