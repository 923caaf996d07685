/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/copy.h"

#include <string.h>

#include "engine/internal.h"
#include "engine/lossless/lossless.h"
#include "engine/vipserr.h"

static PmLosslessBytes source_bytes(const PmRun *run)
{
    return (PmLosslessBytes){run->source.bytes, run->source.size};
}

const char *pm_copy_refuses(const PmRun *run, const char *format)
{
    if (strcmp(format, pm_format_name(run->format)) != 0) return "it is written in another format than the source's";
    if (!run->has_source) return NULL;
    if (run->source.colours.converts) return "the source's colours are converted";
    /* Browsers read the tag of a JPEG; of the others it is known to few programs. */
    if (run->route.source.orientation != 1 && run->format != PM_FORMAT_JPEG)
        return "its pixels are turned: few programs read the orientation of such a file";
    return pm_lossless_judge(run->format, source_bytes(run));
}

/* ------------------------------------------------------------------ the encoder's metadata */

enum { DONOR_SIDE = 16 }; /* px: a unit of a JPEG with halved colour */

static int black(VipsRegion *region, void *sequence, void *a, void *b, gboolean *stop)
{
    (void)sequence;
    (void)a;
    (void)b;
    (void)stop;
    vips_region_black(region);
    return 0;
}

/* A small picture with the header and the metadata of `like`, none of whose pixels it reads. New; NULL with libvips'
 * message set. */
static VipsImage *small_one(VipsImage *like)
{
    static const char *const of_pages[] = {VIPS_META_N_PAGES, VIPS_META_PAGE_HEIGHT, "delay", "loop",
                                           VIPS_META_ORIENTATION};
    VipsImage *image = vips_image_new();
    if (vips_image_pipelinev(image, VIPS_DEMAND_STYLE_ANY, like, NULL) != 0) {
        g_object_unref(image);
        return NULL;
    }
    image->Xsize = image->Ysize = DONOR_SIDE;
    for (size_t i = 0; i < sizeof of_pages / sizeof of_pages[0]; i++) vips_image_remove(image, of_pages[i]);
    if (vips_image_generate(image, NULL, black, NULL, NULL, NULL) == 0) return image;
    g_object_unref(image);
    return NULL;
}

/* What the encoder makes of such a picture: its file has the metadata that it would write. */
static PmStatus make_donor(PmRun *run, const PmInstance *encoder, PmPicture *picture, VipsTarget *to, PmError *err)
{
    VipsImage *image = small_one(picture->strip);
    if (image == NULL) return pm_vips_error(err, PM_BUG, "cannot take over the metadata");
    PmShape shape = pm_run_shape(run, picture);
    shape.width = shape.height = shape.source_width = shape.source_height = DONOR_SIDE;
    shape.pages = 1;
    PmStatus status = pm_call_encode(&run->job, encoder, &shape, image, to, err);
    if (status == PM_OK && vips_target_end(to) != 0) status = pm_vips_error(err, PM_BUG, "cannot finish");
    g_object_unref(image);
    return status;
}

/* ------------------------------------------------------------------ the file */

static bool write_piece(void *data, const void *bytes, size_t size)
{
    return vips_target_write(data, bytes, size) == 0;
}

PmStatus pm_copy_write(PmRun *run, const PmInstance *encoder, PmPicture *picture, VipsTarget *target, PmError *err)
{
    VipsTarget *memory = vips_target_new_to_memory();
    if (memory == NULL) return pm_vips_error(err, PM_TRANSIENT, "no memory");
    PmStatus status = pm_lossless_judges_fully(run->format) ? PM_OK : pm_source_probe_all(&run->source, err);
    if (status == PM_OK) status = make_donor(run, encoder, picture, memory, err);
    if (status == PM_OK) {
        VipsBlob *blob = NULL;
        PmLosslessOut out = {write_piece, target};
        PmLosslessBytes donor;
        g_object_get(memory, "blob", &blob, NULL);
        donor.at = vips_blob_get(blob, &donor.size);
        if (!pm_lossless_write(run->format, source_bytes(run), donor, run->route.source.orientation, &out))
            status = pm_plugin_bug(&run->job, encoder, err, "wrote a %s that cannot be taken apart",
                                   pm_format_name(run->format));
        vips_area_unref(VIPS_AREA(blob));
    }
    g_object_unref(memory);
    return status;
}
