/* SPDX-License-Identifier: Apache-2.0
 *
 * `resize: 300x200` for `resize: { width: 300, height: 200 }`: a step written as a single value. Hides how the value is
 * divided among the parameters that the plugin names (PmTransform.shorthand).
 */
#ifndef PM_ENGINE_SHORTHAND_H
#define PM_ENGINE_SHORTHAND_H

#include <pixmill/plugin.h>

#include "pipeline/decode_params.h"

enum { PM_SHORTHAND_MAX = 4, PM_SHORTHAND_TEXT_MAX = 200 };

/* PM_OK, or PM_BAD_CONFIG with what is wrong with the plugin's own list. file: the plugin's, for the message. */
PmStatus pm_shorthand_check(const char *file, const PmTransform *transform, PmError *err);

/* The mapping that a scalar stands for, in the arena, its nodes at the scalar's place in the file; NULL when it has
 * more parts than the plugin has parameters for it, or the plugin takes no single value. */
const PmNode *pm_shorthand_expand(const PmTransform *transform, const PmNode *value, PmArena *arena);

/* `expanded` with what else stands in `params`, a mapping whose empty key was the single value (steps_line.h). In the
 * arena. */
const PmNode *pm_shorthand_join(const PmNode *expanded, const PmNode *params, PmArena *arena);

/* "WIDTHxHEIGHT", "FORMAT": how it is written, for messages; "" when the plugin takes no single value. */
void pm_shorthand_form(const PmTransform *transform, char *out, size_t size);

#endif
