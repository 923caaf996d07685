/* SPDX-License-Identifier: Apache-2.0
 *
 * The generations of a pipeline file: a reload is a second session beside the first. The new one reads the file, opens
 * all that it names and starts its workers while the old one works; only when it could begin does the old one take
 * nothing more, and only when that one has ended, with what it had taken, does the new one take its first event. So an
 * event belongs to one generation, and a file that is wrong changes nothing.
 *
 * Hides which session is at work. Knows no signals and no process.
 */
#ifndef PM_CLI_GENERATIONS_H
#define PM_CLI_GENERATIONS_H

#include "cli/pipeline_file.h"
#include "session/session.h"

typedef struct PmGenerations PmGenerations;

typedef struct PmGenerationsOptions {
    PmSessionOptions session; /* `held`, `data`, `started` and `ended` are set here; `data` goes to the others */
    int64_t grace_ms;         /* what the old generation has to finish in; 0: 20 s */
    void *data;               /* of all below */
    /* The workers of a generation are ready. Not called for one that never gets so far. */
    void (*started)(void *data, const PmPipeline *pipeline, unsigned generation, const json_t *info, size_t workers);
    void (*ended)(void *data); /* the last one, from the loop: nothing more will come */
} PmGenerationsOptions;

/* The first generation begins with what was read already; all is borrowed and outlives it, but for the struct of the
 * options. New; NULL and err set when something cannot be opened. */
PmGenerations *pm_generations_new(PmLoop *loop, const PmPipeline *pipeline, const char *text, size_t size,
                                  const PmGenerationsOptions *options, PmError *err);
void pm_generations_free(PmGenerations *generations); /* at any time; NULL is fine */

/* Reads the file anew. What is wrong with it goes to the log. While one reload is under way, others are joined into one
 * more. */
void pm_generations_reload(PmGenerations *generations);
/* Reloads from now on when the file's content has changed, a second after it stopped changing. False: out of memory. */
bool pm_generations_watch(PmGenerations *generations);
/* pm_session_drain for what is at work; what is being prepared is dropped. */
void pm_generations_drain(PmGenerations *generations);

/* The session at work. */
const PmSession *pm_generations_session(const PmGenerations *generations);
/* Whether events are taken, as pm_session_is_ready says; also while one generation takes over from another. */
bool pm_generations_is_ready(const PmGenerations *generations, char *why, size_t size);
/* Of all generations together. */
PmSessionSummary pm_generations_summary(const PmGenerations *generations);
/* That of the session at work, with `generation` and `reload`: null, or {ok, at}. New; NULL: out of memory. */
json_t *pm_generations_status(const PmGenerations *generations);

#endif
