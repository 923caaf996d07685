/* SPDX-License-Identifier: Apache-2.0
 *
 * Filters that mix neighbouring pixels. The colour of a transparent pixel means nothing and must not bleed into its
 * neighbours, so colours are weighed with alpha while they are mixed.
 */
#ifndef PLUGINS_COMMON_WEIGH_H
#define PLUGINS_COMMON_WEIGH_H

#include <stdbool.h>

#include <vips/vips.h>

/* As an operation of libvips: 0, and *out new; anything else with libvips' message set. */
typedef int Filter(VipsImage *in, VipsImage **out, const void *data);

/* `filter` over the picture, with alpha if it has one. exact: round rather than cut off before the filter, which costs
 * a pass over the input for half a level in faint pixels. New, lazy, in the input's format; NULL with libvips' message
 * set. */
VipsImage *weigh_filter(VipsImage *in, Filter *filter, const void *data, bool exact);

/* A Filter: a Gaussian blur; data is its sigma, a double in pixels. Floats come out, which weigh_filter() rounds. */
int filter_gaussian(VipsImage *in, VipsImage **out, const void *data);

#endif
