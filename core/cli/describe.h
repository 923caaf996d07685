/* SPDX-License-Identifier: Apache-2.0
 *
 * Descriptions of plugins and formats, asked of a worker: what several commands share.
 */
#ifndef PM_CLI_DESCRIBE_H
#define PM_CLI_DESCRIBE_H

#include "workers/pool.h"

/* {"plugins": [description..], "errors": [error..]} of those named, or of all when count is 0. New; NULL and err set
 * when no worker can be asked. */
json_t *pm_describe_plugins(const PmPoolOptions *pool, const char *const *names, size_t count, PmError *err);

/* {"vips": "8.14.1", "formats": {"jpeg": {"load": true, "save": true}, ..}}. New; NULL and err set as above. */
json_t *pm_describe_build(const PmPoolOptions *pool, PmError *err);

/* Of such an answer, or of what a checked pipeline knows: the names of the formats that can do it, "load" or "save". As
 * an array, new; as "jpeg, png" or "nothing". */
enum { PM_DESCRIBE_FORMATS_MAX = 256 };
json_t *pm_describe_formats(const json_t *answer, const char *what);
void pm_describe_formats_text(const json_t *answer, const char *what, char *out, size_t size);

#endif
