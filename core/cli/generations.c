/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/generations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"

enum { LOOK_MS = 1000 };

typedef struct Generation {
    PmGenerations *all;
    const PmPipeline *pipeline;
    PmPipelineFile file; /* owned; empty: the first one's was read elsewhere */
    PmSession *session;
    unsigned number;
    bool ready;
} Generation;

struct PmGenerations {
    PmLoop *loop;
    PmGenerationsOptions options;
    Generation *current, *next; /* next: prepared, or ready and waiting for the end of the current one */
    PmSessionSummary ended;     /* of generations that are gone */
    unsigned attempts;
    bool switching; /* current drains for next */
    bool stopping, again;
    bool reloaded, reload_ok;
    char reload_at[25];
    /* watching the file */
    PmTimer *look;
    struct stat seen, known; /* at the last look; of what was tried last */
    char *tried;             /* the text that was tried last; owned */
    size_t tried_size;
};

static void free_generation(Generation *generation)
{
    if (generation == NULL) return;
    pm_session_free(generation->session);
    pm_pipeline_file_finish(&generation->file);
    free(generation);
}

/* --- telling --- */

static void note_reload(PmGenerations *g, bool ok)
{
    g->reloaded = true;
    g->reload_ok = ok;
    pm_clock_iso8601(pm_clock_wall_ms(), g->reload_at);
}

static void log_error(const PmError *err)
{
    char text[1600];
    if (err->status == PM_OK) return;
    pm_error_format(err, text, sizeof text);
    pm_log(PM_LOG_ERROR, "reload.error", "msg", text, NULL);
}

static void reload_failed(PmGenerations *g, const PmErrorList *errors, const PmError *err)
{
    char number[24];
    for (size_t i = 0; errors != NULL && i < errors->count; i++) log_error(&errors->items[i]);
    if (err != NULL) log_error(err);
    note_reload(g, false);
    snprintf(number, sizeof number, "%u", g->current->number);
    pm_log(PM_LOG_ERROR, "reload.failed", "generation", number, "msg",
           "the pipeline file cannot be used: what ran goes on as it was", NULL);
}

static void reload_done(PmGenerations *g)
{
    char number[24];
    note_reload(g, true);
    snprintf(number, sizeof number, "%u", g->current->number);
    pm_log(PM_LOG_INFO, "run.reloaded", "pipeline", g->current->pipeline->name, "generation", number, NULL);
}

/* --- sessions --- */

static void on_started(void *data, const json_t *info, size_t workers)
{
    Generation *generation = data;
    PmGenerations *g = generation->all;
    generation->ready = true;
    if (g->options.started != NULL)
        g->options.started(g->options.data, generation->pipeline, generation->number, info, workers);
    if (generation != g->next) return;
    g->switching = true;
    pm_session_drain(g->current->session, g->options.grace_ms);
}

static void on_result(void *data, const PmJobResult *result)
{
    const PmSessionOptions *to = &((const Generation *)data)->all->options.session;
    if (to->result != NULL) to->result(to->data, result);
}

static void on_context(void *data, const char *request_id, const char *trace_id)
{
    const PmSessionOptions *to = &((const Generation *)data)->all->options.session;
    if (to->context != NULL) to->context(to->data, request_id, trace_id);
}

static void go_on_reloading(PmGenerations *g)
{
    bool again = g->again;
    g->again = false;
    if (again) pm_generations_reload(g);
}

static void next_failed(PmGenerations *g)
{
    Generation *next = g->next;
    g->next = NULL;
    reload_failed(g, pm_session_errors(next->session), pm_session_error(next->session));
    free_generation(next);
    go_on_reloading(g);
}

static void begin_next(PmGenerations *g)
{
    pm_session_summary_add(&g->ended, pm_session_summary(g->current->session));
    free_generation(g->current);
    g->current = g->next;
    g->next = NULL;
    g->switching = false;
    pm_session_begin(g->current->session);
    reload_done(g);
    go_on_reloading(g);
}

static void on_ended(void *data, PmSession *session)
{
    Generation *generation = data;
    PmGenerations *g = generation->all;
    (void)session;
    if (generation == g->next) {
        next_failed(g);
    } else if (g->switching && !g->stopping) {
        begin_next(g);
    } else {
        free_generation(g->next);
        g->next = NULL;
        g->stopping = true;
        g->options.ended(g->options.data);
    }
}

/* Takes *file. */
static Generation *new_generation(PmGenerations *g, const PmPipeline *pipeline, const char *text, size_t size,
                                  PmPipelineFile *file, PmError *err)
{
    Generation *generation = calloc(1, sizeof *generation);
    if (generation == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        if (file != NULL) pm_pipeline_file_finish(file);
        return NULL;
    }
    *generation = (Generation){.all = g, .pipeline = pipeline, .number = ++g->attempts};
    if (file != NULL) generation->file = *file;
    PmSessionOptions options = g->options.session;
    options.held = g->current != NULL;
    options.data = generation;
    options.started = on_started;
    options.result = on_result;
    options.context = on_context;
    options.ended = on_ended;
    generation->session = pm_session_new(g->loop, pipeline, text, size, &options, err);
    if (generation->session != NULL) return generation;
    g->attempts--;
    free_generation(generation);
    return NULL;
}

