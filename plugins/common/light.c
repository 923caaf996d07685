// SPDX-License-Identifier: Apache-2.0
#include "light.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "icc.h"

enum {
    STEPS = 65535, /* of tables over 0..1, so that each value of 16 bits has an entry of its own */
    CHUNK = 256,   /* pixels at once */
};

static float decoded8[256], decoded16[STEPS + 1]; /* of samples */
static float encoded[STEPS + 1];                  /* of light, STEPS to the white */

double light_decode(double coded)
{
    return coded <= 0.04045 ? coded / 12.92 : pow((coded + 0.055) / 1.055, 2.4);
}

double light_encode(double light)
{
    return light <= 0.0031308 ? light * 12.92 : 1.055 * pow(light, 1 / 2.4) - 0.055;
}

void light_setup(void)
{
    if (decoded8[255] > 0) return;
    for (int i = 0; i <= STEPS; i++) {
        decoded16[i] = (float)light_decode((double)i / STEPS);
        encoded[i] = (float)light_encode((double)i / STEPS);
    }
    for (int i = 0; i <= 255; i++) decoded8[i] = (float)light_decode(i / 255.0);
}

/* What the pixel function needs; lives as long as the image that it makes. */
typedef struct Maker {
    LightMap *map;
    void *data;
    const float *decode; /* by sample */
    const float *after;  /* STEPS + 1 entries, or NULL */
    int in_bands, out_bands, in_colours, out_colours;
    gboolean deep;
} Maker;

/* Between the entries of a table, `at` from 0 to 1. */
static float between(const float *table, float at)
{
    float place = at * STEPS;
    int index = (int)place;
    if (index >= STEPS) return table[STEPS];
    return table[index] + (table[index + 1] - table[index]) * (place - (float)index);
}

static float encode(const Maker *maker, float light)
{
    if (!(light > 0)) light = 0;
    float coded = between(encoded, light < 1 ? light : 1);
    return maker->after != NULL ? between(maker->after, coded) : coded;
}

static int sample(const Maker *maker, const VipsPel *p, int index)
{
    return maker->deep ? ((const uint16_t *)(const void *)p)[index] : p[index];
}

static void put(const Maker *maker, VipsPel *q, int index, int value)
{
    if (maker->deep)
        ((uint16_t *)(void *)q)[index] = (uint16_t)value;
    else
        q[index] = (VipsPel)value;
}

static void read_light(const Maker *maker, const VipsPel *p, float (*light)[3], int count)
{
    for (int i = 0; i < count; i++)
        for (int c = 0; c < 3; c++)
            light[i][c] = maker->decode[sample(maker, p, i * maker->in_bands + (maker->in_colours == 3 ? c : 0))];
}

static void write_light(const Maker *maker, const VipsPel *p, VipsPel *q, float (*light)[3], int count)
{
    float white = maker->deep ? 65535 : 255;
    for (int i = 0; i < count; i++) {
        for (int c = 0; c < maker->out_colours; c++)
            put(maker, q, i * maker->out_bands + c, (int)(encode(maker, light[i][c]) * white + 0.5F));
        if (maker->out_bands > maker->out_colours)
            put(maker, q, i * maker->out_bands + maker->out_colours,
                sample(maker, p, i * maker->in_bands + maker->in_colours));
    }
}

/* VIPS_REGION_ADDR() with types that agree. */
static VipsPel *pel(const VipsRegion *region, int x, int y, size_t unit)
{
    return region->data + (size_t)(y - region->valid.top) * (size_t)region->bpl +
           (size_t)(x - region->valid.left) * (size_t)region->im->Bands * unit;
}

