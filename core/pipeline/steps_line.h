/* SPDX-License-Identifier: Apache-2.0
 *
 * Steps on a command line, `resize 400 fit=inside, convert webp quality=80`, as a pipeline of one output. Hides the
 * grammar: steps are divided by commas; each is a plugin, then maybe a value (the plugin's short form), then
 * NAME=VALUE. A value with spaces or commas stands in quotes, a list in brackets.
 */
#ifndef PM_PIPELINE_STEPS_LINE_H
#define PM_PIPELINE_STEPS_LINE_H

#include "base/error.h"

/* The name of such a pipeline in messages, and of its output. */
#define PM_STEPS_LINE_FILE   "--steps"
#define PM_STEPS_LINE_OUTPUT "image"

typedef struct PmStepsLine {
    char *yaml; /* owned; each of its tokens stands in its column of the line, so that errors name the right one */
    size_t size;
    int *lines; /* owned; of yaml's lines, by line - 1: the line of the text that was given */
    size_t line_count;
} PmStepsLine;

/* PM_BAD_CONFIG with file, line and column when it is not written as above. Finish in either case. */
PmStatus pm_steps_line_read(const char *text, PmStepsLine *out, PmError *err);
void pm_steps_line_finish(PmStepsLine *line);

/* Gives an error about the YAML the line of the text that was given; others stay as they are. */
void pm_steps_line_place(const PmStepsLine *line, PmError *err);

#endif
