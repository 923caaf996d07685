/* SPDX-License-Identifier: Apache-2.0
 *
 * Looks at what an encoder wrote, as a reader will: an output that nobody can open must not be stored as done.
 */
#ifndef PM_ENGINE_READBACK_H
#define PM_ENGINE_READBACK_H

#include <pixmill/plugin.h>

#include "base/error.h"

/* Format, header and size of the written bytes against the plan. False: `what` says what is wrong, as in "wrote jpeg
 * where it promised png". True for formats that this libvips does not read: there is nothing to compare with. */
bool pm_readback_fits(const PmPlan *plan, const void *bytes, size_t size, char *what, size_t what_size);

#endif
