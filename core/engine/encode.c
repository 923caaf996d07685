/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "engine/internal.h"
#include "engine/memory.h"
#include "engine/order.h"
#include "engine/readback.h"
#include "engine/vipserr.h"

/* ------------------------------------------------------------------ a target in memory with a maximum */

typedef struct Sink {
    PmBuffer buffer;
    size_t at; /* TIFF writes its directory last and its offset first, so the target can seek */
} Sink;

/* libtiff 4.7 leaves room for a directory that it writes later. */
static bool fill_hole(Sink *sink)
{
    static const char zeros[4096];
    while (sink->at > sink->buffer.size) {
        size_t hole = sink->at - sink->buffer.size;
        if (!pm_buffer_add(&sink->buffer, zeros, hole < sizeof zeros ? hole : sizeof zeros)) return false;
    }
    return true;
}

static gint64 sink_write(VipsTargetCustom *target, const void *data, gint64 length, Sink *sink)
{
    (void)target;
    if (length < 0 || !fill_hole(sink)) return -1;
    size_t size = (size_t)length, room = sink->buffer.size - sink->at, over = size < room ? size : room;
    if (over > 0) memcpy(sink->buffer.data + sink->at, data, over);
    if (size > over && !pm_buffer_add(&sink->buffer, (const char *)data + over, size - over)) return -1;
    sink->at += size;
    return length;
}

static gint64 sink_read(VipsTargetCustom *target, void *data, gint64 length, Sink *sink)
{
    (void)target;
    if (length < 0) return -1;
    size_t size = (size_t)length, left = sink->at < sink->buffer.size ? sink->buffer.size - sink->at : 0;
    if (size > left) size = left;
    if (size > 0) memcpy(data, sink->buffer.data + sink->at, size);
    sink->at += size;
    return (gint64)size;
}

static gint64 sink_seek(VipsTargetCustom *target, gint64 offset, int whence, Sink *sink)
{
    (void)target;
    gint64 base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? (gint64)sink->at : (gint64)sink->buffer.size;
    gint64 at = base + offset;
    if (at < 0 || (size_t)at > sink->buffer.max) return -1;
    sink->at = (size_t)at;
    return at;
}

static VipsTarget *sink_target(Sink *sink)
{
    VipsTargetCustom *target = vips_target_custom_new();
    g_signal_connect(target, "write", G_CALLBACK(sink_write), sink);
    g_signal_connect(target, "read", G_CALLBACK(sink_read), sink);
    g_signal_connect(target, "seek", G_CALLBACK(sink_seek), sink);
    return VIPS_TARGET(target);
}

/* ------------------------------------------------------------------ encoding */

/* A decoder that goes along with the encoder fails inside the encoder's call. Decoding alone tells them apart. */
static PmStatus encoder_failed(PmRun *run, const PmPicture *picture, bool full, PmError *failure, PmError *err)
{
    if (full) {
        char allowed[32];
        snprintf(allowed, sizeof allowed, "%lld", (long long)run->engine->pipeline->limits.memory);
        PmError limit = {0};
        pm_error_set(&limit, PM_LIMIT, "the written file would exceed limits.memory (%s bytes)", allowed);
        memcpy(limit.where, failure->where, sizeof limit.where);
        *failure = limit;
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

static PmStatus deliver(PmRun *run, size_t index, const PmPlan *plan, const Sink *sink, bool keep, PmError *err)
{
    PmRendition rendition;
    PmStatus status = name_rendition(run, index, plan, &rendition, err);
    rendition.bytes = keep ? NULL : sink->buffer.data;
    rendition.size = keep ? run->source.size : sink->buffer.size;
    return status == PM_OK ? run->sink->rendition(run->sink->data, &rendition, err) : status;
}

PmStatus pm_run_encode(PmRun *run, size_t index, PmPicture *picture, PmError *err)
{
    const PmInstances *instances = &run->engine->outputs[index];
    const PmInstance *encoder = &instances->items[instances->count - 1];
    int64_t max = run->engine->pipeline->limits.memory;
    Sink sink = {0};
    VipsTarget *target = NULL;
    PmPlan plan;
    PmStatus status = pm_run_ask(run, encoder, picture, &plan, err);
    if (status == PM_OK && plan.need_pages == 1 && picture->shape.pages > 1) {
        if (!pm_picture_cut(picture)) return pm_run_pixels_failed(run, err);
        status = pm_run_ask(run, encoder, picture, &plan, err);
    }
    if (status == PM_OK && !pm_picture_join(picture)) return pm_run_pixels_failed(run, err);
    if (status == PM_OK) status = begins(run, index, &plan, err);
    if (status == PM_OK && (plan.flags & PM_RANDOM)) status = pm_run_hold(run, picture, err);
    if (status == PM_OK && !pm_order_watch(run, picture, encoder)) return pm_run_pixels_failed(run, err);
    if (status != PM_OK) return status;

    pm_buffer_init(&sink.buffer, max > 0 ? (size_t)max : SIZE_MAX / 2);
    target = sink_target(&sink);
    PmError failure = {0};
    PmShape shape = pm_run_shape(run, picture);
    int64_t began = pm_clock_mono_us();
    status = pm_call_encode(&run->job, encoder, &shape, picture->strip, target, &failure);
    pm_run_timed(run, encoder, began);
    if (status == PM_OK && vips_target_end(target) != 0) status = pm_vips_error(&failure, PM_BUG, "cannot finish");
    if (status != PM_OK) {
        status = encoder_failed(run, picture, sink.buffer.failed, &failure, err);
    } else if (sink.buffer.size == 0) {
        status = pm_plugin_bug(&run->job, encoder, err, "returned PM_OK from encode() and wrote nothing");
    } else {
        char what[400];
        bool keep = may_keep_source(run, &plan, picture) && run->source.size <= sink.buffer.size;
        if (pm_readback_fits(&plan, sink.buffer.data, sink.buffer.size, what, sizeof what))
            status = deliver(run, index, &plan, &sink, keep, err);
        else
            status = pm_plugin_bug(&run->job, encoder, err, "%s", what);
    }
    g_object_unref(target);
    pm_buffer_finish(&sink.buffer);
    return status;
}
