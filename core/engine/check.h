/* SPDX-License-Identifier: Apache-2.0
 *
 * `pixmill plugin check`: does a plugin keep the rules of pixmill/plugin.h? Hides the forked children in which each
 * question is asked, so that a plugin that crashes, hangs or exits fails one check and harms nobody.
 */
#ifndef PM_ENGINE_CHECK_H
#define PM_ENGINE_CHECK_H

#include <jansson.h>

/* [{name, ok, message}..] in the order asked: new. `params` is a YAML mapping for the step, or NULL: then values are
 * made up for what the plugin requires. The questions after a failed handshake are left out, and so is the rest after a
 * hang. libvips is set up already (pm_engine_setup) but has computed nothing yet in this process: its threads would not
 * survive the forks. Takes about a second; at most PM_CHECK_SECONDS for each question. */
json_t *pm_check_plugin(const char *file, const char *params);

enum { PM_CHECK_SECONDS = 15 };

#endif
