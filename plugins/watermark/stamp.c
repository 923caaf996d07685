// SPDX-License-Identifier: Apache-2.0
#include "stamp.h"

#include <math.h>

#include "pixels.h"

/* Larger stamps stay lazy: the asset behind them is in memory once already. */
enum { MEMORY_MAX = 64 * 1024 * 1024 };

/* Turned and faded, as both kinds end. */
static int finish(const Config *config, VipsImage *rgba, VipsImage **out)
{
    VipsObject *owner = VIPS_OBJECT(vips_image_new());
    VipsImage **t = (VipsImage **)vips_object_local_array(owner, 1);
    bool turn = fmod(config->rotate, 360) != 0;
    int result = (turn ? pixels_rotate(rgba, config->rotate, &t[0]) : vips_copy(rgba, &t[0], NULL)) ||
                         pixels_fade(t[0], config->opacity, out)
                     ? -1
                     : 0;
    g_object_unref(owner);
    return result;
}

int stamp_of_image(const Config *config, const Canvas *canvas, VipsImage *rgba, VipsImage **out)
{
    double scale = config->scale > 0 ? config->scale * canvas->width / rgba->Xsize : canvas->ratio;
    scale *= layout_fit(config, canvas, rgba->Xsize * scale, rgba->Ysize * scale, config->rotate);
    double width = fmax(1, round(rgba->Xsize * scale)), height = fmax(1, round(rgba->Ysize * scale));
    if (width == rgba->Xsize && height == rgba->Ysize) return finish(config, rgba, out);

    VipsImage *sized;
    if (pixels_resize(rgba, (int)width, (int)height, &sized)) return -1;
    int result = finish(config, sized, out);
    g_object_unref(sized);
    return result;
}

/* ------------------------------------------------------------------ text */

/* Sizes in px of everything around the letters. */
typedef struct Dress {
    double em, stroke, shadow, blur;
    int width, height; /* of the letters' ink */
    int before, after; /* room left and above, right and below */
} Dress;

static double of_em(PmLength length, const Canvas *canvas, double em)
{
    return layout_px(length, canvas, em);
}

static Dress dress(const Config *config, const Canvas *canvas, const VipsImage *mask, int em_px)
{
    Dress d = {.em = layout_px(config->size, canvas, layout_side(canvas))};
    if (config->scale > 0) d.em = em_px * config->scale * canvas->width / mask->Xsize;
    d.stroke = of_em(config->stroke_width, canvas, d.em);
    d.shadow = of_em(config->shadow, canvas, d.em);
    /* The shadow falls `shadow` right and down and is soft over half of that. */
    double extra = 2 * d.stroke + 3 * d.shadow;
    double width = mask->Xsize * d.em / em_px + extra, height = mask->Ysize * d.em / em_px + extra;
    double fit = layout_fit(config, canvas, width, height, config->rotate);
    d.em *= fit;
    d.stroke *= fit;
    d.shadow *= fit;
    d.blur = d.shadow / 2;
    d.width = (int)fmax(1, round(mask->Xsize * d.em / em_px));
    d.height = (int)fmax(1, round(mask->Ysize * d.em / em_px));
    d.before = (int)ceil(d.stroke + fmax(0, 3 * d.blur - d.shadow));
    d.after = (int)ceil(d.stroke + d.shadow + 3 * d.blur);
    if (d.shadow == 0) d.after = d.before;
    return d;
}

typedef struct Layer {
    const VipsImage *mask; /* NULL: none */
    PmColor color;
} Layer;

/* One line of layers, bottom first, as straight RGBA. */
static void paint_line(const Layer *layers, int count, int y, int width, guchar *line)
{
    for (int x = 0; x < width; x++) {
        double r = 0, g = 0, b = 0, a = 0; /* premultiplied */
        for (int i = 0; i < count; i++) {
            if (layers[i].mask == NULL) continue;
            const PmColor *color = &layers[i].color;
            double cover = pixels_line(layers[i].mask, y)[x] / 255.0 * color->a;
            r = r * (1 - cover) + color->r * cover;
            g = g * (1 - cover) + color->g * cover;
            b = b * (1 - cover) + color->b * cover;
            a = a * (1 - cover) + cover;
        }
        double straight = a > 0 ? 1 / a : 0;
        line[4 * x] = (guchar)lround(r * straight);
        line[4 * x + 1] = (guchar)lround(g * straight);
        line[4 * x + 2] = (guchar)lround(b * straight);
        line[4 * x + 3] = (guchar)lround(a * 255);
    }
}

static int paint(const Layer *layers, int count, int width, int height, VipsImage **out)
{
    VipsImage *image = vips_image_new_memory();
    vips_image_init_fields(image, width, height, 4, VIPS_FORMAT_UCHAR, VIPS_CODING_NONE, VIPS_INTERPRETATION_sRGB, 1,
                           1);
    guchar *line = g_malloc((size_t)width * 4);
    int result = 0;
    for (int y = 0; y < height && !result; y++) {
        paint_line(layers, count, y, width, line);
        result = vips_image_write_line(image, y, line);
    }
    g_free(line);
    if (result)
        g_object_unref(image);
    else
        *out = image;
    return result;
}

/* What the stroke adds: all of the grown mask under opaque letters, so that no seam shows; only what lies around
 * them as far as they are see-through. */
