/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "engine/copy.h"
#include "engine/internal.h"
#include "engine/memory.h"
#include "engine/order.h"
#include "engine/readback.h"
#include "engine/rendition_file.h"
#include "engine/vipserr.h"

/* A decoder that goes along with the encoder fails inside the encoder's call. Decoding alone tells them apart. */
static PmStatus encoder_failed(PmRun *run, const PmPicture *picture, const PmRenditionFile *file, PmError *failure,
                               PmError *err)
{
    if (file->full) {
        char allowed[32];
        snprintf(allowed, sizeof allowed, "%lld", (long long)run->engine->pipeline->limits.memory);
        PmError limit = {0};
        pm_error_set(&limit, PM_LIMIT, "the written file would exceed limits.memory (%s bytes)", allowed);
        memcpy(limit.where, failure->where, sizeof limit.where);
        *failure = limit;
    } else if (file->error != 0) {
        PmError machine = {0};
        pm_error_set(&machine, PM_TRANSIENT, "no memory for the written file: %s", strerror(file->error));
        memcpy(machine.where, failure->where, sizeof machine.where);
        *failure = machine;
    } else if (pm_memory_judge(failure) != PM_LIMIT && picture->streaming &&
               !pm_order_blame(run, failure->message, failure)) {
        PmError source = {0};
        if (pm_source_probe(&run->source, &run->load, &source) != PM_OK) *failure = source;
    }
    if (err->status == PM_OK) *err = *failure;
    return err->status;
}

static bool may_keep_source(const PmRun *run, const PmPlan *plan, const PmPicture *picture)
{
    return (plan->flags & PM_KEEP_SOURCE) && !picture->changed && !run->source.colours.converts &&
           run->route.source.orientation == 1 && strcmp(plan->format, pm_format_name(run->format)) == 0;
}

/* All but its bytes. */
static PmStatus name_rendition(PmRun *run, size_t index, const PmPlan *plan, PmRendition *rendition, PmError *err)
{
    PmFacts *facts = run->outputs[index].facts;
    *rendition = (PmRendition){
        .output = run->route.outputs[index].name,
        .format = plan->format,
        .mime = plan->mime,
        .extension = plan->extension,
        .width = plan->out.width,
        .height = plan->out.height,
        .pages = plan->out.pages,
        .facts = facts,
    };
    bool good =
        pm_facts_set(facts, "output", rendition->output) && pm_facts_setf(facts, "width", "%d", rendition->width) &&
        pm_facts_setf(facts, "height", "%d", rendition->height) &&
        pm_facts_setf(facts, "pages", "%d", rendition->pages) && pm_facts_set(facts, "format", rendition->format) &&
        pm_facts_set(facts, "ext", rendition->extension) && pm_facts_set(facts, "mime", rendition->mime);
    if (good) return PM_OK;
    return pm_error_set(err, PM_BUG, "the facts of output %s are too many or too long", rendition->output);
}

static PmStatus begins(PmRun *run, size_t index, const PmPlan *plan, PmError *err)
{
    PmRendition rendition;
    if (run->sink->begins == NULL) return PM_OK;
    PmStatus status = name_rendition(run, index, plan, &rendition, err);
    return status == PM_OK ? run->sink->begins(run->sink->data, &rendition, err) : status;
}

static PmStatus deliver(PmRun *run, size_t index, const PmPlan *plan, PmRenditionFile *file, bool keep, PmError *err)
{
    static const char in_file[] = "";
    PmRendition rendition;
    PmStatus status = name_rendition(run, index, plan, &rendition, err);
    /* A sink that gave the file seals it once it hears of it. A mapping that goes away at that moment keeps pages in
     * use for as long as this process waits for a processor, and sealing fails. */
    if (run->sink->file != NULL) pm_rendition_file_unmap(file);
    rendition.bytes = keep ? NULL : run->sink->file != NULL ? in_file : file->mapped;
    rendition.size = keep ? run->source.size : (size_t)file->size;
    return status == PM_OK ? run->sink->rendition(run->sink->data, &rendition, err) : status;
}

