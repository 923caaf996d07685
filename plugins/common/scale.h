/* SPDX-License-Identifier: Apache-2.0
 *
 * A picture at another size, in place: the middle of the result is the middle of the input. vips_resize() alone moves
 * what it enlarges to the lower right.
 */
#ifndef PLUGINS_COMMON_SCALE_H
#define PLUGINS_COMMON_SCALE_H

#include <vips/vips.h>

/* *out: `in` at just that size. Straight alpha is the caller's concern (premultiply first). `gap` as in vips_resize(),
 * whose default is 2. */
int scale_to(VipsImage *in, VipsImage **out, int width, int height, VipsKernel kernel, double gap);

#endif
