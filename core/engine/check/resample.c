/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether apply() comes to what the plan says of it as a resample: the host may do that in its stead. Asked with a
 * picture whose colours rise evenly, so that every kernel must give the colour of the place in the box.
 */
#include <math.h>

#include "engine/check/rules.h"

enum { WIDTH = 200, HEIGHT = 150, SUPPORT = 4 /* px of the result at each edge, where kernels lack neighbours */ };

/* Red is x, green is y. */
static VipsImage *slope(void)
{
    unsigned char *bytes = g_malloc(WIDTH * HEIGHT * 3);
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            unsigned char *p = bytes + ((size_t)y * WIDTH + (size_t)x) * 3;
            p[0] = (unsigned char)x;
            p[1] = (unsigned char)y;
            p[2] = 128;
        }
    VipsImage *image = vips_image_new_from_memory_copy(bytes, WIDTH * HEIGHT * 3, WIDTH, HEIGHT, 3, VIPS_FORMAT_UCHAR);
    g_free(bytes);
    if (image != NULL) image->Type = VIPS_INTERPRETATION_sRGB;
    return image;
}

/* The input's coordinate at the middle of pixel `at`, less the half that the middle of its own first pixel lies at. */
static double place(int at, int count, double start, double length)
{
    return start + (at + 0.5) * length / count - 0.5;
}

static bool same_slope(PmCheck *check, const PmPlan *plan, VipsImage *result)
{
    const PmResample *box = &plan->resample;
    int width = plan->out.width, height = plan->out.height;
    const unsigned char *pixels = vips_image_get_data(result); /* it is in memory */
    /* Rounding; `nearest` may take any pixel that the result's covers. */
    double within = 2.5;
    if (box->kernel == PM_KERNEL_NEAREST) within += fmax(box->width / width, box->height / height);
    for (int y = SUPPORT; y < height - SUPPORT; y++)
        for (int x = SUPPORT; x < width - SUPPORT; x++) {
            const unsigned char *p = pixels + ((size_t)y * (size_t)width + (size_t)x) * 3;
            double red = place(x, width, box->left, box->width), green = place(y, height, box->top, box->height);
            if (fabs(p[0] - red) <= within && fabs(p[1] - green) <= within && fabs(p[2] - 128.0) <= within) continue;
            return pm_check_say(check, false,
                                "plans a resample of %gx%g px from %g, %g, and apply() gives another picture: "
                                "%d, %d, 128 expected at %d, %d, found %d, %d, %d",
                                box->width, box->height, box->left, box->top, (int)lround(red), (int)lround(green), x,
                                y, p[0], p[1], p[2]);
        }
    return pm_check_say(check, true, "%gx%g px to %dx%d", box->width, box->height, width, height);
}

static bool compare(PmCheck *check, PmCheckStep *step, VipsImage *image)
{
    PmShape shape = pm_check_shape(image);
    PmPlan plan;
    if (pm_check_step_plan(step, &shape, &plan) != PM_OK)
        return pm_check_say(check, true, "refuses: %.200s", pm_check_step_said(step));
    if (plan.resample.width == 0) return pm_check_say(check, true, "plans none");
    PmCheckResult result;
    if (pm_check_step_run(step, image, &shape, &plan, &result) != PM_OK)
        return pm_check_say(check, false, "%s",
                            pm_check_step_broke(step) != NULL ? pm_check_step_broke(step) : pm_check_step_said(step));
    bool comparable = result.image->Xsize == plan.out.width && result.image->Ysize == plan.out.height &&
                      result.image->Bands == 3 && result.image->BandFmt == VIPS_FORMAT_UCHAR;
    bool ok = comparable ? same_slope(check, &plan, result.image)
                         : pm_check_say(check, true, "not of the planned shape"); /* which `shapes` has said */
    pm_check_result_finish(&result);
    return ok;
}

bool pm_check_resample(PmCheck *check)
{
    PmCheckStep *step = pm_check_make_step(check);
    if (step == NULL) return false;
    VipsImage *image = slope();
    bool ok = image != NULL ? compare(check, step, image)
                            : pm_check_say(check, false, "cannot make a picture: %.300s", vips_error_buffer());
    if (image != NULL) g_object_unref(image);
    pm_check_step_free(step);
    return ok;
}
