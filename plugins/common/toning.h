/* SPDX-License-Identifier: Apache-2.0
 *
 * What tint and duotone have in common: the luminance of a pixel decides the colour it gets, between colours of
 * settings.
 */
#ifndef PLUGINS_COMMON_TONING_H
#define PLUGINS_COMMON_TONING_H

#include <stdbool.h>

#include <vips/vips.h>

#include <pixmill/plugin.h>

enum { TONES_MAX = 3 };

/* A way through colours of linear light: colours[0] is what luminance `at[0]` becomes, and so on; between them by
 * share. at[0] is 0, the last 1. */
typedef struct Tones {
    float at[TONES_MAX], colours[TONES_MAX][3];
    int count;
    float amount; /* 0 leaves the picture as it is, 1 is all colours of the tones */
} Tones;

typedef struct Toning {
    const PmHost *host;
    Tones tones;
    bool nothing;  /* changes no picture */
    bool grey;     /* all tones are */
    bool identity; /* grey stays as it is */
} Toning;

/* `color` as linear light. PM_BAD_CONFIG, said with fail_param, when it is not opaque. */
PmStatus toning_color(const PmHost *host, PmJob *job, const char *param, const PmColor *color, float light[3]);
/* For create(): a step with these tones; g_free() it. */
Toning *toning_new(const PmHost *host, const Tones *tones);

/* Members of PmTransform; self is a Toning. */
PmStatus toning_plan(void *self, PmJob *job, const PmShape *in, PmPlan *out);
PmStatus toning_apply(void *self, PmJob *job, const PmShape *shape, VipsImage *in, VipsImage **out);
void toning_destroy(void *self);

#endif
