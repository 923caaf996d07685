/* SPDX-License-Identifier: Apache-2.0
 *
 * Facts: what is known of a job, as short strings by name. Templates and `when` read them.
 */
#ifndef PM_PIPELINE_FACTS_H
#define PM_PIPELINE_FACTS_H

#include <jansson.h>

#include "base/error.h"

typedef struct PmFacts PmFacts;

enum { PM_FACT_WORD_MAX = 64, PM_FACT_VALUE_MAX = 1024, PM_FACTS_MAX = 200 };

PmFacts *pm_facts_new(void);
PmFacts *pm_facts_copy(const PmFacts *facts);
void pm_facts_free(PmFacts *facts);
/* Copies both; NULL value removes. false: too long, too many, not UTF-8, or out of memory. */
bool pm_facts_set(PmFacts *facts, const char *name, const char *value);
bool pm_facts_setf(PmFacts *facts, const char *name, const char *fmt, ...) PM_PRINTF(3, 4);
const char *pm_facts_get(const PmFacts *facts, const char *name); /* borrowed; NULL when unknown */
json_t *pm_facts_to_json(const PmFacts *facts);                   /* new; NULL: out of memory */
/* Not too long, and UTF-8. */
bool pm_fact_fits(const char *value);
bool pm_facts_add_json(PmFacts *facts, const json_t *object); /* false: something in it was refused */

/* Sets key, dir, name, stem and source_ext from an object key such as "a/b/cat.final.JPG":
 * dir "a/b", name "cat.final.JPG", stem "cat.final", source_ext "jpg". */
bool pm_facts_set_key(PmFacts *facts, const char *key);

/* Sets date ("2026-11-23"), year, month, day, hour from wall-clock milliseconds, UTC. */
bool pm_facts_set_date(PmFacts *facts, long long wall_ms);

/* What pixmill itself knows, each with the moments at which it is known. */
enum {
    PM_FACT_KEY = 1,       /* in an output's key template */
    PM_FACT_WHEN = 2,      /* in `when` of a step or output: known from the source and its header */
    PM_FACT_PLUGIN = 4,    /* in a plugin's PM_TEMPLATE parameters */
    PM_FACT_NUMBER = 8,    /* compares as a number */
    PM_FACT_FRACTION = 16, /* a number that need not be whole */
    PM_FACT_LOWER = 32,    /* a text without upper-case letters */
    PM_FACT_SOURCE = 64    /* of the source, wherever it stands: the worker reads it from the header and tells */
};
typedef struct PmFactInfo {
    const char *name;
    unsigned flags;
    const char *doc;
    const char *const *choices; /* all that `when` can find in it, NULL-terminated; or NULL */
    double min, max;            /* of a number, inclusive; max 0: no upper end */
    const char *never;          /* characters that a text never holds, or NULL */
    const char *letters;        /* all that a text is made of, 1 to PM_FACT_WORD_MAX of them; or NULL */
    const char *also;           /* what people call it elsewhere: words between spaces, or NULL */
} PmFactInfo;
extern const PmFactInfo pm_fact_table[]; /* ended by a NULL name */
/* Whether a worker may say this: the fact of a step ("nsfw-hook.score"), or a PM_FACT_SOURCE that can have this value.
 */
bool pm_fact_from_worker(const char *name, const char *value);
const PmFactInfo *pm_fact_info(const char *name);
/* What is known of a verdict's "decision" and "score"; NULL for another word. */
const PmFactInfo *pm_fact_of_verdict(const char *name);
/* The fact that people mean by `word`: "filename" is name; NULL when no row says so. */
const char *pm_fact_also(const char *word);

#endif
