/* SPDX-License-Identifier: Apache-2.0 */
#include "session/run_context.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "session/claims.h"

static bool has_output(const PmPipeline *pipeline, const char *name)
{
    for (size_t i = 0; i < pipeline->output_count; i++)
        if (strcmp(pipeline->outputs[i].name, name) == 0) return true;
    return false;
}

static void unknown_output(const PmPipeline *pipeline, const char *name, PmError *err)
{
    pm_error_set(err, PM_BAD_CONFIG, "%s has no output \"%s\"", pipeline->file, name);
    const char **known = calloc(pipeline->output_count + 1, sizeof *known);
    for (size_t i = 0; known != NULL && i < pipeline->output_count; i++) known[i] = pipeline->outputs[i].name;
    const char *near = known != NULL ? pm_text_nearest(name, known) : NULL;
    if (near != NULL) pm_error_hint(err, "did you mean \"%s\"?", near);
    free(known);
}

static json_t *wanted_outputs(const PmPipeline *pipeline, const char *const *names, PmError *err)
{
    if (names == NULL || names[0] == NULL) return NULL;
    json_t *list = json_array();
    for (; *names != NULL; names++) {
        json_array_append_new(list, json_string(*names));
        if (!has_output(pipeline, *names)) unknown_output(pipeline, *names, err);
    }
    return list;
}

/* --- sources and stores --- */

static bool names_fact(const PmPlace *place, const char *fact)
{
    const char *name;
    for (size_t i = 0; place->key != NULL && (name = pm_template_fact(place->key, i)) != NULL; i++)
        if (strcmp(name, fact) == 0) return true;
    return false;
}

/* What hands over work: of the options, of the environment, or of the pipeline. NULL: nothing does. */
static const char *delivered(const PmPipeline *pipeline, const PmSessionOptions *options)
{
    const PmKind *kind = options->hosted != NULL ? options->hosted->kind : pipeline->trigger.kind;
    if (options->instead != NULL) return options->instead->delivers;
    return kind != NULL ? kind->delivers : NULL;
}

static PmStatus open_source(PmRunContext *run, const PmSessionOptions *options, PmError *err)
{
    const char *kind = delivered(run->context.pipeline, options);
    const PmConnector *connector = kind != NULL ? pm_connector_named(kind) : NULL;
    if (connector != NULL) run->source = connector->open_source(&run->context, err);
    return err->status;
}

static PmStatus open_store(PmRunContext *run, const PmKind *kind, PmError *err)
{
    size_t i = 0;
    while (i < PM_STORES_MAX && run->stores[i].kind != NULL && run->stores[i].kind != kind) i++;
    if (i == PM_STORES_MAX) return pm_error_set(err, PM_BUG, "too many kinds of places");
    if (run->stores[i].kind == kind) return PM_OK;
    run->stores[i].store = pm_connector_of(kind)->open_store(&run->context, err);
    if (run->stores[i].store != NULL) run->stores[i].kind = kind;
    return err->status;
}

static PmStatus open_stores(PmRunContext *run, const PmSessionOptions *options, PmError *err)
{
    const PmPipeline *pipeline = run->context.pipeline;
    if (options->instead != NULL) {
        run->everything = options->instead->open_store(options->instead->data, &run->context, err);
        return err->status;
    }
    for (size_t i = 0; i < pipeline->output_count; i++)
        if (open_store(run, pipeline->outputs[i].to.kind, err) != PM_OK) return err->status;
    return pipeline->quarantine.kind != NULL ? open_store(run, pipeline->quarantine.kind, err) : PM_OK;
}

static PmStatus open_notifier(PmRunContext *run, const PmSessionOptions *options, PmError *err)
{
    const PmPlace *notify = &run->context.pipeline->notify;
    if (notify->kind == NULL || options->instead != NULL) return PM_OK;
    run->notifier = pm_connector_of(notify->kind)->open_notifier(&run->context, err);
    if (run->notifier != NULL) return PM_OK;
    pm_error_context(err, "notify");
    pm_error_place(err, run->context.pipeline->file, notify->line, notify->column);
    return err->status;
}

