/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/serve.h"

#include <signal.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/log.h"
#include "cli/alive.h"
#include "cli/generations.h"
#include "cli/observe.h"

struct Serve;

/* One pipeline of those that are served. */
typedef struct Site {
    struct Serve *serve;
    size_t index;
    PmGenerations *generations;
    PmAlive *alive; /* or NULL */
    bool ended;
} Site;

typedef struct Serve {
    PmLoop *loop;
    Site sites[PM_SERVE_MAX];
    size_t count;
    const PmServeOptions *options;
    PmServed *served;
    PmObserve *observe; /* or NULL */
} Serve;

/* --- what sessions report --- */

static void on_started(void *data, const PmPipeline *pipeline, unsigned generation, const json_t *info, size_t workers)
{
    const Site *site = data;
    const PmServeOptions *options = site->serve->options;
    pm_observe_started(site->serve->observe, site->index, info);
    if (options->started != NULL) options->started(options->session.data, pipeline, generation, info, workers);
}

static void on_result(void *data, const PmJobResult *result)
{
    const Site *site = data;
    const PmSessionOptions *to = &site->serve->options->session;
    pm_observe_result(site->serve->observe, site->index, result);
    if (to->result != NULL) to->result(to->data, result);
}

static void on_context(void *data, const char *request_id, const char *trace_id)
{
    (void)data;
    pm_log_context(request_id, trace_id);
}

static void log_end(const Site *site)
{
    const PmSession *session = pm_generations_session(site->generations);
    const PmErrorList *errors = pm_session_errors(session);
    const PmError *err = errors->count > 0 ? &errors->items[0] : pm_session_error(session);
    const char *name = pm_session_pipeline(session)->name;
    char text[1600];
    pm_error_format(err, text, sizeof text);
    if (err->status != PM_OK)
        pm_log(PM_LOG_ERROR, "pipeline.failed", "pipeline", name, "msg", text, NULL);
    else
        pm_log(PM_LOG_INFO, "pipeline.ended", "pipeline", name, NULL);
}

/* The others go on. */
static void on_ended(void *data)
{
    Site *site = data;
    Serve *serve = site->serve;
    site->ended = true;
    size_t left = 0;
    for (size_t i = 0; i < serve->count; i++) left += !serve->sites[i].ended;
    if (serve->count > 1) log_end(site);
    if (left == 0) pm_loop_stop(serve->loop);
}

/* --- signals --- */

static void on_stop_signal(void *data)
{
    Serve *serve = data;
    serve->served->interrupted = true;
    for (size_t i = 0; i < serve->count; i++)
        if (!serve->sites[i].ended) pm_generations_drain(serve->sites[i].generations);
}

static char *status_text(const Site *site)
{
    json_t *status = pm_generations_status(site->generations);
    char *text = status != NULL ? pm_json_text(status, JSON_COMPACT) : NULL;
    json_decref(status);
    return text;
}

static void write_status(void *data, PmBuffer *out)
{
    char *text = status_text(data);
    if (text != NULL) pm_buffer_addf(out, "%s\n", text);
    free(text);
}

static void on_status_signal(void *data)
{
    const Serve *serve = data;
    for (size_t i = 0; i < serve->count; i++) {
        char *text = status_text(&serve->sites[i]);
        pm_log(PM_LOG_INFO, "run.status", "msg", text, NULL);
        free(text);
    }
}

static void on_debug_signal(void *data)
{
    (void)data;
    bool debug = pm_log_toggle_debug();
    pm_log(PM_LOG_INFO, "run.log_level", "msg", debug ? "debug, until the next SIGUSR1" : "as it was at the start",
           NULL);
}

static void on_hangup(void *data)
{
    Serve *serve = data;
    if (!serve->options->reloads) {
        pm_log(PM_LOG_INFO, "run.hangup", "msg", "SIGHUP is ignored: this run cannot reload its pipeline", NULL);
        return;
    }
    for (size_t i = 0; i < serve->count; i++)
        if (!serve->sites[i].ended) pm_generations_reload(serve->sites[i].generations);
}

static PmStatus handle_signals(Serve *serve, PmError *err)
{
    static const struct {
        int signo;
        PmTimerCallback *call;
    } handlers[] = {{SIGTERM, on_stop_signal},
                    {SIGINT, on_stop_signal},
                    {SIGHUP, on_hangup},
                    {SIGUSR1, on_debug_signal},
                    {SIGUSR2, on_status_signal}};
    for (size_t i = 0; i < sizeof handlers / sizeof handlers[0]; i++)
        if (!pm_loop_signal(serve->loop, handlers[i].signo, handlers[i].call, serve))
            return pm_error_set(err, PM_TRANSIENT, "cannot handle signals");
    return PM_OK;
}

