// SPDX-License-Identifier: Apache-2.0
#include "../common/background.h"
#include "../common/ink.h"
#include "../common/scale.h"
#include "../common/weigh.h"
#include "resize.h"

static const VipsKernel kernels[] = {VIPS_KERNEL_NEAREST,  VIPS_KERNEL_LINEAR,   VIPS_KERNEL_CUBIC,
                                     VIPS_KERNEL_MITCHELL, VIPS_KERNEL_LANCZOS2, VIPS_KERNEL_LANCZOS3};

static int resample(VipsImage *in, VipsImage **out, int width, int height, const Config *config)
{
    /* The gap is how much is left to the kernel after a cheap box shrink: 2 is libvips' own default, from 3 on the
     * result can't be told from the kernel alone. */
    return scale_to(in, out, width, height, kernels[config->kernel], config->quality == QUALITY_BEST ? 3.0 : 2.0);
}

typedef struct Target {
    int width, height;
    const Config *config;
} Target;

static int resample_to(VipsImage *in, VipsImage **out, const void *data)
{
    const Target *target = data;
    return resample(in, out, target->width, target->height, target->config);
}

VipsImage *pixels_scale(VipsImage *in, int width, int height, const Config *config)
{
    VipsImage *out = NULL;
    if (in->Xsize == width && in->Ysize == height) return vips_copy(in, &out, NULL) ? NULL : out;
    if (kernels[config->kernel] == VIPS_KERNEL_NEAREST) return resample(in, &out, width, height, config) ? NULL : out;
    Target target = {width, height, config};
    return weigh_filter(in, resample_to, &target, config->quality == QUALITY_BEST);
}

/* ------------------------------------------------------------------ bars */

VipsImage *pixels_pad(VipsImage *in, const Geometry *geometry, const Gravity *gravity, const PmColor *background)
{
    VipsImage *prepared = background_prepare(in, background), *out = NULL;
    if (!prepared) return NULL;
    VipsArrayDouble *ink = ink_of(background, prepared, prepared->Bands);
    int x = -gravity_offset(gravity, gravity->x, in->Xsize, geometry->width);
    int y = -gravity_offset(gravity, gravity->y, in->Ysize, geometry->height);
    if (vips_embed(prepared, &out, x, y, geometry->width, geometry->height, "extend", VIPS_EXTEND_BACKGROUND,
                   "background", ink, NULL))
        out = NULL;
    vips_area_unref(VIPS_AREA(ink));
    g_object_unref(prepared);
    return out;
}

/* ------------------------------------------------------------------ smart cropping */

static VipsImage *scale_page(VipsImage *in, int page, int page_height, const Geometry *geometry, const Config *config)
{
    VipsImage *one = NULL;
    if (vips_crop(in, &one, 0, page * page_height, in->Xsize, page_height, NULL)) return NULL;
    VipsImage *scaled = pixels_scale(one, geometry->scaled_width, geometry->scaled_height, config);
    g_object_unref(one);
    return scaled;
}

/* Cutting looks at the picture first and reads it again afterwards. Each scaled page is held in memory, so the input
 * is still read once, top to bottom. */
VipsImage *pixels_smart(VipsImage *in, const Geometry *geometry, const Gravity *gravity, const Config *config, int *x,
                        int *y)
{
    int page_height = vips_image_get_page_height(in);
    int count = in->Ysize / page_height;
    VipsImage **pages = g_new0(VipsImage *, (size_t)count);
    VipsImage *joined = NULL, *out = NULL;

    for (int i = 0; i < count; i++) {
        VipsImage *scaled = scale_page(in, i, page_height, geometry, config);
        VipsImage *memory = scaled ? vips_image_copy_memory(scaled) : NULL;
        g_clear_object(&scaled);
        bool good = memory && (i > 0 || !gravity_search(gravity, memory, geometry->width, geometry->height, x, y)) &&
                    !vips_crop(memory, &pages[i], *x, *y, geometry->width, geometry->height, NULL);
        g_clear_object(&memory);
        if (!good) goto out;
    }
    if (vips_arrayjoin(pages, &joined, count, "across", 1, NULL) || vips_copy(joined, &out, NULL)) {
        out = NULL;
        goto out;
    }
    if (count > 1) vips_image_set_int(out, VIPS_META_PAGE_HEIGHT, geometry->height);
out:
    g_clear_object(&joined);
    for (int i = 0; i < count; i++) g_clear_object(&pages[i]);
    g_free(pages);
    return out;
}
