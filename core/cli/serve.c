/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/serve.h"

#include <signal.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/log.h"
#include "cli/alive.h"
#include "cli/generations.h"
#include "cli/observe.h"

typedef struct Serve {
    PmLoop *loop;
    PmGenerations *generations;
    const PmServeOptions *options;
    PmServed *served;
    PmAlive *alive;     /* or NULL */
    PmObserve *observe; /* or NULL */
} Serve;

/* --- what sessions report --- */

static void on_started(void *data, const PmPipeline *pipeline, unsigned generation, const json_t *info, size_t workers)
{
    const Serve *serve = data;
    const PmServeOptions *options = serve->options;
    pm_observe_started(serve->observe, info);
    if (options->started != NULL) options->started(options->session.data, pipeline, generation, info, workers);
}

static void on_result(void *data, const PmJobResult *result)
{
    const Serve *serve = data;
    const PmSessionOptions *to = &serve->options->session;
    pm_observe_result(serve->observe, result);
    if (to->result != NULL) to->result(to->data, result);
}

static void on_context(void *data, const char *request_id, const char *trace_id)
{
    (void)data;
    pm_log_context(request_id, trace_id);
}

static void on_ended(void *data)
{
    pm_loop_stop(((const Serve *)data)->loop);
}

/* --- signals --- */

static void on_stop_signal(void *data)
{
    Serve *serve = data;
    serve->served->interrupted = true;
    pm_generations_drain(serve->generations);
}

static char *status_text(const Serve *serve)
{
    json_t *status = pm_generations_status(serve->generations);
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
    char *text = status_text(data);
    pm_log(PM_LOG_INFO, "run.status", "msg", text, NULL);
    free(text);
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
    if (serve->options->reloads)
        pm_generations_reload(serve->generations);
    else
        pm_log(PM_LOG_INFO, "run.hangup", "msg", "SIGHUP is ignored: this run cannot reload its pipeline", NULL);
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

/* Nothing depends on it: a second process of the same file runs as well. */
static void answer_alive(Serve *serve, const char *file)
{
    PmError err = {0};
    if (pm_session_answers(pm_generations_session(serve->generations)) || serve->options->session.once) return;
    serve->alive = pm_alive_new(serve->loop, file, write_status, serve, &err);
    if (serve->alive == NULL) pm_log(PM_LOG_WARN, "run.alive", "msg", err.message, NULL);
}

/* --- a run --- */

static PmStatus listen_there(Serve *serve, PmError *err)
{
    if (serve->options->listen == NULL) return PM_OK;
    serve->observe = pm_observe_new(serve->loop, serve->generations, serve->options->listen, err);
    return err->status;
}

static void run(Serve *serve, const PmPipeline *pipeline, const char *text, size_t size, PmErrorList *errors,
                PmError *err)
{
    PmGenerationsOptions options = {.session = serve->options->session,
                                    .grace_ms = serve->options->grace_ms,
                                    .data = serve,
                                    .started = on_started,
                                    .ended = on_ended};
    options.session.grace_ms = serve->options->grace_ms;
    options.session.data = serve;
    options.session.result = on_result;
    options.session.context = on_context;
    serve->generations = pm_generations_new(serve->loop, pipeline, text, size, &options, err);
    if (serve->generations == NULL) return;
    if (serve->options->watches && !pm_generations_watch(serve->generations))
        pm_log(PM_LOG_WARN, "run.watch", "msg", "out of memory: the pipeline file is not watched", NULL);
    if (listen_there(serve, err) != PM_OK) {
        pm_generations_free(serve->generations);
        return;
    }
    answer_alive(serve, pipeline->file);
    serve->served->ran = true;
    pm_loop_run(serve->loop);
    const PmSession *session = pm_generations_session(serve->generations);
    const PmErrorList *found = pm_session_errors(session);
    for (size_t i = 0; i < found->count; i++) pm_error_list_add(errors, &found->items[i]);
    *err = *pm_session_error(session);
    serve->served->summary = pm_generations_summary(serve->generations);
    pm_observe_free(serve->observe);
    pm_alive_free(serve->alive);
    pm_generations_free(serve->generations);
}

PmStatus pm_serve(const PmPipeline *pipeline, const char *text, size_t size, const PmServeOptions *options,
                  PmServed *served, PmErrorList *errors, PmError *err)
{
    *served = (PmServed){0};
    Serve serve = {.loop = pm_loop_new(err), .options = options, .served = served};
    if (serve.loop == NULL) return err->status;
    pm_log_attach(serve.loop);
    if (options->writer != NULL) pm_writer_attach(options->writer, serve.loop);
    if (handle_signals(&serve, err) == PM_OK) run(&serve, pipeline, text, size, errors, err);
    if (options->writer != NULL) pm_writer_attach(options->writer, NULL);
    pm_log_attach(NULL);
    pm_loop_free(serve.loop);
    return errors->count > 0 ? PM_BAD_CONFIG : err->status;
}
