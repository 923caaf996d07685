/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/upright.h"

/* One page, turned and held in memory. Pages are asked for top to bottom, so the decoder behind them may be one that
 * goes but once. */
static VipsImage *turn_page(VipsImage *strip, int i, int height)
{
    VipsImage *page = NULL, *held = NULL, *turned = NULL, *out = NULL;
    if (vips_crop(strip, &page, 0, i * height, strip->Xsize, height, NULL) == 0 &&
        (held = vips_image_copy_memory(page)) != NULL && vips_autorot(held, &turned, NULL) == 0)
        out = vips_image_copy_memory(turned);
    g_clear_object(&turned);
    g_clear_object(&held);
    g_clear_object(&page);
    return out;
}

static VipsImage *turn_pages(VipsImage *strip, int count, int height)
{
    VipsImage **pages = g_new0(VipsImage *, (size_t)count);
    VipsImage *joined = NULL;
    int turned = 0, result = -1;
    while (turned < count && (pages[turned] = turn_page(strip, turned, height)) != NULL) turned++;
    if (turned == count) result = vips_arrayjoin(pages, &joined, count, "across", 1, NULL);
    for (int i = 0; i < turned; i++) g_object_unref(pages[i]);
    g_free(pages);
    return result == 0 ? joined : NULL;
}

/* Turning by a quarter, upside down or over the diagonal reads a page from the bottom or across: it is held in memory
 * for that, as small as it was decoded. Mirroring left to right goes line by line, whatever page it belongs to. */
bool pm_upright_turn(VipsImage **image, bool *in_memory)
{
    int orientation = vips_image_get_orientation(*image), height = vips_image_get_page_height(*image);
    int count = (*image)->Ysize / height;
    bool had_pages = vips_image_get_typeof(*image, VIPS_META_PAGE_HEIGHT) != 0;
    VipsImage *next = NULL;
    *in_memory = orientation > 2;
    if (orientation > 2)
        next = count > 1 ? turn_pages(*image, count, height) : turn_page(*image, 0, (*image)->Ysize);
    else if (vips_autorot(*image, &next, NULL) != 0)
        next = NULL;
    if (next == NULL) return false;
    g_object_unref(*image);
    *image = next;
    /* Of a page on its side, the old height could pass for that of several pages. */
    if (had_pages && orientation > 2) {
        VipsImage *own = NULL; /* metadata of a shared image must not be written to */
        if (vips_copy(next, &own, NULL) != 0) return false;
        vips_image_set_int(own, VIPS_META_PAGE_HEIGHT, next->Ysize / count);
        g_object_unref(next);
        *image = own;
    }
    return true;
}
