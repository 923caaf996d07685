/* SPDX-License-Identifier: Apache-2.0
 *
 * What became of a source, as JSON: printed by `--json`, sent or written by `notify`.
 */
#ifndef PM_CONNECTORS_RECORD_H
#define PM_CONNECTORS_RECORD_H

#include "connectors/result.h"

/* {source, status, bucket?, key?, etag?, version_id?, sequencer?, error?, skipped?, outputs, not_made, facts, verdicts,
 * warnings, timings, source_size, ms, attempt}. status: ok, skipped, retry, released, or the error's. New; NULL: out of
 * memory. */
json_t *pm_record_of(const PmJobResult *result);
const char *pm_record_status(const PmJobResult *result);

#endif
