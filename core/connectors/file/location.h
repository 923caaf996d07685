/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a rendition will lie, as text: two that are equal are one file or object.
 */
#ifndef PM_CONNECTORS_FILE_LOCATION_H
#define PM_CONNECTORS_FILE_LOCATION_H

#include "pipeline/pipeline.h"

/* The key without a leading "/", "./" or "../": `apply` moves every place below its folder. */
const char *pm_location_below(const char *key);

/* New; NULL: out of memory. `out_dir`: of `apply`, else NULL. */
char *pm_location_new(const PmPipeline *pipeline, const char *out_dir, const PmPlace *place, const char *key);

#endif
