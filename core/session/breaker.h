/* SPDX-License-Identifier: Apache-2.0
 *
 * A circuit breaker over the sources, stores and queues that a run depends on. When one of them fails, nothing more is
 * received, and objects are tried one at a time, less and less often, until it works again. Hides the pauses, and which
 * failures are the dependency's and which are one object's own. Knows no jobs and no triggers.
 */
#ifndef PM_SESSION_BREAKER_H
#define PM_SESSION_BREAKER_H

#include "base/loop.h"

typedef struct PmBreaker PmBreaker;

typedef struct PmBreakerSink {
    void *data;
    /* A pause is over: try one object. tries: pauses since something last began to work again, 1 the first time. */
    void (*probe)(void *data, int64_t tries);
    void (*changed)(
        void *data); /* it may be closed now, or held objects may be free to go; never from the loop itself */
} PmBreakerSink;

/* What an object remembers while it is held; all zero at first. */
typedef struct PmBreakerHold {
    size_t dependency;  /* its number, from 1; 0: not held so far */
    uint64_t successes; /* of the dependency at that time */
} PmBreakerHold;

/* backoff_ms: the first pause, which doubles up to 15 s, or to 2 s while what fails answers that it refuses; half of
 * each is random. loop and sink's data outlive it. New; NULL: out of memory. */
PmBreaker *pm_breaker_new(PmLoop *loop, int64_t backoff_ms, const PmBreakerSink *sink);
void pm_breaker_free(PmBreaker *breaker); /* NULL is fine, here and below */

/* What one object's work found: all that it asked of the dependency worked, or something failed. The first failure is
 * logged as a warning, and so is the return; not more often than once a minute while it comes and goes. */
void pm_breaker_worked(PmBreaker *breaker, const char *name);
void pm_breaker_failed(PmBreaker *breaker, const char *name, const PmError *err);
/* An object was done with, outputs and all: receiving may go on even if something still fails that others need. */
void pm_breaker_passed(PmBreaker *breaker);

/* Nothing is to be received or begun except what `probe` asks for. */
bool pm_breaker_is_open(const PmBreaker *breaker);

/* Whether a failure is the object's own, since the dependency has worked for others after the object last failed with
 * it: no reason to tell pm_breaker_failed. */
bool pm_breaker_is_own(const PmBreaker *breaker, const char *name, const PmBreakerHold *hold);
/* After pm_breaker_failed. True: the object is to be held until pm_breaker_frees says so. */
bool pm_breaker_holds(const PmBreaker *breaker, const char *name, PmBreakerHold *hold);
bool pm_breaker_frees(const PmBreaker *breaker, const PmBreakerHold *hold);

/* An object that failed on its own will be delivered again: what it is to remember then. Some hundreds are kept; one
 * that is forgotten is held once more. */
void pm_breaker_remember(PmBreaker *breaker, const char *label, const char *name);
PmBreakerHold pm_breaker_recall(const PmBreaker *breaker, const char *label);

/* Names of what fails now, separated by ", "; "" when nothing does. Returns how many. */
size_t pm_breaker_failing(const PmBreaker *breaker, char *out, size_t size);

#endif
