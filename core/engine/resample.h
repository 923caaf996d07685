/* SPDX-License-Identifier: Apache-2.0
 *
 * What a step says of itself when it only crops and scales. Pure.
 */
#ifndef PM_ENGINE_RESAMPLE_H
#define PM_ENGINE_RESAMPLE_H

#include <pixmill/plugin.h>

/* What is wrong with plan->resample for that input, or NULL: also when the plan says nothing of the kind. */
const char *pm_resample_fault(const PmShape *in, const PmPlan *plan);

/* "nearest", "linear" .. as the resize step names them. */
const char *pm_kernel_name(PmKernel kernel);

#endif
