// SPDX-License-Identifier: Apache-2.0
#include "levels.h"

#include <string.h>

enum { BINS = 65536 };
static const double left_out = 0.005, nearest = 0.05;

typedef struct Counts {
    guint32 *bins; /* BINS of each colour */
    guint64 pixels;
} Counts;

static void count_row(const VipsImage *in, const VipsPel *p, int colours, Counts *counts)
{
    gboolean deep = in->BandFmt == VIPS_FORMAT_USHORT;
    for (int x = 0; x < in->Xsize; x++) {
        guint values[5] = {0};
        for (int band = 0; band < in->Bands; band++, p += deep ? 2 : 1)
            values[band] = deep ? *(const guint16 *)(const void *)p : (guint)*p * 257;
        if (in->Bands > colours && values[colours] == 0) continue;
        for (int colour = 0; colour < colours; colour++) counts->bins[colour * BINS + (int)values[colour]]++;
        counts->pixels++;
    }
}

/* The first value with more than the share of `left_out` below it, from the end where `step` begins. */
static int edge_of(const guint32 *bins, int start, int step, guint64 pixels)
{
    guint64 below = 0, share = (guint64)((double)pixels * left_out);
    int at = start;
    while (at + step >= 0 && at + step < BINS && below + bins[at] <= share) {
        below += bins[at];
        at += step;
    }
    return at;
}

static Levels levels_of(const Counts *counts, int colours)
{
    int low = BINS - 1, high = 0;
    for (int colour = 0; colour < colours; colour++) {
        const guint32 *bins = counts->bins + (size_t)colour * BINS;
        low = VIPS_MIN(low, edge_of(bins, 0, 1, counts->pixels));
        high = VIPS_MAX(high, edge_of(bins, BINS - 1, -1, counts->pixels));
    }
    Levels levels = {low / (BINS - 1.0), high / (BINS - 1.0)};
    return counts->pixels > 0 && levels.high - levels.low >= nearest ? levels : (Levels){0, 1};
}

/* The next rows; from a thread of libvips', one call after the other. */
static int on_rows(VipsRegion *region, VipsRect *area, void *data)
{
    int colours = region->im->Bands - (vips_image_hasalpha(region->im) ? 1 : 0);
    for (int y = area->top; y < area->top + area->height; y++)
        count_row(region->im, region->data + (size_t)(y - region->valid.top) * (size_t)region->bpl, colours, data);
    return 0;
}

/* By a sink, and not by a region of this thread: vips_arrayjoin(), which joins pages, hands out the buffer of a region
 * that it has freed, and only libvips' own threads keep such buffers for a while. */
int levels_find(VipsImage *in, Levels *levels)
{
    int colours = in->Bands - (vips_image_hasalpha(in) ? 1 : 0);
    Counts counts = {.bins = vips_malloc(NULL, (size_t)colours * BINS * sizeof(guint32))};
    if (counts.bins == NULL) return -1;
    memset(counts.bins, 0, (size_t)colours * BINS * sizeof(guint32));
    int result = vips_sink_disc(in, on_rows, &counts);
    if (result == 0) *levels = levels_of(&counts, colours);
    g_free(counts.bins);
    return result;
}