static int outline(VipsImage *grown, VipsImage *letters, double fill, VipsImage **out)
{
    VipsObject *owner = VIPS_OBJECT(vips_image_new());
    VipsImage **t = (VipsImage **)vips_object_local_array(owner, 3);
    int result = vips_linear1(letters, &t[0], 1 - fill, 0, NULL) || vips_subtract(grown, t[0], &t[1], NULL) ||
                         vips_cast_uchar(t[1], &t[2], NULL) || pixels_pull(t[2], out)
                     ? -1
                     : 0;
    g_object_unref(owner);
    return result;
}

int stamp_of_text(const Config *config, const Canvas *canvas, VipsImage *mask, int em_px, VipsImage **out)
{
    Dress d = dress(config, canvas, mask, em_px);
    int width = d.width + d.before + d.after, height = d.height + d.before + d.after;
    int fall = (int)lround(d.shadow);
    VipsObject *owner = VIPS_OBJECT(vips_image_new());
    VipsImage **t = (VipsImage **)vips_object_local_array(owner, 9);
    int result = -1;

    if (pixels_scale(mask, &t[0], d.width, d.height) ||
        vips_embed(t[0], &t[1], d.before, d.before, width, height, NULL) || pixels_pull(t[1], &t[2]))
        goto out;
    VipsImage *silhouette = t[2];
    if (d.stroke > 0) {
        if (pixels_dilate(t[2], d.stroke, &t[3]) || outline(t[3], t[2], config->color.a, &t[4])) goto out;
        silhouette = t[3];
    }
    if (d.shadow > 0) {
        if (vips_embed(silhouette, &t[5], fall, fall, width, height, NULL) ||
            vips_gaussblur(t[5], &t[6], fmax(d.blur, 0.3), NULL) || pixels_pull(t[6], &t[7]))
            goto out;
    }
    const Layer layers[] = {{t[7], config->shadow_color}, {t[4], config->stroke_color}, {t[2], config->color}};
    if (paint(layers, G_N_ELEMENTS(layers), width, height, &t[8])) goto out;
    result = finish(config, t[8], out);
out:
    g_object_unref(owner);
    return result;
}

static bool is_grey(PmColor color)
{
    return color.r == color.g && color.g == color.b;
}

bool stamp_text_grey(const Config *config)
{
    return is_grey(config->color) && (config->stroke_width.value == 0 || is_grey(config->stroke_color)) &&
           (config->shadow.value == 0 || is_grey(config->shadow_color));
}

/* ------------------------------------------------------------------ the picture's colours */

/* sRGB into the colours that `medium->profile` describes; fails when the profile is damaged or of another kind. */
static int to_profile(VipsObject *owner, VipsImage *srgb, const Medium *medium, VipsImage **out)
{
    VipsImage **t = (VipsImage **)vips_object_local_array(owner, 3);
    if (vips_icc_import(srgb, &t[0], "input_profile", "srgb", "intent", VIPS_INTENT_RELATIVE, NULL) ||
        vips_copy(t[0], &t[1], NULL))
        return -1;
    vips_image_set_blob_copy(t[1], VIPS_META_ICC_NAME, medium->profile, medium->profile_size);
    if (vips_icc_export(t[1], &t[2], "depth", medium->deep ? 16 : 8, "intent", VIPS_INTENT_RELATIVE, NULL)) return -1;
    if (t[2]->Bands != (medium->grey ? 1 : 3)) return -1;
    *out = g_object_ref(t[2]);
    return 0;
}

static int to_plain(VipsObject *owner, VipsImage *srgb, const Medium *medium, VipsImage **out)
{
    VipsImage **t = (VipsImage **)vips_object_local_array(owner, 2);
    if (vips_extract_band(srgb, &t[0], 0, "n", medium->grey ? 1 : 3, NULL)) return -1;
    if (!medium->deep) return vips_copy(t[0], out, NULL);
    if (vips_linear1(t[0], &t[1], 257, 0, NULL)) return -1;
    return vips_cast_ushort(t[1], out, NULL);
}

int stamp_for_medium(VipsImage *rgba, const Medium *medium, VipsImage **out)
{
    static const VipsInterpretation spaces[2][2] = {{VIPS_INTERPRETATION_sRGB, VIPS_INTERPRETATION_RGB16},
                                                    {VIPS_INTERPRETATION_B_W, VIPS_INTERPRETATION_GREY16}};
    VipsObject *owner = VIPS_OBJECT(vips_image_new());
    VipsImage **t = (VipsImage **)vips_object_local_array(owner, 7);
    int result = -1;
    if (vips_extract_band(rgba, &t[0], 0, "n", 3, NULL) || vips_extract_band(rgba, &t[1], 3, NULL)) goto out;
    if (medium->profile == NULL || to_profile(owner, t[0], medium, &t[2])) {
        vips_error_clear(); /* a profile that can't be used doesn't cost the watermark: its colours are taken as sRGB */
        if (to_plain(owner, t[0], medium, &t[2])) goto out;
    }
    if (vips_linear1(t[1], &t[3], medium->deep ? 257 : 1, 0, NULL) ||
        vips_cast(t[3], &t[4], medium->deep ? VIPS_FORMAT_USHORT : VIPS_FORMAT_UCHAR, NULL) ||
        vips_bandjoin2(t[2], t[4], &t[5], NULL) ||
        vips_copy(t[5], &t[6], "interpretation", spaces[medium->grey][medium->deep], NULL))
        goto out;
    /* In memory it is computed once for all pages and jobs. */
    if (pixels_bytes(t[6]) <= MEMORY_MAX) {
        result = pixels_pull(t[6], out);
    } else {
        *out = g_object_ref(t[6]);
        result = 0;
    }
out:
    g_object_unref(owner);
    return result;
}
