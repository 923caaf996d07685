/* SPDX-License-Identifier: Apache-2.0
 *
 * The plugin ABI's layout, pinned. A line here that fails to compile means that plugins already built would read the
 * wrong bytes: put the new member at the end of its struct, and add a line for it. Never edit a line.
 * LP64 with little-endian x86-64 and aarch64 alike; a platform with another layout needs a table of its own.
 */
#include <pixmill/plugin.h>

#define AT(T, member, place) _Static_assert(offsetof(T, member) == (place), #T "." #member " has moved")
/* A struct that the host fills in or that lies by value in another one never changes its size; the others may grow. */
#define FIXED(T, bytes)    _Static_assert(sizeof(T) == (bytes), #T " has changed its size")
#define GROWN(T, bytes)    _Static_assert(sizeof(T) >= (bytes), #T " has shrunk")
#define VALUE(name, value) _Static_assert((name) == (value), #name " has changed its value")

_Static_assert(sizeof(void *) == 8 && sizeof(size_t) == 8 && sizeof(int) == 4 && _Alignof(double) == 8,
               "the plugin ABI is pinned for LP64 only");
_Static_assert(sizeof(PmStatus) == 4 && sizeof(PmType) == 4 && sizeof(PmDecision) == 4 && sizeof(PmKernel) == 4 &&
                   sizeof(bool) == 1,
               "enums of the plugin ABI are ints, bools are bytes");

VALUE(PM_PLUGIN_MAGIC, 0x314C4D50u);
VALUE(PM_ABI_MAJOR, 1);

VALUE(PM_OK, 0);
VALUE(PM_BAD_CONFIG, 1);
VALUE(PM_BAD_INPUT, 2);
VALUE(PM_REJECTED, 3);
VALUE(PM_LIMIT, 4);
VALUE(PM_TRANSIENT, 5);
VALUE(PM_BUG, 6);

VALUE(PM_BOOL, 0);
VALUE(PM_INT, 1);
VALUE(PM_NUMBER, 2);
VALUE(PM_STRING, 3);
VALUE(PM_ENUM, 4);
VALUE(PM_COLOR, 5);
VALUE(PM_LIST, 6);
VALUE(PM_ASSET, 7);
VALUE(PM_ENDPOINT, 8);
VALUE(PM_BYTES, 9);
VALUE(PM_DURATION, 10);
VALUE(PM_LENGTH, 11);

VALUE(PM_REQUIRED, 1);
VALUE(PM_SECRET, 2);
VALUE(PM_DEPRECATED, 4);
VALUE(PM_TEMPLATE, 8);
VALUE(PM_PAIRS, 16);

VALUE(PM_SKIP, 1);
VALUE(PM_RANDOM, 2);
VALUE(PM_ALL_PAGES, 4);
VALUE(PM_EAGER, 8);
VALUE(PM_KEEP_SOURCE, 16);
VALUE(PM_NO_PIXELS, 32);

VALUE(PM_KERNEL_NEAREST, 0);
VALUE(PM_KERNEL_LINEAR, 1);
VALUE(PM_KERNEL_CUBIC, 2);
VALUE(PM_KERNEL_MITCHELL, 3);
VALUE(PM_KERNEL_LANCZOS2, 4);
VALUE(PM_KERNEL_LANCZOS3, 5);

VALUE(PM_PASS, 0);
VALUE(PM_FLAG, 1);
VALUE(PM_REJECT, 2);

VALUE(PM_LOG_ERROR, 0);
VALUE(PM_LOG_WARN, 1);
VALUE(PM_LOG_INFO, 2);
VALUE(PM_LOG_DEBUG, 3);

AT(PmColor, r, 0);
AT(PmColor, g, 8);
AT(PmColor, b, 16);
AT(PmColor, a, 24);
FIXED(PmColor, 32);

AT(PmList, items, 0);
AT(PmList, count, 8);
FIXED(PmList, 16);

AT(PmLength, value, 0);
AT(PmLength, percent, 8);
FIXED(PmLength, 16);

AT(PmParam, name, 0);
AT(PmParam, type, 8);
AT(PmParam, flags, 12);
AT(PmParam, offset, 16);
AT(PmParam, def, 24);
AT(PmParam, min, 32);
AT(PmParam, max, 40);
AT(PmParam, choices, 48);
AT(PmParam, unit, 56);
AT(PmParam, doc, 64);
GROWN(PmParam, 72);