/* --- a run --- */

/* Nothing depends on it: a second process of the same file runs as well. */
static void answer_alive(Serve *serve, Site *site)
{
    const PmSession *session = pm_generations_session(site->generations);
    PmError err = {0};
    if (pm_session_answers(session) || serve->options->session.once) return;
    site->alive = pm_alive_new(serve->loop, pm_session_pipeline(session)->file, write_status, site, &err);
    if (site->alive == NULL) pm_log(PM_LOG_WARN, "run.alive", "msg", err.message, NULL);
}

static PmStatus open_site(Serve *serve, Site *site, const PmServePipeline *pipeline, PmError *err)
{
    PmGenerationsOptions options = {.session = serve->options->session,
                                    .grace_ms = serve->options->grace_ms,
                                    .data = site,
                                    .started = on_started,
                                    .ended = on_ended};
    options.session.grace_ms = serve->options->grace_ms;
    options.session.data = site;
    options.session.result = on_result;
    options.session.context = on_context;
    *site = (Site){.serve = serve, .index = (size_t)(site - serve->sites)};
    site->generations =
        pm_generations_new(serve->loop, pipeline->pipeline, pipeline->text, pipeline->size, &options, err);
    if (site->generations == NULL) return err->status;
    if (serve->options->watches && !pm_generations_watch(site->generations))
        pm_log(PM_LOG_WARN, "run.watch", "msg", "out of memory: the pipeline file is not watched", NULL);
    return PM_OK;
}

static PmStatus open_all(Serve *serve, const PmServePipeline *pipelines, size_t count, PmError *err)
{
    const PmGenerations *generations[PM_SERVE_MAX];
    for (; serve->count < count; serve->count++) {
        Site *site = &serve->sites[serve->count];
        if (open_site(serve, site, &pipelines[serve->count], err) != PM_OK) return err->status;
        generations[serve->count] = site->generations;
    }
    if (serve->options->listen != NULL)
        serve->observe = pm_observe_new(serve->loop, generations, count, serve->options->listen, err);
    return err->status;
}

static void collect(const Site *site, PmServed *served, PmErrorList *errors, PmError *err)
{
    const PmSession *session = pm_generations_session(site->generations);
    const PmErrorList *found = pm_session_errors(session);
    for (size_t i = 0; i < found->count; i++) pm_error_list_add(errors, &found->items[i]);
    if (err->status == PM_OK) *err = *pm_session_error(session);
    const PmSessionSummary one = pm_generations_summary(site->generations);
    int64_t longest = one.ms > served->summary.ms ? one.ms : served->summary.ms;
    pm_session_summary_add(&served->summary, &one);
    served->summary.ms = longest;
}

static void run(Serve *serve, const PmServePipeline *pipelines, size_t count, PmErrorList *errors, PmError *err)
{
    if (open_all(serve, pipelines, count, err) == PM_OK) {
        for (size_t i = 0; i < serve->count; i++) answer_alive(serve, &serve->sites[i]);
        serve->served->ran = true;
        pm_loop_run(serve->loop);
        for (size_t i = 0; i < serve->count; i++) collect(&serve->sites[i], serve->served, errors, err);
    }
    pm_observe_free(serve->observe);
    for (size_t i = 0; i < serve->count; i++) {
        pm_alive_free(serve->sites[i].alive);
        pm_generations_free(serve->sites[i].generations);
    }
}

PmStatus pm_serve(const PmServePipeline *pipelines, size_t count, const PmServeOptions *options, PmServed *served,
                  PmErrorList *errors, PmError *err)
{
    *served = (PmServed){0};
    Serve serve = {.loop = pm_loop_new(err), .options = options, .served = served};
    if (serve.loop == NULL) return err->status;
    pm_log_attach(serve.loop);
    if (options->writer != NULL) pm_writer_attach(options->writer, serve.loop);
    if (handle_signals(&serve, err) == PM_OK) run(&serve, pipelines, count, errors, err);
    if (options->writer != NULL) pm_writer_attach(options->writer, NULL);
    pm_log_attach(NULL);
    pm_loop_free(serve.loop);
    return errors->count > 0 ? PM_BAD_CONFIG : err->status;
}
