/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading a pipeline and running it, with every error printed: what `run` and `apply` share.
 */
#ifndef PM_CLI_START_H
#define PM_CLI_START_H

#include "cli/command.h"
#include "cli/serve.h"
#include "pipeline/steps_line.h"

typedef struct PmStart {
    PmPipeline *pipeline;
    char *text;
    size_t size;
    PmStepsLine *line; /* owned; what it was made of instead of a file, or NULL */
} PmStart;

/* Both also add what they print to `printed`, which may be NULL. */

/* Prints all errors, the plugins' too, and returns other than PM_OK when there are any: then *start is empty. */
PmStatus pm_start_read(const char *file, const PmPoolOptions *pool, PmStart *start, PmErrorList *printed);
/* The same for steps on the command line (steps_line.h). */
PmStatus pm_start_read_steps(const char *steps, const PmPoolOptions *pool, PmStart *start, PmErrorList *printed);
/* Prints errors about what was read, sorted; the list is empty then. */
void pm_start_say_all(const PmStart *start, PmErrorList *errors, PmErrorList *printed);
/* Runs; prints what went wrong as a whole. The exit code. */
int pm_start_run(const PmStart *start, const PmServeOptions *options, PmServed *served, PmErrorList *printed);
/* The same for several, at most PM_SERVE_MAX. */
int pm_start_run_all(const PmStart *starts, size_t count, const PmServeOptions *options, PmServed *served,
                     PmErrorList *printed);
void pm_start_finish(PmStart *start);

#endif
