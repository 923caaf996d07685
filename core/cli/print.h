/* SPDX-License-Identifier: Apache-2.0
 *
 * What commands print: errors, tables, a progress bar. Colours only on a terminal, and not with NO_COLOR.
 */
#ifndef PM_CLI_PRINT_H
#define PM_CLI_PRINT_H

#include <stdio.h>

#include "base/buffer.h"
#include "session/session.h"

/* An error as the operator reads it, on stderr: place, crumbs, message; then the hint. */
void pm_print_error(const PmError *err);
void pm_print_errors(const PmErrorList *errors);

bool pm_print_colours(FILE *stream);

/* "1 image", "3 images". */
const char *pm_plural(size_t count, const char *one, const char *many);

/* A line that is rewritten in place; nothing when stderr is not a terminal. */
void pm_print_progress(size_t done, size_t all, const char *what);
void pm_print_progress_end(void);

/* One line for people (and one more for each warning), without newline at the end. `out` is not emptied first. */
void pm_result_to_text(const PmJobResult *result, PmBuffer *out);

#endif
