/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/order.h"

#include <stdatomic.h>
#include <string.h>

struct PmOrderMark {
    const PmInstance *reader;
    atomic_int bottom; /* below the lowest row that was asked for */
    atomic_int back;   /* how far above that a later row was, at most */
    struct PmOrderMark *before;
};

static int pass_through(VipsRegion *out, void *sequence, void *in, void *data, gboolean *stop)
{
    (void)in, (void)stop;
    VipsRegion *from = sequence;
    struct PmOrderMark *mark = data;
    int top = out->valid.top, end = VIPS_RECT_BOTTOM(&out->valid), bottom = atomic_load(&mark->bottom);
    if (bottom - top > atomic_load(&mark->back)) atomic_store(&mark->back, bottom - top);
    if (end > bottom) atomic_store(&mark->bottom, end);
    if (vips_region_prepare(from, &out->valid) != 0) return -1;
    return vips_region_region(out, from, &out->valid, out->valid.left, out->valid.top);
}

bool pm_order_watch(PmRun *run, PmPicture *picture, const PmInstance *reader)
{
    if (!picture->streaming || picture->strip == NULL) return true;
    VipsImage *in = picture->strip, *watched = vips_image_new();
    struct PmOrderMark *mark = pm_arena_alloc(run->job.arena, sizeof *mark);
    mark->reader = reader;
    mark->before = run->marks;
    /* Held by the picture that reads from it. */
    g_object_set_data_full(G_OBJECT(watched), "pixmill-in", g_object_ref(in), g_object_unref);
    if (vips_image_pipelinev(watched, VIPS_DEMAND_STYLE_THINSTRIP, in, NULL) != 0 ||
        vips_image_generate(watched, vips_start_one, pass_through, vips_stop_one, in, mark) != 0) {
        g_object_unref(watched);
        return false;
    }
    run->marks = mark;
    g_object_unref(in);
    picture->strip = watched;
    return true;
}

void pm_order_forget(PmRun *run)
{
    run->marks = NULL;
}

bool pm_order_blame(PmRun *run, const char *text, PmError *err)
{
    const struct PmOrderMark *guilty = NULL;
    const char *words = strstr(text, "out of order read");
    int most = 0, after = 0; /* how far back the steps after it went: that it could not help */
    if (words == NULL) return false;
    for (const struct PmOrderMark *mark = run->marks; mark != NULL; mark = mark->before) {
        int back = atomic_load(&mark->back);
        if (back - after > most) {
            most = back - after;
            guilty = mark;
        }
        after = back;
    }
    if (guilty == NULL) return false;
    PmError own = {0};
    pm_plugin_bug(&run->job, guilty->reader, &own, "reads rows out of order and does not set PM_RANDOM: %s", words);
    pm_error_hint(&own, "`pixmill plugin check` tests for it");
    *err = own;
    return true;
}
