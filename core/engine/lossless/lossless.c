/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/lossless/lossless.h"

const char *pm_lossless_judge(PmFormat format, PmLosslessBytes source)
{
    switch (format) {
    case PM_FORMAT_JPEG:
        return pm_lossless_jpeg_judge(source);
    case PM_FORMAT_PNG:
        return pm_lossless_png_judge(source);
    case PM_FORMAT_WEBP:
        return pm_lossless_webp_judge(source);
    default:
        return "only jpeg, png and webp are copied";
    }
}

bool pm_lossless_judges_fully(PmFormat format)
{
    return format == PM_FORMAT_JPEG;
}

bool pm_lossless_write(PmFormat format, PmLosslessBytes source, PmLosslessBytes donor, int orientation,
                       const PmLosslessOut *out)
{
    if (format == PM_FORMAT_JPEG) return pm_lossless_jpeg_write(source, donor, orientation, out);
    if (orientation > 1) return false;
    if (format == PM_FORMAT_PNG) return pm_lossless_png_write(source, donor, out);
    return format == PM_FORMAT_WEBP && pm_lossless_webp_write(source, donor, out);
}
