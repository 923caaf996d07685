/* SPDX-License-Identifier: Apache-2.0
 *
 * While plugins' create() runs in the zygote, what they print goes into a pipe, and from there into the log with their
 * names (engine/printed.h): not to the operator's terminal, and not once more from each child's copy of a buffer.
 */
#ifndef PM_WORKER_CAPTURE_H
#define PM_WORKER_CAPTURE_H

#include "engine/printed.h"

/* Without descriptors left it does nothing. */
void pm_capture_begin(void);

/* Puts stdout and stderr back. What nobody has taken goes to `line`. Again: nothing. */
void pm_capture_end(PmPrintedLine *line, void *data);

#endif
