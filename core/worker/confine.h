/* SPDX-License-Identifier: Apache-2.0
 *
 * The sandbox of the worker itself, which opens plugins and reads the pipeline's assets: a plugin's constructors and
 * its create() run here, before there is a child. What is left to them: to read system libraries, plugin folders, fonts
 * and the files that the pipeline names; to compute; to fork. No network, no programs, no writing, no other file, and
 * no signal to pixmill.
 */
#ifndef PM_WORKER_CONFINE_H
#define PM_WORKER_CONFINE_H

#include "pipeline/pipeline.h"
#include "worker/sandbox.h"

/* For good, with the layers that are there. `plugin_dirs` ends with NULL. `pipeline` may be NULL. On failure the
 * process must end. */
PmStatus pm_confine(const PmSandbox *sandbox, const char *const *plugin_dirs, const PmPipeline *pipeline, PmError *err);

/* The filter of system calls that goes with it; stays in force in children, beside their own. `others_are_safe`:
 * Landlock lets no signal out (from Linux 6.12 on). Returns 0 or errno. */
int pm_seccomp_confine(bool others_are_safe);

#endif
