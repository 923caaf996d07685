/* SPDX-License-Identifier: Apache-2.0
 *
 * Descriptions of plugins, asked of a worker: what `plugins` and `schema` share.
 */
#ifndef PM_CLI_DESCRIBE_H
#define PM_CLI_DESCRIBE_H

#include "broker/pool.h"

/* {"plugins": [description..], "errors": [error..]} of those named, or of all when count is 0. New; NULL and err set
 * when no worker can be asked. */
json_t *pm_describe_plugins(const PmPoolOptions *pool, const char *const *names, size_t count, PmError *err);

#endif
