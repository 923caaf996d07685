/* SPDX-License-Identifier: Apache-2.0 */
#include "session/world.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "connectors/aws/cloud.h"
#include "session/claims.h"

static bool names_fact(const PmPlace *place, const char *fact)
{
    const char *name;
    for (size_t i = 0; place->kind != PM_PLACE_NONE && (name = pm_template_fact(place->key, i)) != NULL; i++)
        if (strcmp(name, fact) == 0) return true;
    return false;
}

static bool stores_objects(const PmPipeline *pipeline)
{
    for (size_t i = 0; i < pipeline->output_count; i++)
        if (pipeline->outputs[i].to.kind == PM_PLACE_S3) return true;
    return pipeline->quarantine.kind == PM_PLACE_S3;
}

static const PmS3Source *s3_source(const PmPipeline *pipeline)
{
    return pipeline->source.kind == PM_SOURCE_S3 ? pipeline->source.config : NULL;
}

/* Events name objects in S3, not files. */
static bool delivers_objects(const PmPipeline *pipeline, const PmRunOptions *options)
{
    return options->listing == NULL && (options->lambda != NULL || pipeline->trigger.kind == PM_TRIGGER_SQS);
}

/* A queue's messages go to any of many workers: what this one has written says little there. */
static bool sees_all_sources(const PmPipeline *pipeline, const PmRunOptions *options)
{
    return options->listing != NULL || (options->lambda == NULL && pipeline->trigger.kind == PM_TRIGGER_DIRECTORY);
}

static bool needs_cloud(const PmPipeline *pipeline, const PmRunOptions *options)
{
    if (pipeline->notify.queue_url != NULL && options->out_dir == NULL) return true;
    if (options->out_dir == NULL && stores_objects(pipeline)) return true;
    return delivers_objects(pipeline, options);
}

static PmStatus open_stores(PmJobWorld *world, const PmRunOptions *options, PmError *err)
{
    const PmPipeline *pipeline = world->pipeline;
    if (options->out_dir != NULL) {
        world->everything = pm_store_file_new(world->helper, options->out_dir, true, err);
        return err->status;
    }
    world->files = pm_store_file_new(world->helper, pipeline->dir, false, err);
    if (world->files != NULL && stores_objects(pipeline))
        world->objects = pm_store_s3_new(world->loop, world->cloud, s3_source(pipeline), err);
    return err->status;
}

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

PmStatus pm_world_open(PmJobWorld *world, const PmRunOptions *options, PmError *err)
{
    static const PmS3Source anywhere = {0}; /* a queue without source.s3: objects of any bucket, as `aws` says */
    const PmPipeline *pipeline = world->pipeline;
    world->helper = pm_helper_new(world->loop, err);
    if (world->helper == NULL) return err->status;
    world->outputs = wanted_outputs(pipeline, options->outputs, err);
    if (err->status != PM_OK) return err->status;
    for (size_t i = 0; i < pipeline->output_count; i++)
        world->needs_sha256 = world->needs_sha256 || names_fact(&pipeline->outputs[i].to, "sha256");
    world->needs_sha256 = world->needs_sha256 || names_fact(&pipeline->quarantine, "sha256");
    if (needs_cloud(pipeline, options)) {
        world->cloud = pm_cloud_new(world->loop, &pipeline->aws, err);
        if (world->cloud == NULL) return err->status;
    }
    if (delivers_objects(pipeline, options))
        world->source =
            pm_source_s3_new(world->cloud, s3_source(pipeline) != NULL ? s3_source(pipeline) : &anywhere, err);
    else
        world->source = pm_source_file_new(world->helper, err);
    if (world->source == NULL) return err->status;
    if (sees_all_sources(pipeline, options)) {
        world->claims = pm_claims_new(pipeline, options->out_dir, options->listing);
        if (world->claims == NULL) return pm_error_set(err, PM_TRANSIENT, "out of memory");
    }
    return open_stores(world, options, err);
}

void pm_world_close(PmJobWorld *world)
{
    PmStore *stores[] = {world->files, world->objects, world->everything};
    for (size_t i = 0; i < 3; i++)
        if (stores[i] != NULL) stores[i]->ops->free(stores[i]);
    if (world->source != NULL) world->source->ops->free(world->source);
    pm_helper_free(world->helper);
    pm_claims_free(world->claims);
    pm_cloud_free(world->cloud);
    json_decref((json_t *)world->outputs);
}

static PmTrigger *new_lambda_trigger(const PmJobWorld *world, const PmRunOptions *options, const PmTriggerSink *sink,
                                     PmError *err)
{
    const PmPipeline *pipeline = world->pipeline;
    if (pipeline->source.kind == PM_SOURCE_S3)
        return pm_trigger_lambda_new(world->loop, world->cloud, pipeline, options->lambda, sink, err);
    pm_error_at(err, PM_BAD_CONFIG, pipeline->file, 1, 1,
                "in AWS Lambda, source: s3 must say which buckets events may name");
    pm_error_hint(err, "source: { s3: { buckets: [uploads] } }");
    return NULL;
}

PmTrigger *pm_world_trigger(const PmJobWorld *world, const PmRunOptions *options, const PmTriggerSink *sink,
                            PmError *err)
{
    const PmPipeline *pipeline = world->pipeline;
    if (options->lambda != NULL) return new_lambda_trigger(world, options, sink, err);
    switch (pipeline->trigger.kind) {
    case PM_TRIGGER_DIRECTORY:
        return pm_trigger_directory_new(world->loop, world->helper, pipeline, world->digest, options->once, sink, err);
    case PM_TRIGGER_SQS:
        return pm_trigger_sqs_new(world->loop, world->cloud, pipeline, options->once, sink, err);
    case PM_TRIGGER_LAMBDA:
        pm_error_at(err, PM_BAD_CONFIG, pipeline->file, pipeline->trigger.line, pipeline->trigger.column,
                    "trigger: lambda works only inside AWS Lambda, which sets AWS_LAMBDA_RUNTIME_API");
        pm_error_hint(err,
                      "put trigger: sqs beside it to run the same file as a worker, or use `pixmill apply` on files");
        return NULL;
    case PM_TRIGGER_NONE:
        break;
    }
    pm_error_at(err, PM_BAD_CONFIG, pipeline->file, 1, 1, "trigger is missing: nothing tells when an image arrives");
    pm_error_hint(err, "trigger: { directory: { path: in } }, or use `pixmill apply` on files");
    return NULL;
}
