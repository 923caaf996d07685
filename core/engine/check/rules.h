/* SPDX-License-Identifier: Apache-2.0
 *
 * The questions of `pixmill plugin check`, one function each. For check.c only, which asks each in a process of its
 * own.
 */
#ifndef PM_ENGINE_CHECK_RULES_H
#define PM_ENGINE_CHECK_RULES_H

#include "engine/check/check.h"
#include "engine/check/step.h"

typedef struct PmCheck {
    const char *file, *params;
    const PmLoaded *loaded;  /* NULL for the rules about the file */
    const PmCheckRoom *room; /* or NULL */
    bool as_job;             /* the question is about a job: from create() on in the sandbox of those */
    bool entered;            /* it is there */
    char message[640];       /* what was found, good or bad */
} PmCheck;

typedef bool PmCheckRule(PmCheck *check);

typedef struct PmCheckEntry {
    const char *name;
    PmCheckRule *rule;
    bool needed; /* the questions after it make no sense without it */
    bool as_job; /* asked where jobs run; else where plugins are created, because it forks or counts descriptors */
} PmCheckEntry;

/* About the file; they open no code. */
bool pm_check_exports(PmCheck *check);
bool pm_check_libraries(PmCheck *check);

/* About the plugin as loaded: what it wants of others, and what it holds on to. */
bool pm_check_outside(PmCheck *check);
bool pm_check_resample(PmCheck *check);
bool pm_check_leaks(PmCheck *check);
bool pm_check_allocations(PmCheck *check);

/* Sets the message; returns `ok`. */
bool pm_check_say(PmCheck *check, bool ok, const char *fmt, ...) PM_PRINTF(3, 4);

/* The step with the parameters asked for; NULL: the message says why. */
PmCheckStep *pm_check_make_step(PmCheck *check);

/* All questions about the plugin as loaded; ended by a NULL name. */
extern const PmCheckEntry pm_check_rules[];

#endif
