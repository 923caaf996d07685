/* SPDX-License-Identifier: Apache-2.0
 *
 * Scores without a model: by the object's key, so that every consequence of a verdict can be tried. Pure.
 */
#ifndef NSFW_HOOK_STUB_H
#define NSFW_HOOK_STUB_H

#include "nsfw_hook.h"

/* The score of the first "glob=score" of config->stub_scores whose glob matches the key (NULL: none does), else
 * config->stub_score. */
double stub_score(const Config *config, const char *key);

/* Whether `rule` is "glob=score" with a score in 0..1. */
bool stub_rule_good(const char *rule);

#endif