AT(PmShape, width, 0);
AT(PmShape, height, 4);
AT(PmShape, pages, 8);
AT(PmShape, bands, 12);
AT(PmShape, source_width, 16);
AT(PmShape, source_height, 20);
AT(PmShape, band_format, 24);
AT(PmShape, interpretation, 28);
AT(PmShape, orientation, 32);
AT(PmShape, has_alpha, 36);
AT(PmShape, has_profile, 37);
AT(PmShape, reserved, 40);
FIXED(PmShape, 56); /* grows into `reserved`: it lies by value in PmPlan */

AT(PmPlan, out, 0);
AT(PmPlan, flags, 56);
AT(PmPlan, need_width, 60);
AT(PmPlan, need_height, 64);
AT(PmPlan, need_pages, 68);
AT(PmPlan, format, 72);
AT(PmPlan, extension, 80);
AT(PmPlan, mime, 88);
AT(PmPlan, resample, 96);
GROWN(PmPlan, 136);

AT(PmResample, left, 0);
AT(PmResample, top, 8);
AT(PmResample, width, 16);
AT(PmResample, height, 24);
AT(PmResample, kernel, 32);
AT(PmResample, reserved, 36);
FIXED(PmResample, 40); /* it lies by value in PmPlan */

AT(PmRegion, left, 0);
AT(PmRegion, top, 8);
AT(PmRegion, width, 16);
AT(PmRegion, height, 24);
AT(PmRegion, score, 32);
AT(PmRegion, label, 40);
AT(PmRegion, reserved, 48);
FIXED(PmRegion, 56); /* both sides hold arrays of it; it grows into `reserved` */

AT(PmFrame, left, 0);
AT(PmFrame, top, 8);
AT(PmFrame, width, 16);
AT(PmFrame, height, 24);
AT(PmFrame, turns, 32);
AT(PmFrame, mirrored, 36);
AT(PmFrame, reserved, 40);
FIXED(PmFrame, 48); /* the plugin allocates it; it grows into `reserved` */

AT(PmVerdict, decision, 0);
AT(PmVerdict, score, 8);
AT(PmVerdict, label, 16);
GROWN(PmVerdict, 80);

AT(PmRequest, size, 0);
AT(PmRequest, endpoint, 8);
AT(PmRequest, method, 16);
AT(PmRequest, content_type, 24);
AT(PmRequest, body, 32);
AT(PmRequest, body_size, 40);
AT(PmRequest, timeout_ms, 48);
GROWN(PmRequest, 56);

AT(PmResponse, status, 0);
AT(PmResponse, content_type, 8);
AT(PmResponse, body, 16);
AT(PmResponse, body_size, 24);
FIXED(PmResponse, 32); /* the plugin allocates it */

AT(PmHost, size, 0);
AT(PmHost, log, 8);
AT(PmHost, fail, 16);
AT(PmHost, fail_param, 24);
AT(PmHost, open_asset, 32);
AT(PmHost, fetch, 40);
AT(PmHost, set_fact, 48);
AT(PmHost, fact, 56);
AT(PmHost, expand, 64);
AT(PmHost, remaining_ms, 72);
AT(PmHost, add_regions, 80);
AT(PmHost, regions, 88);
AT(PmHost, set_frame, 96);
GROWN(PmHost, 104);

AT(PmTransform, name, 0);
AT(PmTransform, summary, 8);
AT(PmTransform, params, 16);
AT(PmTransform, param_size, 24);
AT(PmTransform, param_count, 32);
AT(PmTransform, config_size, 40);
AT(PmTransform, create, 48);
AT(PmTransform, destroy, 56);
AT(PmTransform, plan, 64);
AT(PmTransform, apply, 72);
AT(PmTransform, inspect, 80);
AT(PmTransform, encode, 88);
AT(PmTransform, mime_types, 96);
AT(PmTransform, facts, 104);
AT(PmTransform, shorthand, 112);
AT(PmTransform, regions, 120);
GROWN(PmTransform, 128);

AT(PmPlugin, magic, 0);
AT(PmPlugin, abi_major, 4);
AT(PmPlugin, abi_minor, 6);
AT(PmPlugin, size, 8);
AT(PmPlugin, transform_size, 16);
AT(PmPlugin, vips_major, 24);
AT(PmPlugin, vips_minor, 28);
AT(PmPlugin, vips_micro, 32);
AT(PmPlugin, version, 40);
AT(PmPlugin, transform, 48);
GROWN(PmPlugin, 56);
