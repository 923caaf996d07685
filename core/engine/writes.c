/* SPDX-License-Identifier: Apache-2.0
 *
 * What the outputs write, before there is an image: each output's encoder is asked to plan a few pictures that differ
 * in what such a choice goes by. One answer for all of them is the format; several mean that it depends on the image.
 */
#include "engine/internal.h"

static const struct {
    const char *format;
    int32_t pages, bands;
} probes[] = {{"jpeg", 1, 3}, {"png", 1, 4}, {"gif", 2, 4}, {"tiff", 1, 1}};

static void add_format(json_t *formats, const char *format)
{
    size_t i;
    json_t *each;
    json_array_foreach(formats, i, each) if (strcmp(json_string_value(each), format) == 0) return;
    json_array_append_new(formats, json_string(format));
}

static json_t *formats_of(const PmEngine *engine, const PmOutput *output, const PmInstance *encoder)
{
    json_t *formats = json_array();
    for (size_t i = 0; i < sizeof probes / sizeof probes[0]; i++) {
        PmFacts *facts = pm_facts_new();
        PmJob job = {.pipeline = engine->pipeline,
                     .assets = engine->assets,
                     .arena = pm_arena_new(),
                     .facts = facts,
                     .progress = engine->progress};
        PmShape shape = {.width = 64,
                         .height = 64,
                         .pages = probes[i].pages,
                         .bands = probes[i].bands,
                         .source_width = 64,
                         .source_height = 64,
                         .band_format = VIPS_FORMAT_UCHAR,
                         .interpretation = probes[i].bands < 3 ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB,
                         .orientation = 1,
                         .has_alpha = probes[i].bands == 4};
        PmPlan plan;
        PmError ignored = {0}; /* an encoder may refuse a kind of picture */
        if (facts != NULL && pm_facts_set(facts, "format", probes[i].format) &&
            pm_facts_set(facts, "output", output->name) &&
            pm_call_plan(&job, encoder, &shape, &plan, &ignored) == PM_OK)
            add_format(formats, plan.format);
        pm_arena_free(job.arena);
        pm_facts_free(facts);
    }
    return formats;
}

json_t *pm_engine_writes(const PmEngine *engine)
{
    json_t *writes = json_object();
    for (size_t i = 0; i < engine->pipeline->output_count; i++) {
        const PmInstances *steps = &engine->outputs[i];
        const PmInstance *last = steps->count > 0 ? &steps->items[steps->count - 1] : NULL;
        if (last == NULL || last->kind != PM_STEP_ENCODE) continue;
        const PmOutput *output = &engine->pipeline->outputs[i];
        json_object_set_new(writes, output->name, formats_of(engine, output, last));
    }
    return writes;
}
