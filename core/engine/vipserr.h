/* SPDX-License-Identifier: Apache-2.0
 *
 * libvips' error buffer, turned into one line that an operator can read. The buffer is global to the process, which
 * is why a child runs one job at a time.
 */
#ifndef PM_ENGINE_VIPSERR_H
#define PM_ENGINE_VIPSERR_H

#include "base/error.h"

/* Takes what libvips said out of its buffer: one line, cut to `size`, without repeats and the names of its own
 * files. "" when it said nothing. */
void pm_vips_error_take(char *out, size_t size);

/* Sets err to "<what>: <libvips' text>", or `what` alone when it said nothing. Returns err->status. */
PmStatus pm_vips_error(PmError *err, PmStatus status, const char *what);

#endif
