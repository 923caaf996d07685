/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/verdict.h"

#include <math.h>
#include <string.h>

const char *pm_decision_name(PmDecision decision)
{
    static const char *const names[] = {"pass", "flag", "reject"};
    return (size_t)decision < 3 ? names[decision] : "reject";
}

const char *pm_on_reject_name(PmOnReject on_reject)
{
    static const char *const names[] = {"quarantine", "drop", "blur", "placeholder", "flag"};
    return (size_t)on_reject < 5 ? names[on_reject] : "quarantine";
}

static void *find_telling(VipsImage *image, const char *name, GValue *value, void *data)
{
    (void)image;
    static const char *const harmless[] = {VIPS_META_ICC_NAME, "delay", "gif-delay", "loop", "background"};
    for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++)
        if (strcmp(name, harmless[i]) == 0) return NULL;
    GType type = G_VALUE_TYPE(value);
    bool telling = type == VIPS_TYPE_BLOB || type == VIPS_TYPE_REF_STRING || type == G_TYPE_STRING;
    if (telling) g_ptr_array_add(data, g_strdup(name));
    return NULL;
}

/* EXIF carries a thumbnail of the picture that was refused, XMP and comments describe it. `image` is ours alone. */
static void forget_metadata(VipsImage *image)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    vips_image_map(image, find_telling, names);
    for (guint i = 0; i < names->len; i++) vips_image_remove(image, names->pdata[i]);
    g_ptr_array_free(names, TRUE);
}

/* Down to a few pixels and up again: a Gaussian of that width over the full picture would cost hundreds of
 * multiplications a pixel and looks the same. */
static VipsImage *blur_page(VipsImage *page)
{
    enum { BLOBS = 24 };
    VipsImage *t[5] = {NULL}, *out = NULL;
    VipsBandFormat format = page->BandFmt;
    int longest = page->Xsize > page->Ysize ? page->Xsize : page->Ysize;
    double scale = fmin(1.0, (double)BLOBS / longest);
    double width = fmax(1, rint(page->Xsize * scale)), height = fmax(1, rint(page->Ysize * scale));
    if (vips_resize(page, &t[0], width / page->Xsize, "vscale", height / page->Ysize, "kernel", VIPS_KERNEL_LINEAR,
                    NULL) != 0 ||
        (t[1] = vips_image_copy_memory(t[0])) == NULL || vips_gaussblur(t[1], &t[2], 1.0, NULL) != 0)
        goto out;
    double across = (double)page->Xsize / t[2]->Xsize, down = (double)page->Ysize / t[2]->Ysize;
    if (vips_resize(t[2], &t[3], across, "vscale", down, "kernel", VIPS_KERNEL_CUBIC, NULL) != 0 ||
        vips_cast(t[3], &t[4], format, NULL) != 0)
        goto out;
    /* Rounding inside vips_resize can end a pixel beside; the size is promised. */
    if (vips_embed(t[4], &out, 0, 0, page->Xsize, page->Ysize, "extend", VIPS_EXTEND_COPY, NULL) != 0) out = NULL;
out:
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) g_clear_object(&t[i]);
    return out;
}

static VipsImage *grey_page(VipsImage *page)
{
    VipsImage *t[3] = {NULL}, *out = NULL;
    bool wide = page->BandFmt == VIPS_FORMAT_USHORT;
    double top = wide ? 65535 : 255;
    double ink[4] = {0.5 * top, 0.5 * top, 0.5 * top, top}, none[4] = {0};
    int bands = page->Bands <= 4 ? page->Bands : 4;
    if (vips_image_hasalpha(page)) ink[bands - 1] = top;
    /* Made from the page, so that delays and loop come along; its pixels are never read. */
    if (vips_black(&t[0], page->Xsize, page->Ysize, "bands", bands, NULL) != 0 ||
        vips_linear(t[0], &t[1], none, ink, bands, NULL) != 0 || vips_cast(t[1], &t[2], page->BandFmt, NULL) != 0 ||
        vips_copy(t[2], &out, "interpretation", page->Type, "xres", page->Xres, "yres", page->Yres, NULL) != 0)
        out = NULL;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) g_clear_object(&t[i]);
    if (out == NULL) return NULL;
    static const char *const kept[] = {"delay", "loop"};
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        GValue value = {0};
        if (vips_image_get_typeof(page, kept[i]) == 0 || vips_image_get(page, kept[i], &value) != 0) continue;
        vips_image_set(out, kept[i], &value);
        g_value_unset(&value);
    }
    return out;
}

static bool each_page(PmPicture *picture, VipsImage *(*make)(VipsImage *))
{
    int32_t count = picture->shape.pages;
    if (count > 1 && !pm_picture_split(picture)) return false;
    for (int32_t i = 0; i < count; i++) {
        VipsImage *page = pm_picture_page(picture, i), *made = NULL, *own = NULL;
        if (page != NULL) made = make(page);
        if (made != NULL && vips_copy(made, &own, NULL) != 0) own = NULL;
        g_clear_object(&made);
        g_clear_object(&page);
        if (own == NULL) return false;
        forget_metadata(own);
        if (count == 1) {
            pm_picture_replace(picture, own);
        } else {
            g_object_unref(picture->pages[i]);
            picture->pages[i] = own;
        }
    }
    if (count > 1) pm_picture_reshape(picture, picture->pages[0], count);
    picture->in_memory = false;
    picture->streaming = false; /* what was needed of the decoder has been read */
    picture->changed = true;
    return true;
}

bool pm_picture_blur(PmPicture *picture)
{
    return each_page(picture, blur_page);
}

bool pm_picture_placeholder(PmPicture *picture)
{
    return each_page(picture, grey_page);
}
