/* SPDX-License-Identifier: Apache-2.0
 *
 * An output whose steps change metadata alone: the source's coded pixels go into its file as they are. What the file
 * tells beside them is what the output's own encoder would write. Hides how it is asked for that.
 */
#ifndef PM_ENGINE_COPY_H
#define PM_ENGINE_COPY_H

#include <pixmill/plugin.h>

#include "base/error.h"

struct PmInstance;
struct PmPicture;
struct PmRun;

/* NULL, or why the coded pixels of the run's source cannot stand in a file of that format. */
const char *pm_copy_refuses(const struct PmRun *run, const char *format);

/* Writes the output's file. `picture` has the metadata; none of its pixels is computed. Where the file's structure does
 * not tell whether it is whole, the source is decoded to see. */
PmStatus pm_copy_write(struct PmRun *run, const struct PmInstance *encoder, struct PmPicture *picture,
                       VipsTarget *target, PmError *err);

#endif
