// SPDX-License-Identifier: Apache-2.0
#include "toning.h"

#include "light.h"

PmStatus toning_color(const PmHost *host, PmJob *job, const char *param, const PmColor *color, float light[3])
{
    if (color->a < 1)
        return host->fail_param(job, param, "must be opaque; `amount` lets the picture's colours through");
    const double coded[3] = {color->r, color->g, color->b};
    for (int i = 0; i < 3; i++) light[i] = (float)light_decode(coded[i] / 255);
    return PM_OK;
}

Toning *toning_new(const PmHost *host, const Tones *tones)
{
    Toning *self = g_new0(Toning, 1);
    self->host = host;
    self->tones = *tones;
    self->nothing = !(tones->amount > 0);
    self->grey = self->identity = true;
    for (int i = 0; i < tones->count; i++) {
        const float *colour = tones->colours[i];
        self->grey = self->grey && colour[0] == colour[1] && colour[1] == colour[2];
        self->identity = self->identity && self->grey && colour[0] == tones->at[i];
    }
    light_setup();
    return self;
}

void toning_destroy(void *self)
{
    g_free(self);
}

/* ------------------------------------------------------------------ plan */

static bool stays_grey(const Toning *self, int colours)
{
    return colours == 1 && self->grey;
}

/* Each pixel alone decides what becomes of it, so the decoder may shrink as the other steps like. */
PmStatus toning_plan(void *data, PmJob *job, const PmShape *in, PmPlan *out)
{
    const Toning *self = data;
    int colours = in->bands - in->has_alpha;
    (void)job;
    out->need_width = out->need_height = 0;
    if (self->nothing || (colours == 1 && self->identity)) {
        out->flags = PM_SKIP;
        return PM_OK;
    }
    out->out.has_profile = false;
    if (colours == 1 && !stays_grey(self, colours)) {
        out->out.bands = 3 + in->has_alpha;
        out->out.interpretation =
            in->band_format == VIPS_FORMAT_USHORT ? VIPS_INTERPRETATION_RGB16 : VIPS_INTERPRETATION_sRGB;
    }
    return PM_OK;
}

/* ------------------------------------------------------------------ apply */

static void tone(const Tones *tones, float luminance, float *out)
{
    int i = 1;
    while (i < tones->count - 1 && luminance > tones->at[i]) i++;
    float span = tones->at[i] - tones->at[i - 1];
    float share = span > 0 ? (luminance - tones->at[i - 1]) / span : 1;
    for (int c = 0; c < 3; c++)
        out[c] = tones->colours[i - 1][c] + share * (tones->colours[i][c] - tones->colours[i - 1][c]);
}

static void map(float (*light)[3], int count, const void *data)
{
    const Tones *tones = data;
    for (int i = 0; i < count; i++) {
        float luminance =
            (float)LIGHT_RED * light[i][0] + (float)LIGHT_GREEN * light[i][1] + (float)LIGHT_BLUE * light[i][2];
        float toned[3];
        tone(tones, luminance < 1 ? luminance : 1, toned);
        for (int c = 0; c < 3; c++) light[i][c] += tones->amount * (toned[c] - light[i][c]);
    }
}

PmStatus toning_apply(void *data, PmJob *job, const PmShape *shape, VipsImage *in, VipsImage **out)
{
    const Toning *self = data;
    (void)shape;
    VipsImage *plain = light_open(in);
    int colours = in->Bands - (vips_image_hasalpha(in) ? 1 : 0);
    *out = plain != NULL ? light_apply(plain, &(LightWork){.map = map,
                                                           .data = &self->tones,
                                                           .size = sizeof self->tones,
                                                           .colours = stays_grey(self, colours) ? 1 : 3})
                         : NULL;
    g_clear_object(&plain);
    return *out != NULL ? PM_OK : self->host->fail(job, PM_BAD_INPUT, "cannot tone the picture");
}
