/* SPDX-License-Identifier: Apache-2.0
 *
 * Every flag that pixmill/plugin.h offers, once: what the handshake, the engine and `plugin check` accept, and what
 * `explain` calls it. A test walks the header and the authors' guide.
 */
#ifndef PM_ENGINE_FLAGS_H
#define PM_ENGINE_FLAGS_H

#include <pixmill/plugin.h>

#define PM_PARAM_FLAGS(X)          \
    X(PM_REQUIRED, "required")     \
    X(PM_SECRET, "secret")         \
    X(PM_DEPRECATED, "deprecated") \
    X(PM_TEMPLATE, "template")     \
    X(PM_PAIRS, "pairs")

#define PM_PLAN_FLAGS(X)             \
    X(PM_SKIP, "skip")               \
    X(PM_RANDOM, "random")           \
    X(PM_ALL_PAGES, "all_pages")     \
    X(PM_EAGER, "eager")             \
    X(PM_KEEP_SOURCE, "keep_source") \
    X(PM_NO_PIXELS, "no_pixels")

#define PM_FLAG_OR_(flag, name)   | (uint32_t)(flag)
#define PM_FLAG_NAME_(flag, name) ", " #flag
/* All of a list as a mask, and as text that begins with ", ". */
#define PM_FLAGS_ALL(LIST)   ((uint32_t)0 LIST(PM_FLAG_OR_))
#define PM_FLAGS_NAMES(LIST) ("" LIST(PM_FLAG_NAME_))

#endif
