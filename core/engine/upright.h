/* SPDX-License-Identifier: Apache-2.0
 *
 * EXIF orientation: from pixels as they are stored to pixels as they are shown, page by page.
 */
#ifndef PM_ENGINE_UPRIGHT_H
#define PM_ENGINE_UPRIGHT_H

#include <stdbool.h>
#include <vips/vips.h>

/* Replaces *image, a page or the pages of an animation top to bottom, by one without orientation. *in_memory: it had
 * to be held in memory for that. False with libvips' message set. */
bool pm_upright_turn(VipsImage **image, bool *in_memory);

#endif
