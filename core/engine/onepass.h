/* SPDX-License-Identifier: Apache-2.0
 *
 * One decode, many renditions: where every output begins with a crop and a change of size, the rows of the decoded
 * picture are mixed into all of them as they come, and the picture itself is held by nobody. Equal beginnings are
 * computed once.
 */
#ifndef PM_ENGINE_ONEPASS_H
#define PM_ENGINE_ONEPASS_H

#include "base/error.h"

struct PmRoute;
struct PmRun;

/* When every output has been planned from the trunk: sets the route's one_pass, the outputs' `resample`, and why an
 * output is left to libvips. Pure. False: no memory. */
bool pm_onepass_choose(struct PmRoute *route);

/* What one pass holds, for a route that chose it. False: no memory. */
bool pm_onepass_bytes(const struct PmRoute *route, int64_t *bytes);

/* The pass, when it is known which outputs run. Each of them is started, and has done its steps up to the resampling
 * one. *done stays false when the picture that was decoded differs from the planned one in a way that this cannot
 * serve: nothing was read then, and libvips can. */
PmStatus pm_onepass_run(struct PmRun *run, bool *done, PmError *err);

#endif
