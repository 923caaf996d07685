/* SPDX-License-Identifier: Apache-2.0
 *
 * What crop and pad have in common: the shape of a box as operators write it, lengths of the full-size picture, and
 * boxes of it in the picture that the decoder shrank. Arithmetic only, no pixels.
 */
#ifndef PLUGINS_COMMON_ASPECT_H
#define PLUGINS_COMMON_ASPECT_H

#include <stdbool.h>

#include <pixmill/plugin.h>

enum { ASPECT_MAX = 1000 }; /* and its inverse */

/* "16:9" or "1.78", width by height. False when it is neither, or beyond ASPECT_MAX. */
bool aspect_parse(const char *text, double *aspect);

/* "12", "12px", "5%", none below 0. False when it is neither. For a place, of which 0 is not the same as none. */
bool length_parse(const char *text, PmLength *length);

/* Whole pixels of a length; percent counts from `whole`. Never below `least`. */
int length_px(PmLength length, int whole, int least);

/* `at`, px of a side that has `full` in the full-size picture and `have` in this one, in pixels of this one. */
int scale_px(int at, int full, int have);

#endif
