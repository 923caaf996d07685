/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/world.h"

#include <string.h>

static bool names_fact(const PmPlace *place, const char *fact)
{
    const char *name;
    for (size_t i = 0; place->kind != PM_PLACE_NONE && (name = pm_template_fact(place->key, i)) != NULL; i++)
        if (strcmp(name, fact) == 0) return true;
    return false;
}

static PmStatus no_cloud(const PmPipeline *pipeline, int line, int column, const char *where, PmError *err)
{
    pm_error_at(err, PM_BAD_CONFIG, pipeline->file, line, column, "this version of pixmill runs over folders only");
    pm_error_context(err, "%s", where);
    pm_error_hint(err, "`pixmill apply` runs any pipeline over files: its S3 parts become a folder");
    return PM_BAD_CONFIG;
}

PmStatus pm_world_open(PmJobWorld *world, const PmRunOptions *options, PmError *err)
{
    const PmPipeline *pipeline = world->pipeline;
    world->source = pm_source_file_new(world->loop, err);
    if (world->source == NULL) return err->status;
    for (size_t i = 0; i < pipeline->output_count; i++) {
        const PmPlace *place = &pipeline->outputs[i].to;
        world->needs_sha256 = world->needs_sha256 || names_fact(place, "sha256");
        if (place->kind == PM_PLACE_S3 && options->out_dir == NULL)
            return no_cloud(pipeline, place->line, place->column, pipeline->outputs[i].where, err);
    }
    world->needs_sha256 = world->needs_sha256 || names_fact(&pipeline->quarantine, "sha256");
    if (pipeline->quarantine.kind == PM_PLACE_S3 && options->out_dir == NULL)
        return no_cloud(pipeline, pipeline->quarantine.line, pipeline->quarantine.column, "quarantine", err);
    if (options->out_dir != NULL)
        world->everything = pm_store_file_new(world->loop, options->out_dir, true, err);
    else
        world->files = pm_store_file_new(world->loop, pipeline->dir, false, err);
    return err->status;
}

void pm_world_close(PmJobWorld *world)
{
    PmStore *stores[] = {world->files, world->objects, world->everything};
    for (size_t i = 0; i < 3; i++)
        if (stores[i] != NULL) stores[i]->ops->free(stores[i]);
    if (world->source != NULL) world->source->ops->free(world->source);
    json_decref((json_t *)world->outputs);
}

PmTrigger *pm_world_trigger(PmLoop *loop, const PmPipeline *pipeline, bool once, const PmTriggerSink *sink,
                            PmError *err)
{
    switch (pipeline->trigger.kind) {
    case PM_TRIGGER_DIRECTORY:
        return pm_trigger_directory_new(loop, pipeline, once, sink, err);
    case PM_TRIGGER_SQS:
        no_cloud(pipeline, pipeline->trigger.line, pipeline->trigger.column, "trigger: sqs", err);
        return NULL;
    case PM_TRIGGER_NONE:
        break;
    }
    pm_error_at(err, PM_BAD_CONFIG, pipeline->file, 1, 1, "trigger is missing: nothing tells when an image arrives");
    pm_error_hint(err, "trigger: { directory: { path: in } }, or use `pixmill apply` on files");
    return NULL;
}