static int generate(VipsRegion *out, void *sequence, void *a, void *b, gboolean *stop)
{
    VipsRegion *in = sequence;
    const Maker *maker = b;
    const VipsRect *piece = &out->valid;
    size_t unit = maker->deep ? 2 : 1;
    (void)a, (void)stop;
    if (vips_region_prepare(in, piece)) return -1;
    for (int y = piece->top; y < piece->top + piece->height; y++) {
        const VipsPel *p = pel(in, piece->left, y, unit);
        VipsPel *q = pel(out, piece->left, y, unit);
        for (int x = 0; x < piece->width; x += CHUNK) {
            float light[CHUNK][3] = {{0}};
            int count = VIPS_MIN(CHUNK, piece->width - x);
            const VipsPel *from = p + (size_t)(x * maker->in_bands) * unit;
            read_light(maker, from, light, count);
            if (maker->map != NULL) maker->map(light, count, maker->data);
            write_light(maker, from, q + (size_t)(x * maker->out_bands) * unit, light, count);
        }
    }
    return 0;
}

/* `curve` as a table of `last` + 1 entries that ends with the image. */
static float *table_of(VipsImage *owner, LightCurve *curve, const void *data, int last)
{
    float *table = vips_malloc(VIPS_OBJECT(owner), (size_t)(last + 1) * sizeof(float));
    for (int i = 0; table != NULL && i <= last; i++) {
        double value = curve((double)i / last, data);
        table[i] = (float)(value > 0 ? VIPS_MIN(value, 1) : 0);
    }
    return table;
}

static int prepare(VipsImage *out, const LightWork *work, Maker *maker)
{
    if ((maker->data = vips_malloc(VIPS_OBJECT(out), VIPS_MAX(work->size, 1))) == NULL) return -1;
    if (work->size > 0) memcpy(maker->data, work->data, work->size);
    maker->decode = maker->deep ? decoded16 : decoded8;
    if (work->before != NULL) {
        int last = maker->deep ? STEPS : 255;
        float *table = table_of(out, work->before, work->data, last);
        if (table == NULL) return -1;
        for (int i = 0; i <= last; i++) table[i] = (float)light_decode(table[i]);
        maker->decode = table;
    }
    if (work->after != NULL && (maker->after = table_of(out, work->after, work->data, STEPS)) == NULL) return -1;
    return 0;
}

VipsImage *light_apply(VipsImage *in, const LightWork *work)
{
    VipsImage *out = vips_image_new();
    Maker *maker = vips_malloc(VIPS_OBJECT(out), sizeof(Maker));
    int alpha = vips_image_hasalpha(in) ? 1 : 0;
    if (maker == NULL) goto fail;
    g_object_ref(in); /* for as long as `out` is there */
    vips_object_local(VIPS_OBJECT(out), in);
    *maker = (Maker){.map = work->map,
                     .in_bands = in->Bands,
                     .out_bands = work->colours + alpha,
                     .in_colours = in->Bands - alpha,
                     .out_colours = work->colours,
                     .deep = in->BandFmt == VIPS_FORMAT_USHORT};
    if (prepare(out, work, maker) || vips_image_pipelinev(out, VIPS_DEMAND_STYLE_THINSTRIP, in, NULL)) goto fail;
    out->Bands = maker->out_bands;
    if (work->colours == 1)
        out->Type = maker->deep ? VIPS_INTERPRETATION_GREY16 : VIPS_INTERPRETATION_B_W;
    else
        out->Type = maker->deep ? VIPS_INTERPRETATION_RGB16 : VIPS_INTERPRETATION_sRGB;
    if (vips_image_generate(out, vips_start_one, generate, vips_stop_one, in, maker)) goto fail;
    return out;
fail:
    g_object_unref(out);
    return NULL;
}

VipsImage *light_open(VipsImage *in)
{
    VipsImage *out = NULL;
    if (vips_image_get_typeof(in, VIPS_META_ICC_NAME)) {
        if ((out = icc_to_srgb(in)) != NULL) return out;
        vips_error_clear();
    }
    if (vips_copy(in, &out, NULL)) return NULL;
    vips_image_remove(out, VIPS_META_ICC_NAME);
    return out;
}
