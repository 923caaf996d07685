/* SPDX-License-Identifier: Apache-2.0
 *
 * The operator's picture: read and checked once, at start. Hides file formats, orientation and colour spaces.
 */
#ifndef WATERMARK_ASSET_H
#define WATERMARK_ASSET_H

#include "watermark.h"

/* The asset `name` of parameter `image` as 8-bit sRGB with alpha, upright, in memory, without metadata: *out is new.
 * PM_BAD_CONFIG, said with fail_param: not PNG, WebP or JPEG, damaged, or too large. */
PmStatus asset_load(const PmHost *host, PmJob *job, const char *name, VipsImage **out);

#endif
