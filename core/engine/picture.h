/* SPDX-License-Identifier: Apache-2.0
 *
 * A picture between two steps: one image, or the pages of an animation apart. Hides when pixels are held in memory
 * and how pages are taken apart and joined. Keeping pages apart from step to step matters: joining and cutting anew
 * at each step would multiply libvips' regions by the number of pages at each step.
 */
#ifndef PM_ENGINE_PICTURE_H
#define PM_ENGINE_PICTURE_H

#include <vips/vips.h>

#include "engine/load.h"
#include "engine/regions.h"

/* Each page that is still to be computed keeps the buffers of all its steps, about 0.5 MB. Beyond this many, each is
 * computed as soon as a step has made it. */
enum { PM_PICTURE_LAZY_PAGES = 16 };

typedef struct PmPicture {
    VipsImage *strip;  /* pages stacked top to bottom; NULL while they are apart */
    VipsImage **pages; /* apart: shape.pages of them; NULL while they are joined */
    PmShape shape;     /* source_*: the size it would have if the source had been decoded in full */
    bool in_memory;    /* pixels are there: can be read often and in any order */
    bool streaming;    /* behind it is a decoder that goes top to bottom, once */
    PmView view;       /* what of the source it shows */
    bool changed;      /* a step, or cutting pages, made it another picture than the source */
} PmPicture;

/* Takes `image`. */
PmPicture pm_picture_new(VipsImage *image, bool in_memory);
PmPicture pm_picture_ref(const PmPicture *picture);
void pm_picture_finish(PmPicture *picture);

/* Replaces the image by `image` (taken), lazily made from it. */
void pm_picture_replace(PmPicture *picture, VipsImage *image);

/* Takes the shape over from `image`, but for source_*; `pages` 0: as the image says. */
void pm_picture_reshape(PmPicture *picture, VipsImage *image, int32_t pages);

/* All return false with libvips' error buffer set. */
bool pm_picture_hold(PmPicture *picture);                 /* computes the pixels into memory */
bool pm_picture_hold_page(PmPicture *picture, int32_t i); /* the same for one of the pages that are apart */
bool pm_picture_split(PmPicture *picture);
bool pm_picture_join(PmPicture *picture);
bool pm_picture_cut(PmPicture *picture);                   /* to the first page */
VipsImage *pm_picture_page(PmPicture *picture, int32_t i); /* new reference to one page; NULL on failure */

/* Writes page height, page count and as many delays as there are pages into the metadata; takes them out for one. */
void pm_picture_set_pages(VipsImage *image, int32_t page_height, int32_t pages);

#endif