static PmStatus open_file(PmRun *run, size_t index, PmRenditionFile *file, PmError *err)
{
    int fd = -1;
    PmStatus status = run->sink->file != NULL ? run->sink->file(run->sink->data, &fd, err) : PM_OK;
    if (status == PM_OK) status = pm_rendition_file_open(file, fd, run->engine->pipeline->limits.memory, err);
    if (status != PM_OK) pm_error_context(err, "outputs.%s", run->route.outputs[index].name);
    return status;
}

/* What the encoder wrote, looked at and given to the sink. */
static PmStatus finish(PmRun *run, size_t index, const PmPlan *plan, PmPicture *picture, PmRenditionFile *file,
                       PmError *err)
{
    const PmInstances *instances = &run->engine->outputs[index];
    const PmInstance *encoder = &instances->items[instances->count - 1];
    char what[400];
    if (file->size == 0)
        return pm_plugin_bug(&run->job, encoder, err, "returned PM_OK from encode() and wrote nothing");
    bool copied = run->route.outputs[index].copied;
    bool keep = may_keep_source(run, plan, picture) && run->source.size <= (size_t)file->size;
    pm_picture_finish(picture); /* the decoder's memory, for looking at the file */
    PmStatus status = pm_rendition_file_map(file, err);
    if (status != PM_OK) {
        pm_error_context(err, "outputs.%s", run->route.outputs[index].name);
        return status;
    }
    PmPlan stored = *plan;
    if (copied && run->route.source.orientation > 4) { /* a tag turns it */
        stored.out.width = plan->out.height;
        stored.out.height = plan->out.width;
    }
    if (!pm_readback_fits(&stored, file->mapped, (size_t)file->size, what, sizeof what))
        return pm_plugin_bug(&run->job, encoder, err, "%s", what);
    return deliver(run, index, plan, file, keep, err);
}

/* The encoder's plan for the picture, which is cut to what the encoder takes of it. */
static PmStatus ask_encoder(PmRun *run, const PmRouteOutput *route, const PmInstance *encoder, PmPicture *picture,
                            PmPlan *plan, PmError *err)
{
    /* Copied in full size, however small the trunk was decoded. */
    if (route->copied) return pm_call_plan(&run->job, encoder, &route->steps[route->count - 1].full_in, plan, err);
    PmStatus status = pm_run_ask(run, encoder, picture, plan, err);
    if (status != PM_OK || plan->need_pages != 1 || picture->shape.pages <= 1) return status;
    if (!pm_picture_cut(picture)) return pm_run_pixels_failed(run, err);
    return pm_run_ask(run, encoder, picture, plan, err);
}

PmStatus pm_run_encode(PmRun *run, size_t index, PmPicture *picture, PmError *err)
{
    const PmInstances *instances = &run->engine->outputs[index];
    const PmInstance *encoder = &instances->items[instances->count - 1];
    PmRenditionFile file = {0};
    PmPlan plan;
    const PmRouteOutput *route = &run->route.outputs[index];
    PmStatus status = ask_encoder(run, route, encoder, picture, &plan, err);
    if (status == PM_OK && !pm_picture_join(picture)) return pm_run_pixels_failed(run, err);
    if (status == PM_OK) status = begins(run, index, &plan, err);
    if (status == PM_OK && (plan.flags & PM_RANDOM) && !route->copied) status = pm_run_hold(run, picture, err);
    if (status == PM_OK && !pm_order_watch(run, picture, encoder)) return pm_run_pixels_failed(run, err);
    if (status == PM_OK) status = open_file(run, index, &file, err);
    if (status != PM_OK) return status;

    VipsTarget *target = pm_rendition_file_target(&file);
    PmError failure = {0};
    PmShape shape = pm_run_shape(run, picture);
    int64_t began = pm_clock_mono_us();
    run->job.view = &picture->view;
    status = route->copied ? pm_copy_write(run, encoder, picture, target, &failure)
                           : pm_call_encode(&run->job, encoder, &shape, picture->strip, target, &failure);
    run->job.view = NULL;
    pm_run_timed(run, encoder, began);
    if (status == PM_OK && vips_target_end(target) != 0) status = pm_vips_error(&failure, PM_BUG, "cannot finish");
    g_object_unref(target);
    status = status == PM_OK ? finish(run, index, &plan, picture, &file, err)
                             : encoder_failed(run, picture, &file, &failure, err);
    pm_rendition_file_close(&file);
    return status;
}
