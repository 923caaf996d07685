/* SPDX-License-Identifier: Apache-2.0
 *
 * "processed/{dir}/{stem}_thumb.{ext}": text with {facts}, filled in once (what a fact brings is never read as
 * a template). `{{` and `}}` are literal braces. Hides parsing and the rules that keep a key under its prefix.
 */
#ifndef PM_PIPELINE_TEMPLATE_H
#define PM_PIPELINE_TEMPLATE_H

#include "pipeline/facts.h"

typedef struct PmTemplate PmTemplate;

typedef enum PmTemplateKind {
    PM_TEMPLATE_KEY,  /* an S3 key: 1 to 1,024 bytes, no control characters, no `..` or `.` segments */
    PM_TEMPLATE_PATH, /* a file path: also no empty segments, so no absolute ones, and none longer than 255 bytes */
    PM_TEMPLATE_TEXT  /* free text */
} PmTemplateKind;

/* New; NULL with the reason (no place; the column offset from 0 in *at when not NULL). Refuses unbalanced braces,
 * empty names, and for keys and paths `.` and `..` segments (a path may begin with them), control characters, an end
 * in '/'. What facts bring is judged by pm_template_expand. Names are not looked up here. */
PmTemplate *pm_template_new(PmTemplateKind kind, const char *text, size_t *at, PmError *err);
void pm_template_free(PmTemplate *tmpl);

/* The i-th fact's name, or NULL beyond the last. */
const char *pm_template_fact(const PmTemplate *tmpl, size_t i);
/* The literal text up to and including the last '/' before the first fact. */
const char *pm_template_prefix(const PmTemplate *tmpl);
const char *pm_template_text(const PmTemplate *tmpl);

/* The literal text after the last fact. */
const char *pm_template_suffix(const PmTemplate *tmpl);

/* Whether the facts of some job could make the result begin with `target`. `root` stands for the fixed prefix (a path
 * made absolute), NULL for its own text; `output` is what {output} stands for. Errs on the side of true. */
bool pm_template_reaches(const PmTemplate *tmpl, const char *root, const char *output, const char *target);

/* New string, freed by the caller. NULL: PM_BAD_INPUT when the facts of this job give a result that is not
 * allowed (leaves the prefix, empty segment, too long), or PM_BUG when a fact is missing. An empty {dir} takes
 * the slash after it along. */
char *pm_template_expand(const PmTemplate *tmpl, const PmFacts *facts, PmError *err);

#endif
