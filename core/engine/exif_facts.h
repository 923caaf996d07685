/* SPDX-License-Identifier: Apache-2.0
 *
 * What EXIF says of how a picture was taken, as words that may stand in keys. Hides libvips' texts of EXIF values.
 */
#ifndef PM_ENGINE_EXIF_FACTS_H
#define PM_ENGINE_EXIF_FACTS_H

#include <vips/vips.h>

enum { PM_EXIF_FACT_SIZE = 65 };

/* "canon-eos-5d": maker and model, lower case, all but a-z and 0-9 as one "-". "unknown" where EXIF has neither. */
void pm_exif_camera(VipsImage *header, char out[PM_EXIF_FACT_SIZE]);
/* "2026-11-23" of DateTimeOriginal, else of DateTime. "unknown" where there is none, or no such day. */
void pm_exif_taken(VipsImage *header, char out[PM_EXIF_FACT_SIZE]);

#endif
