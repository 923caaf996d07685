/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/readback.h"

#include <stdio.h>

#include "engine/formats.h"
#include "engine/load.h"
#include "engine/vipserr.h"

bool pm_readback_fits(const PmPlan *plan, const void *bytes, size_t size, char *what, size_t what_size)
{
    PmFormat promised = pm_format_from_name(plan->format), found = pm_sniff(bytes, size);
    if (promised == PM_FORMAT_UNKNOWN || !pm_formats_reads(promised)) return true;
    if (found != promised) {
        snprintf(what, what_size, "wrote %s where it promised %s",
                 found == PM_FORMAT_UNKNOWN ? "something that is not a picture" : pm_format_name(found), plan->format);
        return false;
    }
    /* One page is enough: encoders of animations join pages that are equal, so their number may differ. */
    VipsImage *image = pm_load_header(bytes, size, found);
    if (image == NULL) {
        char text[300];
        pm_vips_error_take(text, sizeof text);
        snprintf(what, what_size, "wrote a %s that cannot be read back%s%s", plan->format, text[0] != '\0' ? ": " : "",
                 text);
        return false;
    }
    int32_t width = image->Xsize, height = vips_image_get_page_height(image);
    g_object_unref(image);
    if (width == plan->out.width && height == plan->out.height) return true;
    snprintf(what, what_size, "wrote %dx%d px where it promised %dx%d", (int)width, (int)height, (int)plan->out.width,
             (int)plan->out.height);
    return false;
}
