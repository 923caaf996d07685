/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs one built plugin the way the engine does, without the engine: opens build/plugins/NAME.so, binds its
 * parameters from YAML, plans, applies page by page and holds the result against the plan. Every broken promise
 * fails the cmocka test at hand.
 */
#ifndef TESTS_PLUGINS_HARNESS_H
#define TESTS_PLUGINS_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <vips/vips.h>

#include <pixmill/plugin.h>

/* Starts libvips as the worker does: untrusted operations blocked, no cache, one thread. Call first in main(). */
void harness_setup(const char *program);

/* What open_asset() finds for every step made later; borrowed. At most 8. */
void harness_set_asset(const char *name, const void *bytes, size_t size);
/* What answers fetch() for every step made later; NULL, as at first: this host has no fetch. */
typedef PmStatus (*HarnessFetch)(const PmRequest *request, PmResponse *response);
void harness_set_fetch(HarnessFetch fetch);

/* --- a step --- */

typedef struct Step Step;

/* A step of `plugin` with parameters such as "{width: 300, fit: cover}"; fails the test when create() does. */
Step *step_new(const char *plugin, const char *yaml);
/* As step_new, but NULL when binding or create() refuses: step_message() then says why. */
Step *step_try(const char *plugin, const char *yaml);
void step_free(Step *step);

/* All messages of the last step_try(), or what the last failing call of any step said; "" when none did. */
const char *step_message(void);

void step_set_fact(Step *step, const char *name, const char *value); /* what host->fact() and expand() know */
const char *step_fact(const Step *step, const char *name);           /* also what set_fact() was given */
PmFrame step_frame(const Step *step);                                /* what set_frame() was last told */
void step_set_asset(Step *step, const char *name, const void *bytes, size_t size); /* borrowed */

/* plan() for a shape, called twice: both answers must be equal. */
PmPlan step_plan(Step *step, const PmShape *in);
PmStatus step_try_plan(Step *step, const PmShape *in, PmPlan *out);

/* plan() and apply() as the engine does, page by page unless PM_ALL_PAGES; the result is computed and must have the
 * planned shape. With PM_SKIP the input comes back. `in` borrowed, result new and in memory. */
VipsImage *step_apply(Step *step, VipsImage *in);
/* One call of apply() on an image that is not planned first; what it returns, and *out new when that is PM_OK. */
PmStatus step_try_apply(Step *step, VipsImage *in, VipsImage **out);
/* The same with the shape that was planned. */
PmStatus step_try_apply_as(Step *step, const PmShape *shape, VipsImage *in, VipsImage **out);
/* As step_apply for a picture that the decoder shrank from source_width x source_height. */
VipsImage *step_apply_shrunk(Step *step, VipsImage *in, int source_width, int source_height);

/* Of a step that is made for this one call. */
PmPlan plan_of_new(const char *plugin, const char *yaml, const PmShape *in);
VipsImage *apply_to_new(const char *plugin, const char *yaml, VipsImage *in); /* takes `in` */

PmStatus step_inspect(Step *step, VipsImage *in, PmVerdict *verdict);

/* plan() and encode(), cut to the first page as need_pages says. New bytes, g_free() them. */
void *step_encode(Step *step, VipsImage *in, size_t *size, PmPlan *plan);
PmStatus step_try_encode(Step *step, VipsImage *in, void **bytes, size_t *size, PmPlan *plan);

/* --- images; all new, in memory --- */

PmShape image_shape(VipsImage *image);
extern const PmShape shape_photo;              /* sRGB of 1600 x 1200, as it lies in its file */
VipsImage *image_photo(int width, int height); /* smooth RGB: x in red, y in green */
VipsImage *image_flat(int width, int height, int bands, double r, double g, double b, double a); /* 1..4 bands */
VipsImage *image_alpha(int width, int height);    /* opaque red left, clear green right */
VipsImage *image_quarters(int width, int height); /* red, green / blue, white */
VipsImage *image_places(int width, int height);   /* every pixel another: x in red, y in green, 77 in blue */
VipsImage *image_animation(int width, int height, int pages); /* page n is grey n*40, with delays and loop */
/* 90, 100, 110 and opaque, 40 x 30; deep: 16 bits, 257 times as much */
VipsImage *image_kind(int bands, bool deep);
VipsImage *image_load(const void *bytes, size_t size); /* all pages; bytes are copied */

/* Value of one band; fails the test outside the image. */
double image_at(VipsImage *image, int x, int y, int band);
/* RGB within `within` of the expected; the message names the place. */
#define assert_pixel(image, x, y, r, g, b, within) assert_pixel_(image, x, y, r, g, b, within, __FILE__, __LINE__)
void assert_pixel_(VipsImage *image, int x, int y, double r, double g, double b, double within, const char *file,
                   int line);
#define assert_size(image, w, h)                                \
    do {                                                        \
        assert_int_equal(vips_image_get_width(image), w);       \
        assert_int_equal(vips_image_get_page_height(image), h); \
    } while (0)
#define assert_says(text) assert_says_(text, __FILE__, __LINE__) /* step_message() contains text */
void assert_says_(const char *text, const char *file, int line);

#endif
