/* SPDX-License-Identifier: Apache-2.0
 *
 * Steps made ready to run: plugin found, parameters bound, assets read, instance created. Hides how an error in any
 * of that finds its line in the pipeline file.
 */
#ifndef PM_ENGINE_STEPS_H
#define PM_ENGINE_STEPS_H

#include "base/ipc.h"
#include "engine/plan.h"
#include "engine/registry.h"
#include "pipeline/pipeline.h"

typedef struct PmInstance {
    const PmStep *step;
    const PmLoaded *plugin;
    PmStepKind kind;
    const void *config; /* filled from step->params; lives in the arena */
    void *self;         /* the plugin's own */
    bool created;
} PmInstance;

/* The trunk's steps, or an output's with its encoder last. */
typedef struct PmInstances {
    PmInstance *items;
    size_t count;
} PmInstances;

/* A file named by a PM_ASSET parameter. */
typedef struct PmAsset {
    const char *name; /* as written in the pipeline file */
    void *bytes;      /* owned */
    size_t size;
    struct PmAsset *next;
} PmAsset;

/* What making steps needs. */
typedef struct PmStepMaker {
    const PmPipeline *pipeline;
    PmRegistry *registry;
    PmArena *arena;
    PmAsset *assets; /* owned by the maker's owner; free with pm_assets_free */
    PmErrorList *errors;
    json_t *facts;        /* names that steps set: "nsfw-hook.score"; array, owned likewise */
    json_t *endpoints;    /* that the broker signs calls to: [{url, param, where, line, column}..]; owned likewise */
    PmProgress *progress; /* may be NULL; says whose create() is running */
    bool fetch;           /* as in PmEngineOptions, as the next */
    const struct PmSink *log;
} PmStepMaker;

/* Makes all steps of the trunk, or of an output: `output` NULL for the trunk. Every error is added to maker->errors;
 * what could be made is in `out` either way. */
void pm_steps_make(PmStepMaker *maker, const PmOutput *output, PmInstances *out);
void pm_steps_finish(PmInstances *instances);

const PmAsset *pm_assets_find(const PmAsset *assets, const char *name);
void pm_assets_free(PmAsset *assets);

#endif
