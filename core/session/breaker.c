/* SPDX-License-Identifier: Apache-2.0 */
#include "session/breaker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "session/fate.h"

enum {
    DEPENDENCIES_MAX = 64, /* more than a pipeline names; what comes later is never held */
    FIRST_MIN_MS = 100,
    FIRST_MAX_MS = 1000, /* of a configured backoff: an outage is looked at soon, however patient retries are */
    PAUSE_MAX_MS = 15000,
    REFUSED_MAX_MS = 2000, /* where everything that fails answers, and refuses: it bears to be asked */
    LOG_EVERY_MS = 60000,
    LOG_AGAIN_TRIES = 2, /* within LOG_EVERY_MS: once it has lasted so many pauses */
    MEMORY = 512
};

typedef struct Dependency {
    char name[300];
    bool failing, refuses; /* refuses: it answered, for the operator to mend something */
    bool logged;           /* as failing */
    uint64_t successes;
    int64_t since_ms;  /* it has been failing */
    int64_t logged_ms; /* when it was last logged as failing; 0 never */
} Dependency;

typedef struct Memory {
    uint64_t hash;
    PmBreakerHold hold;
} Memory;

struct PmBreaker {
    PmLoop *loop;
    PmBreakerSink sink;
    int64_t backoff_ms, tries;
    PmTimer *timer;
    Dependency *dependencies[DEPENDENCIES_MAX];
    size_t count;
    bool open;
    Memory memory[MEMORY];
};

static Dependency *find(const PmBreaker *breaker, const char *name, size_t *number)
{
    for (size_t i = 0; i < breaker->count; i++)
        if (strcmp(breaker->dependencies[i]->name, name) == 0) {
            if (number != NULL) *number = i + 1;
            return breaker->dependencies[i];
        }
    return NULL;
}

static Dependency *find_or_add(PmBreaker *breaker, const char *name)
{
    Dependency *found = find(breaker, name, NULL);
    if (found != NULL || breaker->count == DEPENDENCIES_MAX) return found;
    found = calloc(1, sizeof *found);
    if (found == NULL) return NULL;
    pm_text_copy(found->name, sizeof found->name, name);
    breaker->dependencies[breaker->count++] = found;
    return found;
}

size_t pm_breaker_failing(const PmBreaker *breaker, char *out, size_t size)
{
    size_t n = 0, used = 0;
    out[0] = '\0';
    for (size_t i = 0; breaker != NULL && i < breaker->count; i++) {
        const Dependency *one = breaker->dependencies[i];
        if (!one->failing) continue;
        int length = used < size ? snprintf(out + used, size - used, "%s%s", n > 0 ? ", " : "", one->name) : 0;
        used += length > 0 ? (size_t)length : 0;
        n++;
    }
    return n;
}

static bool any_failing(const PmBreaker *breaker)
{
    for (size_t i = 0; i < breaker->count; i++)
        if (breaker->dependencies[i]->failing) return true;
    return false;
}

/* --- pauses --- */

static void on_pause_over(void *data);

static void start_pause(PmBreaker *breaker)
{
    bool away = false;
    for (size_t i = 0; i < breaker->count; i++)
        away = away || (breaker->dependencies[i]->failing && !breaker->dependencies[i]->refuses);
    int64_t pause = pm_pause_ms(breaker->backoff_ms, breaker->tries, away ? PAUSE_MAX_MS : REFUSED_MAX_MS);
    pm_loop_cancel(breaker->timer);
    breaker->timer = pm_loop_after(breaker->loop, pause, on_pause_over, breaker);
}

/* The next pause begins at once: an attempt that says nothing about the dependency does not end the attempts. */
static void on_pause_over(void *data)
{
    PmBreaker *breaker = data;
    breaker->timer = NULL;
    breaker->tries++;
    start_pause(breaker);
    breaker->sink.probe(breaker->sink.data, breaker->tries);
}

/* --- what is known --- */

static void log_failing(const PmBreaker *breaker, Dependency *one, const PmError *err)
{
    char text[1200];
    int64_t now = pm_clock_mono_ms();
    bool again = one->logged_ms != 0 && now - one->logged_ms < LOG_EVERY_MS;
    if (one->logged || (again && breaker->tries < LOG_AGAIN_TRIES)) return;
    one->logged = true;
    one->logged_ms = now;
    pm_error_format(err, text, sizeof text);
    pm_log(PM_LOG_WARN, "dependency.failing", "dependency", one->name, "status", pm_status_name(err->status), "msg",
           text, NULL);
}

