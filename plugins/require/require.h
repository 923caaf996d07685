/* SPDX-License-Identifier: Apache-2.0
 *
 * require: conditions on an image, checked from its header alone.
 */
#ifndef REQUIRE_H
#define REQUIRE_H

#include <vips/vips.h>

#include <pixmill/plugin.h>

typedef struct Config {
    int64_t min_width, min_height, max_width, max_height, max_pages;
    double min_megapixels, max_megapixels;
    const char *min_aspect, *max_aspect, *message;
    PmList formats, shapes;
    int32_t status;
} Config;

typedef struct Aspects {
    double min, max; /* width by height; 0: no limit */
} Aspects;

/* The picture at hand, as large as it is when its source is decoded in full. */
typedef struct Seen {
    int64_t width, height, pages; /* of one page */
    const char *format;           /* NULL when unknown */
} Seen;

enum { DETAIL_MAX = 256 };

/* Width by height from "16:9" or "1.78"; false for anything else, and for what is not above 0. */
bool aspect_parse(const char *text, double *aspect);

/* The first condition that `seen` breaks: a label such as "too small", and in `detail` the numbers. NULL: none. */
const char *condition_broken(const Config *config, const Aspects *aspects, const Seen *seen, char detail[DETAIL_MAX]);

#endif
