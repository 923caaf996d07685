/* SPDX-License-Identifier: Apache-2.0
 *
 * The handshake: from what pixmill_plugin() returned to structs of the host's own size, or a refusal that says what
 * was expected, what was found and what to do. Hides every difference between the ABI that a plugin was built
 * with and ours. Knows nothing of files beyond their name in messages.
 */
#ifndef PM_ENGINE_HANDSHAKE_H
#define PM_ENGINE_HANDSHAKE_H

#include "engine/registry.h"

/* The newest minor version this host speaks. PM_ABI_MINOR is only what a plugin opts in to. */
#define PM_HOST_ABI_MINOR 0

enum {
    PM_PLUGIN_NAME_MAX = 40,         /* bytes of a plugin's, parameter's or fact's name */
    PM_PLUGIN_PARAMS_MAX = 256,      /* parameters of a plugin */
    PM_PLUGIN_CHOICES_MAX = 256,     /* choices of a parameter, facts and MIME types of a plugin */
    PM_PLUGIN_STRUCT_MAX = 4096,     /* bytes of any struct a plugin hands over */
    PM_PLUGIN_CONFIG_MAX = 64 * 1024 /* bytes of its config struct */
};

/* Checks `plugin` (borrowed: the plugin's constant data) and fills version and transform of `out`, whose params are
 * new: free with pm_handshake_finish. `file` names the shared object in messages. PM_BAD_CONFIG when refused. */
PmStatus pm_handshake(const char *file, const PmPlugin *plugin, PmLoaded *out, PmError *err);
void pm_handshake_finish(PmLoaded *loaded);

/* Checks a parameter table: names, types, places in the config struct, limits, choices, defaults. */
PmStatus pm_params_check(const char *file, const PmParam *params, size_t count, size_t config_size, PmError *err);

/* lower-case-with-dashes, 1 to PM_PLUGIN_NAME_MAX bytes, a letter first. */
bool pm_plugin_name_ok(const char *name);

/* lower_snake_case, likewise: names of parameters and facts. */
bool pm_word_ok(const char *name);

#endif