static void log_back(Dependency *one)
{
    char text[80];
    if (!one->logged) return;
    one->logged = false;
    snprintf(text, sizeof text, "it works again after %.1f s", (double)(pm_clock_mono_ms() - one->since_ms) / 1000);
    pm_log(PM_LOG_WARN, "dependency.back", "dependency", one->name, "msg", text, NULL);
}

void pm_breaker_failed(PmBreaker *breaker, const char *name, const PmError *err)
{
    Dependency *one = breaker != NULL ? find_or_add(breaker, name) : NULL;
    if (one == NULL) return;
    if (!one->failing) one->since_ms = pm_clock_mono_ms();
    one->failing = true;
    one->refuses = err->status == PM_BAD_CONFIG;
    breaker->open = true;
    if (breaker->timer == NULL) {
        breaker->tries = 0;
        start_pause(breaker);
    }
    log_failing(breaker, one, err);
}

void pm_breaker_worked(PmBreaker *breaker, const char *name)
{
    Dependency *one = breaker != NULL ? find_or_add(breaker, name) : NULL;
    if (one == NULL) return;
    one->successes++;
    if (!one->failing) return;
    one->failing = false;
    log_back(one);
    pm_loop_cancel(breaker->timer);
    breaker->timer = NULL;
    breaker->tries = 0;
    if (any_failing(breaker))
        start_pause(breaker);
    else
        breaker->open = false;
    breaker->sink.changed(breaker->sink.data);
}

void pm_breaker_passed(PmBreaker *breaker)
{
    if (breaker == NULL || !breaker->open) return;
    breaker->open = false;
    breaker->sink.changed(breaker->sink.data);
}

bool pm_breaker_is_open(const PmBreaker *breaker)
{
    return breaker != NULL && breaker->open;
}

bool pm_breaker_is_own(const PmBreaker *breaker, const char *name, const PmBreakerHold *hold)
{
    size_t number = 0;
    const Dependency *one = breaker != NULL ? find(breaker, name, &number) : NULL;
    return one != NULL && hold->dependency == number && hold->successes != one->successes;
}

bool pm_breaker_holds(const PmBreaker *breaker, const char *name, PmBreakerHold *hold)
{
    size_t number = 0;
    const Dependency *one = breaker != NULL ? find(breaker, name, &number) : NULL;
    if (one == NULL || !one->failing || pm_breaker_is_own(breaker, name, hold)) return false;
    *hold = (PmBreakerHold){.dependency = number, .successes = one->successes};
    return true;
}

bool pm_breaker_frees(const PmBreaker *breaker, const PmBreakerHold *hold)
{
    return hold->dependency == 0 || hold->dependency > breaker->count ||
           !breaker->dependencies[hold->dependency - 1]->failing;
}

/* --- memory --- */

static uint64_t hash_of(const char *label)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (; *label != '\0'; label++) hash = (hash ^ (unsigned char)*label) * 1099511628211u;
    return hash;
}

void pm_breaker_remember(PmBreaker *breaker, const char *label, const char *name)
{
    size_t number = 0;
    const Dependency *one = breaker != NULL ? find(breaker, name, &number) : NULL;
    if (one == NULL) return;
    uint64_t hash = hash_of(label);
    breaker->memory[hash % MEMORY] = (Memory){hash, {.dependency = number, .successes = one->successes}};
}

PmBreakerHold pm_breaker_recall(const PmBreaker *breaker, const char *label)
{
    uint64_t hash = hash_of(label);
    if (breaker == NULL || breaker->memory[hash % MEMORY].hash != hash) return (PmBreakerHold){0};
    return breaker->memory[hash % MEMORY].hold;
}

/* --- life --- */

PmBreaker *pm_breaker_new(PmLoop *loop, int64_t backoff_ms, const PmBreakerSink *sink)
{
    PmBreaker *breaker = calloc(1, sizeof *breaker);
    if (breaker == NULL) return NULL;
    if (backoff_ms < FIRST_MIN_MS) backoff_ms = FIRST_MIN_MS;
    if (backoff_ms > FIRST_MAX_MS) backoff_ms = FIRST_MAX_MS;
    *breaker = (PmBreaker){.loop = loop, .sink = *sink, .backoff_ms = backoff_ms};
    return breaker;
}

void pm_breaker_free(PmBreaker *breaker)
{
    if (breaker == NULL) return;
    pm_loop_cancel(breaker->timer);
    for (size_t i = 0; i < breaker->count; i++) free(breaker->dependencies[i]);
    free(breaker);
}
