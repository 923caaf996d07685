/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "engine/formats.h"
#include "engine/internal.h"

/* libvips warns of harmless oddities in files through GLib, onto stderr and once a tile. What matters comes back as an
 * error. */
static void quiet(const char *domain, GLogLevelFlags level, const char *message, void *data)
{
    (void)data;
    if (!pm_log_enabled(PM_LOG_DEBUG)) return;
    char text[512];
    pm_text_utf8(text, sizeof text, message);
    bool severe = (level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL)) != 0;
    pm_log(PM_LOG_DEBUG, "vips.log", "domain", domain, "severe", severe ? "true" : NULL, "msg", text, NULL);
}

/* Of this process: read once, so that every engine in it and its digest agree. */
static bool one_pass;

static PmStatus choose_engine(PmError *err)
{
    const char *name = getenv("PIXMILL_ENGINE");
    one_pass = name == NULL || name[0] == '\0' || strcmp(name, "one-pass") == 0;
    if (one_pass || strcmp(name, "vips") == 0) return PM_OK;
    pm_error_set(err, PM_BAD_CONFIG, "PIXMILL_ENGINE is \"%.64s\"", name);
    pm_error_hint(err, "expected one-pass or vips");
    return err->status;
}

PmStatus pm_engine_setup(PmError *err)
{
    PmStatus chosen = choose_engine(err);
    if (chosen != PM_OK) return chosen;
    /* libvips decodes what it wants to read twice into a file from 100 MB on. The sandbox lets no file be written, and
     * the disk is nobody's to fill: in memory, within limits.memory. */
    g_setenv("VIPS_DISC_THRESHOLD", "1000000g", TRUE);
    if (vips_init("pixmill") != 0) {
        PmStatus status = pm_error_set(err, PM_BUG, "libvips does not start: %s", vips_error_buffer());
        vips_error_clear();
        return status;
    }
    /* Nothing is computed twice here, so a cache only holds on to memory. One thread a job: N processes with one thread
     * each beat one with N, and a plugin's pixels are then computed in a known order. */
    vips_cache_set_max(0);
    vips_cache_set_max_mem(0);
    vips_cache_set_max_files(0);
    vips_concurrency_set(1);
    vips_leak_set(FALSE);
    /* Orc's vector code stays on: without it (vips_vector_set_enabled(FALSE)) a 720 px rendition costs 1.9 times and a
     * 300 px one 1.5 times the CPU, measured with 8.14. The rare crash of generated code costs one job here. */
    g_log_set_handler("VIPS", (GLogLevelFlags)(G_LOG_LEVEL_MASK & ~G_LOG_LEVEL_ERROR), quiet, NULL);
    pm_load_setup();
    pm_formats_setup();
    return PM_OK;
}

/* Facts that a step before it sets are known to a template; the trunk comes before every output, outputs not before
 * each other. */
static void make_outputs(PmStepMaker *maker, PmEngine *engine)
{
    json_t *trunk_facts = json_copy(maker->facts), *all = json_copy(maker->facts);
    for (size_t i = 0; i < engine->pipeline->output_count; i++) {
        json_array_clear(maker->facts);
        json_array_extend(maker->facts, trunk_facts);
        pm_steps_make(maker, &engine->pipeline->outputs[i], &engine->outputs[i]);
        json_array_extend(all, maker->facts);
    }
    json_decref(trunk_facts);
    json_decref(maker->facts);
    /* Each name once. */
    maker->facts = json_array();
    json_t *seen = json_object(), *fact;
    size_t i;
    json_array_foreach(all, i, fact)
    {
        if (json_object_get(seen, json_string_value(fact)) != NULL) continue;
        json_object_set_new(seen, json_string_value(fact), json_true());
        json_array_append(maker->facts, fact);
    }
    json_decref(seen);
    json_decref(all);
}

