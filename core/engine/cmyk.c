/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/cmyk.h"

#include <math.h>
#include <stdint.h>

/* Numbers of ink have no colour without a press; libvips brings a common one. Its darkest inks are a dark violet on
 * paper, and Little CMS' compensation lightens and darkens without changing the hue: text would turn blue. So black is
 * compensated here, each channel for itself, in light. */

enum { LEVELS = 65536, NODES = 1025, BLACKS = 3, COLOURS = 3 };

static double to_light(double value)
{
    return value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4);
}

static double from_light(double light)
{
    return light <= 0.0031308 ? light * 12.92 : 1.055 * pow(light, 1 / 2.4) - 0.055;
}

static int print(VipsImage *in, VipsImage **out)
{
    return vips_icc_transform(in, out, "srgb", "embedded", FALSE, "input_profile", "cmyk", "intent",
                              VIPS_INTENT_RELATIVE, "depth", 16, NULL);
}

/* The light that comes from what is meant as black: key alone, as text is; all inks; and as much ink as presses take.
 */
static bool find_black(double black[COLOURS])
{
    static const uint8_t inks[BLACKS][4] = {{0, 0, 0, 255}, {255, 255, 255, 255}, {191, 173, 170, 229}};
    VipsImage *plain = vips_image_new_from_memory(inks, sizeof inks, BLACKS, 1, 4, VIPS_FORMAT_UCHAR);
    VipsImage *cmyk = NULL, *printed = NULL;
    VipsRegion *region = NULL;
    VipsRect all = {.width = BLACKS, .height = 1};
    bool good = plain != NULL && vips_copy(plain, &cmyk, "interpretation", VIPS_INTERPRETATION_CMYK, NULL) == 0 &&
                print(cmyk, &printed) == 0 && printed->Bands == COLOURS && printed->BandFmt == VIPS_FORMAT_USHORT &&
                (region = vips_region_new(printed)) != NULL && vips_region_prepare(region, &all) == 0;
    const uint16_t *pixels = good ? (const uint16_t *)(const void *)VIPS_REGION_ADDR_TOPLEFT(region) : NULL;
    for (int i = 0; good && i < BLACKS; i++) {
        for (int j = 0; j < COLOURS; j++)
            black[j] = fmax(i == 0 ? 0 : black[j], to_light(pixels[i * COLOURS + j] / 65535.0));
    }
    g_clear_object(&region);
    g_clear_object(&printed);
    g_clear_object(&cmyk);
    g_clear_object(&plain);
    return good;
}

/* From 16 bits, in which the dark tones still differ, to 8; alpha by its top half. */
static VipsImage *curves(const double black[COLOURS], int bands)
{
    uint8_t *table = g_malloc((size_t)LEVELS * (size_t)bands);
    for (int band = 0; band < bands; band++) {
        double nodes[NODES] = {0};
        for (int i = 0; band < COLOURS && i < NODES; i++) {
            double light = (to_light(i / (NODES - 1.0)) - black[band]) / (1 - black[band]);
            nodes[i] = 255 * from_light(fmax(light, 0));
        }
        for (int level = 0; level < LEVELS; level++) {
            double at = level / (LEVELS - 1.0) * (NODES - 1), value = level >> 8;
            int node = (int)at < NODES - 1 ? (int)at : NODES - 2;
            if (band < COLOURS) value = nodes[node] + (at - node) * (nodes[node + 1] - nodes[node]);
            table[level * bands + band] = (uint8_t)(value + 0.5);
        }
    }
    VipsImage *lut =
        vips_image_new_from_memory_copy(table, (size_t)LEVELS * (size_t)bands, LEVELS, 1, bands, VIPS_FORMAT_UCHAR);
    g_free(table);
    return lut;
}

bool pm_cmyk_to_srgb(VipsImage *in, VipsImage **out)
{
    double black[COLOURS];
    VipsImage *printed = NULL, *lut = NULL, *mapped = NULL;
    bool good = find_black(black) && print(in, &printed) == 0 && printed->BandFmt == VIPS_FORMAT_USHORT &&
                (lut = curves(black, printed->Bands)) != NULL && vips_maplut(printed, &mapped, lut, NULL) == 0 &&
                vips_copy(mapped, out, "interpretation", VIPS_INTERPRETATION_sRGB, NULL) == 0;
    g_clear_object(&mapped);
    g_clear_object(&lut);
    g_clear_object(&printed);
    return good;
}
