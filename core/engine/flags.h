/* SPDX-License-Identifier: Apache-2.0
 *
 * Every flag that pixmill/plugin.h offers, once: what the handshake and `plugin check` accept. A test walks the header.
 */
#ifndef PM_ENGINE_FLAGS_H
#define PM_ENGINE_FLAGS_H

#include <pixmill/plugin.h>

#define PM_PARAM_FLAGS_ALL ((uint32_t)(PM_REQUIRED | PM_SECRET | PM_DEPRECATED | PM_TEMPLATE | PM_PAIRS))
#define PM_PLAN_FLAGS_ALL  ((uint32_t)(PM_SKIP | PM_RANDOM | PM_ALL_PAGES | PM_EAGER | PM_KEEP_SOURCE | PM_NO_PIXELS))

#endif