PmEngine *pm_engine_new(const PmPipeline *pipeline, const PmEngineOptions *options, PmErrorList *errors)
{
    size_t before = errors->count + errors->dropped;
    PmEngine *engine = calloc(1, sizeof *engine);
    if (engine == NULL) {
        pm_error_list_addf(errors, PM_TRANSIENT, NULL, 0, 0, NULL, "no memory");
        return NULL;
    }
    engine->pipeline = pipeline;
    engine->one_pass = one_pass;
    engine->progress = options->progress;
    engine->arena = pm_arena_new();
    engine->registry = pm_registry_new(options->plugin_dirs);
    PmError err = {0};
    if (options->plugin_file != NULL) pm_registry_open_by_path(engine->registry);
    if (options->plugin_file != NULL && pm_registry_load_file(engine->registry, options->plugin_file, &err) == NULL)
        pm_error_list_add(errors, &err);
    engine->outputs = pm_arena_alloc(engine->arena, (pipeline->output_count + 1) * sizeof *engine->outputs);
    PmStepMaker maker = {.pipeline = pipeline,
                         .registry = engine->registry,
                         .arena = engine->arena,
                         .errors = errors,
                         .facts = json_array(),
                         .endpoints = json_array(),
                         .progress = options->progress,
                         .fetch = options->fetch,
                         .log = options->log};
    pm_steps_make(&maker, NULL, &engine->trunk);
    make_outputs(&maker, engine);
    engine->assets = maker.assets;
    engine->facts = maker.facts;
    engine->endpoints = maker.endpoints;
    pm_pipeline_check_facts(pipeline, engine->facts, errors);
    if (errors->count + errors->dropped > before) {
        pm_engine_free(engine);
        return NULL;
    }
    pm_engine_digest(engine, engine->digest);
    return engine;
}

void pm_engine_free(PmEngine *engine)
{
    if (engine == NULL) return;
    for (size_t i = engine->pipeline->output_count; i > 0; i--) pm_steps_finish(&engine->outputs[i - 1]);
    pm_steps_finish(&engine->trunk);
    pm_assets_free(engine->assets);
    json_decref(engine->facts);
    json_decref(engine->endpoints);
    pm_registry_free(engine->registry);
    pm_arena_free(engine->arena);
    free(engine);
}

void pm_engine_set_progress(PmEngine *engine, PmProgress *progress)
{
    engine->progress = progress;
}

/* ------------------------------------------------------------------ describe */

static void add_plugins(json_t *plugins, const PmInstances *instances)
{
    for (size_t i = 0; i < instances->count; i++) {
        const PmLoaded *plugin = instances->items[i].plugin;
        bool known = false;
        size_t j;
        json_t *entry;
        json_array_foreach(plugins, j, entry) known =
            known || strcmp(json_string_value(json_object_get(entry, "name")), plugin->transform.name) == 0;
        if (known) continue;
        char file[512];
        pm_text_utf8(file, sizeof file, plugin->file);
        json_t *types = json_array();
        const char *const *type = plugin->transform.mime_types;
        for (; type != NULL && *type != NULL; type++) json_array_append_new(types, json_string(*type));
        json_array_append_new(plugins, json_pack("{ss ss ss so}", "name", plugin->transform.name, "version",
                                                 plugin->version, "file", file, "mime_types", types));
    }
}

bool pm_engine_needs_fonts(const PmEngine *engine)
{
    const PmList *formats = &engine->pipeline->limits.formats;
    for (size_t i = 0; i < formats->count; i++)
        if (strcmp(formats->items[i], "svg") == 0 || strcmp(formats->items[i], "pdf") == 0) return true;
    return pm_registry_draws_text(engine->registry);
}

json_t *pm_engine_describe(const PmEngine *engine)
{
    json_t *plugins = json_array();
    add_plugins(plugins, &engine->trunk);
    for (size_t i = 0; i < engine->pipeline->output_count; i++) add_plugins(plugins, &engine->outputs[i]);
    json_t *warnings = json_array();
    pm_formats_warn(engine->pipeline, warnings);
    return json_pack("{so sO sO so ss ss so so}", "plugins", plugins, "facts", engine->facts, "endpoints",
                     engine->endpoints, "writes", pm_engine_writes(engine), "digest", engine->digest, "vips",
                     vips_version_string(), "formats", pm_formats_describe(), "warnings", warnings);
}

static void describe_one(PmRegistry *registry, const char *name, json_t *plugins, json_t *errors)
{
    PmError err = {0};
    const PmLoaded *loaded = pm_registry_load(registry, name, &err);
    if (loaded != NULL)
        json_array_append_new(plugins, pm_registry_describe(loaded));
    else
        json_array_append_new(errors, pm_error_to_json(&err));
}

json_t *pm_engine_describe_plugins(const char *const *dirs, const char *const *names)
{
    json_t *plugins = json_array(), *errors = json_array();
    PmRegistry *registry = pm_registry_new(dirs);
    if (names != NULL) {
        for (; *names != NULL; names++) describe_one(registry, *names, plugins, errors);
    } else {
        json_t *all = pm_registry_names(registry), *name;
        size_t i;
        json_array_foreach(all, i, name) describe_one(registry, json_string_value(name), plugins, errors);
        json_decref(all);
    }
    pm_registry_free(registry);
    return json_pack("{so so ss so}", "plugins", plugins, "errors", errors, "vips", vips_version_string(), "formats",
                     pm_formats_describe());
}
