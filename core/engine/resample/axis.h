/* SPDX-License-Identifier: Apache-2.0
 *
 * Which samples of a row or column each sample of the result is mixed from, and with what weights. Pure arithmetic of
 * sizes: touches no pixel. The centre of sample i lies at i + 0.5 on both sides, a kernel is stretched by the scale
 * when the result is smaller, and beyond the edges the outermost sample goes on.
 */
#ifndef PM_ENGINE_RESAMPLE_AXIS_H
#define PM_ENGINE_RESAMPLE_AXIS_H

#include <pixmill/plugin.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    PM_AXIS_SIDE_MAX = 10 * 1000 * 1000, /* libvips' longest side */
    PM_AXIS_HALVINGS_MAX = 24,
};

typedef struct PmAxisSpec {
    int32_t size;        /* samples of the source, at full size */
    int32_t halvings;    /* how often its samples were averaged in pairs before */
    double from, extent; /* the stretch of the source that becomes the whole of the result */
    int32_t count;       /* samples of the result */
    PmKernel kernel;     /* any but PM_KERNEL_NEAREST, which mixes nothing */
} PmAxisSpec;

typedef struct PmAxis {
    int32_t count;  /* samples of the result */
    int32_t length; /* samples of the source after its halvings */
    int32_t taps;   /* source samples to each sample of the result */
    int32_t *first; /* [count]: the first of them; ascending, first + taps <= length */
    float *weights; /* [count][taps]; those of one sample add up to 1 */
} PmAxis;

/* Samples that remain after averaging in pairs so often; an odd one out is averaged with itself. */
int32_t pm_axis_halved(int32_t size, int32_t halvings);

/* How often a source may be halved so that the kernel still has at least `gap` times the result's samples. */
int32_t pm_axis_halvings(double extent, int32_t count, double gap);

/* True for sizes that make sense: everything at least 1, and the stretch within the source, but for what doubles are
 * off. */
bool pm_axis_valid(const PmAxisSpec *spec);

/* The most taps that such an axis can have. */
int32_t pm_axis_taps_max(const PmAxisSpec *spec);

/* False: not valid, or no memory. Finish in either case. */
bool pm_axis_init(PmAxis *axis, const PmAxisSpec *spec);
void pm_axis_finish(PmAxis *axis);

/* The kernel's value at `x` samples from its centre. */
double pm_kernel_at(PmKernel kernel, double x);
/* Beyond this distance from its centre it is 0. */
double pm_kernel_radius(PmKernel kernel);

#endif
