/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/picture.h"

#include <string.h>

PmPicture pm_picture_new(VipsImage *image, bool in_memory)
{
    return (PmPicture){.strip = image,
                       .shape = pm_shape_of(image),
                       .in_memory = in_memory,
                       .streaming = !in_memory,
                       .view = pm_view_whole()};
}

static VipsImage **pages_new(int32_t count)
{
    return g_new0(VipsImage *, (size_t)count);
}

static void pages_free(VipsImage **pages, int32_t count)
{
    for (int32_t i = 0; pages != NULL && i < count; i++) g_clear_object(&pages[i]);
    g_free(pages);
}

PmPicture pm_picture_ref(const PmPicture *picture)
{
    PmPicture copy = *picture;
    if (copy.strip != NULL) g_object_ref(copy.strip);
    if (picture->pages == NULL) return copy;
    copy.pages = pages_new(picture->shape.pages);
    for (int32_t i = 0; i < picture->shape.pages; i++) copy.pages[i] = g_object_ref(picture->pages[i]);
    return copy;
}

void pm_picture_finish(PmPicture *picture)
{
    if (picture == NULL) return;
    pages_free(picture->pages, picture->shape.pages);
    g_clear_object(&picture->strip);
    *picture = (PmPicture){0};
}

void pm_picture_replace(PmPicture *picture, VipsImage *image)
{
    pages_free(picture->pages, picture->shape.pages);
    picture->pages = NULL;
    g_clear_object(&picture->strip);
    picture->strip = image;
    pm_picture_reshape(picture, image, 0);
    picture->in_memory = false;
}

void pm_picture_reshape(PmPicture *picture, VipsImage *image, int32_t pages)
{
    int32_t width = picture->shape.source_width, height = picture->shape.source_height;
    picture->shape = pm_shape_of(image);
    if (pages > 0) picture->shape.pages = pages;
    picture->shape.source_width = width;
    picture->shape.source_height = height;
}

void pm_picture_set_pages(VipsImage *image, int32_t page_height, int32_t pages)
{
    if (pages <= 1) {
        vips_image_remove(image, VIPS_META_PAGE_HEIGHT);
        vips_image_remove(image, VIPS_META_N_PAGES);
        vips_image_remove(image, "delay");
        vips_image_remove(image, "gif-delay");
        vips_image_remove(image, "loop");
        return;
    }
    vips_image_set_int(image, VIPS_META_PAGE_HEIGHT, page_height);
    vips_image_set_int(image, VIPS_META_N_PAGES, pages);
    int *delays, count;
    if (vips_image_get_typeof(image, "delay") == 0 || vips_image_get_array_int(image, "delay", &delays, &count) != 0)
        return;
    if (count > pages) {
        int *kept = g_memdup2(delays, (gsize)pages * sizeof *delays);
        vips_image_set_array_int(image, "delay", kept, pages);
        g_free(kept);
    }
}

VipsImage *pm_picture_page(PmPicture *picture, int32_t i)
{
    if (picture->pages != NULL) return g_object_ref(picture->pages[i]);
    if (picture->shape.pages == 1) return g_object_ref(picture->strip);
    VipsImage *cut = NULL, *page = NULL;
    int height = picture->shape.height;
    if (vips_crop(picture->strip, &cut, 0, i * height, picture->shape.width, height, NULL) != 0) return NULL;
    if (vips_copy(cut, &page, NULL) == 0) {
        /* Delays and loop stay: joining takes them from the first page. */
        vips_image_remove(page, VIPS_META_PAGE_HEIGHT);
        vips_image_remove(page, VIPS_META_N_PAGES);
    }
    g_object_unref(cut);
    return page;
}

bool pm_picture_hold(PmPicture *picture)
{
    if (picture->in_memory) return true;
    if (picture->pages != NULL && !pm_picture_join(picture)) return false;
    VipsImage *memory = vips_image_copy_memory(picture->strip);
    if (memory == NULL) return false;
    g_object_unref(picture->strip);
    picture->strip = memory;
    picture->in_memory = true;
    picture->streaming = false;
    return true;
}

bool pm_picture_hold_page(PmPicture *picture, int32_t i)
{
    VipsImage *memory = vips_image_copy_memory(picture->pages[i]);
    if (memory == NULL) return false;
    g_object_unref(picture->pages[i]);
    picture->pages[i] = memory;
    return true;
}

bool pm_picture_split(PmPicture *picture)
{
    if (picture->pages != NULL) return true;
    /* Pages cut from one decoder would each want to start it over. */
    if (!pm_picture_hold(picture)) return false;
    int32_t count = picture->shape.pages;
    VipsImage **pages = pages_new(count);
    for (int32_t i = 0; i < count; i++) {
        pages[i] = pm_picture_page(picture, i);
        if (pages[i] == NULL) {
            pages_free(pages, count);
            return false;
        }
    }
    g_clear_object(&picture->strip);
    picture->pages = pages;
    return true;
}

bool pm_picture_join(PmPicture *picture)
{
    if (picture->pages == NULL) return true;
    VipsImage *joined = NULL, *strip = NULL;
    int32_t count = picture->shape.pages;
    if (vips_arrayjoin(picture->pages, &joined, count, "across", 1, NULL) != 0) return false;
    if (vips_copy(joined, &strip, NULL) != 0) strip = NULL;
    g_object_unref(joined);
    if (strip == NULL) return false;
    pm_picture_set_pages(strip, picture->shape.height, count);
    pages_free(picture->pages, count);
    picture->pages = NULL;
    picture->strip = strip;
    picture->in_memory = false;
    return true;
}

bool pm_picture_cut(PmPicture *picture)
{
    if (picture->shape.pages == 1) return true;
    VipsImage *page = pm_picture_page(picture, 0), *own = NULL;
    if (page == NULL) return false;
    if (vips_copy(page, &own, NULL) != 0) own = NULL;
    g_object_unref(page);
    if (own == NULL) return false;
    pm_picture_set_pages(own, picture->shape.height, 1);
    bool in_memory = picture->in_memory;
    pm_picture_replace(picture, own);
    picture->in_memory = in_memory; /* a piece of what is in memory */
    picture->changed = true;
    return true;
}
