/* SPDX-License-Identifier: Apache-2.0
 *
 * Takes secrets out of what a plugin says. The values of its PM_SECRET parameters and what its endpoints' URLs carry
 * beside scheme and host must not reach a log, an error or a record, whatever the plugin puts into its messages.
 */
#ifndef PM_ENGINE_REDACT_H
#define PM_ENGINE_REDACT_H

#include <stddef.h>

#include "engine/steps.h"

/* Rewrites `text` in place, cut to `size`. `instance` may be NULL. Values shorter than 4 bytes stay: they would match
 * anything. */
void pm_redact(const PmInstance *instance, char *text, size_t size);

#endif