PmStatus pm_run_context_open(PmRunContext *run, const PmSessionOptions *options, PmError *err)
{
    PmContext *context = &run->context;
    const PmPipeline *pipeline = context->pipeline;
    context->once = options->once;
    context->host = options->host;
    context->helper = pm_helper_new(context->loop, err);
    if (context->helper == NULL) return err->status;
    run->outputs = wanted_outputs(pipeline, options->outputs, err);
    if (err->status != PM_OK) return err->status;
    if (open_source(run, options, err) != PM_OK) return err->status;
    bool digested = names_fact(&pipeline->quarantine, "sha256");
    for (size_t i = 0; i < pipeline->output_count; i++)
        digested = digested || names_fact(&pipeline->outputs[i].to, "sha256");
    if (run->source != NULL) run->source->sha256 = digested; /* none: the missing trigger is told later */
    if (open_stores(run, options, err) != PM_OK) return err->status;
    return open_notifier(run, options, err);
}

PmSigner *pm_run_context_signer(void *data, const char *url, PmError *err)
{
    PmRunContext *run = data;
    const PmSignerKind *kind = pm_signer_kind_of(url);
    for (size_t i = 0; kind != NULL && i < PM_SIGNERS_MAX; i++) {
        if (run->signers[i].kind == kind) return run->signers[i].signer;
        if (run->signers[i].kind != NULL) continue;
        PmSigner *signer = kind->open(&run->context, err);
        if (signer == NULL) return NULL;
        run->signers[i].kind = kind;
        run->signers[i].signer = signer;
        return signer;
    }
    pm_error_set(err, PM_BAD_CONFIG, "nobody can sign calls to such an endpoint");
    return NULL;
}

void pm_run_context_open_signers(PmRunContext *run, const json_t *ready, PmErrorList *errors)
{
    const json_t *at;
    const char *url;
    size_t before = errors->count;
    pm_signed_endpoints_check(run->context.pipeline, ready, errors);
    for (size_t i = 0; errors->count == before && (url = pm_signed_endpoint(ready, i, &at)) != NULL; i++) {
        PmError err = {0};
        if (pm_run_context_signer(run, url, &err) != NULL) continue;
        pm_signed_endpoint_error(run->context.pipeline, at, &err, errors);
    }
}

void pm_run_context_close(PmRunContext *run)
{
    for (size_t i = 0; i < PM_SIGNERS_MAX; i++)
        if (run->signers[i].signer != NULL) run->signers[i].signer->ops->free(run->signers[i].signer);
    if (run->notifier != NULL) run->notifier->ops->free(run->notifier);
    for (size_t i = 0; i < PM_STORES_MAX; i++)
        if (run->stores[i].store != NULL) run->stores[i].store->ops->free(run->stores[i].store);
    if (run->everything != NULL) run->everything->ops->free(run->everything);
    if (run->source != NULL) run->source->ops->free(run->source);
    pm_helper_free(run->context.helper);
    pm_claims_free(run->claims);
    pm_context_finish(&run->context);
    json_decref((json_t *)run->outputs);
}

/* --- the trigger --- */

static PmTrigger *open_trigger(PmRunContext *run, const PmSessionOptions *options, const PmTriggerSink *sink,
                               PmError *err)
{
    const PmPipeline *pipeline = run->context.pipeline;
    const PmConnector *connector = options->hosted != NULL ? options->hosted : pm_connector_of(pipeline->trigger.kind);
    if (options->instead != NULL)
        return options->instead->open_trigger(options->instead->data, &run->context, sink, err);
    if (connector != NULL) return connector->open_trigger(&run->context, sink, err);
    pm_error_at(err, PM_BAD_CONFIG, pipeline->file, 1, 1, "trigger is missing: nothing brings images");
    pm_error_hint(err, "trigger: { directory: { path: in } }, or use `pixmill apply` on files");
    return NULL;
}

PmTrigger *pm_run_context_trigger(PmRunContext *run, const PmSessionOptions *options, const PmTriggerSink *sink,
                                  PmError *err)
{
    PmTrigger *trigger = open_trigger(run, options, sink, err);
    if (trigger == NULL || !trigger->sole) return trigger;
    run->claims = pm_claims_new(trigger);
    if (run->claims != NULL) return trigger;
    trigger->ops->free(trigger);
    pm_error_set(err, PM_TRANSIENT, "out of memory");
    return NULL;
}
