/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/resample/axis.h"

#include <math.h>
#include <stdlib.h>

/* ------------------------------------------------------------------ kernels */

double pm_kernel_radius(PmKernel kernel)
{
    switch (kernel) {
    case PM_KERNEL_CUBIC:
    case PM_KERNEL_MITCHELL:
    case PM_KERNEL_LANCZOS2:
        return 2;
    case PM_KERNEL_LANCZOS3:
        return 3;
    case PM_KERNEL_NEAREST:
    case PM_KERNEL_LINEAR:
        break;
    }
    return 1;
}

/* The cubics of Mitchell and Netravali, "Reconstruction filters in computer graphics" (1988). */
static double cubic(double x, double b, double c)
{
    if (x < 1) return ((12 - 9 * b - 6 * c) * x * x * x + (-18 + 12 * b + 6 * c) * x * x + 6 - 2 * b) / 6;
    return ((-b - 6 * c) * x * x * x + (6 * b + 30 * c) * x * x + (-12 * b - 48 * c) * x + 8 * b + 24 * c) / 6;
}

static double lanczos(double x, double lobes)
{
    if (x < 1e-9) return 1;
    double at = M_PI * x;
    return lobes * sin(at) * sin(at / lobes) / (at * at);
}

double pm_kernel_at(PmKernel kernel, double x)
{
    x = fabs(x);
    if (x >= pm_kernel_radius(kernel)) return 0;
    switch (kernel) {
    case PM_KERNEL_CUBIC: /* Catmull and Rom's */
        return cubic(x, 0, 0.5);
    case PM_KERNEL_MITCHELL:
        return cubic(x, 1.0 / 3, 1.0 / 3);
    case PM_KERNEL_LANCZOS2:
        return lanczos(x, 2);
    case PM_KERNEL_LANCZOS3:
        return lanczos(x, 3);
    case PM_KERNEL_NEAREST:
    case PM_KERNEL_LINEAR:
        break;
    }
    return 1 - x;
}

/* A picture needs the kernel's value some 100,000 times, and a sine takes longer than all that is done with it. */
enum { STEPS = 1024, RADIUS_MAX = 3 };

typedef struct KernelTable {
    bool filled;
    float at[STEPS * RADIUS_MAX + 2]; /* the kernel at i / STEPS */
} KernelTable;

static const KernelTable *table_of(PmKernel kernel)
{
    static KernelTable tables[PM_KERNEL_LANCZOS3 + 1]; /* a worker is one thread */
    KernelTable *table = &tables[kernel];
    for (int i = 0; !table->filled && i <= STEPS * RADIUS_MAX; i++)
        table->at[i] = (float)pm_kernel_at(kernel, (double)i / STEPS);
    table->filled = true;
    return table;
}

/* Between two of its values by a straight line: 1e-6 away from the kernel at most. */
static double look_up(const KernelTable *table, double x)
{
    double place = fabs(x) * STEPS;
    if (place >= STEPS * RADIUS_MAX) return 0;
    int at = (int)place;
    double share = place - at;
    return (double)table->at[at] * (1 - share) + (double)table->at[at + 1] * share;
}

/* ------------------------------------------------------------------ sizes */

int32_t pm_axis_halved(int32_t size, int32_t halvings)
{
    for (; halvings > 0 && size > 1; halvings--) size = size / 2 + size % 2;
    return size;
}

int32_t pm_axis_halvings(double extent, int32_t count, double gap)
{
    int32_t halvings = 0;
    while (halvings < PM_AXIS_HALVINGS_MAX && ldexp(extent / count, -halvings - 1) >= gap) halvings++;
    return halvings;
}

bool pm_axis_valid(const PmAxisSpec *spec)
{
    static const double slack = 1e-3;
    return spec->size >= 1 && spec->size <= PM_AXIS_SIDE_MAX && spec->count >= 1 && spec->count <= PM_AXIS_SIDE_MAX &&
           spec->halvings >= 0 && spec->halvings <= PM_AXIS_HALVINGS_MAX && spec->from >= -slack && spec->extent > 0 &&
           spec->from + spec->extent <= spec->size + slack && spec->kernel > PM_KERNEL_NEAREST &&
           spec->kernel <= PM_KERNEL_LANCZOS3;
}

/* Source samples to one sample of the result. */
static double scale_of(const PmAxisSpec *spec)
{
    return ldexp(spec->extent, -spec->halvings) / spec->count;
}

int32_t pm_axis_taps_max(const PmAxisSpec *spec)
{
    int32_t length = pm_axis_halved(spec->size, spec->halvings);
    double taps = 2 * pm_kernel_radius(spec->kernel) * fmax(scale_of(spec), 1) + 1;
    return taps < length ? (int32_t)taps : length;
}

/* ------------------------------------------------------------------ tables */

static int32_t clamp(double value, int32_t max)
{
    return value < 0 ? 0 : value > max ? max : (int32_t)value;
}

/* Weights of one sample. `sum` and the clamped ends make them what a source that goes on beyond its edges would give.
 */
static void fill(PmAxis *axis, const PmAxisSpec *spec, const KernelTable *table, int32_t i, double *weights)
{
    double scale = scale_of(spec), stretch = fmax(scale, 1);
    double centre = ldexp(spec->from, -spec->halvings) + (i + 0.5) * scale,
           radius = pm_kernel_radius(spec->kernel) * stretch;
    double low = ceil(centre - radius - 0.5), high = floor(centre + radius - 0.5);
    int32_t last = axis->length - 1, begin = clamp(low, last);
    if (begin > axis->length - axis->taps) begin = axis->length - axis->taps;
    axis->first[i] = begin;
    for (int32_t t = 0; t < axis->taps; t++) weights[t] = 0;
    double sum = 0;
    for (int32_t n = 0, count = (int32_t)(high - low); n <= count; n++) {
        double at = low + n, weight = look_up(table, (at + 0.5 - centre) / stretch);
        int32_t tap = clamp(at, last) - begin;
        if (tap >= axis->taps) tap = axis->taps - 1; /* a sample at the very end of the kernel, where it is 0 */
        weights[tap] += weight;
        sum += weight;
    }
    for (int32_t t = 0; t < axis->taps; t++)
        axis->weights[(size_t)i * (size_t)axis->taps + (size_t)t] = (float)(weights[t] / sum);
}

bool pm_axis_init(PmAxis *axis, const PmAxisSpec *spec)
{
    *axis = (PmAxis){0};
    if (!pm_axis_valid(spec)) return false;
    axis->count = spec->count;
    axis->length = pm_axis_halved(spec->size, spec->halvings);
    axis->taps = pm_axis_taps_max(spec);
    double *weights = calloc((size_t)axis->taps, sizeof *weights);
    axis->first = calloc((size_t)axis->count, sizeof *axis->first);
    /* Neither factor is above PM_AXIS_SIDE_MAX. */
    axis->weights = calloc((size_t)axis->count * (size_t)axis->taps, sizeof *axis->weights);
    bool good = weights != NULL && axis->first != NULL && axis->weights != NULL;
    const KernelTable *table = table_of(spec->kernel);
    for (int32_t i = 0; good && i < axis->count; i++) fill(axis, spec, table, i, weights);
    free(weights);
    return good;
}

void pm_axis_finish(PmAxis *axis)
{
    free(axis->first);
    free(axis->weights);
    *axis = (PmAxis){0};
}