/* --- reloading --- */

static void remember_tried(PmGenerations *g, const char *text, size_t size)
{
    char *copy = malloc(size + 1);
    if (copy == NULL) return; /* then the same text may be tried twice */
    memcpy(copy, text, size);
    free(g->tried);
    g->tried = copy;
    g->tried_size = size;
}

void pm_generations_reload(PmGenerations *g)
{
    PmErrorList errors = {0};
    PmError err = {0};
    PmPipelineFile file;
    if (g->stopping) return;
    if (g->next != NULL) {
        g->again = true;
        return;
    }
    if (pm_pipeline_file_read(g->current->pipeline->file, &file, &errors) == PM_OK) {
        if (g->look != NULL) remember_tried(g, file.text, file.size);
        g->next = new_generation(g, file.pipeline, file.text, file.size, &file, &err);
    }
    if (g->next == NULL) reload_failed(g, &errors, &err);
    pm_error_list_finish(&errors);
}

/* --- watching the file --- */

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Touched, or replaced by the same: nothing to do. What cannot be read is left to the reload, which says so. */
static bool has_new_text(PmGenerations *g)
{
    char *text = NULL, *dir = NULL;
    size_t size = 0;
    PmError err = {0};
    bool fresh = pm_pipeline_load_text(g->current->pipeline->file, &text, &size, &dir, &err) != PM_OK ||
                 g->tried == NULL || size != g->tried_size || memcmp(text, g->tried, size) != 0;
    if (fresh && text != NULL) remember_tried(g, text, size);
    free(text);
    free(dir);
    return fresh;
}

/* Asks for the file by its name each second rather than by inotify: links that are switched above it, as a mounted
 * ConfigMap does, and network file systems need nothing of their own, and it costs one stat. */
static void on_look(void *data)
{
    PmGenerations *g = data;
    struct stat now;
    g->look = pm_loop_after(g->loop, LOOK_MS, on_look, g);
    if (g->stopping || stat(g->current->pipeline->file, &now) != 0) return;
    bool steady = same_file(&now, &g->seen);
    g->seen = now;
    if (!steady || same_file(&now, &g->known)) return;
    g->known = now;
    if (has_new_text(g)) pm_generations_reload(g);
}

bool pm_generations_watch(PmGenerations *g)
{
    if (g->look == NULL) g->look = pm_loop_after(g->loop, LOOK_MS, on_look, g);
    return g->look != NULL;
}

/* --- life --- */

PmGenerations *pm_generations_new(PmLoop *loop, const PmPipeline *pipeline, const char *text, size_t size,
                                  const PmGenerationsOptions *options, PmError *err)
{
    PmGenerations *g = calloc(1, sizeof *g);
    if (g == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    g->loop = loop;
    g->options = *options;
    remember_tried(g, text, size);
    g->current = new_generation(g, pipeline, text, size, NULL, err);
    if (g->current != NULL) return g;
    pm_generations_free(g);
    return NULL;
}

void pm_generations_free(PmGenerations *g)
{
    if (g == NULL) return;
    pm_loop_cancel(g->look);
    free_generation(g->next);
    free_generation(g->current);
    free(g->tried);
    free(g);
}

void pm_generations_drain(PmGenerations *g)
{
    bool draining = g->switching;
    free_generation(g->next);
    g->next = NULL;
    g->switching = false;
    g->stopping = true;
    if (!draining) pm_session_drain(g->current->session, g->options.grace_ms);
}

const PmSession *pm_generations_session(const PmGenerations *g)
{
    return g->current->session;
}

bool pm_generations_is_ready(const PmGenerations *g, char *why, size_t size)
{
    return g->switching || pm_session_is_ready(g->current->session, why, size);
}

PmSessionSummary pm_generations_summary(const PmGenerations *g)
{
    PmSessionSummary sum = g->ended;
    pm_session_summary_add(&sum, pm_session_summary(g->current->session));
    return sum;
}

json_t *pm_generations_status(const PmGenerations *g)
{
    json_t *status = pm_session_status(g->current->session), *reload = NULL;
    if (status == NULL) return NULL;
    if (g->reloaded) reload = json_pack("{sb ss}", "ok", g->reload_ok, "at", g->reload_at);
    json_object_set_new(status, "generation", json_integer(g->current->number));
    json_object_set_new(status, "reload", reload != NULL ? reload : json_null());
    return status;
}
