/* SPDX-License-Identifier: Apache-2.0 */
#include "scale.h"

#include <stdbool.h>

/* vips_resize() drops whole rows for `nearest` before it measures, and can end a pixel short; vips_reduce() picks the
 * pixels at the exact places. */
static int reduce_nearest(VipsImage *in, VipsImage **out, double hscale, double vscale)
{
    return vips_reduce(in, out, hscale < 1 ? 1 / hscale : 1, vscale < 1 ? 1 / vscale : 1, "kernel", VIPS_KERNEL_NEAREST,
                       NULL);
}

/* vips_resize() enlarges half a pixel of the result too far to the lower right. Here the centre of a pixel at x in the
 * result lies at (x + 0.5) / scale in the input, as everywhere. `nearest` cuts off, others look from centre to centre.
 */
static int enlarge(VipsImage *in, VipsImage **out, int width, int height, VipsKernel kernel)
{
    double hscale = (double)width / in->Xsize, vscale = (double)height / in->Ysize;
    const double tiny = 1e-6;
    bool nearest = kernel == VIPS_KERNEL_NEAREST;
    bool wider = width > in->Xsize, higher = height > in->Ysize;
    VipsInterpolate *how = vips_interpolate_new(nearest                        ? "nearest"
                                                : kernel == VIPS_KERNEL_LINEAR ? "bilinear"
                                                                               : "bicubic");
    VipsArrayInt *area = vips_array_int_newv(4, 0, 0, width, height);
    int result = how == NULL ? -1
                             : vips_affine(in, out, hscale, 0.0, 0.0, vscale, "interpolate", how, "oarea", area, "odx",
                                           wider ? -0.5 : 0.0, "ody", higher ? -0.5 : 0.0, "idx",
                                           nearest ? -tiny
                                           : wider ? 0.5
                                                   : 0.0,
                                           "idy",
                                           nearest  ? -tiny
                                           : higher ? 0.5
                                                    : 0.0,
                                           "extend", VIPS_EXTEND_COPY, "premultiplied", TRUE, NULL);
    vips_area_unref(VIPS_AREA(area));
    g_clear_object(&how);
    return result;
}

int scale_to(VipsImage *in, VipsImage **out, int width, int height, VipsKernel kernel, double gap)
{
    /* What gets smaller first, so that less is enlarged. */
    double hscale = VIPS_MIN(1, (double)width / in->Xsize), vscale = VIPS_MIN(1, (double)height / in->Ysize);
    VipsImage *reduced = NULL;
    int result = 0;

    if (kernel == VIPS_KERNEL_NEAREST)
        result = reduce_nearest(in, &reduced, hscale, vscale);
    else
        result = vips_resize(in, &reduced, hscale, "vscale", vscale, "kernel", kernel, "gap", gap, NULL);
    if (result == 0 && (width > reduced->Xsize || height > reduced->Ysize)) {
        result = enlarge(reduced, out, width, height, kernel);
    } else if (result == 0) {
        *out = reduced;
        g_object_ref(reduced);
    }
    g_clear_object(&reduced);
    return result;
}
